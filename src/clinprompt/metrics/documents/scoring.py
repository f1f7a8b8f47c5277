"""Scoring: gold and predicted documents in, every section out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from clinprompt.documents.model import Document, Normalization
from clinprompt.errors import ClinpromptError, did_you_mean
from clinprompt.metrics.documents import n2c2
from clinprompt.metrics.documents.attributes import count_attributes, holders
from clinprompt.metrics.documents.cells import Cells
from clinprompt.metrics.documents.concepts import count_concepts, without_concept
from clinprompt.metrics.documents.definitions import (
    AVERAGES,
    AVERAGES_N2C2,
    DEFINITIONS,
    event_definition,
)
from clinprompt.metrics.documents.events import count_events, frames
from clinprompt.metrics.documents.fields import score_fields, unscored
from clinprompt.metrics.documents.listed import count_exact, count_overlap, repeats
from clinprompt.metrics.documents.pairing import Pair, Paired, pair_documents
from clinprompt.metrics.documents.results import DocumentScores, Section
from clinprompt.metrics.documents.sections import Plan, build
from clinprompt.metrics.documents.settings import QUIRKS_2018, QUIRKS_2022, Settings, SpanMatch
from clinprompt.metrics.documents.things import Thing, view

_Sides = Sequence[tuple[Sequence[Thing], Sequence[Thing]]]  # gold, predicted of each document
EVENT_LEVELS = ("event", "argument", "value")


def score_documents(
    gold: Iterable[Document], predicted: Iterable[Document], settings: Settings | None = None
) -> DocumentScores:
    """Score annotated documents against gold ones.

    Mentions are always scored (unless fields are asked for and there are none); relations,
    attributes and events if either side has any; fields of the metadata if they are asked for.
    Neither the order of the documents nor, in clean mode, that of the annotations changes anything.

    Raises:
        ClinpromptError: CP-EVAL-008 too few resamples, CP-EVAL-100 to 103 documents that don't
            fit together, CP-EVAL-104 unknown labels, CP-EVAL-105 to 108 broken annotations,
            CP-EVAL-170 and 171 unknown fields and repeated ones.
    """
    settings = settings or Settings()
    paired = pair_documents(gold, predicted, settings)
    work = _Work(settings, paired)
    work.notes += _check_labels(paired.pairs, settings)
    if settings.mode == "n2c2":
        _score_n2c2(work)
    else:
        _score_clean(work)
    _score_events(work)
    legacy = settings.mode == "n2c2"
    return DocumentScores(
        settings=settings,
        sections=work.sections,
        fields={} if legacy else score_fields(paired, settings),
        averages=AVERAGES_N2C2 if legacy else AVERAGES,
        quirks={**QUIRKS_2018, **QUIRKS_2022} if legacy else {},
        scored=len(paired.pairs),
        missing=paired.missing,
        extra=paired.extra,
        notes=[*_notes(paired, settings), *work.notes],
        left_out={side: dict(counts) for side, counts in work.left_out.items()},
    )


@dataclass
class _Work:
    """Sections as they come, and what could not be scored."""

    settings: Settings
    paired: Paired
    sections: dict[str, Section] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    left_out: dict[str, Counter[str]] = field(
        default_factory=lambda: {"gold": Counter(), "predictions": Counter()}
    )

    def add(
        self,
        name: str,
        cells: Sequence[Cells],
        *,
        definition: str | None = None,
        levels: tuple[str, ...] = ("label",),
        counts: Mapping[str, int] | None = None,
    ) -> None:
        """Add a section; one without anything in it only if it is about mentions alone."""
        needed = name.startswith("entities") and not self.settings.fields
        if not needed and not any(one.paths() for one in cells):
            return
        plan = Plan(
            name=name,
            definition=definition or DEFINITIONS[self.settings.mode][name],
            levels=levels,
            gold_labels_only=self.settings.mode == "n2c2" and name != "events",
            counts=counts or {},
        )
        ids = [gold.id for gold, _ in self.paired.pairs]
        self.sections[name] = build(plan, ids, cells, self.settings)

    def missed(self, gold: Counter[str], predicted: Counter[str]) -> None:
        """Count what can't be scored."""
        self.left_out["gold"] += gold
        self.left_out["predictions"] += predicted


def _score_clean(work: _Work) -> None:
    settings = work.settings
    sides = [(view(g, settings), view(p, settings)) for g, p in work.paired.pairs]
    for gold, predicted in sides:
        work.missed(gold.left_out, predicted.left_out)
    mentions = [(gold.mentions, predicted.mentions) for gold, predicted in sides]
    exact, overlap = _listed(mentions, settings)
    work.add("entities.exact", exact, counts=_repeated(mentions))
    work.add("entities.overlap", overlap)
    exact, overlap = _listed(_unlabelled(mentions), settings)
    work.add("entities.span_exact", exact)
    work.add("entities.span_overlap", overlap)
    relations = [(gold.relations, predicted.relations) for gold, predicted in sides]
    exact, overlap = _listed(relations, settings)
    work.add("relations.exact", exact, counts=_repeated(relations))
    work.add("relations.overlap", overlap)
    work.add("relations.detection", _listed(_unlabelled(relations), settings)[0])
    known, unknown = without_concept(work.paired.pairs, settings)
    linked = any(True for gold, _ in work.paired.pairs for _ in gold.of(Normalization))
    if not unknown and (known or linked):
        cells = [count_concepts(*pair, settings) for pair in work.paired.pairs]
        work.add("relations.concept", cells)
    elif known:
        work.notes.append(
            f"relations by concept are not scored: {unknown} gold relations of {known + unknown} "
            "have an end without concept"
        )
    _score_attributes(work)


