"""Cells side by side on several processors, GPUs or machines, through Ray (an optional extra).

Every machine has to see the comparison's folder, the data and the backbones under the same paths.
Fittings that several cells depend on go first: metaprompts, then tries of learning rates, then
targets that are fitted together; then the cells.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from clinprompt.backbone.processor import set_up
from clinprompt.errors import ClinpromptError
from clinprompt.experiments.compare.cell import Cell, Reason, read_cell
from clinprompt.experiments.compare.fitting import tried
from clinprompt.experiments.compare.plan import CellPlan
from clinprompt.experiments.compare.recipe import CompareRecipe
from clinprompt.experiments.compare.resolve import resolve
from clinprompt.experiments.compare.run import begin, finished, line_of, to_train
from clinprompt.experiments.compare.running import blank, run_cell
from clinprompt.experiments.compare.tuning import choose
from clinprompt.experiments.compare.world import World
from clinprompt.training.loop import Interrupted

Kind = Literal["source", "tries", "fitting", "cell"]
_POLL = 1.0  # seconds between looks at whether to stop
_PATIENCE = 5.0  # seconds for a cluster to answer


@dataclass(frozen=True)
class Payload:
    """What a worker makes its own world of."""

    recipe: str
    data_root: str | None
    out: str
    folder: str
    threads: int


@dataclass(frozen=True)
class Work:
    """One task: its kind, and the id of a backbone, or of a cell that it is for."""

    kind: Kind
    id: str


@lru_cache(maxsize=1)
def _world(payload: Payload) -> World:
    """A worker's world; a worker does many tasks with one backbone."""
    os.chdir(payload.folder)
    set_up(payload.threads)
    plan, complaints = resolve(CompareRecipe.model_validate_json(payload.recipe))
    if complaints:  # the driver found none: this machine has other files
        raise complaints[0]
    plan.fill()
    root = None if payload.data_root is None else Path(payload.data_root)
    return World(plan, root, Path(payload.out), lambda line: print(line, flush=True))


def perform(payload: Payload, work: Work) -> Reason | None:
    """Do one task, in a worker; why it could not be done, if it could not."""
    try:
        _perform(_world(payload), work)
    except ClinpromptError as error:
        return Reason(code=error.code, message=error.message)
    return None


def _perform(world: World, work: Work) -> None:
    if work.kind == "source":
        world.train(next(one for one in world.plan.recipe.backbones if one.id == work.id))
        return
    cell = next(one for one in world.plan.cells if one.key.id == work.id)
    if work.kind == "cell":
        run_cell(world, cell)
    elif work.kind == "fitting":
        tried(world, cell.unit, choose(world, cell).number, weights=True)
    else:
        choose(world, cell)


def stages(world: World, cells: Sequence[CellPlan]) -> list[list[Work]]:
    """The tasks, in groups: those of a group don't depend on each other, only on earlier groups."""
    sources = [Work("source", backbone.id) for backbone in to_train(world.plan, cells)]
    tuned: dict[tuple[str, ...], str] = {}
    together: dict[str, str] = {}
    for one in cells:
        if one.tuned_on:
            tuned.setdefault(tuple(unit.ids[0] for unit in one.tuned_on), one.key.id)
        if len(one.unit.cards) > 1:
            together.setdefault(one.unit.ids[0], one.key.id)
    groups = [
        sources,
        [Work("tries", one) for one in tuned.values()],
        [Work("fitting", one) for one in together.values()],
        [Work("cell", one.key.id) for one in cells],
    ]
    return [group for group in groups if group]


