"""The one training loop: teachers, distillation, adaptation and plain prompt tuning.

Stages differ in data only: which parameters train, at which rates, on which draws, with which loss.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from clinprompt.artifacts.meta import library_versions
from clinprompt.backbone.after import Behind, Notes
from clinprompt.backbone.engine import Prefix
from clinprompt.backbone.model import Backbone
from clinprompt.errors import ClinpromptError
from clinprompt.training import checkpoint
from clinprompt.training.batch import Distillation, Item, StepCost, prefix_of, row_losses, run_step
from clinprompt.training.data import TokenTask
from clinprompt.training.microbatch import halved, sized
from clinprompt.training.modules import PromptModule
from clinprompt.training.progress import Progress
from clinprompt.training.sampler import Sampler
from clinprompt.training.settings import EngineSettings, Optimiser

NOT_FINITE, DEV_NOT_FINITE = "CP-TRAIN-040", "CP-TRAIN-084"  # what rates too high end in

# Scores of a stage's tasks on dev, higher is better, by name; given their prompts [K, P, H], or
# None where weights are trained, which are at work in the backbone then.
Judge = Callable[[Tensor | None], dict[str, float]]


@dataclass
class Stage:
    """One stage of training.

    Attributes:
        name: "teachers", "distil" or "adapt"; names its files.
        module: what is trained.
        tasks: K tokenised tasks with train and dev rows.
        rates: learning rate of each of the module's groups (absolute).
        sampler: draws of each step.
        distillation: adds the teachers' terms to the loss.
        teachers: the teachers' prefixes of all K tasks, without graph.
        cached: or their hidden states at answer positions by (task, row id).
        notes: encodes notes, where prompts stand after the text.
        best_by_task: keep each task's own best state (teachers), not one state of the whole.
        judge: scores the tasks' answers on dev at every evaluation; the state with the best score
            is kept, the lower loss deciding between equals. Without, the loss alone decides.
        checkpoints: whether its state is kept on disk while it runs; without, a stopped stage
            begins anew.
    """

    name: str
    module: PromptModule
    tasks: Sequence[TokenTask]
    rates: dict[str, float]
    sampler: Sampler
    settings: Optimiser
    engine: EngineSettings
    distillation: Distillation | None = None
    teachers: Prefix | Behind | None = None
    cached: dict[tuple[int, str], Tensor] | None = None
    notes: Notes | None = None
    best_by_task: bool = False
    judge: Judge | None = None
    checkpoints: bool = True


@dataclass
class Outcome:
    """What a stage reached. The module holds the best state when the stage ends.

    Attributes:
        best: dev loss of each task (or of their mean, under "mean") in the state that was kept, in
            nats per token: the lowest there was, unless scores decide.
        best_step: step it was reached at; 0 is the start.
        history: one entry per evaluation: step, train loss since the last, dev loss of each task,
            and their scores where there is a judge.
        best_score: dev score of each task (or of their mean) in that state; empty without a judge.
    """

    best: dict[str, float] = field(default_factory=dict)
    best_step: dict[str, int] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    best_score: dict[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain values, for an artefact's metrics."""
        found = vars(self).copy()
        return found if self.best_score else {k: v for k, v in found.items() if k != "best_score"}

    def improves(self, name: str, loss: float, score: float | None) -> bool:
        """Whether a state is better than the best of `name` so far."""
        if score is None:
            return loss < self.best.get(name, math.inf)
        before = (-self.best_score.get(name, -math.inf), self.best.get(name, math.inf))
        return (-score, loss) < before

    def keep(self, name: str, step: int, loss: float, score: float | None) -> None:
        """Take a state as the best of `name`."""
        self.best[name], self.best_step[name] = loss, step
        if score is not None:
            self.best_score[name] = score


class Interrupted(Exception):  # noqa: N818 - the user's wish, not an error
    """The stage was asked to stop; its state is saved."""


def learning_rate_factor(step: int, steps: int, warmup: float) -> float:
    """Linear warm-up over `warmup` of the steps, then linear decay to zero, in (0, 1]."""
    rise = max(1, round(warmup * steps))
    if step < rise:
        return (step + 1) / rise
    return (steps - step) / max(1, steps - rise)


