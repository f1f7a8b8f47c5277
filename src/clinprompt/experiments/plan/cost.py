"""From stages to figures: tokens, FLOPs, memory and seconds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from clinprompt.experiments.plan.machine import Machine
from clinprompt.experiments.plan.memory import SIZES, Memory, keyvalue_bytes, step_memory
from clinprompt.experiments.plan.rows import Rows
from clinprompt.experiments.plan.shapes import Shape
from clinprompt.experiments.plan.stages import Answering, Training
from clinprompt.experiments.plan.work import Step, evaluation_forward, forward, training

BATCH_TOKENS = {"cpu": 8_192, "cuda": 65_536}  # of the predictor


@dataclass(frozen=True)
class Measured:
    """What a few of a stage's own steps took.

    Attributes:
        training: FLOP/s with gradients.
        reading: FLOP/s without.
        peak: bytes; None where the system does not tell.
        steps: how many steps were timed.
        seconds: what that took.
        formula: what the formulas say of the peak; 0 where they were not asked.
    """

    training: float
    reading: float
    peak: float | None
    steps: int
    seconds: float
    formula: float = 0.0

    def elsewhere(self, formula: float) -> Measured:
        """For a stage that is like this one and was not run: as far off the formulas as this."""
        peak = self.peak * formula / self.formula if self.peak and self.formula else None
        return Measured(self.training, self.reading, peak, 0, 0.0, formula)


@dataclass(frozen=True)
class Writing:
    """How long a step of decoding takes, in seconds: `step` and `row` for each row in it."""

    step: float
    row: float

    def seconds(self, rounds: float, new: float) -> float:
        """So many steps that write so many tokens together."""
        return rounds * self.step + new * self.row


@dataclass(frozen=True)
class Cost:
    """One stage's figures.

    Attributes:
        trainable, share, stored: parameters, their share of the backbone's, bytes to keep.
        repeats: how often the stage runs; everything else is of one run.
        text, prompt, padding, answers: tokens over the stage.
        flops: of the stage; `forward` is the part without gradients.
        memory: at the worst moment.
        seconds: of one run.
        measured: what the figures rest on, if steps were run.
        rows_by: where lengths of rows come from, worst first.
        group: costs that a table shows as one.
        microbatch: tokens at once.
    """

    name: str
    trainable: int
    share: float
    stored: int
    repeats: int
    steps: int
    examples: int
    text: float
    prompt: float
    padding: float
    answers: float
    flops: float
    forward: float
    memory: Memory
    seconds: float
    measured: Measured | None = None
    rows_by: str = "tokens"
    group: str = ""
    microbatch: int = 0

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        found = {**vars(self), "memory": {**vars(self.memory), "total": self.memory.total}}
        found["measured"] = None if self.measured is None else vars(self.measured)
        return found


def training_cost(
    stage: Training,
    shape: Shape,
    machine: Machine,
    dtype: str,
    rows: Rows,
    measured: Measured | None = None,
) -> Cost:
    """A training stage's figures, from the steps that were looked at."""
    seen = list(stage.shapes.values())
    steps = stage.settings.last
    factor = steps / len(seen)
    with_gradients = factor * sum(
        training(shape, step, stage.method, stage.adapters) for step in seen
    )
    asked = factor * sum(forward(shape, step, prefix=False) for step in seen)
    dev = stage.evaluations * sum(forward(shape, step) for step in stage.dev)
    without = dev + stage.once + (asked if stage.same_pass else 0.0)
    memory = stage_memory(stage, shape, machine.device, dtype, seen)
    rates = machine.flops, machine.flops
    if measured is not None:
        rates = measured.training, measured.reading
        if measured.peak is not None:
            memory = memory.scaled(measured.peak + memory.teachers)
    return Cost(
        name=stage.name,
        trainable=stage.trainable,
        share=stage.trainable / shape.parameters,
        stored=stage.stored,
        repeats=stage.repeats,
        steps=steps,
        examples=steps * stage.settings.rows,
        text=factor * sum(step.text for step in seen),
        prompt=factor * sum(step.prompt for step in seen),
        padding=factor * sum(step.padding for step in seen),
        answers=factor * sum(step.answers for step in seen),
        flops=with_gradients + without,
        forward=without,
        memory=memory,
        seconds=with_gradients / rates[0] + without / rates[1],
        measured=measured,
        rows_by=_by(rows, [task.name for task in stage.tasks]),
        group=stage.group,
        microbatch=stage.microbatch,
    )


def stage_memory(
    stage: Training, shape: Shape, device: str, dtype: str, steps: Sequence[Step]
) -> Memory:
    """The formulas' memory of a stage."""
    return step_memory(
        shape,
        steps,
        trainable=stage.trainable,
        dtype=dtype,
        device=device,
        method=stage.method,
        teachers=len(stage.tasks) if stage.same_pass else 0,
        teacher_prefix=stage.teacher_prefix,
        cached_tokens=stage.cached,
    )


def answering_cost(
    stage: Answering,
    shape: Shape,
    machine: Machine,
    dtype: str,
    rows: Rows,
    reading: float | None = None,
    writing: Writing | None = None,
) -> Cost:
    """Reading is bound by arithmetic; writing token by token by memory, or by arithmetic where a
    batch is large.

    Args:
        reading: FLOP/s without gradients, where they were measured.
        writing: seconds of decoding, where they were.
    """
    rate = reading or machine.flops
    total = evaluation_forward(shape, stage.rows, stage.prefix)
    read = sum(row.input + row.options for row in stage.rows)
    new = sum(row.answer for row in stage.rows)
    size = SIZES[dtype]
    seconds = (
        evaluation_forward(
            shape, [type(r)(r.input, r.options, 0) for r in stage.rows], stage.prefix
        )
        / rate
    )
    each = [row.input + row.options + row.answer for row in stage.rows]
    at_once = max(1, BATCH_TOKENS[machine.device] // max(1, max(each, default=1)))
    if new:
        written = sorted(row.answer for row in stage.rows)
        longest = written[min(len(written) - 1, int(0.95 * len(written)))]
        batches = math.ceil(len(stage.rows) / at_once)
        # A token of a batch passes every expert of a mixture somewhere.
        weights = shape.parameters * size
        rounds = batches * longest
        if writing is None:
            seconds += max(rounds * weights / machine.bandwidth, 2.0 * shape.body * new / rate)
        else:
            seconds += writing.seconds(rounds, new)
    most = min(at_once, len(stage.rows))
    columns = stage.prefix + max(each, default=0)
    memory = Memory(
        weights=float(shape.parameters * size),
        rows=2 * keyvalue_bytes(shape, most * columns, size)
        + 8.0 * most * max(each, default=0) * (shape.inner + shape.hidden),
        runtime=550e6 if machine.device == "cpu" else 0.0,
    )
    return Cost(
        name=stage.name,
        trainable=0,
        share=0.0,
        stored=0,
        repeats=stage.repeats,
        steps=0,
        examples=len(stage.rows),
        text=float(read),
        prompt=float(stage.prefix),
        padding=0.0,
        answers=float(new),
        flops=total,
        forward=total,
        memory=memory,
        seconds=seconds,
        rows_by=_by(rows, [stage.card.name]),
        group=stage.group,
    )


def _by(rows: Rows, names: Sequence[str]) -> str:
    """The least certain source of the tasks' rows."""
    found = {rows.by.get(name, "tokens") for name in names}
    return next(one for one in ("assumed", "characters", "tokens") if one in found)
