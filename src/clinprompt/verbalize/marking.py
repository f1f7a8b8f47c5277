"""Two mentions marked inside their text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import count

from clinprompt.examples import Span

Marks = tuple[str, str, str, str]


def mark(text: str, head: tuple[Span, ...], tail: tuple[Span, ...]) -> tuple[str, Marks]:
    """`text` with its mentions marked, and the marks taken.

    The head stands in ``<< >>`` and the tail in ``[[ ]]``, each fragment by itself; mentions may
    overlap. Where the text's own characters would make a mark ambiguous, other marks are taken:
    taking them out of the result always gives back `text`.
    """
    for marks in _styles():
        marked = _insert(text, head, tail, marks)
        wanted = (len(head), len(head), len(tail), len(tail))
        if all(_count(sign, marked) == n for sign, n in zip(marks, wanted, strict=True)):
            break
    return marked, marks


def _count(sign: str, text: str) -> int:
    """How often `sign` stands in `text`, overlapping places included."""
    return len(re.findall(f"(?={re.escape(sign)})", text))


def _styles() -> Iterator[Marks]:
    """Marks to try: some number of the last kind is in no given text."""
    yield "<<", ">>", "[[", "]]"
    yield "{{", "}}", "((", "))"
    for n in count(1):
        yield f"<head{n}>", f"</head{n}>", f"<tail{n}>", f"</tail{n}>"


def _insert(text: str, head: tuple[Span, ...], tail: tuple[Span, ...], marks: Marks) -> str:
    """`text` with the marks put in; at one place closing marks come first, inner ones inside."""
    signs: list[tuple[int, int, int, int, str]] = []
    for order, (spans, opening, closing) in enumerate(
        ((head, marks[0], marks[1]), (tail, marks[2], marks[3]))
    ):
        for start, end in spans:
            signs.append((start, 1, -end, order, opening))
            signs.append((end, 0, -start, -order, closing))
    pieces, done = [], 0
    for place, _, _, _, sign in sorted(signs):
        pieces += [text[done:place], sign]
        done = place
    return "".join(pieces) + text[done:]
