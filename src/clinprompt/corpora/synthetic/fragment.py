"""Text that knows where its labelled pieces are.

A note is put together from fragments.  Every fragment carries its marks with their offsets, and
joining fragments shifts them, so that labels are exact by construction: nothing is ever searched
for in the finished text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from clinprompt.examples import Entity

# A blank or comma before one of these is dropped, so that optional parts of a sentence leave no
# traces.
_CLOSING = ",.;:?!)"


@dataclass(frozen=True, slots=True)
class Mark:
    """One labelled piece ``[start, end)`` of a fragment.

    Attributes:
        link: names the mention it belongs to; a discontinuous mention has several pieces.
        piece: number of the piece inside its mention.
    """

    start: int
    end: int
    label: str
    link: str
    piece: int = 0


@dataclass(frozen=True, slots=True)
class Fragment:
    """A piece of text with its marks."""

    text: str
    marks: tuple[Mark, ...] = ()

    def mapped(self, change: Callable[[str], str]) -> Fragment:
        """The fragment with its text changed by a function that keeps the length."""
        text = change(self.text)
        assert len(text) == len(self.text)
        return replace(self, text=text)

    def capitalised(self) -> Fragment:
        """The fragment with a capital at its start."""
        return self.mapped(lambda text: text[:1].upper() + text[1:])


Text = str | Fragment


def concat(parts: Iterable[Text]) -> Fragment:
    """One fragment of all parts, marks shifted; double blanks and signs at the seams become one."""
    text = ""
    marks: list[Mark] = []
    for part in parts:
        fragment = part if isinstance(part, Fragment) else Fragment(part)
        if not fragment.text:
            continue
        cut = 0
        if fragment.text[0] == " " and (not text or text[-1] in " \n"):
            cut = 1
        elif fragment.text[0] == "." and text.endswith("."):
            cut = 1  # "b.i.d." at the end of a sentence
        elif text and text[-1] in " ," and fragment.text[0] in _CLOSING:
            text = text[:-1]
        shift = len(text) - cut
        text += fragment.text[cut:]
        marks += (
            replace(mark, start=mark.start + shift, end=mark.end + shift) for mark in fragment.marks
        )
    return Fragment(text, tuple(marks))


def join(separator: str, parts: Iterable[Text]) -> Fragment:
    """The parts with `separator` between them; empty parts are left out."""
    pieces: list[Text] = []
    for part in parts:
        if part if isinstance(part, str) else part.text:
            pieces += [separator, part] if pieces else [part]
    return concat(pieces)


def mark(text: Text, label: str, link: str, piece: int = 0) -> Fragment:
    """`text` marked as (a piece of) the mention `link`; marks inside stay and are nested."""
    fragment = text if isinstance(text, Fragment) else Fragment(text)
    whole = Mark(0, len(fragment.text), label, link, piece)
    return replace(fragment, marks=(whole, *fragment.marks))


def mentions(fragment: Fragment) -> dict[str, Entity]:
    """The mention of each link, in the order of the text.

    The same piece of a mention can't stand twice in a text: that would be a fault of a grammar.
    """
    pieces: dict[str, list[Mark]] = {}
    for item in fragment.marks:
        pieces.setdefault(item.link, []).append(item)
    found: dict[str, Entity] = {}
    for link, marks in pieces.items():
        numbers = [item.piece for item in marks]
        assert len(set(numbers)) == len(numbers), f"mention {link} stands twice in the text"
        spans = tuple(sorted((item.start, item.end) for item in marks))
        found[link] = Entity(spans, marks[0].label)
    return dict(sorted(found.items(), key=lambda item: item[1]))


def entities(fragment: Fragment) -> tuple[Entity, ...]:
    """All mentions of the text, sorted by place."""
    return tuple(mentions(fragment).values())
