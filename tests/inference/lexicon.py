"""An answerer that looks words up: exact, instant, and used like a `Predictor`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from tests.inference import world

from clinprompt.errors import ClinpromptError
from clinprompt.examples import (
    Answer,
    Entity,
    EntityAnswer,
    LabelAnswer,
    PairInput,
    Relation,
    RelationAnswer,
    SpanAnswer,
    TextAnswer,
    source_text,
)
from clinprompt.inference.requests import Prediction, Progress, Request
from clinprompt.tasks.card import Card

WORDS = {"Drug": ("aspirin", "β-blocker", "heparin"), "Sign": ("fever", "cough", "pain")}
LONGEST = 400  # characters that it reads


def pair_card(**changes: Any) -> Card:
    """Relation classification with its argument types on the card."""
    fields = {"arguments": {"yes": ("Drug", "Sign")}, "negative_labels": ["no"]}
    return world.card("pair", **(fields | changes))


class Lexicon:
    """Knows `WORDS`; a drug treats every sign behind it, and a note is about its first word.

    Attributes:
        asked: every request that was run, in order.
        batches: sizes of the batches that were run together.
    """

    def __init__(self, *cards: Card) -> None:
        self.cards = {card.name: card for card in cards}
        self.asked: list[Request] = []
        self.batches: list[int] = []

    def prepare(self, request: Request) -> Request:
        if len(source_text(request.input)) > LONGEST:
            raise ClinpromptError("CP-INF-006", f"input '{request.id}' is too long", hint="cut it")
        return request

    def run(self, rows: Sequence[Request], progress: Progress | None = None) -> list[Prediction]:
        self.asked += rows
        self.batches.append(len(rows))
        found = []
        for place, row in enumerate(rows, 1):
            found.append(self._answer(row))
            if progress is not None:
                progress(place, len(rows))
        return found

    def _answer(self, row: Request) -> Prediction:
        card, text = self.cards[row.task], source_text(row.input)
        shares = None
        answer: Answer
        match card.form:
            case "mentions":
                answer = EntityAnswer(tuple(mentions(text)))
            case "list":
                drugs, signs = ([m for m in mentions(text) if m.label == k] for k in WORDS)
                answer = RelationAnswer(
                    tuple(Relation(d, s, "treats") for d in drugs for s in signs if d < s)
                )
            case "pair":
                assert isinstance(row.input, PairInput)
                related = row.input.head.end <= row.input.tail.start
                answer = LabelAnswer("yes" if related else "no")
                shares = {"yes": 0.75, "no": 0.25} if related else {"yes": 0.25, "no": 0.75}
            case "label":
                answer = LabelAnswer(next(iter(card.labels)))
                shares = {label: 1 / len(card.labels) for label in card.labels}
            case "span":
                answer = SpanAnswer(tuple(m.spans[0] for m in mentions(text)[:1]))
            case _:
                answer = TextAnswer(f"About {text.split()[0]}.")
        return Prediction(answer, "", unaligned=text.count("unheard"), probabilities=shares)


def mentions(text: str) -> list[Entity]:
    """Every word of `WORDS` in the order of the text."""
    return sorted(
        Entity((match.span(),), label)
        for label, words in WORDS.items()
        for match in re.finditer("|".join(words), text)
    )
