"""What each method costs: parameters, bytes, seconds, speed and memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from statistics import fmean, median

from clinprompt.artifacts.meta import percent
from clinprompt.experiments.compare.cell import Cell as Record
from clinprompt.experiments.compare.cell import Shots
from clinprompt.experiments.report.looks import look
from clinprompt.experiments.report.reading import Results, shots_text
from clinprompt.experiments.report.scales import significant
from clinprompt.experiments.report.tables import (
    AnyBlock,
    Cell,
    Column,
    Group,
    Section,
    Table,
    Text,
)

_COLUMNS = (
    Column("Method", number=False),
    Column("Cells", "finished of planned"),
    Column("Trainable", "parameters"),
    Column("Share", "of the backbone"),
    Column("Stored", "for one target"),
    Column("Context", "tokens taken"),
    Column("Tuning", "a cell"),
    Column("Training", "a cell"),
    Column("Training", "examples/s"),
    Column("Answering", "examples/s"),
    Column("Peak memory", "largest"),
)
_UNITS = (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10))


def cost_section(results: Results) -> Section:
    """One table a backbone."""
    blocks: list[AnyBlock] = [
        Text(
            "Sizes and times are means over the finished cells of a row, speeds are medians, "
            "memory is the largest use of any cell. Tuning is the search for learning rates "
            "beyond the training that was kept. Times hold on the hardware below, shared or not."
        )
    ]
    for backbone in results.backbones:
        groups = []
        for shots in reversed(results.shots):
            rows = [
                _row(results, backbone, method, shots)
                for method in results.methods
                if results.planned(backbone, method, shots)
            ]
            groups.append(Group(shots_text(shots).capitalize(), tuple(rows)))
        blocks.append(Table(f"Storage and cost, {backbone}", _COLUMNS, tuple(groups)))
        source = results.sources.get(backbone)
        if source is not None:
            took = (
                f"was trained in this comparison in {duration(source.seconds)}"
                if source.trained and source.seconds is not None
                else "was trained before; its cost is not in the table"
            )
            blocks.append(
                Text(
                    f"The metaprompt of {backbone} ({len(source.names)} source tasks) {took}. "
                    "Every target shares it.",
                    "note",
                )
            )
    return Section("cost", "Storage and cost", tuple(blocks))


def _row(results: Results, backbone: str, method: str, shots: Shots) -> tuple[Cell, ...]:
    slots = [
        slot
        for target in results.targets
        for slot in results.seeds(backbone, target, method, shots)
    ]
    cells = [slot.done for slot in slots if slot.done is not None]
    head = Cell(results.title(method), look=look(results.number(method)))
    count = Cell(f"{len(cells)} of {len(slots)}", kind="" if len(cells) == len(slots) else "bad")
    sizes = [cell.parameters for cell in cells if cell.parameters is not None]
    costs = [cell.cost for cell in cells]
    train = [c.train_seconds for c in costs]
    return (
        head,
        count,
        _mean((p.trainable for p in sizes), lambda value: f"{value:,.0f}"),
        _mean((p.share for p in sizes), percent),
        _mean((p.stored_bytes for p in sizes), size),
        _mean((p.context_tokens for p in sizes), lambda value: f"{value:,.0f}"),
        _mean((c.tuning_seconds for c in costs), duration),
        _mean(train, duration),
        _middle(c.train_examples_per_second for c in costs),
        _middle(c.evaluate_examples_per_second for c in costs),
        _largest(cells),
    )


def _mean(values: Iterable[float], write: Callable[[float], str]) -> Cell:
    known = list(values)
    if not known:
        return Cell("–", kind="absent")
    value = fmean(known)
    text = write(value)
    spread = min(known), max(known)
    if spread[0] == spread[1]:
        return Cell(text)
    return Cell(text, hint=f"{write(spread[0])} to {write(spread[1])}")


def _middle(values: Iterable[float | None]) -> Cell:
    known = [value for value in values if value is not None]
    return Cell(significant(median(known))) if known else Cell("–", kind="absent")


def _largest(cells: Iterable[Record]) -> Cell:
    found = [
        (cell.cost.peak_memory_bytes, cell.cost.memory)
        for cell in cells
        if cell.cost.peak_memory_bytes is not None
    ]
    if not found:
        return Cell("–", kind="absent")
    most, where = max(found)
    return Cell(size(most), {"cuda": "GPU", "resident": "process"}.get(where, ""))


def size(value: float) -> str:
    """Bytes in binary units, three significant digits."""
    for name, unit in _UNITS:
        if value >= unit:
            return f"{significant(value / unit)} {name}"
    return f"{value:,.0f} B"


def duration(seconds: float | None) -> str:
    """Such as ``0.8 s``, ``42 s``, ``3 min 05 s`` or ``2 h 10 min``."""
    if seconds is None:
        return "–"
    if seconds < 60:
        return f"{significant(seconds, 2)} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"
