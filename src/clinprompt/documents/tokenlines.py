"""Text addressed by line and token, as the i2b2 2010 files do it, and by what an annotation quotes.

A place ``17:3`` is the fourth run of visible characters of the seventeenth line: lines count from
1, tokens from 0, and only ``\\n`` ends a line.
"""

from __future__ import annotations

import re
from functools import lru_cache

from clinprompt.examples import Span

_TOKEN = re.compile(r"\S+")


class TokenLines:
    """Where the lines and tokens of a text lie."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._starts = [0, *(match.end() for match in re.finditer("\n", text))]
        self._tokens = lru_cache(maxsize=64)(self._scan)

    @property
    def count(self) -> int:
        """How many lines there are (an empty text has one)."""
        return len(self._starts)

    def _scan(self, line: int) -> tuple[Span, ...]:
        end = self._starts[line] - 1 if line < len(self._starts) else len(self.text)
        return tuple(m.span() for m in _TOKEN.finditer(self.text, self._starts[line - 1], end))

    def token(self, line: int, token: int) -> Span | None:
        """Offsets of a token; None if the text has no such line or token."""
        if not 1 <= line <= len(self._starts):
            return None
        tokens = self._tokens(line)
        return tokens[token] if token < len(tokens) else None

    def span(self, first: tuple[int, int], last: tuple[int, int]) -> Span | None:
        """Offsets from the first token to the end of the last one; None if that is nowhere."""
        start, end = self.token(*first), self.token(*last)
        if start is None or end is None or end[1] <= start[0]:
            return None
        return start[0], end[1]

    def near(self, line: int) -> int:
        """Where a line starts; the end of the text for a line behind it."""
        return self._starts[line - 1] if 1 <= line <= len(self._starts) else len(self.text)


def reads_as(covered: str, quoted: str) -> bool:
    """Whether the two are the same words, whatever their case and the white space in them."""
    return "".join(covered.split()).casefold() == "".join(quoted.split()).casefold()


def shown(text: str, most: int = 40) -> str:
    """A text on one line in quotes, cut to `most` characters, for a message on wrong offsets."""
    line = " ".join(text.split())
    return f"'{line}'" if len(line) <= most else f"'{line[: most - 3]}...'"
