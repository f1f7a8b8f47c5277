from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest

from clinprompt.corpora import registry
from clinprompt.errors import ClinpromptError
from clinprompt.examples import Entity, Relation, RelationAnswer, TextInput
from clinprompt.metrics import Item, Scores, score
from clinprompt.metrics.concepts import identifiers

TEXT = "Aspirin caused ulcers. ASPIRIN again: ulcer, bleeding cystitis. Saline did not."


def mention(surface: str, label: str, concept: str | None = None, nth: int = 0) -> Entity:
    start = -1
    for _ in range(nth + 1):
        start = TEXT.index(surface, start + 1)
    return Entity(((start, start + len(surface)),), label, concept)


ASPIRIN = mention("Aspirin", "Chemical", "D1")
ULCERS = mention("ulcers", "Disease", "D2")
ULCER = mention("ulcer,"[:-1], "Disease", "D2", nth=1)
CYSTITIS = mention("bleeding cystitis", "Disease", "D3|D4")
MENTIONS = (ASPIRIN, ULCERS, ULCER, CYSTITIS)


def relation(head: Entity, tail: Entity) -> Relation:
    return Relation(head, tail, "CID")


def plain(entity: Entity) -> Entity:
    """As a model's output is read: no concept."""
    return Entity(entity.spans, entity.label)


def with_concept(entity: Entity, concept: str) -> Entity:
    return Entity(entity.spans, entity.label, concept)


@pytest.fixture(scope="session")
def rate(make_card):
    card = make_card("list", "CID", metric="concept_relation_f1")

    def run(*sides: tuple[list[Relation], list[Relation] | None]) -> Scores:
        """All given (gold, predicted) sides are parts of one document."""
        items = [
            Item(
                str(n),
                "doc",
                TextInput(TEXT, mentions=MENTIONS),
                RelationAnswer(tuple(gold)),
                None if predicted is None else RelationAnswer(tuple(predicted)),
            )
            for n, (gold, predicted) in enumerate(sides)
        ]
        return score(card, items)

    return run


def counts(scores: Scores) -> tuple[int, int, int]:
    row = scores.per_label["CID"]
    return row.tp, row.fp, row.fn


GOLD = [relation(ASPIRIN, ULCERS)]


def test_any_mention_of_the_concepts_will_do(rate) -> None:
    found = [relation(plain(ASPIRIN), plain(ULCER))]
    assert counts(rate((GOLD, found))) == (1, 0, 0)
    assert rate((GOLD, found)).metrics["relation_f1"].value == 0


def test_surface_is_compared_without_case_where_spans_are_not_annotated(rate) -> None:
    found = [relation(mention("ASPIRIN", "Chemical"), plain(ULCERS))]
    assert counts(rate((GOLD, found))) == (1, 0, 0)


def test_unmapped_mentions_are_false_positives_once_each(rate) -> None:
    saline = mention("Saline", "Chemical")
    found = [relation(saline, plain(ULCERS)), relation(saline, plain(ULCER))]
    assert counts(rate((GOLD, found))) == (0, 1, 1)
    found.append(relation(mention("again", "Chemical"), plain(ULCERS)))
    assert counts(rate((GOLD, found))) == (0, 2, 1)


def test_type_must_agree(rate) -> None:
    found = [relation(Entity(ASPIRIN.spans, "Disease"), plain(ULCERS))]
    assert counts(rate((GOLD, found))) == (0, 1, 1)


def test_pairs_count_once_a_document_even_over_its_parts(rate) -> None:
    found = [relation(plain(ASPIRIN), plain(ULCERS)), relation(plain(ASPIRIN), plain(ULCER))]
    assert counts(rate((GOLD, found), (GOLD, found))) == (1, 0, 0)
    assert counts(rate((GOLD, None), ([], found))) == (1, 0, 0)


def test_a_composite_mention_stands_for_any_of_its_concepts(rate) -> None:
    gold = [
        relation(ASPIRIN, with_concept(CYSTITIS, "D3")),
        relation(ASPIRIN, with_concept(CYSTITIS, "D4")),
    ]
    found = [relation(plain(ASPIRIN), plain(CYSTITIS))]
    assert counts(rate((gold, found))) == (2, 0, 0)
    assert counts(rate((gold[:1], found))) == (1, 0, 0)
    assert counts(rate(([relation(ASPIRIN, CYSTITIS)], found))) == (1, 0, 0)


def test_direction_and_missing_answers(rate) -> None:
    assert counts(rate((GOLD, [relation(plain(ULCERS), plain(ASPIRIN))]))) == (0, 1, 1)
    assert counts(rate((GOLD, None))) == (0, 0, 1)
    assert rate(([], [])).value == 100


def test_gold_without_a_concept_is_refused(rate) -> None:
    with pytest.raises(ClinpromptError, match=r"CP-EVAL-007.*item '0'.*15-21") as caught:
        rate(([relation(ASPIRIN, plain(ULCERS))], []))
    assert "ulcers" not in str(caught.value)


def test_identifiers() -> None:
    assert identifiers("D1| D2|") == {"D1", "D2"}
    assert identifiers(None) == identifiers("") == frozenset()


@pytest.mark.data
def test_on_the_chemical_disease_relations(data_root: Path, make_card) -> None:
    """Gold answers told by other mentions of their concepts are right; all pairs find them all."""
    examples = registry.read(
        "pubtator",
        [data_root / "RE/bc5cdr-cid/CDR_TestSet.PubTator.txt.xz"],
        {"form": "list", "relations": {"CID": ("Chemical", "Disease")}},
        root=data_root,
        split="test",
        report=registry.Report(),
    )
    retold, all_pairs = [], []
    for example in examples:
        assert isinstance(example.input, TextInput) and isinstance(example.answer, RelationAnswer)
        mentions = example.input.mentions

        def last(end: Entity, mentions: tuple[Entity, ...] = mentions) -> Entity:
            same = [m for m in mentions if identifiers(m.concept) & identifiers(end.concept)]
            return plain(max(m for m in same if m.label == end.label))

        told = [relation(last(r.head), last(r.tail)) for r in example.answer.relations]
        sides = (
            [plain(m) for m in mentions if m.label == kind] for kind in ("Chemical", "Disease")
        )
        pairs = [relation(head, tail) for head, tail in product(*sides)]
        for items, found in ((retold, told), (all_pairs, pairs)):
            answer = RelationAnswer(tuple(found))
            items.append(Item(example.id, example.document, example.input, example.answer, answer))
    card = make_card("list", "CID", metric="concept_relation_f1")
    scores = score(card, retold)
    assert (scores.value, scores.low, scores.high) == (100, 100, 100)
    assert 0 < scores.metrics["relation_f1"].value < 50
    scores = score(card, all_pairs)
    assert scores.counts["documents"] == 500 and scores.per_label["CID"].fn == 0
    assert scores.metrics["concept_relation_recall"].value == 100
    assert 15 < scores.metrics["concept_relation_precision"].value < 25
