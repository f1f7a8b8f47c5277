"""What steps and evaluations have to compute: their shapes, and the FLOPs of those.

One multiply-add is two FLOPs. A forward pass takes 2 for each weight of the layers' matrices and
token; gradients of activations take 2 more; gradients of weights, which only full fine-tuning
needs, another 2 (Kaplan et al., 2020, appendix B). Scores of attention and the output head, which
runs at answer positions only, are counted apart.

Where the prompt stands after the text, rows stand behind their notes instead of behind their task's
prefix: notes are read without gradients, prompt and instruction once a row.

Shapes: T tasks of a step, S longest prefix, B rows of a micro-batch, L its columns, A its answer
tokens.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from clinprompt.experiments.plan.rows import TestRow
from clinprompt.experiments.plan.shapes import Shape
from clinprompt.training.batch import Item, microbatches
from clinprompt.training.data import TokenTask
from clinprompt.training.sampler import Sampler

Method = Literal["prompt", "lora", "full", "none"]
LOOKED_AT = 48  # steps of a long stage that stand for all of them


@dataclass(frozen=True)
class Pass:
    """One micro-batch: B rows of L columns, A answer tokens, and the real text among them."""

    rows: int
    columns: int
    answers: int
    text: int

    @property
    def tokens(self) -> int:
        """B * L."""
        return self.rows * self.columns


@dataclass(frozen=True)
class Step:
    """One step.

    Attributes:
        tasks: T prefixes that are differentiated; 0 where prompts stand after the text.
        prefix: S, columns that rows attend to besides their own.
        prompt: real tokens of prompts and instructions.
        passes: the micro-batches.
        notes: tokens that are read without gradients in front of the prompts.
    """

    tasks: int
    prefix: int
    prompt: int
    passes: tuple[Pass, ...]
    notes: int = 0

    @property
    def text(self) -> int:
        """Real tokens of the rows."""
        return sum(one.text for one in self.passes)

    @property
    def padding(self) -> int:
        """Columns of the rows that hold nothing."""
        return sum(one.tokens - one.text for one in self.passes)

    @property
    def answers(self) -> int:
        """Answer tokens."""
        return sum(one.answers for one in self.passes)


def shaped(
    items: Sequence[Item], tasks: Sequence[TokenTask], length: int, microbatch_tokens: int
) -> Step:
    """The shape of a step over `items`, whose slots count `tasks`.

    Args:
        length: P of the prompt; 0 where there is none.
    """
    fronts = [length + len(task.fixed) for task in tasks]
    after = any(item.row.shared for item in items)
    passes, prompt, notes = [], sum(fronts), 0
    if after:
        prompt = sum(fronts[item.slot] for item in items)
        notes = sum(item.row.shared for item in items)
    for batch in microbatches(items, microbatch_tokens):
        more = [fronts[i.slot] - i.row.shared if after else 0 for i in batch]
        lengths = [item.row.length + extra for item, extra in zip(batch, more, strict=True)]
        answers = sum(len(item.row.answer) for item in batch)
        passes.append(Pass(len(batch), max(lengths), answers, sum(lengths)))
    if after:
        longest = max(item.row.shared for item in items)
        return Step(0, longest, prompt, tuple(passes), notes)
    return Step(len(tasks), max(fronts), prompt, tuple(passes))


def spread(steps: int, most: int = LOOKED_AT) -> list[int]:
    """At most `most` steps, evenly over a stage."""
    if steps <= most:
        return list(range(steps))
    return sorted({k * steps // most for k in range(most)})


def stage_steps(
    sampler: Sampler, tasks: Sequence[TokenTask], length: int, microbatch_tokens: int
) -> dict[int, Step]:
    """Shapes of a stage's steps (a sample of them where there are many), by step."""
    found = {}
    for step in spread(sampler.steps):
        draws = sampler[step]
        items = [
            Item(tasks[draw.task].rows["train"][i], slot)
            for slot, draw in enumerate(draws)
            for i in draw.examples
        ]
        own = [tasks[draw.task] for draw in draws]
        found[step] = shaped(items, own, length, microbatch_tokens)
    return found


def dev_steps(tasks: Sequence[TokenTask], length: int, microbatch_tokens: int) -> list[Step]:
    """Shapes of one round of dev losses: eight tasks at a time, as `training.loop` does it."""
    found = []
    for first in range(0, len(tasks), 8):
        some = tasks[first : first + 8]
        items = [Item(row, slot) for slot, task in enumerate(some) for row in task.rows["dev"]]
        if items:
            found.append(shaped(items, some, length, microbatch_tokens))
    return found


# ---- FLOPs -------------------------------------------------------------------------------------
def layers_forward(shape: Shape, tokens: int) -> float:
    """The layers' matrices."""
    return 2.0 * shape.body * tokens


def scores_forward(shape: Shape, rows: int, queries: int, keys: int) -> float:
    """Attention: scores, and values summed by them. Masked keys are computed as well."""
    return 4.0 * shape.layers * shape.heads * shape.head_dim * rows * queries * keys


def head_forward(shape: Shape, answers: int) -> float:
    """The output head."""
    return 2.0 * shape.hidden * shape.vocabulary * answers


def notes_forward(shape: Shape, step: Step) -> float:
    """Notes in front of prompts; all are counted, though some may be kept from earlier steps."""
    return layers_forward(shape, step.notes) + scores_forward(shape, 1, step.notes, step.prefix)


def forward(shape: Shape, step: Step, *, prefix: bool = True, head: bool = True) -> float:
    """FLOPs of a step without gradients."""
    total = notes_forward(shape, step)
    if prefix:
        tokens = step.tasks * step.prefix
        total += layers_forward(shape, tokens)
        total += scores_forward(shape, step.tasks, step.prefix, step.prefix)
    for one in step.passes:
        total += layers_forward(shape, one.tokens)
        total += scores_forward(shape, one.rows, one.columns, step.prefix + one.columns)
        if head:
            total += head_forward(shape, one.answers)
    return total


def training(shape: Shape, step: Step, method: Method = "prompt", adapters: int = 0) -> float:
    """FLOPs of a step with gradients: 4 a weight and token for prompts and LoRA, 6 for all weights.

    Attention's backward pass takes twice its forward pass, whatever is trained.

    Args:
        adapters: parameters of LoRA, which have gradients of weights too.
    """
    tokens = step.tasks * step.prefix + sum(one.tokens for one in step.passes)
    scores = scores_forward(shape, step.tasks, step.prefix, step.prefix) + sum(
        scores_forward(shape, one.rows, one.columns, step.prefix + one.columns)
        for one in step.passes
    )
    factor = 3.0 if method == "full" else 2.0
    heads = head_forward(shape, step.answers)
    return (
        notes_forward(shape, step)
        + factor * (layers_forward(shape, tokens) + heads)
        + 3.0 * scores
        + 6.0 * adapters * tokens
    )


def evaluation_forward(shape: Shape, rows: Iterable[TestRow], prefix: int) -> float:
    """FLOPs of answering rows behind a kept prefix of so many tokens."""
    total = 0.0
    for row in rows:
        tokens = row.input + row.options + row.answer
        total += layers_forward(shape, tokens)
        total += scores_forward(shape, 1, tokens, prefix + row.input + row.options)
        total += head_forward(shape, row.options or row.answer)
    return total
