from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.inference import world
from tests.inference.lexicon import pair_card

from clinprompt.documents import jsonl
from clinprompt.documents.model import (
    Annotation,
    Argument,
    Attribute,
    Comment,
    Document,
    Equivalence,
    Event,
    Link,
    Mention,
    Normalization,
)
from clinprompt.examples import (
    Answer,
    Entity,
    EntityAnswer,
    Input,
    LabelAnswer,
    PairInput,
    QuestionInput,
    Relation,
    RelationAnswer,
    SpanAnswer,
    TextAnswer,
    TextInput,
)
from clinprompt.inference.notes.annotate import annotated, kept_annotations
from clinprompt.inference.notes.found import Found, found_record, read_found
from clinprompt.inference.notes.plan import Existing, Plan, make_plan

TEXT = "aspirin for fever and pain"
DRUG, FEVER, PAIN = (
    Entity(((0, 7),), "Drug"),
    Entity(((12, 17),), "Sign"),
    Entity(((22, 26),), "Sign"),
)
CARDS = {card.name: card for card in [*world.cards(), pair_card()]}


def plan(existing: Existing | None = None, **changes: Any) -> Plan:
    asked = {"label": "Is it bad?", "span": "Where?", "answer": "What?", "nli": "He is ill."}
    return make_plan(CARDS, questions=asked, existing=existing, **changes)


def answer(task: str, value: Answer | None, asked: Input | None = None, **more: Any) -> Found:
    return Found(task, asked or TextInput(TEXT), value, **more)


def put(*found: Found, own: tuple[Annotation, ...] = (), existing: Existing = "keep") -> Document:
    return annotated(Document("a", TEXT, own), found, plan(existing))


def test_mentions_relations_and_pairs() -> None:
    asked = PairInput(TEXT, DRUG, PAIN)
    document = put(
        answer("mentions", EntityAnswer((DRUG, FEVER)), confidence=(0.5, None)),
        answer("list", RelationAnswer((Relation(DRUG, PAIN, "treats"),)), confidence=(0.25,)),
        answer("pair", LabelAnswer("yes"), asked, confidence=(0.75,)),
        answer("pair", LabelAnswer("no"), PairInput(TEXT, DRUG, FEVER)),
    )
    assert document.annotations == (
        Mention("T1", "Drug", DRUG.spans, 0.5),
        Mention("T2", "Sign", FEVER.spans),
        Mention("T3", "Sign", PAIN.spans),
        Link("R1", "treats", (Argument("Arg1", "T1"), Argument("Arg2", "T3")), 0.25),
        Link("R2", "yes", (Argument("Arg1", "T1"), Argument("Arg2", "T3")), 0.75),
    )
    assert document.metadata == ()


def test_what_is_there_already_is_kept_once() -> None:
    own = (
        Mention("T7", "Drug", DRUG.spans),
        Mention("T2", "Sign", FEVER.spans),
        Link("R1", "treats", (Argument("Medicine", "T7"), Argument("Problem", "T2"))),
        Mention("T8", "Gene", DRUG.spans),
    )
    found = RelationAnswer((Relation(DRUG, FEVER, "treats"), Relation(DRUG, PAIN, "treats")))
    document = put(
        answer("list", found), answer("mentions", EntityAnswer((DRUG, FEVER, PAIN))), own=own
    )
    assert document.annotations[:4] == own
    assert document.annotations[4:] == (
        Mention("T1", "Sign", PAIN.spans),
        Link("R2", "treats", (Argument("Arg1", "T7"), Argument("Arg2", "T1"))),
    )


def test_concepts_become_normalizations() -> None:
    coded = [Entity(DRUG.spans, "Drug", concept) for concept in ("MESH:D001241", "B01", None)]
    document = put(*(answer("mentions", EntityAnswer((one,))) for one in [*coded, *coded]))
    assert document.annotations == (
        Mention("T1", "Drug", DRUG.spans),
        Normalization("N1", "T1", "MESH", "D001241"),
        Normalization("N2", "T1", "concept", "B01"),
    )


OWN = (
    Mention("T1", "Drug", DRUG.spans),
    Mention("T2", "Sign", FEVER.spans),
    Event("E1", "T2", (Argument("Theme", "T1"),)),
    Link("R1", "treats", (Argument("Arg1", "T1"), Argument("Arg2", "T2"))),
    Attribute("A1", "Negation", "T2"),
    Attribute("A2", "Past", "E1"),
    Normalization("N1", "T1", "MESH", "D001241"),
    Comment("#1", "Note", "A1", "sure?"),
    Comment("#2", "Note", "R1", "sure?"),
    Equivalence("Equiv", ("T1", "T2")),
    Equivalence("Equiv", ("T1", "E1")),
)


