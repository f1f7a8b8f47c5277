"""What the report needs of a comparison's folder: every planned cell, and what became of it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from clinprompt.errors import ClinpromptError
from clinprompt.experiments.compare.cell import (
    COMPARISON_FILE,
    Cell,
    Comparison,
    Planned,
    Shots,
    Source,
    read_cell,
    read_comparison,
    read_sources,
)
from clinprompt.experiments.report.looks import look
from clinprompt.experiments.report.svg import Entry

Status = Literal["done", "failed", "missing", "outdated"]


@dataclass(frozen=True)
class Slot:
    """A planned cell.

    Attributes:
        plan: what was to be run.
        status: "missing" was not run yet, "outdated" was made by a recipe that has changed since.
        cell: its file; None if it is missing. An outdated cell's numbers are never shown.
        reason: why it isn't done, in a line; "" if it is.
    """

    plan: Planned
    status: Status
    cell: Cell | None
    reason: str = ""

    @property
    def done(self) -> Cell | None:
        """The cell if its numbers may be used."""
        return self.cell if self.status == "done" else None


@dataclass(frozen=True)
class Results:
    """A comparison as read: what was planned, in the recipe's order, and what is there.

    Attributes:
        folder: where it lies.
        plan: ``compare.json``.
        slots: all planned cells.
        sources: the metaprompts' records by backbone.
        left_out: what of the folder could not be shown, in a line each.
    """

    folder: Path
    plan: Comparison
    slots: tuple[Slot, ...]
    sources: dict[str, Source]
    left_out: tuple[str, ...] = ()

    @cached_property
    def backbones(self) -> list[str]:
        """Ids of the backbones that have cells."""
        return _in_order(self.plan.backbones, (s.plan.key.backbone for s in self.slots))

    @cached_property
    def targets(self) -> list[str]:
        """Names of the targets that have cells."""
        named = [str(target.get("name")) for target in self.plan.targets]
        return _in_order(named, (s.plan.key.target for s in self.slots))

    @cached_property
    def methods(self) -> list[str]:
        """Ids of the methods that have cells."""
        named = [str(method.get("id")) for method in self.plan.methods]
        return _in_order(named, (s.plan.key.method for s in self.slots))

    @cached_property
    def shots(self) -> list[Shots]:
        """All numbers of shots, "full" last."""
        return sorted({s.plan.key.shots for s in self.slots}, key=rank)

    @cached_property
    def _titles(self) -> dict[str, str]:
        return {s.plan.key.method: s.plan.title for s in self.slots}

    @cached_property
    def _by_place(self) -> dict[tuple[str, str, str, Shots], list[Slot]]:
        found: dict[tuple[str, str, str, Shots], list[Slot]] = {}
        for slot in self.slots:
            key = slot.plan.key
            found.setdefault((key.backbone, key.target, key.method, key.shots), []).append(slot)
        return found

    def title(self, method: str) -> str:
        """A method's name for people; with its id where two share one."""
        title = self._titles.get(method, method)
        shared = sum(other == title for other in self._titles.values()) > 1
        return f"{title} ({method})" if shared else title

    def legend(self, methods: Iterable[str]) -> tuple[Entry, ...]:
        """Methods with their looks."""
        return tuple(Entry(self.title(one), look(self.number(one))) for one in methods)

    def number(self, method: str) -> int:
        """A method's place, which settles how it is drawn."""
        return self.methods.index(method)

    def metric(self, target: str) -> str:
        """The main metric of a target."""
        return next(s.plan.metric for s in self.slots if s.plan.key.target == target)

    def task_type(self, target: str) -> str:
        """The task type of a target."""
        return next(s.plan.task_type for s in self.slots if s.plan.key.target == target)

    def seeds(self, backbone: str, target: str, method: str, shots: Shots) -> list[Slot]:
        """The planned cells of one place, one a seed; empty if none was planned."""
        return self._by_place.get((backbone, target, method, shots), [])

    def planned(self, backbone: str, method: str, shots: Shots) -> list[str]:
        """The targets that a method was planned for."""
        return [t for t in self.targets if (backbone, t, method, shots) in self._by_place]

    def named(self, *names: str) -> list[str]:
        """Ids of the methods in the plan that are one of these methods."""
        ids = [str(m.get("id")) for m in self.plan.methods if m.get("name") in names]
        return [method for method in self.methods if method in ids]


