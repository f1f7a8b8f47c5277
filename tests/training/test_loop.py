from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.backbone import tiny
from tests.training import toy
from tests.training.stages import (
    ENGINE,
    RATE,
    STEPS,
    decomposed,
    run,
    same,
    saved_state,
    scripted,
    settings,
    start,
    teachers,
)
from torch import Tensor
from torch.nn import functional as F

from clinprompt.training import loop
from clinprompt.training.data import TokenTask
from clinprompt.training.loop import Stage, learning_rate_factor
from clinprompt.training.modules import PromptTable
from clinprompt.training.prepare import initial_prompts
from clinprompt.training.sampler import Sampler
from clinprompt.training.settings import PromptSettings


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> list[TokenTask]:
    return toy.token_tasks(toy.write_tasks(tmp_path_factory.mktemp("tasks")), toy.prepared())


# ---- the schedule ------------------------------------------------------------------------------


@given(st.integers(1, 200), st.floats(0, 1))
def test_the_rate_rises_to_one_and_falls_towards_zero(steps: int, warmup: float) -> None:
    factors = [learning_rate_factor(step, steps, warmup) for step in range(steps)]
    assert all(0 < factor <= 1 for factor in factors)
    assert max(factors) == 1
    peak = factors.index(1)
    assert factors[: peak + 1] == sorted(factors[: peak + 1])
    assert factors[peak:] == sorted(factors[peak:], reverse=True)
    assert peak == max(1, round(warmup * steps)) - 1


def test_the_rate_is_linear() -> None:
    found = [learning_rate_factor(step, 20, 0.2) for step in range(20)]
    assert found[:4] == [0.25, 0.5, 0.75, 1.0]
    assert found[4:] == pytest.approx([(20 - step) / 16 for step in range(4, 20)])
    assert [learning_rate_factor(0, 1, w) for w in (0.0, 0.5, 1.0)] == [1, 1, 1]


def test_every_group_follows_the_schedule_at_its_own_rate(
    tasks: list[TokenTask], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[float]] = []
    real = torch.optim.AdamW.step

    def watched(self: torch.optim.AdamW, *args: Any) -> Any:
        seen.append([group["lr"] for group in self.param_groups])
        return real(self, *args)

    monkeypatch.setattr(torch.optim.AdamW, "step", watched)
    run(decomposed(tasks, warmup=0.25), tmp_path)
    factors = [0.5, 1.0, 1.0, 5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6]
    assert seen == [pytest.approx([RATE * f, 0.05 * f]) for f in factors]