@pytest.mark.parametrize(
    ("existing", "kept"),
    [("keep", range(11)), ("mentions", (0, 1, 4, 6, 7, 9)), ("replace", ()), (None, ())],
)
def test_own_annotations_stay_as_chosen(existing: Existing | None, kept: Any) -> None:
    assert kept_annotations(Document("a", TEXT, OWN), existing) == tuple(OWN[i] for i in kept)


def test_answers_about_the_whole_note_are_metadata() -> None:
    asked = QuestionInput("Is it bad?", TEXT)
    document = annotated(
        Document("a", TEXT, metadata=(("date", "1999"), ("label", "old"))),
        [
            answer("label", LabelAnswer("y"), asked, confidence=(1 / 3,)),
            answer("summary", TextAnswer("Aspirin."), truncated=1),
            answer("answer", None, asked, unparsable=1),
            answer("span", SpanAnswer((FEVER.spans[0], PAIN.spans[0])), asked, unfinished=1),
            answer("mentions", EntityAnswer(()), truncated=1),
        ],
        plan(),
        ["nli"],
    )
    assert document.metadata == (
        ("date", "1999"),
        ("label", "y"),
        ("label.confidence", "0.333333"),
        ("summary", "Aspirin."),
        ("span", "fever pain"),
        ("clinprompt.truncated", "summary, mentions"),
        ("clinprompt.unfinished", "span"),
        ("clinprompt.unusable", "answer"),
        ("clinprompt.unanswered", "nli"),
    )
    assert document.annotations == (Mention("T1", "span", (FEVER.spans[0], PAIN.spans[0])),)


def test_no_answer_found_is_an_answer() -> None:
    document = put(answer("span", SpanAnswer(()), QuestionInput("Where?", TEXT)))
    assert document.annotations == ()
    assert document.metadata == (("span", ""),)


SPANS = st.tuples(st.integers(0, 20), st.integers(1, 6)).map(lambda p: ((p[0], p[0] + p[1]),))
FOUND = st.lists(
    st.one_of(
        st.lists(st.builds(Entity, SPANS, st.sampled_from(["Drug", "Sign"])), max_size=4).map(
            lambda found: answer("mentions", EntityAnswer(tuple(found)))
        ),
        st.lists(
            st.builds(
                lambda head, tail: Relation(Entity(head, "Drug"), Entity(tail, "Sign"), "treats"),
                SPANS,
                SPANS,
            ),
            max_size=3,
        ).map(lambda found: answer("list", RelationAnswer(tuple(found)))),
    ),
    max_size=4,
)


@given(FOUND, st.sampled_from(["keep", "mentions", "replace"]))
def test_every_answer_stands_there_once_and_the_document_is_sound(
    found: list[Found], existing: Existing
) -> None:
    document = put(*found, own=OWN, existing=existing)
    assert jsonl.from_record(jsonl.to_record(document), "x") == document  # ids are unique
    places = [(one.label, one.spans) for one in document.mentions]
    assert len(set(places)) == len(places)
    wanted = {
        (entity.label, entity.spans)
        for one in found
        for entity in (
            one.answer.entities
            if isinstance(one.answer, EntityAnswer)
            else [side for r in one.answer.relations for side in (r.head, r.tail)]  # type: ignore[union-attr]
        )
    }
    assert wanted <= set(places)


def test_answers_survive_being_kept_as_json() -> None:
    asked = {
        "mentions": (TextInput(TEXT), EntityAnswer((Entity(DRUG.spans, "Drug", "M:1"), FEVER))),
        "list": (TextInput(TEXT), RelationAnswer((Relation(DRUG, PAIN, "treats"),))),
        "pair": (PairInput(TEXT, DRUG, PAIN), LabelAnswer("yes")),
        "span": (QuestionInput("Where?", TEXT), SpanAnswer(((0, 7), (12, 17)))),
        "summary": (TextInput(TEXT, question="Why?"), TextAnswer("β")),
        "answer": (QuestionInput("What?", TEXT), None),
        "label": (QuestionInput("Is it bad?", TEXT), LabelAnswer("m")),
    }
    for task, (value, typed) in asked.items():
        found = Found(task, value, typed, (0.5, None), unaligned=2, truncated=1, windowed=1)
        record = found_record(found, CARDS[task])
        assert TEXT not in str(record)
        assert read_found(record, CARDS[task], TEXT) == found
