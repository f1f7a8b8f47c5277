"""Where a long text is cut into windows that overlap, and one window around a place of it.

What fits is asked of the caller, who counts tokens exactly as the row is written. So nothing here
knows of tokens; it only assumes that a longer piece of text seldom takes less room than a part of
it, and checks every window it gives.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from clinprompt.documents.sentences import sentences
from clinprompt.examples import Span
from clinprompt.inference.windows.sections import sections

Fits = Callable[[int, int], bool]  # start, end of a piece of the text
_WORD, _SPACE = re.compile(r"\S+"), re.compile(r"\s*")


@dataclass(frozen=True, slots=True)
class Borders:
    """Where a text may be cut: offsets, each in front of something that is not white space.

    Attributes:
        sections: where sections begin.
        sentences: where sections and sentences begin, and the text's end.
    """

    sections: frozenset[int]
    sentences: tuple[int, ...]

    @classmethod
    def of(cls, text: str) -> Borders:
        """The borders of a note."""
        parts = sections(text)
        opened = frozenset(_visible(text, part.span[0]) for part in parts)
        starts = {start for start, _ in sentences(text)} | {part.body for part in parts}
        places = {_visible(text, start) for start in starts} | opened | {len(text)}
        return cls(opened, tuple(sorted(places)))


def windows(text: str, fits: Fits, shared: Fits) -> list[Span] | None:
    """Windows that together hold every character of `text` but white space, in order.

    A window ends where a section ends, if that leaves it at least half as long as it could be;
    else at the last sentence's end that fits. A sentence that is longer than a window is cut at
    white space, a word that is longer between any two characters.

    The next window begins as early as the piece it shares with the one before may: with a whole
    sentence, or, where the seam is inside a sentence (a word), with a whole word (character). It
    always reaches further than the one before. So whatever sentences are `shared` together
    stand together in some window.

    Args:
        text: the note.
        fits: whether a piece fits in a window.
        shared: whether a piece is short enough to be read twice.

    Returns:
        Spans without white space at their ends; None if some character does not fit by itself.
    """
    borders, words = Borders.of(text), [match.start() for match in _WORD.finditer(text)]
    words.append(len(text))
    levels: tuple[Sequence[int], ...] = (borders.sentences, words, range(len(text) + 1))
    found: list[Span] = []
    start, done = words[0], 0
    while start < len(text):
        seam = _seam(levels, start, done, fits, borders.sections)
        if seam is None:
            return None
        done, places = seam
        found.append((start, start + len(text[start:done].rstrip())))
        following = done if done == len(text) else _next(places, start, done, fits, shared)
        start = _visible(text, following)  # between characters there may be white space
    return found


def around(text: str, held: Span, fits: Fits) -> Span | None:
    """The largest window about a piece of `text`, with as many sentences on both sides.

    Sentences that hold the piece are cut at white space if they are too long; where the text ends
    on one side, the other one gets the room.

    Returns:
        A span without white space at its ends that holds `held`; None if that does not fit alone.
    """
    words = [match.start() for match in _WORD.finditer(text)]
    for places in (Borders.of(text).sentences, [*words, len(text)], [*held]):
        first = max(0, bisect_right(places, held[0]) - 1)
        last = min(bisect_left(places, held[1]), len(places) - 1)
        start, end = min(places[first], held[0]), max(places[last], held[1])
        if fits(start, end):
            break
    else:
        return None

    def grown(left: int, right: int) -> Span:
        return (
            min(places[max(0, first - left)], start),
            max(places[min(len(places) - 1, last + right)], end),
        )

    most = max(first, len(places) - 1 - last)
    both = _last(range(1, most + 1), lambda n: fits(*grown(n, n))) or 0
    right = _last(range(both, most + 1), lambda n: fits(*grown(both, n))) or both
    left = _last(range(both, most + 1), lambda n: fits(*grown(n, right))) or both
    start, end = grown(left, right)
    return start, start + len(text[start:end].rstrip())


def _seam(
    levels: Sequence[Sequence[int]],
    start: int,
    done: int,
    fits: Fits,
    preferred: frozenset[int],
) -> tuple[int, Sequence[int]] | None:
    """Where a window that begins at `start` ends, and the places among which that was chosen.

    Args:
        levels: places where one may cut, the better ones first.
        start: of the window.
        done: the end of the window before, behind which this one must reach.
        fits: whether a piece fits in a window.
        preferred: places that are chosen, in the first level, where they leave half a window.
    """
    for places in levels:
        end = _furthest(places, start, fits)
        if end is None:
            continue
        if places is levels[0] and end < places[-1]:
            least = max(start + (end - start) // 2, done)
            inner = range(bisect_right(places, least), bisect_left(places, end) + 1)
            sections_ends = (places[i] for i in reversed(inner) if places[i] in preferred)
            end = next((place for place in sections_ends if fits(start, place)), end)
        return end, places
    return None


def _furthest(places: Sequence[int], start: int, fits: Fits) -> int | None:
    """The last place behind `start` up to which the text fits; None if it does up to none."""
    later = range(bisect_right(places, start), len(places))
    found = _last(later, lambda place: fits(start, places[place]))
    return None if found is None else places[found]


def _next(places: Sequence[int], start: int, end: int, fits: Fits, shared: Fits) -> int:
    """The earliest of the places behind `start` from which the shared piece isn't too long.

    The window from there must hold what follows `end` as well, up to the next place.
    """
    at, after = bisect_left(places, end), bisect_right(places, start)
    upcoming = places[at + 1]

    def serves(back: int) -> bool:
        return shared(places[at - back], end) and fits(places[at - back], upcoming)

    return places[at - (_last(range(1, at - after + 1), serves) or 0)]


def _visible(text: str, place: int) -> int:
    """The first place from `place` on that holds something, or the text's end."""
    match = _SPACE.match(text, place)
    return place if match is None else match.end()


def _last(numbers: range, holds: Callable[[int], bool]) -> int | None:
    """The last number that `holds`, if all before it do; None if the first does not.

    Steps are doubled until one fails, then halved: few tries where the answer is near the
    beginning, and none far behind it. What is returned was tried.
    """
    if not numbers or not holds(numbers[0]):
        return None
    good, step = 0, 1
    bad = len(numbers)
    while good + step < bad:
        if holds(numbers[good + step]):
            good, step = good + step, 2 * step
        else:
            bad = good + step
    while bad - good > 1:
        middle = (good + bad) // 2
        if holds(numbers[middle]):
            good = middle
        else:
            bad = middle
    return numbers[good]
