"""The text of a note with its mentions highlighted."""

from __future__ import annotations

from collections.abc import Sequence

from clinprompt.documents.html_context import Page, value_of
from clinprompt.documents.html_layout import Piece, lanes, pieces
from clinprompt.documents.html_text import attribute, text

_LINE, _STEP = 2, 4  # pixels: of a line below the text, and from one lane to the next


def note(one: Page) -> str:
    """The note as an ``article`` whose text is the document's, character by character.

    Labels are drawn by the style sheet from attributes, so that they are no part of what is
    selected and copied.
    """
    document, mentions = one.document, one.mentions
    lane_of = lanes(mentions)
    sections: dict[int, list[str]] = {}
    for passage in document.passages:
        sections.setdefault(passage.span[0], []).append(passage.name)
    found = []
    size = len(document.text)
    for piece in pieces(size, mentions, list(sections)):
        if piece.start < piece.end or not size:
            found += [_section(name) for name in sections.pop(piece.start, [])]
        found.append(_piece(one, piece, lane_of))
    found += [_section(name) for names in sections.values() for name in names]
    depth = max(lane_of, default=-1) + 1
    below = depth * _STEP + 1
    body = "".join(found) + ("" if size else '<span class="none">(no text)</span>')
    return (
        f'<article class="note card" dir="auto" style="--below:{below}px;'
        f'--lead:calc(1.62em + {below}px)">{body}</article>'
    )


def _section(name: str) -> str:
    return f'<span class="sec" data-l="{attribute(name)}"></span>'


def _piece(one: Page, piece: Piece, lane_of: Sequence[int]) -> str:
    raw = one.document.text[piece.start : piece.end]
    if raw.endswith("\r") and one.document.text.startswith("\n", piece.end):
        raw = raw[:-1]  # one line end, cut in two
    inside = text(raw)
    if piece.covers or piece.gaps:
        title = "; ".join(one.mentions[number].label for number in piece.covers)
        hint = f' title="{attribute(title)}"' if title else ""
        look = _look(one, piece.covers, piece.gaps, lane_of)
        inside = f'<span class="p"{hint} style="{look}">{inside}</span>'
    if not piece.closes:
        return inside
    tags = "".join(_tag(one, number) for number in piece.closes)
    # What goes on beyond the tags is drawn below them, too.
    covers = [number for number in piece.covers if number not in piece.closes]
    gaps = [number for number in piece.gaps if number not in piece.closes]
    if not covers and not gaps:
        return inside + tags
    return f'{inside}<span class="p" style="{_look(one, covers, gaps, lane_of)}">{tags}</span>'


def _look(one: Page, covers: Sequence[int], gaps: Sequence[int], lane_of: Sequence[int]) -> str:
    """A line for each mention in its lane (dotted in gaps), on the colour of the shortest."""
    images, places = [], []
    for number in (*covers, *gaps):
        colour = f"var(--c{one.palette.number(one.mentions[number].label)})"
        dotted = f"repeating-linear-gradient(90deg,{colour} 0 2px,transparent 2px 6px)"
        images.append(dotted if number in gaps else f"linear-gradient({colour} 0 0)")
        # Measured from the top, so that the first lane is always next to the text.
        below = f"calc(100% - var(--below) + {lane_of[number] * _STEP + _LINE + 1}px)"
        places.append(f"0 {below}/100% {_LINE}px")
    layers = ",".join(f"{image} {place}" for image, place in zip(images, places, strict=True))
    ground = ""
    if covers:
        # The tint ends above the lines.
        tint = f"var(--b{one.palette.number(one.mentions[covers[0]].label)})"
        ground = f",linear-gradient({tint} 0 0) 0 0/100% calc(100% - var(--below) + 1px)"
    return f"background:{layers}{ground};background-repeat:no-repeat"


def _tag(one: Page, number: int) -> str:
    mention = one.mentions[number]
    said = [value_of(item) for item in one.held.attributes.get(mention.id, [])]
    label = attribute(" · ".join([mention.label, *said])[:80])
    colour = one.palette.number(mention.label)
    return (
        f'<a class="tag l{colour}" id="t{number}" href="#m{number}" data-l="{label}" '
        f'aria-label="{label}" title="{attribute(mention.id)}"></a>'
    )
