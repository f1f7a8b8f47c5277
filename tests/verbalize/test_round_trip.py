"""Whatever a reader can produce survives the way to text and back."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

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
    Span,
    SpanAnswer,
    TextAnswer,
    TextInput,
)
from clinprompt.tasks.card import Card
from clinprompt.verbalize import answer_text, canonical, input_text, options, parse

# Few letters, so that words repeat; then all that could be taken for a separator.
PLAIN = st.text("ab ", max_size=40)
NASTY = st.text("abB  \n\r\t.[]012->:;|\\snu\u2003\u0301éßİς😀中", max_size=60)
SEPARATORS = [" ... ", "...", " [1]", " [2]", " -> ", "->", ": ", "<<", "]]", "A)", "Disease: a"]
ESCAPES = ["\\", "\\n", "\\[", "\\...", "\\u2003"]
SPACES = [" ", "  ", "\n", "\t", "\x85"]
WORDS = ["a", "b", "cold", "cold", "cold", " cold ", "Cold", "colds", "cold\n", "none", "None"]
PIECES = st.lists(st.sampled_from([*SEPARATORS, *ESCAPES, *SPACES, *WORDS]), max_size=14)
ARGUMENTS = {"CID": ("Drug", "Effect"), "T": ("Drug", "Drug")}
TEXTS = st.one_of(PLAIN, NASTY, PIECES.map("".join), st.text(max_size=30))


def round_trip(task: Card, value: Input, answer: Answer) -> str:
    text = answer_text(task, value, answer)
    parsed = parse(task, value, text)
    assert parsed.answer == canonical(answer), text
    blank = isinstance(answer, TextAnswer) and not answer.text.strip()
    assert (parsed.unaligned, parsed.unparsable) == (0, int(blank)), text
    return text


@st.composite
def spans_in(draw: st.DrawFn, text: str, sorted_apart: bool = True) -> tuple[Span, ...]:
    """One mention of `text`: mostly one fragment, else up to three, sorted and disjoint."""
    count = draw(st.sampled_from([1, 1, 1, 2, 3]))
    if len(text) < 2 * count:
        count = 1
    places = draw(
        st.lists(
            st.integers(0, len(text)),
            min_size=2 * count,
            max_size=2 * count,
            unique=True,
        )
    )
    if sorted_apart:
        places.sort()
    pairs = zip(places[::2], places[1::2], strict=True)
    return tuple((min(pair), max(pair)) for pair in pairs)


@st.composite
def repeated_word(draw: st.DrawFn, text: str) -> tuple[Span, ...]:
    """A mention with the same words as another place of the text, where there is one."""
    ((start, end), *_) = draw(spans_in(text))
    width = min(end - start, 4)
    places = [
        i for i in range(len(text) - width + 1) if text.startswith(text[start : start + width], i)
    ]
    at = draw(st.sampled_from(places))
    return ((at, at + width),)


@st.composite
def entity_cases(draw: st.DrawFn) -> tuple[str, list[Entity]]:
    text = draw(TEXTS)
    if not text:
        return text, []
    mention = st.one_of(spans_in(text), repeated_word(text), spans_in(text, False))
    labels = st.sampled_from(["D", "C"])
    found = draw(st.lists(st.builds(Entity, mention, labels), max_size=8))
    return text, draw(st.permutations(found))


@st.composite
def relation_cases(draw: st.DrawFn) -> tuple[str, list[Relation]]:
    text = draw(TEXTS)
    if not text:
        return text, []
    mentions = draw(
        st.lists(st.one_of(spans_in(text), repeated_word(text)), min_size=1, max_size=5)
    )
    found = []
    for _ in range(draw(st.integers(0, 6))):
        label = draw(st.sampled_from(["CID", "T"]))
        head, tail = (Entity(draw(st.sampled_from(mentions)), kind) for kind in ARGUMENTS[label])
        found.append(Relation(head, tail, label))
    return text, found


@settings(max_examples=500, deadline=None)
@given(case=entity_cases())
def test_entities(cards: dict[str, Card], case: tuple[str, list[Entity]]) -> None:
    text, entities = case
    round_trip(cards["ner"], TextInput(text), EntityAnswer(tuple(entities)))


@settings(max_examples=400, deadline=None)
@given(case=relation_cases())
def test_relations(cards: dict[str, Card], case: tuple[str, list[Relation]]) -> None:
    text, relations = case
    round_trip(cards["list"], TextInput(text), RelationAnswer(tuple(relations)))


@settings(max_examples=400, deadline=None)
@given(data=st.data(), text=TEXTS)
def test_extracted_spans(cards: dict[str, Card], data: st.DataObject, text: str) -> None:
    spans: tuple[Span, ...] = ()
    if text:
        mention = st.one_of(spans_in(text), repeated_word(text), st.just(()))
        spans = data.draw(mention)
    round_trip(cards["span"], QuestionInput("Where?", text), SpanAnswer(spans))


@given(question=TEXTS, choices=st.lists(TEXTS, min_size=1, max_size=26), data=st.data())
def test_choices(
    cards: dict[str, Card], question: str, choices: list[str], data: st.DataObject
) -> None:
    value = QuestionInput(question, None, tuple(choices))
    letter = data.draw(st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZ"[: len(choices)]))
    assert round_trip(cards["choice"], value, LabelAnswer(letter)) == letter
    input_text(cards["choice"], value)


@given(first=TEXTS, second=TEXTS)
def test_closed_labels(cards: dict[str, Card], first: str, second: str) -> None:
    entity = Entity(((0, 1),), "x")
    cases: list[tuple[Card, Input]] = [
        (cards["label"], QuestionInput(first, second)),
        (cards["nli"], PremiseInput(first, second)),
        (cards["pair"], PairInput(first + "a", entity, entity)),
    ]
    for task, value in cases:
        input_text(task, value)
        assert [answer.label for answer, _ in options(task, value)] == list(task.labels)
        for answer, text in options(task, value):
            assert round_trip(task, value, answer) == text


@given(text=TEXTS)
def test_texts(cards: dict[str, Card], text: str) -> None:
    round_trip(cards["free"], QuestionInput("Why?"), TextAnswer(text))
    round_trip(cards["sum"], TextInput("A note."), TextAnswer(text))


@settings(max_examples=200, deadline=None)
@given(note=TEXTS, written=TEXTS)
def test_no_text_is_refused(cards: dict[str, Card], note: str, written: str) -> None:
    for task, value in (
        (cards["ner"], TextInput(note)),
        (cards["list"], TextInput(note)),
        (cards["span"], QuestionInput("Where?", note)),
        (cards["span"], QuestionInput("Where?")),
        (cards["choice"], QuestionInput("Which?", None, (note, "b"))),
        (cards["label"], QuestionInput(note)),
        (cards["free"], QuestionInput(note)),
        (cards["nli"], PremiseInput(note, "b")),
        (cards["pair"], PairInput("ab", Entity(((0, 1),), "x"), Entity(((1, 2),), "x"))),
        (cards["sum"], TextInput(note)),
    ):
        for text in (written, f"Disease: {written}", f"causes: {written} -> {note}"):
            parsed = parse(task, value, text)
            assert parsed.answer is not None or parsed.unaligned + parsed.unparsable == 1
            assert parsed.unaligned >= 0 and parsed.unparsable >= 0


@settings(max_examples=200, deadline=None)
@given(note=TEXTS, written=TEXTS)
def test_every_line_is_an_entity_or_counted(
    cards: dict[str, Card], note: str, written: str
) -> None:
    text = f"Disease: {written}\nChemical compound: {note}"
    lines = [line for line in text.split("\n") if line.strip()]
    parsed = parse(cards["ner"], TextInput(note), text)
    assert isinstance(parsed.answer, EntityAnswer)
    assert len(parsed.answer.entities) + parsed.unaligned + parsed.unparsable == len(lines)
