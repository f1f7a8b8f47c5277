"""Under which conditions the numbers came about: recipe, versions, hardware, rates."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

import yaml

from clinprompt.experiments.report.costs import duration
from clinprompt.experiments.report.reading import Results
from clinprompt.experiments.report.tables import (
    AnyBlock,
    Cell,
    Code,
    Column,
    Folded,
    Kind,
    Section,
    Table,
    Text,
    interval,
    number,
)


def setting_section(results: Results) -> Section:
    """Versions and hardware of the finished cells, rates, the recipe, and every single cell."""
    cells = [slot.done for slot in results.slots if slot.done is not None]
    hardware = Counter(_flat(cell.hardware) for cell in cells)
    versions = Counter(_flat(cell.versions) for cell in cells)
    blocks: list[AnyBlock] = []
    for title, found in (("Hardware", hardware), ("Versions", versions)):
        if len(found) > 1:
            blocks.append(
                Text(
                    f"The cells were made with {len(found)} kinds of {title.lower()}: "
                    "times, and for versions also scores, may not be comparable between them.",
                    "warning",
                )
            )
        columns = (Column(title, number=False), Column("Cells"))
        rows = [
            (Cell(said or "unknown"), Cell(f"{count:,}")) for said, count in found.most_common()
        ]
        blocks.append(Table.plain(f"{title} of the finished cells", columns, rows))
    recipe = yaml.safe_dump(results.plan.recipe, sort_keys=False, allow_unicode=True, width=96)
    blocks.append(Folded("The recipe, as resolved", (Code(recipe),)))
    blocks.append(Folded("Learning rates that were chosen", (_rates(results),)))
    blocks.append(Folded("Every planned cell", (_all_cells(results),), in_markdown=False))
    return Section("setting", "Configuration, versions, hardware", tuple(blocks))


def _flat(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {_plain(value)}" for key, value in values.items() if value is not None)


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _rates(results: Results) -> Table:
    """How often each set of rates was chosen, out of how many tries, and at the grid's edge."""
    found: Counter[tuple[str, str, str, str]] = Counter()
    tries: dict[str, set[int]] = {}
    for slot in results.slots:
        if slot.done is None or not slot.done.chosen:
            continue
        key = slot.plan.key
        rates = ", ".join(f"{name} {rate:g}" for name, rate in slot.done.chosen.items())
        found[key.backbone, key.method, str(key.shots), rates] += 1
        if slot.done.tuning:
            tries.setdefault(key.method, set()).add(len(slot.done.tuning))
    columns = (
        Column("Method", number=False),
        Column("Backbone", number=False),
        Column("Shots"),
        Column("Rates", number=False),
        Column("Cells"),
        Column("Tries"),
    )
    rows = [
        (
            Cell(results.title(method)),
            Cell(backbone),
            Cell(shots),
            Cell(rates),
            Cell(f"{count:,}"),
            Cell(", ".join(map(str, sorted(tries.get(method, set())))) or "–"),
        )
        for (backbone, method, shots, rates), count in found.items()
    ]
    return Table.plain("Rates chosen on dev, by method and shots", columns, rows)


def _all_cells(results: Results) -> Table:
    columns = (
        Column("Cell", number=False),
        Column("Status", number=False),
        Column("Metric", number=False),
        Column("Score"),
        Column("95 % interval"),
        Column("Trained in"),
        Column("Answered in"),
        Column("Test examples"),
    )
    rows = []
    for slot in results.slots:
        cell = slot.done
        if cell is None or cell.main is None:
            kind: Kind = "missing" if slot.status == "missing" else "failed"
            blank = [Cell("")] * 5
            rows.append(
                (Cell(slot.plan.id), Cell(slot.status, kind=kind), Cell(slot.plan.metric), *blank)
            )
            continue
        rows.append(
            (
                Cell(slot.plan.id),
                Cell("done"),
                Cell(cell.main.metric),
                Cell(number(cell.main.value)),
                Cell(interval(cell.main.low, cell.main.high)),
                Cell(duration(cell.cost.train_seconds)),
                Cell(duration(cell.cost.evaluate_seconds)),
                Cell(f"{cell.counts.get('examples', 0):,}"),
            )
        )
    return Table.plain("All planned cells", columns, rows)
