from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.inference import world

from clinprompt.errors import ClinpromptError
from clinprompt.examples import (
    Answer,
    Entity,
    EntityAnswer,
    Input,
    LabelAnswer,
    PairInput,
    PremiseInput,
    QuestionInput,
    Relation,
    RelationAnswer,
    SpanAnswer,
    TextAnswer,
    TextInput,
    source_text,
)
from clinprompt.inference.records import (
    answer_record,
    input_fields,
    input_record,
    read_answer,
    read_input,
)
from clinprompt.tasks.card import Card

CARDS = {card.name: card for card in world.cards()}
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)


@st.composite
def spans(draw: st.DrawFn, text: str) -> tuple[tuple[int, int], ...]:
    places = st.integers(0, len(text))
    cuts = sorted(draw(st.sets(places, min_size=2, max_size=6)))
    return tuple(zip(cuts[::2], cuts[1::2], strict=False))


@st.composite
def entities(draw: st.DrawFn, text: str, label: str) -> Entity:
    return Entity(draw(spans(text)), label, draw(st.none() | TEXTS))


@st.composite
def examples(draw: st.DrawFn) -> tuple[Card, Input, Answer]:
    card = CARDS[draw(st.sampled_from(sorted(CARDS)))]
    text = draw(TEXTS)
    value: Input
    if card.form == "pair":
        labels = st.sampled_from(["", "Drug"])
        value = PairInput(
            text, draw(entities(text, draw(labels))), draw(entities(text, draw(labels)))
        )
    elif card.type == "nli":
        value = PremiseInput(text, draw(TEXTS))
    elif card.type == "qa":
        context = text if card.form == "span" else draw(st.none() | TEXTS)
        choices = draw(st.lists(TEXTS, min_size=1, max_size=5)) if card.form == "choice" else ()
        value = QuestionInput(draw(TEXTS), context, tuple(choices))
    else:
        value = TextInput(text, draw(st.none() | TEXTS) if card.type == "sum" else None)
    answer: Answer
    if card.form == "mentions":
        kinds = st.sampled_from(list(card.labels)).flatmap(lambda kind: entities(text, kind))
        answer = EntityAnswer(tuple(draw(st.lists(kinds, max_size=4))))
    elif card.form == "list":
        pairs = st.builds(
            Relation, entities(text, "Drug"), entities(text, "Sign"), st.just("treats")
        )
        answer = RelationAnswer(tuple(draw(st.lists(pairs, max_size=3))))
    elif card.form == "span":
        answer = SpanAnswer(draw(st.just(()) | spans(text)))
    elif card.form == "text":
        answer = TextAnswer(draw(TEXTS), tuple(draw(st.lists(TEXTS, max_size=2))))
    else:
        letters = [chr(65 + i) for i in range(len(getattr(value, "choices", ())))]
        answer = LabelAnswer(draw(st.sampled_from(letters or list(card.labels))))
    return card, value, answer


def concepts(answer: Answer) -> list[str | None]:
    match answer:
        case EntityAnswer(found):
            return [entity.concept for entity in found]
        case RelationAnswer(relations):
            return [side.concept for one in relations for side in (one.head, one.tail)]
    return []


@given(examples())
def test_inputs_and_answers_survive_json(example: tuple[Card, Input, Answer]) -> None:
    card, value, answer = example
    written = json.loads(json.dumps(input_record(value)))
    assert read_input(card, written) == value
    given_answer = json.loads(json.dumps(answer_record(answer, value)))
    found = read_answer(card, given_answer, value)
    assert found == answer
    assert concepts(found) == concepts(answer)
    if isinstance(answer, TextAnswer) and isinstance(found, TextAnswer):
        assert found.references == answer.references


@given(examples())
def test_needed_fields_are_needed_and_others_are_refused(
    example: tuple[Card, Input, Answer],
) -> None:
    card, value, _ = example
    record = input_record(value)
    needed, possible = input_fields(card)
    assert set(needed) <= set(record) <= {*needed, *possible}
    for name in needed:
        with pytest.raises(ClinpromptError, match=f"CP-INF-031.*'{name}' is missing"):
            read_input(card, {key: record[key] for key in record if key != name})
        with pytest.raises(ClinpromptError, match=f"CP-INF-032.*'{name}' is a number"):
            read_input(card, record | {name: 7})
        with pytest.raises(ClinpromptError, match=f"CP-INF-030.*did you mean '{name}'"):
            read_input(card, record | {name + "s": 7})
    for name in possible:
        assert read_input(card, {**record, name: None}) == read_input(
            card, {key: record[key] for key in record if key != name}
        )