def run(
    backbone: Backbone,
    stage: Stage,
    folder: Path,
    identity: str,
    progress: Progress,
    should_stop: Callable[[], bool] = lambda: False,
) -> Outcome:
    """Train a stage to its end, from its last checkpoint if there is one.

    Args:
        folder: where its checkpoint lies.
        identity: digest of everything the result depends on; a checkpoint of another is refused.
        should_stop: asked after each step; true saves the state and raises `Interrupted`.

    Raises:
        ClinpromptError: CP-TRAIN-040 if a loss or gradient is not finite, CP-TRAIN-084 if a dev
            loss is not, CP-TRAIN-092 if memory does not suffice. The state before a bad step is
            saved; a checkpoint before a bad dev loss stays.
    """
    module, settings = stage.module, stage.settings
    end = settings.last
    open_size = stage.engine.microbatch_tokens == "auto"
    stage = replace(stage, engine=sized(stage.engine, backbone))
    groups = [
        {"params": parameters, "lr": stage.rates[name], "base": stage.rates[name]}
        for name, parameters in module.groups().items()
    ]
    optimizer = torch.optim.AdamW(groups, weight_decay=settings.weight_decay)
    outcome, best_state = Outcome(), dict[str, Tensor]()
    path = folder / f"{stage.name}.ckpt"
    begin, since = 0, [0.0, 0.0]  # since: sum and count of train losses since the last evaluation
    saved = checkpoint.load(path, f"{identity}/{stage.name}")
    if saved is not None:
        module.load_state_dict(saved["module"])
        optimizer.load_state_dict(saved["optimizer"])
        begin, since, best_state = saved["step"], saved["since"], saved["best_state"]
        outcome = Outcome(**saved["outcome"])
        for line in _changed(saved.get("made_by", {}), _made_by(backbone)):
            progress.say(f"{stage.name}: {line}: rounding may differ from an uninterrupted run's")
    else:
        _evaluate(backbone, stage, 0, since, outcome, best_state)
    if begin:
        progress.say(f"{stage.name}: going on from step {begin} of {end}")

    def save(step: int) -> None:
        if not stage.checkpoints:
            return
        state = {
            "identity": f"{identity}/{stage.name}",
            "step": step,
            "since": since,
            "module": module.state_dict(),
            "optimizer": optimizer.state_dict(),
            "best_state": best_state,
            "outcome": vars(outcome),
            "made_by": _made_by(backbone),
        }
        checkpoint.save(path, state)

    progress.begin(stage.name, end, begin, outcome.history)
    for step in range(begin, end):
        factor = learning_rate_factor(step, settings.steps, settings.warmup)
        for group in optimizer.param_groups:
            group["lr"] = group["base"] * factor
        progress.rates = {name: rate * factor for name, rate in stage.rates.items()}
        cost: StepCost | None = None
        while cost is None:
            try:
                cost = _step(backbone, stage, step)
            except torch.OutOfMemoryError as error:
                optimizer.zero_grad(set_to_none=True)
                smaller = halved(stage.engine) if open_size else None
                if smaller is None:
                    if step > begin:
                        save(step)
                    raise ClinpromptError(
                        "CP-TRAIN-092",
                        f"{stage.name}, step {step + 1}: the device's memory does not suffice",
                        hint=f"engine.microbatch_tokens is {stage.engine.tokens}: try half, or "
                        "a smaller data.max_tokens",
                    ) from error
                stage = replace(stage, engine=smaller)
                progress.say(
                    f"{stage.name}, step {step + 1}: memory did not suffice; going on with "
                    f"engine.microbatch_tokens={smaller.tokens}"
                )
        norm = module.clip(settings.clip)
        if not (math.isfinite(cost.loss) and math.isfinite(norm)):
            ids = [
                f"{stage.tasks[draw.task].name}:"
                + ",".join(stage.tasks[draw.task].rows["train"][i].id for i in draw.examples)
                for draw in stage.sampler[step]
            ]
            if step > begin:
                save(step)  # the gradient is not applied yet: this is the last good state
            raise ClinpromptError(
                NOT_FINITE,
                f"{stage.name}, step {step + 1}: loss {cost.loss}, gradient norm {norm}; "
                f"batch {'; '.join(ids)}",
                hint=("the state before this step is kept; " if step else "")
                + "lower the rates, or use dtype float32",
            )
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        since[0] += cost.loss
        since[1] += 1
        done = step + 1
        if done % settings.evaluate_every == 0 or done == end:
            _evaluate(backbone, stage, done, since, outcome, best_state)
        progress.step(done, cost, outcome.history[-1])
        stopping = should_stop() and done < end
        if done % stage.engine.save_every == 0 or done == end or stopping:
            save(done)
        if stopping:
            raise Interrupted(f"{stage.name}, step {done} of {end}")
    progress.end()
    module.load_state_dict({**module.state_dict(), **best_state})
    return outcome


