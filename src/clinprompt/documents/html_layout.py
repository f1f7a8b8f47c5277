"""Where highlights go: a text cut at every end of a mention, and a lane of its own for each.

Mentions nest, cross and have gaps, so they can't be HTML elements. The text is cut into pieces that
each have the same mentions all along; a mention is a line below all its pieces, in one lane, and
mentions that touch lie in different lanes.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from clinprompt.documents.model import Mention


@dataclass(frozen=True)
class Piece:
    """A stretch of text with the same mentions all along; empty where a mention is.

    Attributes:
        start: its first character.
        end: one past its last.
        covers: numbers of the mentions that cover it, the shortest first.
        gaps: numbers of the mentions that have a gap here.
        closes: numbers of the mentions that end at its end, the shortest first.
    """

    start: int
    end: int
    covers: tuple[int, ...]
    gaps: tuple[int, ...]
    closes: tuple[int, ...]


def pieces(size: int, mentions: Sequence[Mention], cuts: Sequence[int] = ()) -> list[Piece]:
    """The text in pieces, in order and without gaps, with further `cuts`.

    Args:
        size: characters of the text.
        mentions: in any order; their numbers are their places here.
        cuts: other places where a piece shall begin.
    """
    starts: dict[int, list[int]] = {}
    ends: dict[int, list[int]] = {}
    places = {0, size, *(cut for cut in cuts if 0 <= cut <= size)}
    for number, mention in enumerate(mentions):
        starts.setdefault(mention.start, []).append(number)
        ends.setdefault(mention.end, []).append(number)
        places.update(at for span in mention.spans for at in span)
    order = sorted(places)
    length = [mention.end - mention.start for mention in mentions]
    open_now: set[int] = set()
    found = []
    for at, start in enumerate(order):
        for number in starts.get(start, ()):
            open_now.add(number)
        empty = [n for n in ends.get(start, ()) if not length[n]]
        if empty:  # mentions of no characters close where they open
            around = tuple(n for n in _by_length(open_now, length) if n not in empty)
            found.append(_piece(start, start, around, tuple(empty), mentions))
            open_now.difference_update(empty)
        if at + 1 < len(order):
            end = order[at + 1]
            here = tuple(_by_length(open_now, length))
            closes = tuple(n for n in here if mentions[n].end == end)
            found.append(_piece(start, end, here, closes, mentions))
            open_now.difference_update(closes)
    return found


def _by_length(numbers: set[int], length: Sequence[int]) -> list[int]:
    return sorted(numbers, key=lambda number: (length[number], number))


def _piece(
    start: int,
    end: int,
    here: tuple[int, ...],
    closes: tuple[int, ...],
    mentions: Sequence[Mention],
) -> Piece:
    """The piece, with `here` told apart into mentions that cover it and such with a gap."""
    covers: list[int] = []
    gaps: list[int] = []
    for number in here:
        inside = any(a <= start and end <= b for a, b in mentions[number].spans)
        (covers if inside else gaps).append(number)
    return Piece(start, end, tuple(covers), tuple(gaps), closes)


def lanes(mentions: Sequence[Mention]) -> list[int]:
    """A lane for each mention, counted from the text; one is nearer to it than those around it.

    Two mentions that share a character, or where one lies in a gap of the other, differ.
    """
    order = sorted(
        range(len(mentions)), key=lambda n: (mentions[n].end - mentions[n].start, mentions[n].start)
    )
    taken: list[list[tuple[int, int]]] = []
    lane_of = [0] * len(mentions)
    for number in order:
        start, end = mentions[number].start, mentions[number].end
        lane = next((at for at, used in enumerate(taken) if _free(used, start, end)), len(taken))
        if lane == len(taken):
            taken.append([])
        used = taken[lane]
        used.insert(bisect_left(used, (start, end)), (start, end))
        lane_of[number] = lane
    return lane_of


def _free(used: list[tuple[int, int]], start: int, end: int) -> bool:
    """Whether nothing in a lane (sorted) reaches into a place."""
    at = bisect_left(used, (start, start))
    return (at == 0 or used[at - 1][1] <= start) and (at == len(used) or used[at][0] >= end)
