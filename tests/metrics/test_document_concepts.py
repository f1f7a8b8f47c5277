"""Relations between concepts: by hand, and against the same scores of typed answers."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.metrics.annotated import counts, doc, link, mention, scored, total

from clinprompt.documents.model import Attribute, Document, Normalization
from clinprompt.examples import Entity, Relation, RelationAnswer, TextInput
from clinprompt.metrics import Item
from clinprompt.metrics.concepts import concept_counts

TEXT = "lithium goitre lithium Goitre valproate tremor "
PLACES = {"a": (0, 7), "b": (8, 14), "c": (15, 22), "d": (23, 29), "e": (30, 39), "f": (40, 46)}


def annotated(concepts: dict[str, str], *links, extra=()) -> Document:
    """Mentions at their places, with the accessions that are given (parts joined by ``|``)."""
    mentions = [mention(name, "X", PLACES[name]) for name in PLACES]
    named = [
        Normalization(f"N{name}{i}", name, "MeSH", part)
        for name, parts in concepts.items()
        for i, part in enumerate(parts.split("|"))
    ]
    return doc(*mentions, *named, *links, *extra, text=TEXT)


GOLD = {"a": "D1", "b": "D2", "c": "D1", "d": "D2", "e": "D5", "f": "D6|D7"}


def test_any_mention_of_the_concept_will_do():
    gold = annotated(GOLD, link("R1", "CID", "a", "b"), link("R2", "CID", "c", "d"))
    predicted = annotated({}, link("R1", "CID", "c", "b"), link("R2", "CID", "e", "b"))
    scores = scored(gold, predicted)
    assert total(scores, "relations.concept") == (1, 1, 0)
    assert total(scores, "relations.exact") == (0, 2, 2)
    assert counts(scores.sections["relations.concept"].tables["label"]["CID"]) == (1, 1, 0)


def test_vocabularies_may_have_other_names():
    gold = annotated(GOLD, link("R1", "CID", "a", "b"))
    other = replace(
        gold,
        annotations=tuple(
            replace(one, resource="concept") if isinstance(one, Normalization) else one
            for one in gold.annotations
        ),
    )
    assert total(scored(gold, other), "relations.concept") == (1, 0, 0)


def test_a_composite_concept_stands_for_its_parts_unless_one_is_chosen():
    gold = annotated(GOLD, link("R1", "CID", "a", "f"))
    predicted = annotated({"a": "D1", "f": "D7"}, link("R1", "CID", "a", "f"))
    assert total(scored(gold, predicted), "relations.concept") == (1, 0, 0)
    chosen = replace(
        gold, annotations=(*gold.annotations, Attribute("A1", "Arg2Concept", "R1", "D6"))
    )
    scores = scored(chosen, predicted)
    assert total(scores, "relations.concept") == (0, 1, 1)
    assert "attributes.exact.end_to_end" not in scores.sections


def test_relations_without_mentions_count():
    gold = annotated(GOLD, link("R1", "CID", "a", "b"))
    hidden = replace(gold, metadata=(("pubtator.relation", "CID\tD1\tMESH:D99"),))
    assert total(scored(hidden, gold), "relations.concept") == (1, 0, 1)
    assert total(scored(hidden, hidden), "relations.concept") == (2, 0, 0)


def test_turned_pairs_agree_if_undirected():
    gold = annotated(GOLD, link("R1", "CID", "a", "b"))
    turned = annotated({}, link("R1", "CID", "b", "a"))
    assert total(scored(gold, turned), "relations.concept") == (0, 1, 1)
    assert total(scored(gold, turned, directed=False), "relations.concept") == (1, 0, 0)


def test_gold_without_concepts_is_not_scored_so():
    gold = annotated({"a": "D1", "b": "D2"}, link("R1", "CID", "a", "b"))
    assert "relations.concept" in scored(gold, gold).sections
    partly = annotated(
        {"a": "D1", "b": "D2"}, link("R1", "CID", "a", "b"), link("R2", "CID", "e", "f")
    )
    scores = scored(partly, partly)
    assert "relations.concept" not in scores.sections
    assert any("1 gold relations of 2" in note for note in scores.notes)
    assert (
        "relations.concept" not in scored(annotated({}, link("R1", "x", "a", "b")), gold).sections
    )


names = st.sampled_from(list(PLACES))
pairs = st.lists(st.tuples(st.sampled_from(["CID", "other"]), names, names), max_size=6)
identified = st.fixed_dictionaries(
    {name: st.sampled_from(["D1", "D2", "D3", "D1|D2"]) for name in PLACES}
)


@settings(max_examples=60)
@given(identified, pairs, pairs)
def test_counts_are_those_of_typed_answers(concepts, wanted, found):
    sides = [
        annotated(known, *(link(f"R{i}", *one) for i, one in enumerate(listed)))
        for known, listed in ((concepts, wanted), ({}, found))
    ]

    def answer(listed, known):
        entities = {name: Entity((place,), "X", known.get(name)) for name, place in PLACES.items()}
        return RelationAnswer(
            tuple(Relation(entities[head], entities[tail], label) for label, head, tail in listed)
        )

    entities = tuple(Entity((place,), "X", concepts[n]) for n, place in PLACES.items())
    item = Item(
        "a", "a", TextInput(TEXT, mentions=entities), answer(wanted, concepts), answer(found, {})
    )
    theirs = concept_counts([item])
    scores = scored(*sides)
    if not wanted and not found:
        assert "relations.concept" not in scores.sections
        return
    table = scores.sections["relations.concept"].tables["label"]
    assert {label: counts(row) for label, row in table.items()} == theirs