def _made_by(backbone: Backbone) -> dict[str, str]:
    """What the last bits of a result depend on besides the run's identity."""
    return {
        **library_versions(),
        "device": backbone.device.type,
        "threads": str(torch.get_num_threads()),
    }


def _changed(before: dict[str, str], now: dict[str, str]) -> list[str]:
    """A line for everything that is not as it was."""
    return [
        f"the checkpoint was written with {name} {value}, now it is {now[name]}"
        for name, value in before.items()
        if now.get(name, value) != value
    ]


def _step(backbone: Backbone, stage: Stage, step: int) -> StepCost:
    draws = stage.sampler[step]
    tasks = [draw.task for draw in draws]
    items = [
        Item(stage.tasks[draw.task].rows["train"][index], slot)
        for slot, draw in enumerate(draws)
        for index in draw.examples
    ]
    fixed = [stage.tasks[k].fixed for k in tasks]
    before = prefix_of(backbone, stage.module.prompts(tasks), fixed, stage.notes)
    cached = None
    if stage.cached is not None:
        cached = {(i.slot, i.row.id): stage.cached[tasks[i.slot], i.row.id] for i in items}
    return run_step(
        backbone,
        before,
        items,
        microbatch_tokens=stage.engine.tokens,
        distillation=stage.distillation,
        teachers=None if stage.teachers is None else stage.teachers.select(tasks),
        cached=cached,
    )


@torch.no_grad()
def dev_losses(backbone: Backbone, stage: Stage) -> dict[str, float]:
    """Dev loss of every task, in nats per answer token; a few tasks' prefixes at a time."""
    found = {}
    for first in range(0, len(stage.tasks), 8):
        some = range(first, min(first + 8, len(stage.tasks)))
        fixed = [stage.tasks[k].fixed for k in some]
        before = prefix_of(backbone, stage.module.prompts(list(some)), fixed, stage.notes)
        items = [
            Item(row, slot) for slot, k in enumerate(some) for row in stage.tasks[k].rows["dev"]
        ]
        losses = row_losses(backbone, before, items, microbatch_tokens=stage.engine.tokens)
        found.update({stage.tasks[k].name: losses[slot] for slot, k in enumerate(some)})
    return found


@torch.no_grad()
def _evaluate(
    backbone: Backbone,
    stage: Stage,
    step: int,
    since: list[float],
    outcome: Outcome,
    best_state: dict[str, Tensor],
) -> None:
    """Dev losses and scores; what is better than before is kept, by task or as a whole."""
    losses = dev_losses(backbone, stage)
    broken = sorted(name for name, loss in losses.items() if not math.isfinite(loss))
    if broken:
        raise ClinpromptError(
            DEV_NOT_FINITE,
            f"{stage.name}, step {step}: dev loss of {', '.join(broken)} is not finite",
            hint="an earlier checkpoint is kept; lower the rates, or use dtype float32"
            if step
            else "use dtype float32",
        )
    mean = sum(losses.values()) / len(losses)
    train = since[0] / since[1] if since[1] else None
    entry: dict[str, Any] = {"step": step, "train": train, "dev": losses, "dev_mean": mean}
    scores: dict[str, float] = {}
    mean_score: float | None = None
    if stage.judge is not None:
        scores = stage.judge(stage.module.prompts(range(len(stage.tasks))))
        mean_score = sum(scores.values()) / len(scores)
        entry |= {"score": scores, "score_mean": mean_score}
    outcome.history.append(entry)
    since[:] = [0.0, 0.0]
    if stage.best_by_task:
        for k, task in enumerate(stage.tasks):
            loss, score = losses[task.name], scores.get(task.name)
            if outcome.improves(task.name, loss, score):
                outcome.keep(task.name, step, loss, score)
                best_state.update(stage.module.state_of(k))
    elif outcome.improves("mean", mean, mean_score):
        outcome.keep("mean", step, mean, mean_score)
        best_state.update({n: t.detach().clone() for n, t in stage.module.state_dict().items()})
