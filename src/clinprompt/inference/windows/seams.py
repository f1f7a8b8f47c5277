"""Lists of mentions and relations from windows that overlap, merged into one.

What two windows list with the same label and spans stands once. A mention that a seam cut in two
is replaced by the whole one:

    A mention m from window W is *cut* if another window V lists a mention M of the same label that
    covers m (every fragment of m lies inside one of M) and is not wholly inside W, and no window
    that has M wholly inside lists m besides.

So W could not have listed M, the window that could see all of it chose M and not m, and m is not a
mention nested in M. Of several such M the longest counts, then the first one in the text. Where
windows that both see the same text disagree, all that they list is kept: nothing shows which one is
right.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from clinprompt.examples import Entity, Relation, Span
from clinprompt.inference.windows.views import moved


@dataclass(frozen=True, slots=True)
class Listed:
    """What a window lists, offsets counting in the note.

    Attributes:
        window: its place in the note.
        entities: its mentions, or the ends of its relations.
        relations: its relations; none where mentions are asked.
    """

    window: Span
    entities: tuple[Entity, ...]
    relations: tuple[Relation, ...] = ()

    @classmethod
    def of(cls, window: Span, found: Iterable[Entity | Relation]) -> Listed:
        """From mentions or relations whose offsets count in the window."""
        entities: list[Entity] = []
        relations: list[Relation] = []
        for one in found:
            if isinstance(one, Relation):
                head, tail = moved(one.head, window[0]), moved(one.tail, window[0])
                relations.append(replace(one, head=head, tail=tail))
                entities += (head, tail)
            else:
                entities.append(moved(one, window[0]))
        return cls(window, tuple(dict.fromkeys(entities)), tuple(relations))


def merged_entities(parts: Sequence[Listed]) -> tuple[Entity, ...]:
    """The mentions of a note, each once, in the order of the text."""
    return tuple(
        sorted({_whole(entity, part, parts) for part in parts for entity in part.entities})
    )


def merged_relations(parts: Sequence[Listed]) -> tuple[Relation, ...]:
    """The relations of a note, each once, cut ends made whole, in the order of the text."""
    found = {
        replace(
            relation,
            head=_whole(relation.head, part, parts),
            tail=_whole(relation.tail, part, parts),
        )
        for part in parts
        for relation in part.relations
    }
    return tuple(sorted(found))


def _whole(entity: Entity, own: Listed, parts: Sequence[Listed]) -> Entity:
    """The mention that `entity` of the part `own` is a piece of; itself if it isn't cut."""
    longer = {
        other
        for part in parts
        if _inside(entity, part.window)
        for other in part.entities
        if other.label == entity.label
        and other.spans != entity.spans
        and not _inside(other, own.window)
        and _covers(other, entity)
    }
    cut_from = [
        other
        for other in longer
        if not any(entity in part.entities for part in parts if _inside(other, part.window))
    ]
    return min(cut_from, key=lambda m: (-sum(b - a for a, b in m.spans), m), default=entity)


def _inside(entity: Entity, window: Span) -> bool:
    return window[0] <= entity.start and max(end for _, end in entity.spans) <= window[1]


def _covers(longer: Entity, shorter: Entity) -> bool:
    return all(
        any(a <= start and end <= b for a, b in longer.spans) for start, end in shorter.spans
    )