def spread(
    world: World,
    *,
    address: str | None = None,
    only: Sequence[str] = (),
    cpus: int = 1,
    gpus: float | None = None,
) -> list[Cell]:
    """`run.compare`, side by side.

    Args:
        address: of a running cluster ("auto" finds one on this machine); None starts one here.
        cpus: processor cores of a task, which are its threads as well.
        gpus: GPUs of a task; by default one if the cluster has any.

    Raises:
        ClinpromptError: CP-EXP-130 Ray is not installed, CP-EXP-131 no cluster can be reached.
        Interrupted: it was asked to stop; the same call goes on.
    """
    ray = _connect(address)
    try:
        cells = begin(world, only)
        if gpus is None:
            gpus = 1.0 if ray.cluster_resources().get("GPU", 0) >= 1 else 0.0
        root = None if world.data_root is None else str(world.data_root.absolute())
        payload = Payload(
            recipe=world.plan.recipe.model_dump_json(),
            data_root=root,
            out=str(world.out.absolute()),
            folder=str(Path.cwd()),
            threads=cpus,
        )
        task = ray.remote(num_cpus=cpus, num_gpus=gpus, max_retries=0)(perform)
        plans = {one.key.id: one for one in cells}
        for group in stages(world, cells):
            waiting = {task.remote(payload, work): work for work in group}
            _collect(ray, world, waiting, plans)
    finally:
        ray.shutdown()
    return finished(world.plan, world.out)


def _connect(address: str | None) -> Any:
    """Ray, connected; without reports to its makers and without a page of its own."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    try:
        import ray
    except ImportError as error:
        raise ClinpromptError(
            "CP-EXP-130",
            "cells side by side need the library ray",
            hint="pip install 'clinprompt[ray]', or leave --ray out",
        ) from error
    passed = ("CLINPROMPT_", "HF_", "TRANSFORMERS_", "OMP_")
    given = {name: value for name, value in os.environ.items() if name.startswith(passed)}
    options: dict[str, Any] = {"address": address} if address else {"include_dashboard": False}
    try:
        _reach(address)
        ray.init(runtime_env={"env_vars": given}, logging_level=logging.WARNING, **options)
    except (OSError, ValueError, RuntimeError) as error:
        first = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise ClinpromptError(
            "CP-EXP-131",
            f"no Ray cluster at '{address or 'this machine'}' ({first})",
            hint="start one with 'ray start --head', or leave --ray-address out",
        ) from error
    return ray


def _reach(address: str | None) -> None:
    """Knock at ``HOST:PORT``: Ray itself waits for minutes where nobody answers.

    Raises:
        OSError: nobody does.
    """
    host, colon, port = (address or "").removeprefix("ray://").rpartition(":")
    if colon and port.isdigit():
        socket.create_connection((host.strip("[]"), int(port)), timeout=_PATIENCE).close()


def _collect(ray: Any, world: World, waiting: dict[Any, Work], plans: dict[str, CellPlan]) -> None:
    """Wait for a group of tasks; one that fails leaves the others alone."""
    total = len(waiting)
    while waiting:
        if world.should_stop():
            for one in waiting:
                ray.cancel(one, force=True)
            raise Interrupted(f"{total - len(waiting)} of {total} tasks")
        done, _ = ray.wait(list(waiting), num_returns=1, timeout=_POLL)
        for one in done:
            work = waiting.pop(one)
            try:
                reason = ray.get(one)
            except Exception as error:  # the worker died, or a bug outside of a cell
                reason = Reason(code="", message=f"its worker failed ({type(error).__name__})")
            _report(world, work, reason, plans, f"{total - len(waiting)} of {total}")


def _report(
    world: World, work: Work, reason: Reason | None, plans: dict[str, CellPlan], place: str
) -> None:
    """Say what became of a task; a cell that its worker could not write is written as failed.

    Raises:
        ClinpromptError: what kept a metaprompt from being trained: no cell can go on without.
    """
    world.say(f"{place}: {work.kind} {work.id}")
    if reason is not None:
        if work.kind == "source":
            raise ClinpromptError(reason.code or "CP-EXP-132", reason.message)
        world.say(f"  failed: {reason.message}")
    if work.kind != "cell":
        return  # its cells run into the same failure, and write it down
    cell = read_cell(plans[work.id].key.folder(world.out))
    if cell is None:
        cell = blank(plans[work.id])
        cell.reason = reason
        cell.write(world.out)
    world.say(line_of(cell))
