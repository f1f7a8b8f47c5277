"""Comparing the text that an annotation quotes with the text that its offsets cover.

This is how a shifted offset is found. White space is compared by runs, since formats write line
ends and tabs inside a mention as blanks; all else must be the same code points.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from clinprompt.documents.counting import Scale, located, ordered
from clinprompt.documents.formats import ReadOptions
from clinprompt.errors import ClinpromptError
from clinprompt.examples import Span
from clinprompt.report import Report

REALIGNED = "offsets moved to the nearest place of the text they quote"
_SHOWN = 40
_REACHES = (100, 10_000)  # characters looked at on either side before the whole text
_SPACE = re.compile(r"\s+")
Quoted = str | Sequence[str]


def agrees(text: str, spans: Sequence[Span], quoted: Quoted) -> bool:
    """Whether `spans` cover what is quoted, white space apart.

    Args:
        spans: fragments, as code points of `text`.
        quoted: the covered text, fragments joined by one space (or by nothing where they touch),
            or one text a fragment.
    """
    covered = [text[start:end] for start, end in spans]
    if not isinstance(quoted, str):
        return len(covered) == len(quoted) and all(map(_same, covered, quoted))
    if _same(" ".join(covered), quoted):
        return True
    gaps = (text[left[1] : right[0]] for left, right in pairwise(spans))
    if len(spans) > 1 and not any(gap.strip() for gap in gaps):
        return _same(text[spans[0][0] : spans[-1][1]], quoted)
    return False


def check(
    text: str,
    spans: Sequence[Span],
    quoted: Quoted,
    options: ReadOptions,
    report: Report,
    *,
    file: str | Path,
    line: int | None = None,
    name: str = "annotation",
) -> tuple[Span, ...]:
    """The fragments, checked against the text they should cover, or moved to it.

    Args:
        spans: fragments in order, as code points of `text`.
        quoted: see `agrees`.
        options: `mismatch` says whether to refuse or to realign.
        report: where a moved annotation is counted.
        name: the annotation's id, for messages.

    Raises:
        ClinpromptError: CP-DOC-101 to CP-DOC-103 for offsets that can't be, CP-DOC-100 for other
            text under them, or where realigning finds the quoted text nowhere.
    """
    return placed(spans, Scale(text), quoted, options, report, file=file, line=line, name=name)


def placed(
    pairs: Sequence[Span],
    scale: Scale,
    quoted: Quoted,
    options: ReadOptions,
    report: Report,
    *,
    file: str | Path,
    line: int | None = None,
    name: str = "annotation",
) -> tuple[Span, ...]:
    """The same as `check` for offsets that are counted in the way of `scale`.

    Raises:
        ClinpromptError: CP-DOC-100 to CP-DOC-104.
    """
    realign = options.mismatch == "realign"
    ordered(pairs, file=file, line=line, name=name)
    if realign:
        spans = tuple((scale.nearest(start), scale.nearest(end)) for start, end in pairs)
        exact = all(scale.index(offset) is not None for pair in pairs for offset in pair)
    else:
        spans = located(pairs, scale, file=file, line=line, name=name)
        exact = True
    if exact and agrees(scale.text, spans, quoted):
        return spans
    if realign:
        # Fragments clamped to the text would be too short, and bytes are not characters.
        sizes = pairs if scale.unit == "characters" else spans
        moved = _moved(scale.text, spans, [end - start for start, end in sizes], quoted)
        if moved is not None:
            report.skip(REALIGNED, file, line)
            return moved
    covered = " ".join(scale.text[start:end] for start, end in spans)
    raise ClinpromptError(
        "CP-DOC-100",
        f"{name}: the text at {_pairs(pairs)} is '{_short(covered)}', "
        f"not '{_short(quoted if isinstance(quoted, str) else ' '.join(quoted))}'",
        file=file,
        line=line,
        hint="the quoted text comes up nowhere" if realign else "realign it, or mend the offsets",
    )


def nearest(
    text: str, quoted: str, start: int, floor: int = 0, *, words: bool = False
) -> Span | None:
    """The occurrence of `quoted` (white space apart) whose start is nearest to `start`.

    Args:
        floor: first character it may start at.
        words: look for whole words in any case, and leave aside white space around them.

    Returns:
        its span; None if there is none. Of two at one distance, the earlier.
    """
    if not quoted.strip():
        return None
    # A lookahead finds occurrences that overlap, too.
    sought = quoted.strip() if words else quoted
    joined = r"\s+".join(map(re.escape, _SPACE.split(sought)))
    if words:
        before = r"(?<!\w)" if sought[0].isalnum() else ""
        joined = before + joined + (r"(?!\w)" if sought[-1].isalnum() else "")
    pattern = re.compile(f"(?=({joined}))", re.IGNORECASE if words else 0)
    for reach in (*_REACHES, len(text) + abs(start)):
        # What begins within reach is nearer than all that doesn't. What touches the window's end
        # may be cut there.
        end = min(start + 2 * reach + len(quoted), len(text))
        spans = (match.span(1) for match in pattern.finditer(text, max(floor, start - reach), end))
        whole = [span for span in spans if span[1] < end or end == len(text)]
        near = [span for span in whole if abs(span[0] - start) <= reach]
        if near:
            return min(near, key=lambda span: abs(span[0] - start))
    return None


def _moved(
    text: str, spans: Sequence[Span], lengths: Sequence[int], quoted: Quoted
) -> tuple[Span, ...] | None:
    """Fragments found again one after another, each near where the one before was found."""
    parts = pieces(lengths, quoted)
    if parts is None:
        return None
    moved: list[Span] = []
    shift = 0
    for (start, _), piece in zip(spans, parts, strict=True):
        found = nearest(text, piece, start + shift, moved[-1][1] if moved else 0)
        if found is None:
            return None
        moved.append(found)
        shift = found[0] - start
    return tuple(moved)


def pieces(lengths: Sequence[int], quoted: Quoted) -> list[str] | None:
    """The quoted text of each fragment; None if it can't be told."""
    if not isinstance(quoted, str):
        return list(quoted) if len(quoted) == len(lengths) else None
    if len(lengths) == 1:
        return [quoted]
    if len(quoted) != sum(lengths) + len(lengths) - 1:
        return None
    cut: list[str] = []
    at = 0
    for length in lengths:
        cut.append(quoted[at : at + length])
        at += length + 1
    return cut


def _same(left: str, right: str) -> bool:
    return left == right or _SPACE.sub(" ", left) == _SPACE.sub(" ", right)


def _pairs(pairs: Sequence[Span]) -> str:
    return ";".join(f"{start} {end}" for start, end in pairs[:4]) + ";..." * (len(pairs) > 4)


def _short(text: str) -> str:
    line = "".join(char if char.isprintable() else " " for char in text)
    return line if len(line) <= _SHOWN else line[: _SHOWN - 3] + "..."
