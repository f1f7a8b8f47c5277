"""Cards and items for the tests of scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from clinprompt.examples import (
    Answer,
    Entity,
    EntityAnswer,
    LabelAnswer,
    PremiseInput,
    TextAnswer,
    TextInput,
)
from clinprompt.metrics import Item
from clinprompt.tasks.card import Card

TYPES = {"mentions": "ner", "list": "re", "pair": "re", "choice": "qa", "span": "qa"}
METRICS = {
    "mentions": "entity_f1",
    "list": "relation_f1",
    "pair": "micro_f1",
    "choice": "accuracy",
    "label": "accuracy",
    "span": "token_f1",
    "text": "rougeL",
}


@pytest.fixture(scope="session")
def make_card() -> Callable[..., Card]:
    """A card of a form: ``make_card("label", "yes", "no", metric="macro_f1")``."""

    def build(form: str, *labels: str, **keys: Any) -> Card:
        content = {
            "name": "a-task",
            "type": TYPES.get(form, "nli" if form == "label" else "sum"),
            "form": form,
            "title": "A task",
            "instruction": "Do it.",
            "labels": {label: label.lower() for label in labels},
            "arguments": dict.fromkeys(labels, ("A", "B")) if form == "list" else {},
            "metric": METRICS[form],
            "data": {"reader": "none"},
            "license": "none",
            "citation": "none",
        }
        return Card.model_validate(content | keys)

    return build


@pytest.fixture(scope="session")
def entity_item() -> Callable[..., Item]:
    """An item with mentions written as ``(label, (start, end), ...)``."""

    def read(mentions: Sequence[tuple[Any, ...]]) -> EntityAnswer:
        return EntityAnswer(tuple(Entity(spans=tuple(m[1:]), label=m[0]) for m in mentions))

    def build(
        gold: Sequence[tuple[Any, ...]],
        predicted: Sequence[tuple[Any, ...]] | None,
        name: str = "1",
        document: str | None = None,
        **keys: Any,
    ) -> Item:
        answer = None if predicted is None else read(predicted)
        text = TextInput("x" * 2000)
        return Item(name, document or name, text, read(gold), answer, **keys)

    return build


@pytest.fixture(scope="session")
def label_items() -> Callable[..., list[Item]]:
    """Items of form ``label``, one document each, from gold and predicted labels."""

    def build(gold: Sequence[str], predicted: Sequence[str | None]) -> list[Item]:
        value = PremiseInput("premise", "hypothesis")
        answers: list[Answer | None] = [p if p is None else LabelAnswer(p) for p in predicted]
        return [
            Item(f"{n:05}", f"d{n:05}", value, LabelAnswer(g), p)
            for n, (g, p) in enumerate(zip(gold, answers, strict=True))
        ]

    return build


@pytest.fixture(scope="session")
def text_item() -> Callable[..., Item]:
    """An item of form ``text``; the first reference is the answer to learn from."""

    def build(references: Sequence[str], predicted: str | None, name: str = "1") -> Item:
        answer = None if predicted is None else TextAnswer(predicted)
        gold = TextAnswer(references[0], tuple(references[1:]))
        return Item(name, name, TextInput("a note"), gold, answer)

    return build
