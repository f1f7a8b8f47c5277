"""A long note, inputs of every form over it, and a backbone that writes what it is told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from tests.inference import world

from clinprompt import verbalize
from clinprompt.examples import (
    Entity,
    Input,
    LabelAnswer,
    PairInput,
    PremiseInput,
    QuestionInput,
    TextInput,
    source_text,
)
from clinprompt.inference.predictor import Predictor
from clinprompt.inference.requests import Prediction, PredictorSettings, Row
from clinprompt.inference.windows.predictor import WindowPredictor
from clinprompt.tasks.card import Card

FILLER = "He slept well and ate his lunch. "


NOTE = "HPI:\nGiven aspirin for pain. " + FILLER * 9 + "\n\nPLAN:\n" + FILLER * 9 + "Denies cough."


def predictor(kind: type[Predictor] = WindowPredictor, **settings: Any) -> Any:
    ready = world.prepared()
    chosen = PredictorSettings(**{"long_inputs": "window", "max_new": 10} | settings)
    return kind.of(world.prompt_set(ready, *world.cards()), chosen, prepared=ready)


def long_input(name: str) -> Input:
    """An input of some 700 tokens, where the context has 512."""
    if name == "nli":
        return PremiseInput(NOTE, "He is well.")
    if name == "pair":
        head, tail = (place(NOTE, word) for word in ("aspirin", "pain"))
        return PairInput(NOTE, Entity((head,), "Drug"), Entity((tail,), "Sign"))
    if name in ("mentions", "list", "summary"):
        return TextInput(NOTE)
    return QuestionInput("What is he given?", NOTE, ("a", "b") if name == "choice" else ())


def place(text: str, word: str) -> tuple[int, int]:
    start = text.index(word)
    return start, start + len(word)


def oracle(monkeypatch: pytest.MonkeyPatch, says: Callable[[Card, Input], str]) -> list[Row]:
    """Let rows be answered by `says` instead of the backbone; gives the rows that were asked."""
    asked: list[Row] = []

    def run(self: Predictor, rows: Sequence[Row], progress: Any = None) -> list[Prediction]:
        asked.extend(rows)
        found = []
        for row in rows:
            text = says(self.cards[row.task], row.seen.input)
            if row.options:
                words = [words for _, words in row.options]
                shares = {a.label: 0.1 for a, _ in row.options if isinstance(a, LabelAnswer)}
                shares |= {k: 0.9 for k, w in zip(shares, words, strict=True) if w == text}
                found.append(Prediction(None, text, probabilities=shares))
                continue
            parsed = verbalize.parse(self.cards[row.task], row.seen.input, text)
            found.append(Prediction(parsed.answer, text, parsed.unaligned, parsed.unparsable))
        return found

    monkeypatch.setattr(Predictor, "run", run)
    return asked


def everything(card: Card, value: Input) -> str:
    """All drugs and signs of a text, or the relation of the two."""
    text = source_text(value)
    drugs = [w for w in ("aspirin", "heparin") if w in text]
    signs = [w for w in ("pain", "cough") if w in text]
    if card.form == "list":
        return "treats: aspirin -> pain" if "aspirin" in text and "pain" in text else "none"
    return "\n".join([f"drug: {w}" for w in drugs] + [f"sign: {w}" for w in signs]) or "none"
