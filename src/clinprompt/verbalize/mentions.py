"""Mentions between characters of a note and words on a line.

A mention is written by its words alone. Which occurrence of these words is meant follows from a
default rule; an occurrence number is written only where that rule would lead elsewhere. Writing
asks the very code that reading runs, so the two can't disagree.

Occurrences are numbered from 1: those that begin and end at word boundaries in the order of the
text, then those that lie inside a longer word. White space matches any white space.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cached_property

from clinprompt.examples import Span
from clinprompt.verbalize.fragments import Fragment

First = Callable[[Fragment], Span | None]

_SPACE = re.compile(r"\s+")
# Letters of scripts with case, digits, and marks that combine with the letter before. Scripts
# without case (such as Chinese) often write no spaces, so any place in them is a boundary.
_WORD = frozenset(("Lu", "Ll", "Lt", "Nd", "No", "Nl", "Mn", "Mc"))


class Index:
    """Finds fragments in one text, all occurrences, overlapping ones included."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._found: dict[tuple[str, str, str, bool], tuple[list[Span], list[Span]]] = {}
        # `_flat` is the text with white space collapsed; behind flat offset `_at[i]` a character
        # of it stands `_shift[i]` further to the right in the text.
        pieces, self._at, self._shift, done = [], [0], [0], 0
        for match in _SPACE.finditer(text):
            if match.group() != " ":
                pieces += [text[done : match.start()], " "]
                done = match.end()
                self._shift.append(self._shift[-1] + len(match.group()) - 1)
                self._at.append(done - self._shift[-1])
        self._flat = "".join(pieces) + text[done:]

    def occurrences(
        self, fragment: Fragment, *, fold: bool = False
    ) -> tuple[list[Span], list[Span]]:
        """Where `fragment` stands: at word boundaries, and inside words; both in text order.

        Args:
            fragment: what to look for; its number plays no part.
            fold: whether letter case counts for nothing.
        """
        key = (fragment.core, fragment.lead, fragment.trail, fold)
        if key not in self._found:
            whole: list[Span] = []
            inside: list[Span] = []
            for span in self._matches(fragment, fold):
                cut = self._in_word(span[0]) or self._in_word(span[1])
                (inside if cut else whole).append(span)
            self._found[key] = (whole, inside)
        return self._found[key]

    def first(self, fragment: Fragment, after: tuple[int, ...] = (0,)) -> Span | None:
        """The default occurrence: see `nearest`, with nothing taken."""
        return self.nearest(fragment, after, lambda _: False)

    def nearest(
        self, fragment: Fragment, after: tuple[int, ...], taken: Callable[[Span], bool]
    ) -> Span | None:
        """The first occurrence that is not `taken`, from the first of the offsets `after` that
        has one behind it. Whole words come before parts of words, exact case before any case.
        """
        for spans in self._ranked(fragment):
            for offset in after:
                for place in range(bisect_left(spans, (offset, 0)), len(spans)):
                    if not taken(spans[place]):
                        return spans[place]
        return None

    def numbered(self, fragment: Fragment, number: int) -> Span | None:
        """Occurrence `number` of `fragment`; case is ignored if it does not occur as written."""
        for fold in (False, True):
            whole, inside = self.occurrences(fragment, fold=fold)
            if whole or inside:
                return (whole + inside)[number - 1] if 0 < number <= len(whole + inside) else None
        return None

    def number(self, fragment: Fragment, span: Span) -> int:
        """The number under which `numbered` gives `span`, which `fragment` covers."""
        whole, inside = self.occurrences(fragment)
        place = bisect_left(whole, span)
        if place < len(whole) and whole[place] == span:
            return place + 1
        return len(whole) + inside.index(span) + 1

    def _ranked(self, fragment: Fragment) -> Iterator[list[Span]]:
        whole, inside = self.occurrences(fragment)
        yield whole
        folded_whole, folded_inside = self.occurrences(fragment, fold=True)
        yield folded_whole
        yield inside
        yield folded_inside

    def _matches(self, fragment: Fragment, fold: bool) -> Iterator[Span]:
        lead, core, trail = fragment.lead, fragment.core, fragment.trail
        if not core:  # nothing but white space
            yield from ((at, at + len(lead)) for at in _places(self.text, lead))
            return
        flat = self._folded if fold else self._flat
        for place in _places(flat, folded(core) if fold else core):
            start, end = self._offset(place), self._offset(place + len(core) - 1) + 1
            if self.text.endswith(lead, 0, start) and self.text.startswith(trail, end):
                yield start - len(lead), end + len(trail)

    def _offset(self, flat: int) -> int:
        return flat + self._shift[bisect_right(self._at, flat) - 1]

    @cached_property
    def _folded(self) -> str:
        return folded(self._flat)

    def _in_word(self, offset: int) -> bool:
        """Whether the characters on both sides of `offset` belong to one word."""
        return (
            0 < offset < len(self.text)
            and unicodedata.category(self.text[offset - 1]) in _WORD
            and unicodedata.category(self.text[offset]) in _WORD
        )


def locate(index: Index, fragments: tuple[Fragment, ...], first: First) -> tuple[Span, ...] | None:
    """The spans that `fragments` name; None if one of them is not in the text.

    `first` gives the default for the first fragment; each further one stands behind the one
    before it, where it can.
    """
    spans: list[Span] = []
    for fragment in fragments:
        if fragment.number is not None:
            span = index.numbered(fragment, fragment.number)
        else:
            span = _default(index, fragment, spans, first)
        if span is None:
            return None
        spans.append(span)
    return tuple(spans) if spans else None


def describe(
    index: Index, spans: tuple[Span, ...], first: First, *, force: bool = False
) -> tuple[Fragment, ...]:
    """The fragments that `locate`, given the same `first`, turns back into `spans`.

    Args:
        index: index of the text.
        spans: not empty, each inside the text.
        first: default for the first fragment.
        force: number the first fragment even where the default would do.
    """
    fragments: list[Fragment] = []
    for place, (start, end) in enumerate(spans):
        fragment = Fragment.of(index.text[start:end])
        default = _default(index, fragment, list(spans[:place]), first)
        if default != (start, end) or (force and not fragments):
            fragment = replace(fragment, number=index.number(fragment, (start, end)))
        fragments.append(fragment)
    return tuple(fragments)


def _default(index: Index, fragment: Fragment, before: list[Span], first: First) -> Span | None:
    return index.first(fragment, (before[-1][1], 0)) if before else first(fragment)


def _places(text: str, part: str) -> Iterator[int]:
    """Every place of `part` in `text`, overlapping ones included."""
    place = text.find(part)
    while place >= 0:
        yield place
        place = text.find(part, place + 1)


def folded(text: str) -> str:
    """`text` without letter case, character by character, so that no offset moves."""
    if text.isascii():
        return text.lower()
    return "".join(low if len(low := c.casefold()) == 1 else c for c in text)
