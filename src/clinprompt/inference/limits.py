"""How long answers may become, by form."""

from __future__ import annotations

from dataclasses import dataclass

from clinprompt.tasks.card import Form


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