def test_gradients_are_clipped_before_every_step(
    tasks: list[TokenTask], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    norms: list[float] = []
    real = torch.optim.AdamW.step

    def watched(self: torch.optim.AdamW, *args: Any) -> Any:
        given_ = [p.grad for group in self.param_groups for p in group["params"]]
        norms.append(float(torch.cat([g.flatten() for g in given_ if g is not None]).norm()))
        return real(self, *args)

    monkeypatch.setattr(torch.optim.AdamW, "step", watched)
    run(decomposed(tasks, clip=0.01), tmp_path / "clipped")
    assert norms == [pytest.approx(0.01, rel=1e-3)] * STEPS
    norms.clear()
    run(decomposed(tasks, clip=1e6), tmp_path / "free")
    assert min(norms) > 0.01


# ---- teachers ----------------------------------------------------------------------------------


def alone(task: TokenTask, place: int, stage: Stage, begin: Tensor) -> Tensor:
    """One teacher by itself: the plain concatenation and a loop of its own, on the same draws.

    A step's loss is the mean over its tasks, so the gradient is a T-th of the task's own.
    """
    backbone, prompt = toy.prepared().backbone, begin.clone().requires_grad_()
    optimizer = torch.optim.AdamW([prompt], lr=RATE, weight_decay=stage.settings.weight_decay)
    for step in range(stage.settings.steps):
        draws = stage.sampler[step]
        for draw in draws:
            if draw.task != place:
                continue
            losses = []
            for index in draw.examples:
                row = task.rows["train"][index]
                logits = tiny.naive_logits(backbone, prompt, task.fixed + row.input + row.answer)
                at = logits[-len(row.answer) - 1 : -1]
                losses.append(F.cross_entropy(at, torch.tensor(row.answer), reduction="none"))
            (torch.cat(losses).mean() / len(draws)).backward()
            torch.nn.utils.clip_grad_norm_([prompt], stage.settings.clip)
            factor = learning_rate_factor(step, stage.settings.steps, stage.settings.warmup)
            optimizer.param_groups[0]["lr"] = RATE * factor
            optimizer.step()
            optimizer.zero_grad()
    return prompt.detach()


@pytest.mark.parametrize("changes", [{"clip": 1e6}, {"clip": 0.5, "weight_decay": 0.1}])
def test_teachers_side_by_side_are_each_teacher_alone(
    tasks: list[TokenTask], tmp_path: Path, changes: dict[str, Any]
) -> None:
    stage = teachers(tasks, **changes)
    run(stage, tmp_path)
    found = saved_state(tmp_path, stage)["module"]  # the last state, not the best
    for place, task in enumerate(tasks):
        begin = start(tasks)[place]
        expected = alone(task, place, stage, begin)
        assert float((expected - begin).abs().max()) > 0.02
        # AdamW divides by a gradient's size, so rounding of small ones shows at the rate's scale.
        torch.testing.assert_close(found[f"table.{place}"], expected, rtol=0, atol=5e-5)


def test_tasks_that_take_no_part_are_left_alone(
    tasks: list[TokenTask], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = teachers(tasks, weight_decay=0.5)  # which would pull at every parameter it sees
    before: list[Tensor] = []
    moved: list[set[int]] = []
    real = torch.optim.AdamW.step

    def watched(self: torch.optim.AdamW, *args: Any) -> Any:
        before[:] = [p.detach().clone() for p in stage.module.table]  # type: ignore[union-attr]
        found = real(self, *args)
        table = stage.module.table  # type: ignore[union-attr]
        moved.append({k for k, p in enumerate(table) if not torch.equal(p, before[k])})
        return found

    monkeypatch.setattr(torch.optim.AdamW, "step", watched)
    run(stage, tmp_path)
    drawn = [{draw.task for draw in stage.sampler[step]} for step in range(STEPS)]
    assert moved == drawn
    state = saved_state(tmp_path, stage)["optimizer"]["state"]
    taken = [sum(place in step for step in drawn) for place in range(len(tasks))]
    assert [int(state[place]["step"]) for place in range(len(tasks))] == taken


def test_each_teacher_keeps_its_own_best_state(
    tasks: list[TokenTask], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [task.name for task in tasks]
    best_at = dict(zip(names, [0, 2, 1, 3, 4], strict=True))  # the start counts too
    losses = [{n: 1.0 + abs(at - best_at[n]) for n in names} for at in range(5)]
    stage = teachers(tasks, evaluate_every=2)
    states = scripted(monkeypatch, losses)
    outcome = run(stage, tmp_path)
    assert len(states) == 5
    assert outcome.best_step == {name: 2 * at for name, at in best_at.items()}
    assert set(outcome.best.values()) == {1.0}
    for place, name in enumerate(names):
        kept = states[best_at[name]][f"table.{place}"]
        assert torch.equal(stage.module.state_dict()[f"table.{place}"], kept)


def test_a_metaprompt_keeps_the_state_with_the_lowest_mean(
    tasks: list[TokenTask], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [task.name for task in tasks]
    losses = [
        {n: value + 0.1 * k for k, n in enumerate(names)} for value in (3.0, 2.0, 1.0, 1.0, 2.0)
    ]
    stage = decomposed(tasks, evaluate_every=2)
    states = scripted(monkeypatch, losses)
    outcome = run(stage, tmp_path)
    assert outcome.best_step == {"mean": 4}  # the earlier of two equals
    assert outcome.best == {"mean": pytest.approx(1.2)}
    assert same((stage.module.state_dict(), {}), (states[2], {}))
    assert not same((states[2], {}), (states[4], {}))


def test_dev_losses_are_those_of_the_state_that_is_kept(
    tasks: list[TokenTask], tmp_path: Path
) -> None:
    stage = teachers(tasks)
    outcome = run(stage, tmp_path)
    again = loop.dev_losses(toy.prepared().backbone, stage)
    assert again == pytest.approx(outcome.best, rel=1e-6)
    for name, best in outcome.best.items():
        assert best == min(entry["dev"][name] for entry in outcome.history)
    assert [entry["step"] for entry in outcome.history] == [0, 4, 8]
    assert outcome.history[0]["train"] is None


# ---- learning ----------------------------------------------------------------------------------


def test_the_loss_really_falls(tmp_path: Path) -> None:
    """Two labels, a random frozen model: its prompt learns to say the labels and nothing else."""
    path = toy.write_task(tmp_path, "label", "label", train=24, dev=8)
    ready = toy.prepared()
    (task,) = toy.token_tasks([path], ready)
    begin = initial_prompts(ready, [task], PromptSettings(length=8), 3)
    chosen = settings(steps=40, rows=8, evaluate_every=10)
    stage = Stage(
        name="adapt",
        module=PromptTable(begin),
        tasks=[task],
        rates={"shared": 0.5 * ready.backbone.embedding_scale},
        sampler=Sampler([24], steps=40, rows=8, seed=3),
        settings=chosen,
        engine=ENGINE,
        best_by_task=True,
    )
    outcome = run(stage, tmp_path)
    train = [entry["train"] for entry in outcome.history[1:]]
    assert train == sorted(train, reverse=True)
    assert train[-1] < 0.75 * train[0]
    assert outcome.best["label"] < 0.8 * outcome.history[0]["dev"]["label"]
