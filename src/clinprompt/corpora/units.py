"""Cutting a document into the parts that become examples: lines, or windows of whole sentences."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Literal

from clinprompt.examples import Span

Unit = Literal["document", "line", "window"]
_LINE = re.compile(r"\n")
_SENTENCE = re.compile(r"\n|(?<=[.!?])[\"')\]]*[ \t]+(?=[\"'(\[]?[A-Z0-9])")
_WORD = re.compile(r"\S+")


def units(text: str, held: Iterable[Span], unit: Unit, size: int) -> list[Span]:
    """Parts ``[start, end)`` of `text` in order, without blanks around them or blank parts.

    Args:
        held: stretches that no cut may go through (annotations, with the gaps inside them).
        unit: the whole ``document``; each ``line``; or a ``window`` of as many whole sentences as
            have at most `size` words. A sentence ends at a line end, or at ``.``, ``!`` or ``?``
            before a blank and a capital or digit. One of more than `size` words is cut between
            words.
    """
    closed = _merged(held)
    cuts = {0, len(text)}
    if unit != "document":
        pattern = _LINE if unit == "line" else _SENTENCE
        cuts.update(match.end() for match in pattern.finditer(text))
    if unit == "window":
        words = [match.start() for match in _WORD.finditer(text)]
        places = _packed(_free(cuts, closed), _free({*words, *cuts}, closed), words, size)
    else:
        places = _free(cuts, closed)
    found = []
    for start, end in pairwise(places):
        part = text[start:end]
        if not part.strip():
            continue
        inside = closed[_first(closed, start) : _first(closed, end)]
        low, high = start + len(part) - len(part.lstrip()), start + len(part.rstrip())
        if inside:  # an annotation may begin or end with a blank
            low, high = min(low, inside[0][0]), max(high, inside[-1][1])
        found.append((low, high))
    return found


def _merged(spans: Iterable[Span]) -> list[Span]:
    """Sorted stretches that don't overlap, over all of `spans`."""
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _first(closed: Sequence[Span], place: int) -> int:
    """Index of the first stretch that starts at `place` or behind it."""
    return bisect_left(closed, (place, -1))


def _free(cuts: Iterable[int], closed: Sequence[Span]) -> list[int]:
    """The cuts that go through no stretch, in order."""

    def inside(cut: int) -> bool:
        index = _first(closed, cut) - 1
        return index >= 0 and cut < closed[index][1]

    return [cut for cut in sorted(cuts) if not inside(cut)]


def _packed(
    sentences: Sequence[int], between: Sequence[int], words: Sequence[int], size: int
) -> list[int]:
    """Cuts so that each part has at most `size` words where that is possible.

    Args:
        sentences: places between sentences, first and last the text's ends.
        between: places between words, sentence ends among them.
        words: where words start.
    """

    def count(start: int, end: int) -> int:
        return bisect_left(words, end) - bisect_left(words, start)

    def farthest(places: Sequence[int], start: int, end: int) -> int | None:
        """The last of `places` in ``(start, end]`` with at most `size` words from `start`."""
        first = bisect_left(words, start)
        limit = words[first + size] if first + size < len(words) else end
        index = bisect_left(places, min(limit, end) + 1) - 1
        return places[index] if index >= 0 and places[index] > start else None

    chosen, last = [sentences[0]], sentences[-1]
    while chosen[-1] < last:
        start = chosen[-1]
        cut = farthest(sentences, start, last) or farthest(between, start, last)
        if cut is None:  # an annotation of more than `size` words
            cut = between[bisect_left(between, start + 1)]
        chosen.append(cut)
    return chosen
