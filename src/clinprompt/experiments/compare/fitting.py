"""One try: a method fitted with one set of rates; done once, then read from its folder."""

from __future__ import annotations

import shutil
import time
from dataclasses import fields
from pathlib import Path
from statistics import mean
from typing import Any

import torch
from pydantic import Field, ValidationError

from clinprompt.errors import ClinpromptError
from clinprompt.experiments.compare import hardware
from clinprompt.experiments.compare.cell import WEIGHTS, Reason, Record, Try
from clinprompt.experiments.compare.methods.base import Fit, Rates
from clinprompt.experiments.compare.plan import Unit, digest
from clinprompt.experiments.compare.world import World
from clinprompt.inference.writing import write_atomically
from clinprompt.training.loop import DEV_NOT_FINITE, NOT_FINITE, Interrupted, Outcome

_FILE, _IDENTITY, _SPENT = "try.json", "identity", "seconds"
RESULT_FILES = (_FILE, _IDENTITY)  # of a try: what it reached, for which recipe
# Rates that are too high are a result; a full disk or memory is not.
_DIVERGED = (NOT_FINITE, DEV_NOT_FINITE)


class Tried(Record):
    """What a try reached, as it stands in its folder.

    Attributes:
        dev_loss: mean dev loss over its tasks in the chosen state; None without training or if it
            failed.
        dev_score: mean of their metrics on dev, where states are chosen by that.
        saved: whether it wrote weights.
        peak: bytes of memory, as `hardware.peak` measures them.
        outcome: the training curve (`loop.Outcome`).
        fit: the rest of `methods.base.Fit`.
    """

    rates: dict[str, float]
    dev_loss: float | None = None
    dev_score: float | None = None
    failed: Reason | None = None
    seconds: float = 0.0
    saved: bool = False
    peak: int | None = None
    outcome: dict[str, Any] | None = None
    fit: dict[str, Any] = Field(default_factory=dict)

    def to_try(self) -> Try:
        """As a cell lists it."""
        return Try(
            rates=self.rates,
            dev_loss=self.dev_loss,
            dev_score=self.dev_score,
            seconds=self.seconds,
            failed=self.failed,
        )

    def to_fit(self) -> Fit:
        """As the method gave it."""
        outcome = None if self.outcome is None else Outcome(**self.outcome)
        return Fit(outcome=outcome, **self.fit)


def folder_of(world: World, unit: Unit, number: int) -> Path:
    """Where a try lies."""
    return unit.folder(world.out) / f"try-{number}"


def average_of(unit: Unit) -> int:
    """The number of the try that is the mean of all others, where there is one."""
    return len(unit.entry.settings.rates)


def rates_of(unit: Unit, number: int) -> Rates:
    """The rates of a try; none of a mean, or where nothing is trained."""
    rates = unit.entry.settings.rates
    return rates[number] if number < len(rates) and unit.shots != 0 else {}


def tried(world: World, unit: Unit, number: int, *, weights: bool = False) -> Tried:
    """A try's result; it is made now if it is not there.

    Args:
        number: place of the rates in the method's grid, or `average_of`.
        weights: also needed is what was learned, not the result alone.

    Raises:
        Interrupted: it was stopped; its checkpoint is kept.
        Exception: whatever is no failure of training itself.
    """
    rates = rates_of(unit, number)
    averaged = unit.entry.averages and number == average_of(unit)
    folder = folder_of(world, unit, number)
    told = {"average": unit.entry.settings.rates} if averaged else {"rates": rates}
    identity = digest({"fitting": world.plan.fitting(unit), **told})
    if _text(folder / _IDENTITY) != identity:  # of another recipe, or not there
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        write_atomically(folder / _IDENTITY, [identity])
    found = _read(folder)
    if found is not None and not (weights and found.saved and not (folder / WEIGHTS).exists()):
        return found
    if (folder / WEIGHTS).exists():  # stopped before its result was written
        shutil.rmtree(folder / WEIGHTS)
    result = _averaged(world, unit, folder) if averaged else _run(world, unit, rates, folder)
    content = result.model_dump_json(indent=1)
    write_atomically(folder / _FILE, [content + "\n"])
    for scratch in ("work", f"{WEIGHTS}.work"):
        shutil.rmtree(folder / scratch, ignore_errors=True)
    (folder / _SPENT).unlink(missing_ok=True)
    return result


def _run(world: World, unit: Unit, rates: Rates, folder: Path) -> Tried:
    job = world.job(unit, folder / "work")
    device = job.prepared.backbone.device
    hardware.reset_peak(device)
    begin = time.monotonic() - _spent(folder)
    try:
        fit = unit.entry.method.fit(job, rates, folder)
    except Interrupted:
        write_atomically(folder / _SPENT, [f"{time.monotonic() - begin}\n"])
        raise
    except ClinpromptError as error:
        if error.code not in _DIVERGED:
            raise
        reason = Reason(code=error.code, message=str(error))
        return Tried(rates=rates, failed=reason, seconds=time.monotonic() - begin)
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    values = {field.name: getattr(fit, field.name) for field in fields(fit)}
    outcome = values.pop("outcome")
    losses = {} if outcome is None else outcome.best
    scores = {} if outcome is None else outcome.best_score
    return Tried(
        rates=rates,
        dev_loss=mean(losses.values()) if losses else None,
        dev_score=mean(scores.values()) if scores else None,
        seconds=time.monotonic() - begin,
        saved=(folder / WEIGHTS).exists(),
        peak=hardware.peak(device)[0],
        outcome=None if outcome is None else outcome.to_json(),
        fit=values,
    )


def _averaged(world: World, unit: Unit, folder: Path) -> Tried:
    """The mean of the tries that did not fail; what each of them learned is deleted then."""
    results = [tried(world, unit, number, weights=True) for number in range(average_of(unit))]
    good = [number for number, one in enumerate(results) if one.failed is None]
    tries = [folder_of(world, unit, number) for number in good]
    stored = unit.entry.method.average(tries, folder)
    for number in good:
        clear(world, unit, number)
    fit = results[good[0]].fit
    seen = sum(one.fit["examples_seen"] for one in results if one.failed is None)
    details = fit["details"] | {"averaged": [results[number].rates for number in good]}
    return Tried(
        rates={},
        seconds=sum(one.seconds for one in results),
        saved=True,
        peak=max((one.peak for one in results if one.peak is not None), default=None),
        fit=fit | {"stored_bytes": stored, "examples_seen": seen, "details": details},
    )


def _spent(folder: Path) -> float:
    """Seconds that stopped runs of this try took, whose checkpoint it goes on from."""
    try:
        return float(_text(folder / _SPENT))
    except ValueError:
        return 0.0


def _text(path: Path) -> str:
    """A small file's text; empty if there is none."""
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def _read(folder: Path) -> Tried | None:
    try:
        return Tried.model_validate_json((folder / _FILE).read_text(encoding="utf-8"))
    except (OSError, ValidationError):
        return None


def clear(world: World, unit: Unit, number: int) -> None:
    """Delete what a try learned; its result stays."""
    shutil.rmtree(folder_of(world, unit, number) / WEIGHTS, ignore_errors=True)
