"""Events with arguments, and their clean counts.

Two events are candidates for each other if their triggers have one type and meet the trigger
criterion. Arguments count only inside paired events, by name, one to one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from clinprompt.documents.model import Attribute, Document
from clinprompt.errors import ClinpromptError
from clinprompt.metrics.documents.assignment import best_pairs
from clinprompt.metrics.documents.cells import Cells, Path
from clinprompt.metrics.documents.settings import Settings
from clinprompt.metrics.documents.things import anchor, fragments, trigger_of
from clinprompt.metrics.matching import Fragments, matching_size, overlaps

TRIGGER = "Trigger"
NESTED = "event arguments that are neither a mention nor an event"


class Filler(NamedTuple):
    """An argument: its name, its value ("" without one), its fragments."""

    name: str
    value: str
    spans: Fragments


class Frame(NamedTuple):
    """An event: its type, the fragments of its trigger, its arguments in the order of the file."""

    label: str
    spans: Fragments
    fillers: tuple[Filler, ...]

    def middle(self) -> float:
        """The middle of the trigger, from its first character to its last."""
        return (self.spans[0][0] + self.spans[-1][1] - 1) / 2


class Frames(NamedTuple):
    """The events of a document, in the order of the file, and what can't be scored."""

    listed: list[Frame]
    left_out: Counter[str]


def frames(document: Document, settings: Settings) -> Frames:
    """The events that are scored. Only arguments that `settings` calls labelled have a value.

    Raises:
        ClinpromptError: CP-EVAL-105 to 107 for broken references and spans, CP-EVAL-108 for an
            argument with several values in n2c2 mode.
    """
    values: dict[str, set[str]] = {}
    for attribute in document.of(Attribute):
        value = attribute.name if attribute.value is None else attribute.value
        values.setdefault(attribute.target, set()).add(value)
    listed, left_out = [], Counter[str]()
    for event in document.events:
        trigger = trigger_of(document, event)
        if settings.labels and trigger.label not in settings.labels:
            continue
        fillers = []
        for argument in event.arguments:
            mention = anchor(document, argument.target, event.id)
            if mention is None:
                left_out[NESTED] += 1
                continue
            by_mention = settings.mode == "n2c2" or settings.arguments_by == "mention"
            name = mention.label if by_mention else argument.role
            found = sorted(values.get(mention.id, ())) if name in settings.labelled else []
            if len(found) > 1 and settings.mode == "n2c2":
                raise ClinpromptError(
                    "CP-EVAL-108",
                    f"document '{document.id}': argument '{mention.id}' has {len(found)} values; "
                    "the n2c2 2022 scorer refuses it",
                    hint="keep one attribute, or use --mode clean",
                )
            fillers.append(Filler(name, "+".join(found), fragments(document, mention)))
        listed.append(Frame(trigger.label, fragments(document, trigger), tuple(fillers)))
    return Frames(listed, left_out)


def count_events(gold: Sequence[Frame], predicted: Sequence[Frame], settings: Settings) -> Cells:
    """Triggers and arguments of one document, whatever the order of its file.

    With exact or overlapping triggers, events are paired so that triggers and arguments together
    match as often as possible. By least distance the nearest two triggers of a type are paired
    first; among equally near ones those with more matching arguments.
    """
    left, right = ([_sorted(frame) for frame in side] for side in (gold, predicted))
    left.sort()
    right.sort()
    cells = totals(left, right)
    for i, j in _paired(left, right, settings):
        cells.hit((left[i].label, TRIGGER, ""))
        for (name, value), times in shared(left[i], right[j], settings).items():
            cells.hit((left[i].label, name, value), times)
    return cells


def totals(gold: Sequence[Frame], predicted: Sequence[Frame]) -> Cells:
    """What both sides have: triggers, and arguments by name and value."""
    cells = Cells()
    for side, count in ((gold, cells.expect), (predicted, cells.predict)):
        for frame in side:
            for path in _paths(frame):
                count(path)
    return cells


def shared(gold: Frame, predicted: Frame, settings: Settings) -> Counter[tuple[str, str]]:
    """How many arguments of two events match one to one, by name and value."""
    wanted, found = _by_kind(gold), _by_kind(predicted)
    matched: Counter[tuple[str, str]] = Counter()
    for kind in wanted.keys() & found.keys():
        labelled = kind[0] in settings.labelled
        match = settings.labelled_arguments if labelled else settings.span_arguments
        left, right = wanted[kind], found[kind]
        if match == "label":
            matched[kind] = min(len(left), len(right))
        elif match == "exact":
            matched[kind] = (Counter(left) & Counter(right)).total()
        else:
            matched[kind] = matching_size(overlaps(left, right))
    return matched


def _sorted(frame: Frame) -> Frame:
    return frame._replace(fillers=tuple(sorted(frame.fillers)))


def _paths(frame: Frame) -> list[Path]:
    fillers = [(filler.name, filler.value) for filler in frame.fillers]
    return [(frame.label, *rest) for rest in [(TRIGGER, ""), *fillers]]


def _by_kind(frame: Frame) -> dict[tuple[str, str], list[Fragments]]:
    found: dict[tuple[str, str], list[Fragments]] = {}
    for filler in frame.fillers:
        found.setdefault((filler.name, filler.value), []).append(filler.spans)
    return found


def _paired(
    left: Sequence[Frame], right: Sequence[Frame], settings: Settings
) -> list[tuple[int, int]]:
    near = overlaps([frame.spans for frame in left], [frame.spans for frame in right])
    candidates = [
        (i, j)
        for i, one in enumerate(left)
        for j, other in enumerate(right)
        if one.label == other.label
        and (
            settings.trigger == "min-distance"
            or (j in near[i] if settings.trigger == "overlap" else one.spans == other.spans)
        )
    ]
    weights = {(i, j): 1 + shared(left[i], right[j], settings).total() for i, j in candidates}
    if settings.trigger != "min-distance":
        return best_pairs(weights)
    # the key reads the same when the sides are swapped, and knows nothing of the files' order
    order = sorted(
        candidates,
        key=lambda ij: (
            abs(left[ij[0]].middle() - right[ij[1]].middle()),
            -weights[ij],
            sorted((left[ij[0]], right[ij[1]])),
        ),
    )
    pairs: list[tuple[int, int]] = []
    lefts, rights = set[int](), set[int]()
    for i, j in order:
        if i not in lefts and j not in rights:
            pairs.append((i, j))
            lefts.add(i)
            rights.add(j)
    return pairs
