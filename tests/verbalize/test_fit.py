from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.inference import world

from clinprompt import verbalize
from clinprompt.examples import (
    Entity,
    Input,
    PairInput,
    PremiseInput,
    QuestionInput,
    TextInput,
)
from clinprompt.tasks.card import Card
from clinprompt.verbalize.fit import cut

TEXTS = st.text(st.sampled_from("ab é\n🩺"), min_size=1, max_size=120)


def encode_for(card: Card) -> object:
    return lambda value: list(verbalize.input_text(card, value).encode())


def whole(value: Input) -> str:
    match value:
        case TextInput(text=text) | PairInput(text=text):
            return text
        case QuestionInput(context=context):
            return context or ""
        case PremiseInput(premise=premise):
            return premise


def inputs(text: str) -> list[tuple[str, Input]]:
    mention = Entity(((0, 1),), "Drug")
    return [
        ("mentions", TextInput(text)),
        ("summary", TextInput(text, question="Why?")),
        ("pair", PairInput(text, mention, mention)),
        ("span", QuestionInput("Why?", text)),
        ("choice", QuestionInput("Why?", text, ("a", "b"))),
        ("nli", PremiseInput(text, "so")),
    ]


@given(TEXTS, st.integers(0, 200))
def test_what_is_left_is_a_beginning_that_fits(text: str, most: int) -> None:
    for name, value in inputs(text):
        card = world.card(name)
        encode = encode_for(card)
        found = cut(value, most, encode)
        if found is None:
            continue
        assert found.truncated == (whole(found.input) != text)
        assert text.startswith(whole(found.input))
        assert whole(found.input).strip()
        assert len(text) - len(whole(found.input)) == found.characters
        assert found.ids == encode(found.input)
        assert len(found.ids) <= most
        field = {"span": "context", "choice": "context", "nli": "premise"}.get(name, "text")
        assert replace(found.input, **{field: text}) == value  # all else is as it was


@given(TEXTS, st.integers(0, 200))
def test_not_more_is_cut_than_a_word(text: str, most: int) -> None:
    encode = encode_for(world.card("mentions"))
    found = cut(TextInput(text), most, encode)
    fitting = [n for n in range(len(text)) if len(encode(TextInput(text[:n]))) <= most]
    if found is None:
        assert not text[: max(fitting, default=0)].strip()
    else:
        kept = whole(found.input)
        lost = text[len(kept) : max(fitting)]
        assert len(lost) <= 40
        assert not any(space in lost.strip() for space in (" ", "\n"))


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("one two three", "one two"),  # there is room for "one two th"
        ("one two   rest", "one two  "),
        ("onetwothreefour", "onetwothre"),  # no white space near: in the middle
    ],
)
def test_words_stay_whole(text: str, kept: str) -> None:
    room = len("Text: ") + 10
    found = cut(TextInput(text), room, encode_for(world.card("mentions")))
    assert found is not None
    assert found.input == TextInput(kept)


def test_mentions_of_a_pair_are_never_cut() -> None:
    text = "aspirin " + "x" * 50 + " rash and more"
    pair = PairInput(text, Entity(((0, 7),), "Drug"), Entity(((59, 63),), "Sign"))
    encode = encode_for(world.card("pair"))
    assert cut(pair, len(encode(pair)) - 1, encode).input == PairInput(
        text[:-5], pair.head, pair.tail
    )
    least = len(encode(PairInput(text[:63], pair.head, pair.tail)))
    assert cut(pair, least, encode).input.text == text[:63]
    assert cut(pair, least - 1, encode) is None


def test_long_notes_are_cut_in_a_few_tries() -> None:
    calls = 0
    encode = encode_for(world.card("mentions"))

    def counted(value: Input) -> list[int]:
        nonlocal calls
        calls += 1
        return encode(value)

    found = cut(TextInput("word " * 100_000), 1000, counted)
    assert found is not None
    assert len(found.ids) > 990
    assert calls < 25
