"""How long answers may become, by form, and inputs that are too long beside them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from clinprompt.errors import ClinpromptError
from clinprompt.examples import Input
from clinprompt.inference.requests import Request
from clinprompt.tasks.card import Form
from clinprompt.verbalize.fit import Fitted, cut


@dataclass(frozen=True, slots=True)
class AnswerLimit:
    """How many new tokens an answer may have, end token included.

    Attributes:
        most: at most so many.
        beyond_input: where given, at most so many more than the input has.
    """

    most: int
    beyond_input: int | None = None

    def of(self, tokens: int) -> int:
        """The limit for an input of so many tokens."""
        if self.beyond_input is None:
            return self.most
        return min(self.most, self.beyond_input + tokens)

    def longest_input(self, room: int) -> int:
        """The largest n with ``n + of(n) <= room``; 0 or less where nothing fits."""
        # n + min(most, beyond + n) <= room  <=>  n + most <= room  or  2 n + beyond <= room
        least = room - self.most
        return least if self.beyond_input is None else max(least, (room - self.beyond_input) // 2)


LIMITS: dict[Form, AnswerLimit] = {
    "mentions": AnswerLimit(256, beyond_input=24),
    "list": AnswerLimit(192),
    "span": AnswerLimit(64),
    "text": AnswerLimit(160),
}


@dataclass(frozen=True, slots=True)
class Place:
    """What an input has for itself, in tokens.

    Attributes:
        context: positions of the backbone.
        prefix: positions that prompt and instruction take.
        most: tokens that the input may have, as is asked for.
        fits: whether the whole of it would fit the context all the same.
    """

    context: int
    prefix: int
    most: int
    fits: bool


def shortened(
    request: Request,
    tokens: int,
    place: Place,
    encode: Callable[[Input], list[int]],
    *,
    truncate: bool,
) -> Fitted | None:
    """An input that is too long, cut; None if it can't be, and the whole of it fits anyway.

    Args:
        tokens: how many it has.
        encode: an input's token ids.
        truncate: whether it may be cut.

    Raises:
        ClinpromptError: CP-INF-006 an input that is too long, CP-INF-007 one that is too long and
            can't be cut.
    """
    where, room = f"task '{request.task}': input '{request.id}' has {tokens} tokens", place.most
    if not truncate:
        raise ClinpromptError(
            "CP-INF-006",
            f"{where}, and there is room for {max(0, room)} (context {place.context}, prompt and "
            f"instruction {place.prefix}, the rest is for the answer)",
            hint="--long-inputs window reads such texts piece by piece, --long-inputs "
            "truncate leaves out their end",
        )
    seen = cut(request.input, room, encode)
    if seen is None and not place.fits:
        raise ClinpromptError(
            "CP-INF-007",
            f"{where}, and with room for {max(0, room)} nothing would be left of its text",
            hint="shorten question, choices or hypothesis, or bring marked mentions together",
        )
    return seen