@given(examples())
def test_answers_carry_the_text_their_offsets_cover(example: tuple[Card, Input, Answer]) -> None:
    _, value, answer = example
    text, record = source_text(value), answer_record(answer, value)

    def check(part: Any) -> None:
        if isinstance(part, dict):
            if "spans" in part:
                assert part["text"] == " ".join(text[a:b] for a, b in part["spans"])
            for item in part.values():
                check(item)
        if isinstance(part, list):
            for item in part:
                check(item)

    check(record)


def test_examples_of_answers() -> None:
    note = TextInput("no rash, 🩺 mild rash")
    rash = Entity(((16, 20),), "Sign")
    assert answer_record(EntityAnswer((rash,)), note) == {
        "entities": [{"label": "Sign", "spans": [[16, 20]], "text": "rash"}]
    }
    assert answer_record(SpanAnswer(((0, 2), (3, 7))), QuestionInput("?", note.text)) == {
        "spans": [[0, 2], [3, 7]],
        "text": "no rash",
    }
    label = answer_record(LabelAnswer("y"), note, probabilities={"y": 0.75, "n": 1 / 4e6})
    assert label == {"label": "y", "probabilities": {"y": 0.75, "n": 0.0}}
    assert answer_record(None, note) is None


NOTE = TextInput("Mustermann took aspirin")


@pytest.mark.parametrize(
    ("name", "record", "code", "words"),
    [
        ("mentions", {"entities": 1}, "032", "'entities' is a number, not a list"),
        ("mentions", {"entities": ["x"]}, "032", "'entities[0]' is a text, not an object"),
        ("mentions", {"entities": [{"label": "Drug"}]}, "031", "'spans' is missing"),
        ("mentions", {"entities": [{"label": "X", "spans": []}]}, "035", "entities[0].label"),
        ("mentions", {"entities": [{"label": "Drug", "spans": []}]}, "033", "there are none"),
        ("mentions", {"entities": [{"label": "Drug", "spans": [[0]]}]}, "032", "spans[0]"),
        ("mentions", {"entities": [{"label": "Drug", "spans": [[0, True]]}]}, "032", "spans[0]"),
        ("mentions", {"entities": [{"label": "Drug", "spans": [[3, 3]]}]}, "033", "3-3 is empty"),
        ("mentions", {"entities": [{"label": "Drug", "spans": [[3, 99]]}]}, "033", "outside 23"),
        (
            "mentions",
            {"entities": [{"label": "Drug", "spans": [[3, 6], [5, 7]]}]},
            "033",
            "5-7 starts before 6",
        ),
        (
            "mentions",
            {"entities": [{"label": "Drug", "spans": [[16, 23]], "text": "aspirim"}]},
            "034",
            "offsets 16-23 cover",
        ),
        ("nli", {"label": "follows"}, "035", "'label' holds"),
        ("summary", {"text": ["x"]}, "032", "'text' is a list"),
        ("summary", {"text": "x", "references": ["y", None]}, "032", "references[1]"),
    ],
)
def test_wrong_answers_are_refused_without_their_text(
    name: str, record: dict[str, Any], code: str, words: str
) -> None:
    with pytest.raises(ClinpromptError) as caught:
        read_answer(CARDS[name], record, NOTE)
    assert caught.value.code == f"CP-INF-{code}"
    assert words in caught.value.message
    assert "aspiri" not in str(caught.value)


def test_a_letter_must_have_a_choice() -> None:
    question = QuestionInput("?", None, ("one", "two"))
    assert read_answer(CARDS["choice"], {"label": "B"}, question) == LabelAnswer("B")
    with pytest.raises(ClinpromptError, match=r"CP-INF-035.*possible: A, B"):
        read_answer(CARDS["choice"], {"label": "C"}, question)


def test_relations_join_what_the_card_says() -> None:
    head, tail = {"label": "Drug", "spans": [[16, 23]]}, {"label": "Drug", "spans": [[0, 10]]}
    with pytest.raises(ClinpromptError, match=r"CP-INF-035.*relations\[0\]\.tail\.label"):
        read_answer(
            CARDS["list"], {"relations": [{"label": "treats", "head": head, "tail": tail}]}, NOTE
        )


def test_mentions_of_a_pair_may_leave_out_label_and_text() -> None:
    record = {
        "text": "aspirin for pain",
        "head": {"spans": [[0, 7]]},
        "tail": {"spans": [[12, 16]]},
    }
    assert read_input(CARDS["pair"], record) == PairInput(
        "aspirin for pain", Entity(((0, 7),), ""), Entity(((12, 16),), "")
    )
    record["tail"] = {"spans": [[12, 16]], "text": "pair"}
    with pytest.raises(ClinpromptError, match=r"CP-INF-034.*'tail\.text' differs"):
        read_input(CARDS["pair"], record)
