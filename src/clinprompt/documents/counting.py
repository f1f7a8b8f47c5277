"""What a file's offsets count, and where they point in its text.

Tools disagree on three things. Offsets count code points or UTF-8 bytes; a ``\\r\\n`` is two
characters for a tool that reads the file as it is (BRAT's own server does) and one for a tool
that reads it with line ends translated; and a byte-order mark is counted by some. `ways` names
the possible combinations, and a reader takes the one that fits the texts its annotations quote.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Literal

from clinprompt.errors import ClinpromptError
from clinprompt.examples import Span

Unit = Literal["characters", "bytes"]


@dataclass(frozen=True)
class Scale:
    """Offsets of one text, counted in one way.

    Attributes:
        text: the text as it was read, without byte-order mark.
        unit: code points, or bytes of the text in UTF-8.
        joined: whether a ``\\r\\n`` counts as one character.
        marked: whether a byte-order mark in front of the text is counted.
    """

    text: str
    unit: Unit = "characters"
    joined: bool = False
    marked: bool = False

    @property
    def name(self) -> str:
        """What is special about it, in words; empty for the plain one."""
        parts = ["a byte-order mark"] if self.marked else []
        parts += ["a CRLF line end as one character"] if self.joined else []
        return " and ".join(parts)

    def index(self, offset: int) -> int | None:
        """The code point of `text` an offset stands at.

        Returns:
            0 to ``len(text)``; None outside the text or inside a character.
        """
        offset -= self._lead
        if offset < 0:
            return None
        if self._bytes is not None:
            at = bisect_left(self._bytes, offset)
            if at == len(self._bytes) or self._bytes[at] != offset:
                return None
            offset = at
        offset += bisect_left(self._folds, offset)
        return offset if offset <= len(self.text) else None

    def nearest(self, offset: int) -> int:
        """The code point an offset stands at or in; the text's edge for one outside."""
        offset = max(offset - self._lead, 0)
        if self._bytes is not None:
            offset = bisect_left(self._bytes, offset)
        return min(offset + bisect_left(self._folds, offset), len(self.text))

    def outside(self, offset: int) -> bool:
        """Whether an offset lies before or behind the text."""
        last = len(self.text) - len(self._folds) if self._bytes is None else self._bytes[-1]
        return not self._lead <= offset <= last + self._lead

    @property
    def _lead(self) -> int:
        return (3 if self.unit == "bytes" else 1) if self.marked else 0

    @cached_property
    def _folds(self) -> list[int]:
        """Where each CRLF stands in the text with line ends translated, if they count as one."""
        if not self.joined:
            return []
        places: list[int] = []
        at = self.text.find("\r\n")
        while at >= 0:
            places.append(at - len(places))
            at = self.text.find("\r\n", at + 2)
        return places

    @cached_property
    def _bytes(self) -> list[int] | None:
        """First byte of each code point, and the length; None where offsets are code points."""
        if self.unit == "characters" or self.text.isascii():
            return None
        text = self.text.replace("\r\n", "\n") if self.joined else self.text
        return [0, *accumulate(map(_width, text))]


def _width(char: str) -> int:
    """Bytes of a character in UTF-8."""
    code = ord(char)
    return 1 if code < 0x80 else 2 if code < 0x800 else 3 if code < 0x10000 else 4


def ways(text: str, unit: Unit = "characters", *, marked: bool = False) -> list[Scale]:
    """The ways in which offsets may count a text, the likeliest first.

    Args:
        marked: whether a byte-order mark stood in front of the text.
    """
    joins = (False, True) if "\r\n" in text else (False,)
    marks = (False, True) if marked else (False,)
    return [Scale(text, unit, joined, mark) for mark in marks for joined in joins]


def ordered(
    pairs: Sequence[Span], *, file: str | Path, line: int | None = None, name: str = "annotation"
) -> None:
    """Refuse fragments that are empty, go backwards, overlap or are out of order.

    Raises:
        ClinpromptError: CP-DOC-101 an end that is not behind its start, CP-DOC-102 fragments that
            overlap or are out of order.
    """
    for start, end in pairs:
        if end <= start:
            raise ClinpromptError(
                "CP-DOC-101", f"{name}: end {end} is not behind start {start}", file=file, line=line
            )
    for (_, end), (start, _) in pairwise(pairs):
        if start < end:
            raise ClinpromptError(
                "CP-DOC-102",
                f"{name}: its fragments overlap or are out of order at {start}",
                file=file,
                line=line,
            )


def located(
    pairs: Sequence[Span],
    scale: Scale,
    *,
    file: str | Path,
    line: int | None = None,
    name: str = "annotation",
) -> tuple[Span, ...]:
    """Fragments counted in the way of `scale`, as code points of its text.

    Raises:
        ClinpromptError: CP-DOC-101, CP-DOC-102 (see `ordered`), CP-DOC-103 an offset outside the
            text, CP-DOC-104 a byte offset inside a character.
    """
    ordered(pairs, file=file, line=line, name=name)
    for offset in (offset for pair in pairs for offset in pair):
        if scale.outside(offset):
            raise ClinpromptError(
                "CP-DOC-103",
                f"{name}: offset {offset} is outside the text of {len(scale.text)} characters",
                file=file,
                line=line,
            )
        if scale.index(offset) is None:
            raise ClinpromptError(
                "CP-DOC-104",
                f"{name}: byte offset {offset} is inside a character",
                file=file,
                line=line,
                hint="do the offsets count characters?",
            )
    return tuple((scale.nearest(start), scale.nearest(end)) for start, end in pairs)
