"""Extractive answers: finding an answer in its context, and windows around it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

from clinprompt.corpora.identity import draw
from clinprompt.examples import Span

Unit = Literal["words", "characters"]
NOT_FOUND = "answer not found in its context"
MOVED = "answer's offset repaired"
_WORD = re.compile(r"\S+")


def stands_at(context: str, answer: str, start: int) -> bool:
    """Whether `answer` stands in `context` at offset `start`, to the letter."""
    return start >= 0 and context[start : start + len(answer)] == answer


def locate(context: str, answer: str, start: int | None) -> Span | None:
    """Where `answer` stands in `context`, without the blanks around it; None if nowhere.

    The stated `start` is taken if the answer stands there; else the nearest place where it does
    (the first one if no start is stated), with any blanks between its words.
    """
    words = answer.split()
    if not words:
        return None
    if start is not None and stands_at(context, answer, start):
        begin = start + len(answer) - len(answer.lstrip())
        return begin, begin + len(answer.strip())
    found = [match.span() for match in re.finditer(r"\s+".join(map(re.escape, words)), context)]
    return min(found, key=lambda span: abs(span[0] - (start or 0)), default=None)


@lru_cache(maxsize=4)
def _words(context: str) -> tuple[Span, ...]:
    """Where the words lie; kept, since all questions about an article ask for the same."""
    return tuple(match.span() for match in _WORD.finditer(context))


def window(context: str, answer: Span | None, size: int, unit: Unit, key: str) -> Span:
    """The part ``[start, end)`` of `context` to keep: `size` units, the answer among them.

    Where the answer lies in it depends on a hash of `key`, so that its place gives nothing away
    and every run makes the same window. The part starts and ends with a whole word; it grows to
    hold an answer of more than `size` units. In characters it may be a little shorter.
    """
    words = _words(context)
    if unit == "characters":
        return _characters(context, answer, size, key, words)
    if len(words) <= size:
        return 0, len(context)
    first, last = 0, -1
    if answer is not None:
        inside = [i for i, word in enumerate(words) if word[0] < answer[1] and word[1] > answer[0]]
        first, last = inside[0], inside[-1]
        size = max(size, last - first + 1)
    low, high = max(0, last + 1 - size), len(words) - size
    if answer is not None:
        high = min(first, high)
    begin = low + draw(key, high - low + 1)
    return words[begin][0], words[begin + size - 1][1]


def _characters(
    context: str, answer: Span | None, size: int, key: str, words: Sequence[Span]
) -> Span:
    if len(context) <= size:
        return 0, len(context)
    low, high = 0, len(context) - size
    if answer is not None:
        size = max(size, answer[1] - answer[0])
        low, high = max(0, answer[1] - size), min(answer[0], len(context) - size)
    begin = low + draw(key, high - low + 1)
    end = begin + size
    # Words cut by the edges are left out, except where the answer itself is part of one.
    kept = [word for word in words if begin <= word[0] and word[1] <= end]
    if answer is None:
        return (kept[0][0], kept[-1][1]) if kept else (begin, end)
    return (
        min([answer[0], *(word[0] for word in kept[:1])]),
        max([answer[1], *(word[1] for word in kept[-1:])]),
    )
