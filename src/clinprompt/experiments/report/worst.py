"""The worst errors of each target: ids and scores; texts of the data only if asked for."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

from clinprompt.experiments.compare.cell import PREDICTIONS_FILE, Shots
from clinprompt.experiments.report.marks import mark
from clinprompt.experiments.report.reading import Results, shots_text
from clinprompt.experiments.report.tables import (
    AnyBlock,
    Cell,
    Column,
    Example,
    Folded,
    Section,
    Table,
    Text,
    number,
)

_SHOWN, _TEXTS = 10, 5
_LONGEST = 4000  # characters of a text that are shown


@dataclass
class Answered:
    """A test example and what became of it, by method.

    Attributes:
        marks: method -> mark of each seed's answer, 0 to 100.
        lines: method -> the first seed's line of the predictions' file.
    """

    id: str
    marks: dict[str, list[float]] = field(default_factory=dict)
    lines: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def mean(self) -> float:
        """Mean over methods of the mean over seeds."""
        return fmean(fmean(values) for values in self.marks.values())


def worst_section(results: Results, *, with_text: bool) -> Section:
    """For each backbone and target the examples that all methods together did worst on.

    Only the largest number of shots at which a target has finished cells is looked at.

    Args:
        results: the comparison.
        with_text: also show gold and given answers, which are text of the data.
    """
    blocks: list[AnyBlock] = [
        Text(
            "The test examples with the lowest marks, the mean over methods and seeds. A mark is "
            "the example's own score: F1 of mentions or relations with exact spans, right or wrong "
            "for labels, token F1 for spans, ROUGE-L for free text (0 to 100)."
        )
    ]
    for backbone in results.backbones:
        for target in results.targets:
            blocks += _target(results, backbone, target, with_text)
    if len(blocks) == 1:
        blocks.append(Text("No predictions lie beside the cells.", "note"))
    return Section("worst", "Worst errors", tuple(blocks))


BANNER = (
    "This file holds text of the data: it may hold notes of patients. Treat it like the data, and "
    "do not publish it. Without --with-text a report holds none."
)


def _target(results: Results, backbone: str, target: str, with_text: bool) -> list[AnyBlock]:
    for shots in reversed(results.shots):
        found = _answered(results, backbone, target, shots)
        if found:
            break
    else:
        return []
    methods = [m for m in results.methods if any(m in one.marks for one in found)]
    # Only examples that every method answered can be ranked by all of them.
    whole = [one for one in found if len(one.marks) == len(methods)]
    ranked = sorted(whole, key=lambda one: (one.mean, one.id))[:_SHOWN]
    columns = [Column("Example", number=False), Column("Mean")]
    columns += [Column(results.title(method)) for method in methods]
    rows = [
        (
            Cell(one.id),
            Cell(number(one.mean), kind="total"),
            *(_marks(one.marks[method], one.lines[method]) for method in methods),
        )
        for one in ranked
    ]
    zero = sum(one.mean == 0 for one in whole)
    caption = (
        f"{target}, {shots_text(shots)}, {backbone}: the lowest {len(rows)} of {len(whole):,} "
        f"examples that all {len(methods)} methods answered"
    )
    caption += f"; {zero:,} were wrong for all of them" if zero > len(rows) else ""
    inside: list[Any] = [Table.plain(caption, columns, rows)]
    if with_text:
        inside += [_example(results, one, methods) for one in ranked[:_TEXTS]]
    return [Folded(f"{target} ({backbone}, {shots_text(shots)})", tuple(inside))]


def _answered(results: Results, backbone: str, target: str, shots: Shots) -> list[Answered]:
    """Examples in the order of the first file that has them."""
    found: dict[str, Answered] = {}
    for method in results.methods:
        for slot in results.seeds(backbone, target, method, shots):
            if slot.done is None:
                continue
            path = slot.plan.key.folder(results.folder) / PREDICTIONS_FILE
            for line in predictions(path):
                one = found.setdefault(str(line["id"]), Answered(str(line["id"])))
                value = mark(line.get("gold"), line.get("answer"))
                if value is not None:
                    one.marks.setdefault(method, []).append(100 * value)
                    one.lines.setdefault(method, line)
    return [one for one in found.values() if one.marks]


def predictions(path: Path) -> Iterator[Mapping[str, Any]]:
    """The lines of a predictions' file that are whole; none if there is no file."""
    if not path.is_file():
        return
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            try:
                value = json.loads(line)
            except ValueError:
                continue
            if isinstance(value, dict) and "id" in value:
                yield value


def _marks(values: Sequence[float], line: Mapping[str, Any]) -> Cell:
    flags = [
        name for name in ("unparsable", "unaligned", "truncated", "unfinished") if line.get(name)
    ]
    return Cell(number(fmean(values)), ", ".join(flags))


def _example(results: Results, one: Answered, methods: Sequence[str]) -> Example:
    gold = next(iter(one.lines.values())).get("gold")
    texts = [("gold", _text(gold))]
    for method in methods:
        line = one.lines[method]
        said = f"{results.title(method)}: {number(fmean(one.marks[method]))}"
        texts.append((said, _text(line.get("output") or line.get("answer"))))
    return Example(f"{one.id} (mean {number(one.mean)})", tuple(texts))


def _text(value: Any) -> str:
    """What was said, as a person would write it; JSON where nothing shorter is known."""
    if value is None or value == "":
        said = "(nothing)"
    elif isinstance(value, str):
        said = value
    elif isinstance(value, Mapping) and isinstance(value.get("label"), str):
        said = value["label"]
    elif isinstance(value, Mapping) and isinstance(value.get("text"), str):
        said = value["text"]
    else:
        said = json.dumps(value, ensure_ascii=False)
    return said if len(said) <= _LONGEST else f"{said[:_LONGEST]} …"
