"""`tasks check`: read everything a task has, and say what is in it and what is wrong with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from clinprompt.corpora.registry import Report
from clinprompt.errors import ClinpromptError
from clinprompt.examples import (
    EntityAnswer,
    Example,
    LabelAnswer,
    RelationAnswer,
    SpanAnswer,
    TextAnswer,
    source_text,
)
from clinprompt.tasks.card import Card, RawSplit, Split
from clinprompt.tasks.loading import drop_lists, leave_out, read
from clinprompt.tasks.suite import Suite
from clinprompt.tasks.validation import complaints, texts

Render = Callable[[Card, Example], tuple[str, str]]
"""An example as the texts (input, answer).  What it refuses counts against the task."""
Count = Callable[[Sequence[str]], Sequence[int]]
"""Lengths of texts, in tokens or words."""


@dataclass(frozen=True)
class Lengths:
    """Percentiles of lengths (nearest rank)."""

    p50: int
    p95: int
    max: int


@dataclass(frozen=True)
class SplitStats:
    """What is in one split.

    Attributes:
        input: lengths of what the model is given.
        answer: lengths of what it shall write.
        labels: how often each label of the card stands in the answers, zeros included; for
            multiple choice the letters; empty for spans and texts.
        empty: answers with no mention, no relation or no span.
        dropped: examples that the leakage check leaves out; they are not in the other counts.
    """

    examples: int
    documents: int
    input: Lengths
    answer: Lengths
    labels: dict[str, int]
    empty: int
    dropped: int = 0


@dataclass(frozen=True)
class TaskCheck:
    """The result for one task.

    Attributes:
        report: what the reader and the leakage check left out or repaired.
        errors: why the task is refused; empty if it is fine.
    """

    card: Card
    splits: dict[Split, SplitStats]
    report: Report
    errors: list[ClinpromptError] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; problems are counted by reason with their first place."""
        return {
            "task": self.card.name,
            "version": self.card.version,
            "splits": {split: asdict(stats) for split, stats in self.splits.items()},
            "problems": [
                {"reason": reason, "count": count, "first": first_place(self.report, reason)}
                for reason, count in self.report.counts.most_common()
            ],
            "errors": [str(error) for error in self.errors],
        }


def first_place(report: Report, reason: str) -> str:
    """Where a reason was seen first, as ``file:line``."""
    problem = next(problem for problem in report.problems if problem.reason == reason)
    return problem.file if problem.line is None else f"{problem.file}:{problem.line}"


def plain_texts(card: Card, example: Example) -> tuple[str, str]:
    """Instruction and input, and the answer's words, without the layout the model will see."""
    found = texts(example)
    source = source_text(example.input)
    answer = ""
    match example.answer:
        case LabelAnswer(label=text) | TextAnswer(text=text):
            answer = text
        case EntityAnswer(entities=entities):
            answer = " ".join(f"{e.label} {e.surface(source)}" for e in entities)
        case RelationAnswer(relations=relations):
            answer = " ".join(
                f"{r.head.surface(source)} {r.label} {r.tail.surface(source)}" for r in relations
            )
        case SpanAnswer(spans=spans):
            answer = " ".join(source[start:end] for start, end in spans)
    return " ".join((card.instruction, *found.values())), answer


def count_words(texts: Sequence[str]) -> list[int]:
    """Words between white space: the lengths where no tokenizer is at hand."""
    return [len(text.split()) for text in texts]


def percentiles(values: Sequence[int]) -> Lengths:
    """Nearest-rank percentiles of at least one value."""
    ordered = sorted(values)

    def at(percent: int) -> int:
        return ordered[max(0, -(-percent * len(ordered) // 100) - 1)]

    return Lengths(at(50), at(95), ordered[-1])


def split_stats(
    card: Card, examples: Sequence[Example], given: Sequence[int], wanted: Sequence[int]
) -> SplitStats:
    """Counts of a split with at least one example; `given` and `wanted` are its lengths."""
    labels: Counter[str] = Counter(dict.fromkeys(card.labels, 0) if card.form != "text" else ())
    empty = 0
    for example in examples:
        match example.answer:
            case LabelAnswer(label=label):
                labels[label] += 1
            case EntityAnswer(entities=found):
                labels.update(entity.label for entity in found)
                empty += not found
            case RelationAnswer(relations=listed):
                labels.update(relation.label for relation in listed)
                empty += not listed
            case SpanAnswer(spans=spans):
                empty += not spans
    return SplitStats(
        examples=len(examples),
        documents=len({example.document for example in examples}),
        input=percentiles(given),
        answer=percentiles(wanted),
        labels=dict(sorted(labels.items(), key=lambda item: (-item[1], item[0]))),
        empty=empty,
    )


def check_card(
    card: Card,
    data_root: Path | None,
    *,
    render: Render = plain_texts,
    count: Count = count_words,
    suite: Suite | None = None,
) -> TaskCheck:
    """Read all of a task.  Nothing a user can cause is raised: it stands in `errors`."""
    splits: dict[Split, list[Example]] = {}
    report, errors = Report(), []
    together: dict[RawSplit, list[Split]] = {}
    for split, origin in card.data.origins().items():
        together.setdefault(origin, []).append(split)
    for parts in together.values():
        try:
            data = read(card, data_root, parts)
        except ClinpromptError as error:
            errors.append(error)
            continue
        splits |= data.splits
        report.counts.update(data.report.counts)
        report.problems.extend(data.report.problems)
    found = list(complaints(card, splits))
    everything = {split: len(rows) for split, rows in splits.items()}
    errors.extend(found)
    if not found:
        try:
            kept = leave_out(card, splits, drop_lists(card, suite), report)
            if kept != splits:
                errors.extend(complaints(card, kept))
            splits = kept
        except ClinpromptError as error:
            errors.append(error)
    stats: dict[Split, SplitStats] = {}
    for split, rows in splits.items():
        if rows and not found:
            rendered = _rendered(card, rows, render, errors)
            given, wanted = (count(side) for side in zip(*rendered, strict=True))
            counts = split_stats(card, rows, given, wanted)
            stats[split] = replace(counts, dropped=everything[split] - len(rows))
    return TaskCheck(card, stats, report, errors)


def _rendered(
    card: Card, rows: Sequence[Example], render: Render, errors: list[ClinpromptError]
) -> list[tuple[str, str]]:
    """All rows as text; what can't be rendered goes to `errors` and counts as empty."""
    result = []
    for example in rows:
        try:
            result.append(render(card, example))
        except ClinpromptError as error:
            errors.append(error)
            result.append(("", ""))
    return result
