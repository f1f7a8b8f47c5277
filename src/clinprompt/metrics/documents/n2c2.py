"""Counts as the scripts in common use make them, quirks included (named in `settings`).

Written from what the scripts do: the n2c2 2018 track 2 script (also in ClinicalTransformerNER)
for mentions and relations, the n2c2 2022 track 2 scorer (brat_scoring) for events.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple, TypeVar

from clinprompt.documents.model import Document, Mention
from clinprompt.metrics.documents.cells import Cells
from clinprompt.metrics.documents.events import TRIGGER, Filler, Frame, totals
from clinprompt.metrics.documents.settings import Settings
from clinprompt.metrics.documents.things import fragments, resolve

T = TypeVar("T")
Match = Literal["strict", "lenient"]

NOT_TWO = "relations that are not between two mentions"


class Tag(NamedTuple):
    """A mention as the 2018 script sees it: a type and one run of characters."""

    label: str
    start: int
    end: int


class Relation(NamedTuple):
    """A relation: its type and its ends in the order of the line."""

    label: str
    first: Tag
    second: Tag


class Flattened(NamedTuple):
    """What the 2018 script reads of a document, in the order of the file."""

    tags: list[Tag]
    relations: list[Relation]
    left_out: Counter[str]


def flatten(document: Document, settings: Settings) -> Flattened:
    """Mentions and relations, flattened as the script flattens them.

    Raises:
        ClinpromptError: CP-EVAL-105 and 106 for broken references and spans.
    """
    by_id: dict[str, Tag] = {}
    before: Tag | None = None
    for mention in document.mentions:
        spans = fragments(document, mention)
        tag = Tag(mention.label, spans[0][0], spans[-1][1])
        if len(spans) > 3 and before is not None:  # its parser knows up to three fragments
            tag = before
        by_id[mention.id] = before = tag
    left_out: Counter[str] = Counter()
    relations = []
    for link in document.links:
        ends = [resolve(document, argument.target, link.id) for argument in link.arguments]
        tags = [by_id[end.id] for end in ends if isinstance(end, Mention)]
        if settings.relation_labels and link.label not in settings.relation_labels:
            continue
        if len(ends) == len(tags) == 2:
            relations.append(Relation(link.label, tags[0], tags[1]))
        else:
            left_out[NOT_TWO] += 1
    tags = [tag for tag in by_id.values() if not settings.labels or tag.label in settings.labels]
    return Flattened(tags, relations, left_out)


def same_tag(gold: Tag, predicted: Tag, match: Match) -> bool:
    """One type, and the same run of characters (lenient: a character in common)."""
    if gold.label != predicted.label:
        return False
    if match == "strict":
        return gold == predicted
    return gold.start < predicted.end and predicted.start < gold.end


def same_relation(gold: Relation, predicted: Relation, match: Match) -> bool:
    """One type, and both ends the same."""
    return (
        gold.label == predicted.label
        and same_tag(gold.first, predicted.first, match)
        and same_tag(gold.second, predicted.second, match)
    )


def count_tags(gold: Sequence[Tag], predicted: Sequence[Tag], match: Match) -> Cells:
    """Mentions of one document, by type."""
    return _count(gold, predicted, lambda g, p: same_tag(g, p, match))


def count_relations(gold: Sequence[Relation], predicted: Sequence[Relation], match: Match) -> Cells:
    """Relations of one document, by type."""
    return _count(gold, predicted, lambda g, p: same_relation(g, p, match))


def _count(
    gold: Sequence[Tag] | Sequence[Relation],
    predicted: Sequence[Tag] | Sequence[Relation],
    meets: Callable[..., bool],
) -> Cells:
    """Drop the predictions that come too late, then count those that meet any gold one as right.

    The script runs over all types at once; equal things have one type, so by type is the same.
    """
    cells = Cells()
    for label in {one.label for one in gold} | {one.label for one in predicted}:
        wanted = [one for one in gold if one.label == label]
        found = [one for one in predicted if one.label == label]
        taken: set[int] = set()
        kept = 0
        right = 0
        for prediction in found:
            met = {i for i, one in enumerate(wanted) if meets(one, prediction)}
            late = bool(met & taken)
            taken |= met
            if not late:
                kept += 1
                right += bool(met)
        cells.expect((label,), len(wanted))
        cells.predict((label,), kept)
        cells.hit((label,), right)
    return cells


def count_frames(gold: Sequence[Frame], predicted: Sequence[Frame], settings: Settings) -> Cells:
    """Events of one document: triggers paired greedily, then their arguments."""
    cells = totals(gold, predicted)
    pair = _nearest if settings.trigger == "min-distance" else _first
    for one, other in pair(gold, predicted, settings):
        cells.hit((one.label, TRIGGER, ""))
        for filler, _ in _greedy(
            one.fillers, other.fillers, lambda g, p: _same_filler(g, p, settings)
        ):
            cells.hit((one.label, filler.name, filler.value))
    return cells


def _first(
    gold: Sequence[Frame], predicted: Sequence[Frame], settings: Settings
) -> list[tuple[Frame, Frame]]:
    """First come, first served, in the order of the files."""

    def meets(one: Frame, other: Frame) -> bool:
        return one.label == other.label and _meet(_run(one), _run(other), settings.trigger)

    return _greedy(gold, predicted, meets)


def _nearest(
    gold: Sequence[Frame], predicted: Sequence[Frame], settings: Settings
) -> list[tuple[Frame, Frame]]:
    """The nearest triggers of one type first; ties go by the order of the files."""
    distances = sorted(
        (abs(one.middle() - other.middle()), i, j)
        for i, one in enumerate(gold)
        for j, other in enumerate(predicted)
        if one.label == other.label
    )
    pairs: dict[int, int] = {}
    used: set[int] = set()
    for _, i, j in distances:
        if i not in pairs and j not in used:
            pairs[i] = j
            used.add(j)
    return [(gold[i], predicted[j]) for i, j in pairs.items()]


def _same_filler(gold: Filler, predicted: Filler, settings: Settings) -> bool:
    if (gold.name, gold.value) != (predicted.name, predicted.value):
        return False
    labelled = gold.name in settings.labelled
    match = settings.labelled_arguments if labelled else settings.span_arguments
    return match == "label" or _meet(_run(gold), _run(predicted), match)


def _run(one: Frame | Filler) -> tuple[int, int]:
    """From the first start to the last end."""
    return one.spans[0][0], one.spans[-1][1]


def _meet(left: tuple[int, int], right: tuple[int, int], match: str) -> bool:
    if match == "exact":
        return left == right
    return left[0] < right[1] and right[0] < left[1]


def _greedy(
    gold: Sequence[T], predicted: Sequence[T], meets: Callable[[T, T], bool]
) -> list[tuple[T, T]]:
    """Each gold one takes the first free prediction that it meets."""
    used: set[int] = set()
    pairs = []
    for one in gold:
        for j, other in enumerate(predicted):
            if j not in used and meets(one, other):
                used.add(j)
                pairs.append((one, other))
                break
    return pairs
