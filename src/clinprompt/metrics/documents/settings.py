"""What may be chosen about scoring, presets of shared tasks, and the quirks of their scripts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

Mode = Literal["clean", "n2c2"]
TriggerMatch = Literal["exact", "overlap", "min-distance"]
SpanMatch = Literal["exact", "overlap"]
LabelledMatch = Literal["label", "exact", "overlap"]
FieldKind = Literal["text", "label"]

SHAC_LABELLED = ("StatusTime", "StatusEmploy", "TypeLiving")


@dataclass(frozen=True)
class Settings:
    """How documents are scored.

    Attributes:
        mode: ``clean``, or ``n2c2`` for the numbers of the scripts in common use.
        labels: types of mentions and events that count; empty for all.
        relation_labels: types of relations that count; empty for all.
        directed: whether the ends of a relation have an order. Clean mode only.
        duplicates: whether what one side lists twice counts twice (``count``, paired one to one)
            or ``once``. Clean mode only.
        extra_documents: what becomes of predictions for documents that gold doesn't have:
            ``refuse``, or ``count`` as false positives. Clean mode only.
        trigger: when two events of one type may be the same.
        span_arguments: when two arguments without a value are the same.
        labelled_arguments: when two arguments with a value are the same; ``label`` compares the
            values alone, the other two compare spans as well.
        labelled: names of the arguments with a value.
        arguments_by: what names an argument: the type of its ``mention`` (as the n2c2 2022 scorer
            has it) or its ``role`` in the event.
        fields: metadata that are scored, by name: ``text`` as summaries and free answers are,
            ``label`` as closed ones. Clean mode only.
        negative_labels: labels of such fields that mean that there is nothing: not in micro F1.
        resamples: bootstrap draws over documents.
        seed: of those draws.
    """

    mode: Mode = "clean"
    labels: tuple[str, ...] = ()
    relation_labels: tuple[str, ...] = ()
    directed: bool = True
    duplicates: Literal["count", "once"] = "count"
    extra_documents: Literal["refuse", "count"] = "refuse"
    trigger: TriggerMatch = "overlap"
    span_arguments: SpanMatch = "exact"
    labelled_arguments: LabelledMatch = "label"
    labelled: tuple[str, ...] = SHAC_LABELLED
    arguments_by: Literal["mention", "role"] = "mention"
    fields: Mapping[str, FieldKind] = field(default_factory=dict)
    negative_labels: tuple[str, ...] = ()
    resamples: int = 1000
    seed: int = 0


@dataclass(frozen=True)
class Preset:
    """The convention of a shared task.

    Attributes:
        about: what it is, in one line.
        headline: the task's own figures: (name, section, average), such as
            ``("micro F1", "relations.exact", "micro")``.
        changes: values of `Settings` that it sets; what a user chose goes before them.
    """

    about: str
    headline: tuple[tuple[str, str, str], ...]
    changes: Mapping[str, Any] = field(default_factory=dict)

    def settings(self, **chosen: Any) -> Settings:
        """`Settings` of the preset, with what a user chose."""
        return replace(Settings(), **{**self.changes, **chosen})


PRESETS: dict[str, Preset] = {
    "ddi": Preset(
        about="SemEval-2013 task 9.2, drug-drug interactions: pairs without a direction, "
        "detection (the type ignored) and classification over four types",
        headline=(
            ("detection, micro", "relations.detection", "micro"),
            ("classification, micro", "relations.exact", "micro"),
            ("classification, macro", "relations.exact", "macro_labels"),
        ),
        changes={
            "relation_labels": ("advise", "effect", "int", "mechanism"),
            "directed": False,
            "duplicates": "once",
        },
    ),
    "chemprot": Preset(
        about="BioCreative VI, chemical-protein interactions: micro over the five groups that "
        "were evaluated",
        headline=(("micro", "relations.exact", "micro"),),
        changes={
            "relation_labels": ("CPR:3", "CPR:4", "CPR:5", "CPR:6", "CPR:9"),
            "duplicates": "once",
        },
    ),
    "shac": Preset(
        about="n2c2 2022 track 2, social determinants of health: triggers by overlap, spans "
        "exactly, labelled arguments by value; micro over everything",
        headline=(("micro", "events", "micro"),),
        changes={
            "trigger": "overlap",
            "span_arguments": "exact",
            "labelled_arguments": "label",
            "labelled": SHAC_LABELLED,
            "arguments_by": "mention",
        },
    ),
}

QUIRKS_2018: dict[str, str] = {
    "macro_is_over_documents": "macro is the mean of the documents' scores, not of the labels'",
    "undefined_is_zero": "a score without a denominator is 0, so a document with nothing to find "
    "and nothing found pulls macro down",
    "missing_documents_are_skipped": "documents that only one side has are left out, so misses in "
    "them are not counted",
    "extra_predictions_are_dropped": "a prediction that meets a gold annotation which an earlier "
    "one met is dropped: neither right nor wrong. Exact repeats are dropped in strict mode too",
    "dropped_predictions_keep_their_partners": "a dropped prediction still takes the other gold "
    "annotations it meets; they become misses unless another prediction meets them first",
    "spans_are_flattened": "a mention runs from its first start to its last end, gaps included",
    "four_fragments_repeat_the_line_before": "a mention of four or more fragments gets type and "
    "offsets of the mention before it in the file",
    "labels_of_gold_only": "labels that only the system uses have no row; they count in the totals",
}

QUIRKS_2022: dict[str, str] = {
    "events_pair_in_file_order": "triggers and arguments are paired greedily in the order of the "
    "files, first come, first served (triggers by distance: the nearest first)",
    "event_spans_are_flattened": "triggers and arguments run from their first start to their last "
    "end",
    "roles_are_ignored": "an argument's name is the type of its mention",
    "event_undefined_is_zero": "a score without a denominator is 0",
    "event_missing_documents_are_skipped": "documents that only one side has are left out (the "
    "2022 scorer itself refuses them)",
}
