"""Stages of a second, and ways to look at what becomes of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tests.training import toy
from torch import Tensor

from clinprompt.backbone.model import Backbone
from clinprompt.training import checkpoint, loop
from clinprompt.training.data import TokenTask
from clinprompt.training.loop import Outcome, Stage
from clinprompt.training.modules import Decomposed, PromptTable
from clinprompt.training.prepare import initial_prompts
from clinprompt.training.sampler import Sampler
from clinprompt.training.settings import EngineSettings, Optimiser, PromptSettings

RATE, STEPS = 0.03, 8
ENGINE = EngineSettings(microbatch_tokens=256, save_every=3)


def start(tasks: list[TokenTask]) -> Tensor:
    return initial_prompts(toy.prepared(), tasks, PromptSettings(length=toy.LENGTH), 0)


def settings(**changes: Any) -> Optimiser:
    return Optimiser(**({"steps": STEPS, "rows": 6, "evaluate_every": 4} | changes))


def teachers(tasks: list[TokenTask], **changes: Any) -> Stage:
    chosen = settings(**changes)
    sampler = Sampler(
        [len(task.rows["train"]) for task in tasks],
        steps=chosen.steps,
        rows=chosen.rows,
        seed=1,
        per_step=3,
    )
    module = PromptTable(start(tasks))
    rates = {"shared": RATE}
    return Stage("teachers", module, tasks, rates, sampler, chosen, ENGINE, best_by_task=True)


def decomposed(tasks: list[TokenTask], **changes: Any) -> Stage:
    chosen, count = settings(**changes), len(tasks)
    sampler = Sampler(
        [len(task.rows["train"]) for task in tasks],
        steps=chosen.steps,
        rows=chosen.rows,
        seed=1,
        kappa=3,
    )
    module = Decomposed(start(tasks)[0], torch.ones(count, toy.LENGTH, 1), torch.ones(count, 1, 32))
    rates = {"shared": RATE, "vectors": 0.05}
    return Stage("distil", module, tasks, rates, sampler, chosen, ENGINE)


def run(stage: Stage, folder: Path, backbone: Backbone | None = None, **options: Any) -> Outcome:
    progress = toy.Lines()
    return loop.run(backbone or toy.prepared().backbone, stage, folder, "run", progress, **options)


def result(stage: Stage, outcome: Outcome) -> tuple[dict[str, Tensor], dict[str, Any]]:
    return {n: t.clone() for n, t in stage.module.state_dict().items()}, outcome.to_json()


def same(one: tuple[Any, Any], other: tuple[Any, Any]) -> bool:
    """Every bit of every tensor, and all losses."""
    return (
        one[0].keys() == other[0].keys()
        and all(torch.equal(one[0][name], other[0][name]) for name in one[0])
        and one[1] == other[1]
    )


def saved_state(folder: Path, stage: Stage) -> dict[str, Any]:
    found = checkpoint.load(folder / f"{stage.name}.ckpt", f"run/{stage.name}")
    assert found is not None
    return found


def scripted(
    monkeypatch: pytest.MonkeyPatch, losses: list[dict[str, float]]
) -> list[dict[str, Tensor]]:
    """Let the dev losses be these; returns the states that they were taken at."""
    states: list[dict[str, Tensor]] = []

    def dev_losses(_: Backbone, found: Stage) -> dict[str, float]:
        states.append({n: t.clone() for n, t in found.module.state_dict().items()})
        return losses[len(states) - 1]

    monkeypatch.setattr(loop, "dev_losses", dev_losses)
    return states
