"""What grounded decoding lets through: every gold answer, and nothing that can't be read."""

from __future__ import annotations

import random
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.backbone import tiny
from tests.inference import world
from tests.verbalize import test_round_trip as cases

from clinprompt import verbalize
from clinprompt.examples import (
    Entity,
    EntityAnswer,
    Input,
    QuestionInput,
    RelationAnswer,
    SpanAnswer,
    TextInput,
)
from clinprompt.inference.grounding import Grounder, Grounding
from clinprompt.tasks import catalogue, loading
from clinprompt.tasks.card import Card

LABELS = {"D": "Disease", "C": "Chemical compound"}
MENTIONS = world.card("mentions", labels=LABELS)
LIST = world.card(
    "list", labels={"CID": "causes", "T": "acts with"}, arguments=dict(cases.ARGUMENTS)
)
SPAN = world.card("span")


@cache
def grounder() -> Grounder:
    """For tokens that are bytes: every border inside a character is met."""
    return Grounder(world.prepared().codec, tiny.VOCABULARY)


def refused_at(by: Grounder, card: Card, value: Input, text: str) -> int | None:
    """The token of an answer, end token included, that is not let through; None if all are."""
    held = by(card, value)
    assert held is not None
    for place, token in enumerate(by.codec.answers([text])[0]):
        if not bool(held.mask()[token]) or not held.advance(token):
            return place
    assert held.ended and "\n".join(held.whole) == text
    return None


def walk(held: Grounding, by: Grounder, random_: random.Random, most: int, few: bool) -> str:
    """An answer of tokens drawn among those that are let through: whole lines of it.

    Fails where no token is possible, unless the text has `few` characters: all that can be said of
    it may have been said.
    """
    for _ in range(most):
        allowed = held.mask().nonzero()[:, 0].tolist()
        random_.shuffle(allowed)
        # Ends of lines are few among the letters: prefer them now and then.
        if random_.random() < 0.3:
            allowed.sort(key=lambda t: t not in by.codec.stops and by.codec.decode([t]) != "\n")
        if random_.random() < 0.5:
            allowed.sort(key=lambda t: t in by.codec.stops)
        taken = any(held.advance(token) for token in allowed)
        assert taken or few, f"nothing can follow {held.whole}"
        if not taken or held.ended:
            break
    return "\n".join(held.whole)


def check_readable(card: Card, value: Input, written: str) -> None:
    parsed = verbalize.parse(card, value, written)
    assert (parsed.unaligned, parsed.unparsable) == (0, 0), written
    again = verbalize.answer_text(card, value, parsed.answer)
    assert verbalize.parse(card, value, again).answer == parsed.answer


def sorted_apart(entity: Entity) -> bool:
    return all(a[1] <= b[0] for a, b in zip(entity.spans, entity.spans[1:], strict=False))


@settings(max_examples=250)
@given(case=cases.entity_cases())
def test_gold_entities_are_let_through(case: tuple[str, list[Entity]]) -> None:
    text, entities = case
    assume(all(map(sorted_apart, entities)))
    value = TextInput(text)
    gold = verbalize.answer_text(MENTIONS, value, EntityAnswer(tuple(entities)))
    assert refused_at(grounder(), MENTIONS, value, gold) is None, gold


@settings(max_examples=250)
@given(case=cases.relation_cases())
def test_gold_relations_are_let_through(case: tuple[str, list[Any]]) -> None:
    text, found = case
    # Known limit (docs/grounding.md): three fragments and more, of words that come up many times.
    assume(all(len(end.spans) <= 2 for one in found for end in (one.head, one.tail)))
    value = TextInput(text)
    gold = verbalize.answer_text(LIST, value, RelationAnswer(tuple(found)))
    assert refused_at(grounder(), LIST, value, gold) is None, gold


@settings(max_examples=250)
@given(data=st.data(), text=cases.TEXTS)
def test_gold_spans_are_let_through(data: st.DataObject, text: str) -> None:
    spans = ()
    if text:
        kinds = st.one_of(cases.spans_in(text), cases.repeated_word(text), st.just(()))
        spans = data.draw(kinds)
    value = QuestionInput("Where?", text)
    gold = verbalize.answer_text(SPAN, value, SpanAnswer(spans))
    assert refused_at(grounder(), SPAN, value, gold) is None, gold


@settings(max_examples=200)
@given(text=cases.TEXTS, seed=st.integers(0, 2**32), form=st.sampled_from(["ner", "list", "span"]))
def test_whatever_is_let_through_is_read(text: str, seed: int, form: str) -> None:
    card = {"ner": MENTIONS, "list": LIST, "span": SPAN}[form]
    value: Input = QuestionInput("Where?", text) if form == "span" else TextInput(text)
    held = grounder()(card, value)
    assert held is not None
    written = walk(held, grounder(), random.Random(seed), 120, len(text) <= 24)
    if held.ended or (written and form != "span"):
        check_readable(card, value, written)


def open_cards() -> list[str]:
    forms = ("mentions", "list", "span")
    cards = map(catalogue.find, catalogue.names())
    return [card.name for card in cards if card.form in forms and card.access == "open"]


@pytest.mark.data
@pytest.mark.parametrize("name", open_cards())
def test_gold_answers_of_the_catalogue_are_let_through(data_root: Path, name: str) -> None:
    card = catalogue.find(name)
    split = card.splits[-1]
    examples = loading.load(card, data_root, splits=[split]).splits[split]
    for example in examples[:: max(1, len(examples) // 6)][:6]:
        assert example.answer is not None
        gold = verbalize.answer_text(card, example.input, example.answer)
        # Some hundred bytes of a long list show it as well as thousands.
        gold = "\n".join(gold.split("\n")[:12])
        assert refused_at(grounder(), card, example.input, gold) is None, example.id


def test_long_notes_are_no_obstacle() -> None:
    text = " ".join(f"word{n} of line {n % 97}" for n in range(3_000))
    assert refused_at(grounder(), MENTIONS, TextInput(text), "Disease: word2999 of line 89") is None
    assert refused_at(grounder(), MENTIONS, TextInput(text), "Disease: word3000") is not None


def test_half_an_arrow_is_no_dead_end() -> None:
    """A hyphen and a space behind a mention begin no arrow, and nothing could follow them."""
    value = TextInput("a... b - c")
    written = r"causes: a\. - c -> b"
    place = refused_at(grounder(), LIST, value, written)
    assert place == len(r"causes: a\. -")  # tokens are bytes here
    assert refused_at(grounder(), LIST, value, r"causes: a\. -> b") is None
