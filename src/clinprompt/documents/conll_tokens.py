"""A text to sentences of tokens, cut so that mentions begin and end with a token."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence

from clinprompt.documents.conll_lines import DOCSTART
from clinprompt.documents.sentences import sentences
from clinprompt.examples import Span

# Marks that belong to the character before them: accents, joiners, emoji variants and skin tones.
_MARKS = "\u0300-\u036f\u200c\u200d\ufe00-\ufe0f\U0001f3fb-\U0001f3ff"
# Words, and each other mark by itself (as `tokens.TOKEN`, with combining characters kept on).
_WORD = re.compile(rf"(?:\w[{_MARKS}]*)+|[^\w\s][{_MARKS}]*")
_VISIBLE = re.compile(r"\S+")


def sentences_of(text: str, mentions: Sequence[Span], *, spaced: bool) -> list[list[Span]]:
    """Tokens of each sentence as code points of `text`; no visible character is in none.

    Args:
        mentions: apart from each other, in order, with no white space at their edges. A token in
            which one begins or ends is cut there, and no sentence ends inside one.
        spaced: whether tokens stand between white space and each line is a sentence, as in a text
            that was read from CoNLL; else words and marks are told apart, and
            sentences as `sentences` has them.
    """
    edges = sorted({edge for span in mentions for edge in span})
    starts = [start for start, _ in mentions]
    borders = [
        border
        for border in (_lines(text) if spaced else (start for start, _ in sentences(text)))
        if not _inside(border, mentions, starts)
    ]
    found: list[list[Span]] = []
    last = -1
    for match in (_VISIBLE if spaced else _WORD).finditer(text):
        sentence = bisect_right(borders, match.start())
        if sentence != last:
            found.append([])
            last = sentence
        for start, end in _cut(match.span(), edges):
            if text.startswith(DOCSTART, start, end):  # it would open a document
                found[-1].append((start, start + 1))
                start += 1
            found[-1].append((start, end))
    return found


def _inside(place: int, mentions: Sequence[Span], starts: Sequence[int]) -> bool:
    at = bisect_left(starts, place) - 1
    return at >= 0 and place < mentions[at][1]


def _cut(token: Span, edges: Sequence[int]) -> Iterator[Span]:
    start, end = token
    for edge in edges[bisect_right(edges, start) : bisect_left(edges, end)]:
        yield start, edge
        start = edge
    yield start, end


def _lines(text: str) -> list[int]:
    return [match.end() for match in re.finditer("\n", text)]
