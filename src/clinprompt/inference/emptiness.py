"""When an answer that lists nothing is believed.

A few examples teach a model how often a list is empty before they teach it which lists are, and
then greedy decoding answers "none" to most texts, or to all. For F1 that is the wrong place to be
careful: of things that are there or not, those are best named that are there with a probability of
at least half of the F1 that can be had (Lipton, Elkan and Narayanaswamy, ECML PKDD 2014). So at an
F1 of 0.4 a text is to be called empty only where that is more than 0.8 probable. Where it is less,
the row is asked again, for its most probable answer that is not "none".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from torch import Tensor

from clinprompt.backbone.codec import Codec
from clinprompt.backbone.decode import Constraint, Generated
from clinprompt.errors import ClinpromptError
from clinprompt.inference.requests import Prediction, Row
from clinprompt.tasks.card import Card
from clinprompt.verbalize.parsed import NONE, says_none

SMALLEST, LARGEST = 0.5, 1.0


class NotNone:
    """A `decode.Constraint`: the first word of the answer is not "none".

    Args:
        first: the token that "none" begins with when it is written as an answer.
        decode: the text of tokens. White space may come first, and the word in other tokens.
        within: what the answer is held to besides, if anything.
    """

    def __init__(
        self, first: int, decode: Callable[[Sequence[int]], str], within: Constraint | None
    ) -> None:
        self.first, self.decode, self.within = first, decode, within
        self._begun = False

    @classmethod
    def of(cls, codec: Codec, within: Constraint | None) -> NotNone:
        """The constraint of one answer that is written by `codec`."""
        return cls(codec.answers([NONE])[0][0], codec.decode, within)

    def mask(self) -> Tensor | None:
        """What `within` allows."""
        return None if self.within is None else self.within.mask()

    def advance(self, token: int) -> bool:
        """Take a token, unless "none" begins with it."""
        text = "" if self._begun else self.decode([token])
        if not self._begun and (token == self.first or says_none(text)):
            return False
        taken = self.within is None or self.within.advance(token)
        self._begun = self._begun or (taken and bool(text.strip()))
        return taken


def emptiness(card: Card, text: str, generated: Generated) -> float | None:
    """The probability of an answer that lists nothing, by the backbone; None for any other."""
    if not card.lists or not says_none(text):
        return None
    return math.exp(sum(generated.logprobs))


def believed(
    found: Sequence[Prediction],
    rows: Sequence[Row],
    ask: Callable[[Sequence[Row]], list[Prediction]],
    above: float | None,
) -> list[Prediction]:
    """Answers, those that list nothing and are not probable enough asked for again.

    Args:
        found: of the rows.
        ask: answers rows.
        above: an empty list as probable as this, or less so, is not believed; None believes all.
    """
    answers = list(found)
    if above is None:
        return answers
    again = [
        place
        for place, one in enumerate(found)
        if one.emptiness is not None and one.emptiness <= above
    ]
    named = ask([replace(rows[place], named=True) for place in again])
    for place, one in zip(again, named, strict=True):
        answers[place] = one
    return answers


def check(above: float | None) -> None:
    """Refuse a limit that is no probability, or that greedy decoding is above already.

    Raises:
        ClinpromptError: CP-INF-453.
    """
    if above is not None and not SMALLEST <= above <= LARGEST:
        raise ClinpromptError(
            "CP-INF-453",
            f"empty_above is {above}, and has to be from {SMALLEST} to {LARGEST:g}",
            hint="for F1, one minus half of the F1 that is to be expected, such as 0.8; 1 for "
            "never an empty list",
        )