def _listed(pairs: _Sides, settings: Settings) -> tuple[list[Cells], list[Cells]]:
    """Exact and overlapping counts of each document."""
    exact = [count_exact(gold, predicted, settings) for gold, predicted in pairs]
    return exact, [count_overlap(gold, predicted, settings) for gold, predicted in pairs]


def _unlabelled(pairs: _Sides) -> _Sides:
    return [
        ([one.unlabelled() for one in gold], [one.unlabelled() for one in predicted])
        for gold, predicted in pairs
    ]


def _repeated(pairs: _Sides) -> dict[str, int]:
    return {
        "repeated_in_gold": sum(repeats(gold) for gold, _ in pairs),
        "repeated_in_predictions": sum(repeats(predicted) for _, predicted in pairs),
    }


def _score_attributes(work: _Work) -> None:
    sides = [
        (holders(gold, work.settings), holders(predicted, work.settings))
        for gold, predicted in work.paired.pairs
    ]
    for gold, predicted in sides:
        work.missed(gold.left_out, predicted.left_out)
    matches: tuple[SpanMatch, ...] = ("exact", "overlap")
    for match in matches:
        counted = [count_attributes(gold, predicted, match) for gold, predicted in sides]
        if not any(one.end_to_end.paths() for one in counted):
            continue
        levels = ("attribute", "value")
        work.add(
            f"attributes.{match}.end_to_end", [one.end_to_end for one in counted], levels=levels
        )
        work.add(
            f"attributes.{match}.on_matched",
            [one.on_matched for one in counted],
            levels=levels,
            counts={
                "matched": sum(one.matched for one in counted),
                "matched_with_equal_attributes": sum(one.agreeing for one in counted),
            },
        )


def _score_n2c2(work: _Work) -> None:
    settings = work.settings
    sides = [
        (n2c2.flatten(gold, settings), n2c2.flatten(predicted, settings))
        for gold, predicted in work.paired.pairs
    ]
    for gold, predicted in sides:
        work.missed(gold.left_out, predicted.left_out)
    matches: tuple[n2c2.Match, ...] = ("strict", "lenient")
    for match in matches:
        work.add(f"entities.{match}", [n2c2.count_tags(g.tags, p.tags, match) for g, p in sides])
    for match in matches:
        work.add(
            f"relations.{match}",
            [n2c2.count_relations(g.relations, p.relations, match) for g, p in sides],
        )


def _score_events(work: _Work) -> None:
    settings = work.settings
    count = n2c2.count_frames if settings.mode == "n2c2" else count_events
    cells = []
    for gold, predicted in work.paired.pairs:
        left, right = frames(gold, settings), frames(predicted, settings)
        work.missed(left.left_out, right.left_out)
        cells.append(count(left.listed, right.listed, settings))
    work.add("events", cells, definition=event_definition(settings), levels=EVENT_LEVELS)


def _check_labels(pairs: Sequence[Pair], settings: Settings) -> list[str]:
    """Refuse labels that are nowhere: mistyped ones would give a perfect score of nothing.

    Returns:
        A note if some of them are nowhere.
    """
    notes = []
    known: dict[str, Callable[[Document], set[str]]] = {
        "labels": lambda one: {mention.label for mention in one.mentions},
        "relation_labels": lambda one: {link.label for link in one.links},
    }
    for name, labels_of in known.items():
        wanted = getattr(settings, name)
        found = {label for pair in pairs for one in pair for label in labels_of(one)}
        if wanted and not found & set(wanted):
            shown = ", ".join(f"'{label}'" for label in wanted)
            raise ClinpromptError(
                "CP-EVAL-104",
                f"none of the {name.replace('_', ' ')} asked for ({shown}) is in the documents",
                hint=did_you_mean(wanted[0], found),
            )
        if absent := [label for label in wanted if label not in found]:
            notes.append(f"{name.replace('_', ' ')} that are nowhere: {', '.join(absent)}")
    return notes


def _notes(paired: Paired, settings: Settings) -> list[str]:
    notes = []
    if settings.mode == "n2c2":
        if paired.missing:
            notes.append(f"{len(paired.missing)} documents without predictions were skipped")
        if paired.extra:
            notes.append(f"{len(paired.extra)} predicted documents without gold were skipped")
        notes.append("attributes by themselves and fields are scored in clean mode only")
    else:
        if paired.missing:
            notes.append(
                f"{len(paired.missing)} documents without predictions: all in them is missed"
            )
        if paired.extra:
            notes.append(f"{len(paired.extra)} documents without gold: all in them is wrong")
        if names := unscored(paired.pairs, settings):
            notes.append(
                f"metadata that differ and are not scored unless asked for: {', '.join(names)}"
            )
    if settings.directed and settings.mode == "clean":
        roles = [
            {argument.role for one in side for link in one.links for argument in link.arguments}
            for side in zip(*paired.pairs, strict=True)
        ]
        if roles[0] and roles[1] and not roles[0] & roles[1]:
            notes.append(
                "gold and predictions name the ends of relations differently "
                f"({', '.join(sorted(roles[0]))}; {', '.join(sorted(roles[1]))}): none can match"
            )
    return notes
