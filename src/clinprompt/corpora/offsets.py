"""Character offsets: checked against the text they cover, and carried through changes to it."""

from __future__ import annotations

import html
import re
from itertools import pairwise
from pathlib import Path
from typing import Literal

from clinprompt.corpora.registry import Report
from clinprompt.errors import ClinpromptError
from clinprompt.examples import Entity

# What a reader does with an example whose offsets are wrong: refuse the file, or leave the whole
# example out and count it (its gold answer would have a hole).
OnMismatch = Literal["error", "skip"]

_REFERENCE = re.compile(r"&(?:#[0-9]+;?|#[xX][0-9a-fA-F]+;?|\w+;|quot|amp|lt|gt)")


def misplaced(text: str, start: int, end: int, surface: str | None = None) -> str | None:
    """Why ``[start, end)`` can't be a mention that reads `surface`; None if it can.

    The answer names offsets only, never the text. For a shifted mention it says by how much.
    """
    where = f"offsets {start}-{end}"
    if end < start:
        return f"{where}: the end lies before the start"
    if not 0 <= start < end <= len(text):
        why = "empty" if start == end else f"outside the text, which has {len(text)} characters"
        return f"{where} are {why}"
    if surface is None or text[start:end] == surface:
        return None
    places = [m.start() for m in re.finditer(re.escape(surface), text)] if surface else []
    if not places:
        return f"{where}: the text there is not the mention's, which stands nowhere in it"
    nearest = min(places, key=lambda place: abs(place - start))
    shift = f"{nearest - start:+d}"
    return f"{where}: the text there is not the mention's; the nearest that is lies {shift} from it"


def mention_problem(text: str, mention: Entity, surface: str | None = None) -> str | None:
    """Why `text` can't have this mention; None if it can.

    Args:
        surface: what it must read, fragments joined by one space; None if that is not known.
    """
    if not mention.spans:
        return "a mention without offsets"
    whole = surface if len(mention.spans) == 1 else None
    for start, end in mention.spans:
        if problem := misplaced(text, start, end, whole):
            return problem
    for (_, end), (start, _) in pairwise(mention.spans):
        if start < end:
            return f"fragments that overlap at {start}"
    if surface not in (None, mention.surface(text)):
        return f"offsets {mention.start}-{mention.end}: the fragments do not read as the mention"
    return None


def refuse(
    problem: str, policy: OnMismatch, report: Report, file: Path, line: int | None, where: str
) -> None:
    """Raise for wrong offsets if `policy` is "error", else count the example that is left out.

    Raises:
        ClinpromptError: CP-DATA-020.
    """
    if policy == "error":
        raise offset_error(f"{where}: {problem}", file, line)
    report.skip("example with wrong offsets left out", file, line, f"{where}: {problem}")


def offset_error(problem: str, file: Path, line: int | None) -> ClinpromptError:
    """The error for offsets that are wrong (see `misplaced`)."""
    return ClinpromptError("CP-DATA-020", problem, file=file, line=line)


class Unescaped:
    """A text with its HTML character references resolved, and the way of offsets into it.

    Args:
        raw: the text as in the file, where ``&lt;`` counts four characters.
    """

    def __init__(self, raw: str) -> None:
        parts: list[str] = []
        self._references: list[tuple[int, int, int]] = []  # raw start, raw end, characters saved
        at = 0
        for match in _REFERENCE.finditer(raw):
            plain = html.unescape(match.group())
            if plain != match.group():
                parts += [raw[at : match.start()], plain]
                at = match.end()
                saved = len(match.group()) - len(plain)
                self._references.append((match.start(), match.end(), saved))
        parts.append(raw[at:])
        self.text = "".join(parts)

    def offset(self, position: int) -> int | None:
        """Where the raw position lies in `text`; None inside a character reference."""
        saved = 0
        for start, end, count in self._references:
            if start < position < end:
                return None
            if position >= end:
                saved += count
        return position - saved
