r"""How a piece of a note is written on one line, and read back.

A *fragment* is one unbroken piece of text. It is written as it stands, with each run of white
space as one space, for a note's line breaks mean nothing to a mention. What follows is written
only where the plain form would be misread:

=============  =====================================================================
``a ... b``    a mention of two fragments
``a [2]``      the second occurrence of ``a`` in the text (see `mentions`)
``\...``       three dots that stand alone in the text
``\[2]``       a bracketed number at the end of the text's own fragment
``\->``        an arrow that stands alone in the text
``\s \n \r``   white space at an end of the fragment (``\t``, ``\uXXXX`` as well)
``\\``         a backslash
=============  =====================================================================

A backslash before anything else is an ordinary character.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_ESCAPE = re.compile(r"\\(?:([\\snrt.\[\-])|u([0-9a-f]{4}))")
_MEANING = {"s": " ", "n": "\n", "r": "\r", "t": "\t"}
_SIGN = {value: key for key, value in _MEANING.items()}
_JOIN = re.compile(r"(?<!\S)\.\.\.(?!\S)")
_ARROW = re.compile(r"(?<!\S)->(?!\S)")
_NUMBER = re.compile(r"(?<=\S)\s+\[([0-9]{1,6})\]\s*$")


@dataclass(frozen=True, slots=True)
class Masked:
    """Text with its escapes resolved, beside a mask of the same length.

    Attributes:
        text: the characters meant.
        mask: the same, but with a letter for every escaped character, so that separators and
            white space found in the mask were written as such.
    """

    text: str
    mask: str

    @classmethod
    def of(cls, raw: str) -> Masked:
        """Resolve the escapes of `raw`; a backslash that starts none stands for itself."""
        if "\\" not in raw:
            return cls(raw, raw)
        text, mask, done = [], [], 0
        for match in _ESCAPE.finditer(raw):
            sign, code = match.groups()
            between = raw[done : match.start()]
            text += [between, _MEANING.get(sign, sign) if sign else chr(int(code, 16))]
            mask += [between, "E"]
            done = match.end()
        return cls("".join(text) + raw[done:], "".join(mask) + raw[done:])

    def __getitem__(self, part: slice) -> Masked:
        return Masked(self.text[part], self.mask[part])

    def sides(self) -> tuple[Masked, Masked] | None:
        """What stands before and after the arrow; None without an arrow."""
        match = _ARROW.search(self.mask) or re.search("->", self.mask)
        return None if match is None else (self[: match.start()], self[match.end() :])

    def fragments(self) -> tuple[Fragment, ...]:
        """The fragments of one mention, blank ones left out."""
        pieces, done = [], 0
        for match in _JOIN.finditer(self.mask):
            pieces.append(self[done : match.start()])
            done = match.end()
        pieces.append(self[done:])
        return tuple(found for piece in pieces if (found := Fragment.read(piece)) is not None)


@dataclass(frozen=True, slots=True)
class Fragment:
    """One piece of a note, as it is looked for.

    Attributes:
        core: its text from the first to the last visible character, white space collapsed.
        lead: the exact white space in front (all of it, if nothing is visible).
        trail: the exact white space behind.
        number: which occurrence is meant, from 1; None for the default.
    """

    core: str
    lead: str = ""
    trail: str = ""
    number: int | None = None

    @classmethod
    def of(cls, surface: str, number: int | None = None) -> Fragment:
        """The fragment that covers exactly `surface`."""
        lead = surface[: len(surface) - len(surface.lstrip())]
        trail = surface[len(surface.rstrip()) :] if len(lead) < len(surface) else ""
        return cls(" ".join(surface.split()), lead, trail, number)

    @classmethod
    def read(cls, piece: Masked) -> Fragment | None:
        """The fragment that `piece` says; None if it says nothing."""
        number = None
        match = _NUMBER.search(piece.mask)
        if match is not None:
            number, piece = int(match.group(1)), piece[: match.start()]
        start, end = 0, len(piece.text)
        while start < end and piece.text[start].isspace():
            start += 1
        while end > start and piece.text[end - 1].isspace():
            end -= 1
        # Of the white space at the ends only what was escaped belongs to the fragment.
        lead, trail = _escaped(piece[:start]), _escaped(piece[end:])
        core = " ".join(piece.text[start:end].split())
        return cls(core, lead, trail, number) if core or lead else None

    def write(self, *, arrow: bool = False) -> str:
        """The fragment on one line; `arrow` says that arrows separate mentions there."""
        core = self.core.replace("\\", "\\\\")
        core = _JOIN.sub(r"\\...", core)
        if arrow:
            core = _ARROW.sub(r"\\->", core)
        if (match := _NUMBER.search(core)) is not None:
            bracket = match.start(1) - 1
            core = f"{core[:bracket]}\\{core[bracket:]}"
        number = "" if self.number is None else f" [{self.number}]"
        return _space(self.lead) + core + _space(self.trail) + number


def join(fragments: Iterable[Fragment], *, arrow: bool = False) -> str:
    """One mention from its fragments, on one line."""
    return " ... ".join(fragment.write(arrow=arrow) for fragment in fragments)


def _escaped(piece: Masked) -> str:
    return "".join(a for a, b in zip(piece.text, piece.mask, strict=True) if a != b)


def _space(white: str) -> str:
    return "".join("\\" + _SIGN.get(c, f"u{ord(c):04x}") for c in white)