def rank(shots: Shots) -> float:
    """For sorting: "full" is more than any number."""
    return math.inf if shots == "full" else float(shots)


def shots_text(shots: Shots) -> str:
    """Such as ``0 shots``, ``1 shot`` or ``full data``."""
    return "full data" if shots == "full" else f"{shots} shot{'' if shots == 1 else 's'}"


def read(folder: Path) -> Results:
    """Read a comparison's folder.

    Raises:
        ClinpromptError: CP-EXP-200 no such folder, CP-EXP-201 it holds no comparison, CP-EXP-202 no
            cell is finished; CP-EXP-100 for files that can't be read.
    """
    if not folder.is_dir():
        what = "a file, not a comparison's folder" if folder.exists() else "no such folder"
        raise ClinpromptError("CP-EXP-200", what, file=folder)
    if not (folder / COMPARISON_FILE).is_file():
        raise ClinpromptError(
            "CP-EXP-201",
            f"holds no comparison: there is no {COMPARISON_FILE}",
            file=folder,
            hint="name the folder that 'clinprompt compare RECIPE -o FOLDER' wrote",
        )
    plan = read_comparison(folder)
    slots = tuple(_slot(one, folder) for one in plan.cells)
    if not any(slot.done for slot in slots):
        failed = sum(slot.status == "failed" for slot in slots)
        raise ClinpromptError(
            "CP-EXP-202",
            f"none of {len(slots)} planned cells is finished ({failed} failed)",
            file=folder,
            hint="run 'clinprompt compare' first; it goes on where it stopped",
        )
    known = {one.id for one in plan.cells}
    files = sorted((folder / "cells").glob("*/*/*/cell.json"))
    strange = [f for f in files if f.parent.relative_to(folder / "cells").as_posix() not in known]
    left_out = []
    if strange:
        those = "cell that is" if len(strange) == 1 else "cells that are"
        verb = "is" if len(strange) == 1 else "are"
        left_out.append(f"{len(strange)} {those} not in the plan (any more) {verb} left out")
    return Results(folder, plan, slots, read_sources(folder), tuple(left_out))


def _slot(plan: Planned, folder: Path) -> Slot:
    try:
        cell = read_cell(plan.key.folder(folder))
    except ClinpromptError as error:  # one damaged file must not hide all the others
        return Slot(plan, "failed", None, _one_line(error.code, error.message))
    if cell is None:
        return Slot(plan, "missing", None, "not run yet")
    if cell.identity != plan.identity or cell.id != plan.id:
        return Slot(plan, "outdated", cell, "made by another recipe than the present one")
    if cell.status == "failed":
        reason = cell.reason
        said = "no reason given" if reason is None else _one_line(reason.code, reason.message)
        return Slot(plan, "failed", cell, said)
    if cell.main is None or not all(
        math.isfinite(one) for one in (cell.main.value, cell.main.low, cell.main.high)
    ):
        return Slot(plan, "failed", cell, "its file says done, but has no score")
    return Slot(plan, "done", cell)


def _one_line(code: str, message: str, limit: int = 300) -> str:
    text = " ".join(message.split())
    if code and code not in text:
        text = f"[{code}] {text}"
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def _in_order(named: Iterable[str], found: Iterable[str]) -> list[str]:
    """`found` without repeats, in the order of `named`; others behind."""
    have = dict.fromkeys(found)
    first = [name for name in named if name in have]
    return list(dict.fromkeys([*first, *have]))
