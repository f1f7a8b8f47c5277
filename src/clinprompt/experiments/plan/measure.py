"""A few of a stage's own steps on the real backbone: how fast they are and what memory they take.

The step that should take most memory is among them, so the peak is that of the stage. Other steps
are timed. Prompts are at their start and are not moved: what a step costs doesn't depend on them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from clinprompt.backbone import engine
from clinprompt.backbone.after import Notes
from clinprompt.backbone.decoding import Ask, Decoder, Settings
from clinprompt.backbone.model import Backbone
from clinprompt.experiments.compare import hardware
from clinprompt.experiments.plan.cost import Measured, Writing, stage_memory
from clinprompt.experiments.plan.memory import SIZES
from clinprompt.experiments.plan.shapes import Shape
from clinprompt.experiments.plan.stages import Training
from clinprompt.experiments.plan.work import forward, training
from clinprompt.prompts import unit_vectors
from clinprompt.training.batch import (
    Distillation,
    Item,
    notes_for,
    prefix_of,
    row_losses,
    run_step,
    states_of,
)
from clinprompt.training.lora import Adapters, Joined
from clinprompt.training.modules import Decomposed, PromptModule, PromptTable
from clinprompt.training.prepare import Prepared, initial_prompts, unit_of
from clinprompt.training.settings import PromptSettings

TIMED = 4  # steps, if there is time for them


def measured(
    prepared: Prepared,
    stage: Training,
    shape: Shape,
    *,
    budget: float = 30.0,
    clock: Callable[[], float] = time.perf_counter,
) -> Measured:
    """Run a few steps of a stage and time them, then the heaviest.

    Args:
        budget: seconds after which no other step is begun; two are timed in any case.
    """
    assert str(prepared.backbone.dtype).removeprefix("torch.") in SIZES
    # A stage begins among what was freed before it, as a training in this process would.
    hardware.reset_peak(prepared.backbone.device, give_back=False)
    if stage.module is not None:
        with stage.module(prepared.backbone) as module:
            if stage.prompt is not None:
                assert isinstance(module, Adapters)
                module = Joined(_module(prepared, stage, stage.prompt), module)
            best = [p.detach().clone() for own in module.groups().values() for p in own]
            found = _steps(prepared, stage, shape, module, None, budget, clock)
            del best  # a training holds its best state until its end
            return found
    assert stage.prompt is not None
    prompt = stage.prompt
    notes = notes_for(prepared.backbone, prompt.placement, 1024)
    placed = prepared.placed(prompt.placement)
    return _steps(placed, stage, shape, _module(placed, stage, prompt), notes, budget, clock)


def _steps(
    prepared: Prepared,
    stage: Training,
    shape: Shape,
    module: PromptModule,
    notes: Notes | None,
    budget: float,
    clock: Callable[[], float],
) -> Measured:
    backbone = prepared.backbone
    device = backbone.device.type
    dtype = str(backbone.dtype).removeprefix("torch.")
    begin = clock()
    asked = _Asked(prepared, stage, module, notes)
    reading = _reading(prepared, stage, shape, module, notes, clock)

    def weight(number: int) -> float:
        return stage_memory(stage, shape, device, dtype, [stage.shapes[number]]).total

    numbers = _between(list(stage.shapes))
    asked.ready(numbers[0])()  # the first step also pays for warming up, so it isn't timed
    seconds = flops = extra = 0.0
    count = 0
    for number in numbers:
        if count >= 2 and clock() - begin > budget:
            break
        shapes = stage.shapes[number]
        step = asked.ready(number)
        started = clock()
        step()
        _wait(device)
        seconds += clock() - started
        flops += training(shape, shapes, stage.method, stage.adapters)
        extra += forward(shape, shapes, prefix=False) if stage.same_pass else 0.0
        count += 1
    # Last, among what steps before it have left in the allocator.
    asked.ready(max(stage.shapes, key=weight))()
    # What the teachers took is known from reading; the rest is the gradients'.
    own = max(seconds - extra / reading, 0.2 * seconds)
    most, _ = hardware.peak(backbone.device)
    return Measured(flops / own, reading, most, count, clock() - begin)


@torch.no_grad()
def writing(backbone: Backbone, rows: int = 16, tokens: int = 12) -> Writing:
    """Time steps of decoding with one row and with several, behind texts of 64 tokens."""
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(backbone.vocabulary, (rows, 64), generator=generator).tolist()
    before = engine.prefix(backbone, [None], [ids[0][:8]])

    def step(count: int) -> float:
        decoder = Decoder(backbone, Settings(frozenset(), slots=count))
        seconds = []
        for most in (2, 2 + tokens):  # what both read goes out of the difference
            asks = [Ask(row, before, most) for row in ids[:count]]
            started = time.perf_counter()
            decoder.generate(asks)
            _wait(backbone.device.type)
            seconds.append(time.perf_counter() - started)
        return max(seconds[1] - seconds[0], 1e-9) / tokens

    step(1)  # the first one also pays for warming up
    one, many = step(1), step(rows)
    row = max(0.0, many - one) / (rows - 1)
    return Writing(max(0.0, one - row), row)


def _between(numbers: list[int]) -> list[int]:
    """Evenly spread steps, none of them twice."""
    count = min(TIMED, len(numbers))
    return [numbers[(2 * k + 1) * len(numbers) // (2 * count)] for k in range(count)]


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def _module(prepared: Prepared, stage: Training, prompt: PromptSettings) -> PromptModule:
    """What is trained, at a start of the right shape."""
    soft = initial_prompts(prepared, stage.tasks, prompt, 0)
    unit, _ = unit_of(prepared, prompt.depth)
    if stage.kind == "table":
        return PromptTable(soft, unit).to(prepared.backbone.device)
    count, size = len(stage.tasks), soft.shape[2]
    pairs = [unit_vectors(stage.length, size, stage.rank, k) for k in range(count)]
    u, v = (torch.stack(list(one)) for one in zip(*pairs, strict=True))
    return Decomposed(
        soft[0],
        u,
        v,
        train_shared=stage.kind == "decomposed",
        train_vectors=stage.kind != "weights",
        unit=unit,
    ).to(prepared.backbone.device)


def _reading(
    prepared: Prepared,
    stage: Training,
    shape: Shape,
    module: PromptModule,
    notes: Any,
    clock: Callable[[], float],
) -> float:
    """FLOP/s of dev losses, of up to eight tasks."""
    some = list(range(min(8, len(stage.tasks))))
    items = [Item(row, k) for k in some for row in stage.tasks[k].rows["dev"]]
    device = prepared.backbone.device.type
    best = 0.0
    for _ in range(2):
        started = clock()
        with torch.no_grad():
            fixed = [stage.tasks[k].fixed for k in some]
            before = prefix_of(prepared.backbone, module.prompts(some), fixed, notes)
            row_losses(prepared.backbone, before, items, microbatch_tokens=stage.microbatch)
        _wait(device)
        best = max(best, forward(shape, stage.dev[0]) / (clock() - started))
    return best


class _Asked:
    """Steps of a stage as `training.loop` makes them, up to the update.

    Teachers, if there are any, are the prompts' start: their answers cost what trained ones do.
    """

    def __init__(
        self, prepared: Prepared, stage: Training, module: PromptModule, notes: Any
    ) -> None:
        self.backbone, self.stage, self.module, self.notes = prepared.backbone, stage, module, notes
        groups = [{"params": own} for own in module.groups().values()]
        self.optimizer = torch.optim.AdamW(groups, lr=0.0)
        self.teachers: Any = None
        self.distillation: Distillation | None = None
        if stage.distil is not None:
            self.distillation = Distillation(stage.distil.weight, stage.distil.temperature)
            with torch.no_grad():
                every = list(range(len(stage.tasks)))
                fixed = [task.fixed for task in stage.tasks]
                self.teachers = prefix_of(self.backbone, module.prompts(every), fixed, notes)

    def ready(self, number: int) -> Callable[[], None]:
        """One step, which computes losses and gradients and makes an update of rate zero.

        Cached answers of teachers are made ready here: a stage computes them before its first step.
        """
        draws = self.stage.sampler[number]
        tasks = [draw.task for draw in draws]
        items = [
            Item(self.stage.tasks[draw.task].rows["train"][i], slot)
            for slot, draw in enumerate(draws)
            for i in draw.examples
        ]
        fixed = [self.stage.tasks[k].fixed for k in tasks]
        teachers = None if self.teachers is None else self.teachers.select(tasks)
        cached: dict[tuple[int, str], Tensor] | None = None
        if self.stage.cached and teachers is not None:
            cached = {(item.slot, item.row.id): self._answer(teachers, item) for item in items}
            teachers = None

        def step() -> None:
            before = prefix_of(self.backbone, self.module.prompts(tasks), fixed, self.notes)
            run_step(
                self.backbone,
                before,
                items,
                microbatch_tokens=self.stage.microbatch,
                distillation=self.distillation,
                teachers=teachers,
                cached=cached,
            )
            self.module.clip(1.0)
            self.optimizer.step()
            self.optimizer.zero_grad(set_to_none=True)

        return step

    @torch.no_grad()
    def _answer(self, teachers: Any, item: Item) -> Tensor:
        states: Tensor = states_of(self.backbone, teachers, [item])[0]
        return states
