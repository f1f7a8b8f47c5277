"""The stages of a recipe as they will run: which rows in which steps, and what is trained."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from clinprompt import verbalize
from clinprompt.backbone.model import Backbone
from clinprompt.backbone.template import Depth
from clinprompt.experiments.plan.rows import Rows, TestRow
from clinprompt.experiments.plan.shapes import Shape, lora_parameters
from clinprompt.experiments.plan.work import (
    Method,
    Step,
    dev_steps,
    forward,
    shaped,
    stage_steps,
)
from clinprompt.tasks.card import Card, Split
from clinprompt.tasks.suite import Suite
from clinprompt.training.batch import Item
from clinprompt.training.data import TokenTask
from clinprompt.training.lineage import wants_teachers
from clinprompt.training.lora import adapters
from clinprompt.training.modules import PromptModule
from clinprompt.training.prepare import require_distinct
from clinprompt.training.sampler import Sampler, mixing_weights
from clinprompt.training.settings import (
    AdaptRecipe,
    DistilSettings,
    LoraShape,
    Optimiser,
    PromptSettings,
    Recipe,
)
from clinprompt.training.source import source_cards, wants_cache

FLOAT32 = 4
Kind = Literal["table", "decomposed", "vectors", "weights"]
_NEAREST_ROWS = 32  # as `training.adapt` looks at
# What is trained of a metaprompt; with nothing of it, an update of the layers behind it.
_TRAINED: dict[str, Kind] = {"all": "decomposed", "vectors": "vectors", "none": "weights"}
_TITLES = {"table": "prompt tuning", "decomposed": "adapt", "vectors": "adapt vectors"}


def evaluations(settings: Optimiser) -> int:
    """Rounds on dev of a training: the start, every so many steps, and the end."""
    return 1 + math.ceil(settings.last / settings.evaluate_every)


@dataclass
class Training:
    """A stage that trains something.

    Attributes:
        kind: what is trained: plain prompts; P* with task vectors; vectors alone; weights alone.
        method: how gradients flow.
        tasks: with train and dev rows.
        length: P; 0 where there is no prompt.
        rank: R.
        trainable: trained parameters.
        adapters: parameters of LoRA.
        stored: bytes of what is kept in the end.
        once: FLOPs of forward passes before the first step.
        distil: the distillation's settings, where teachers are asked in every step or cached.
        cached: answer tokens whose teacher states are kept.
        shapes: shapes of the steps that were looked at, by step.
        dev: shapes of one round of dev losses.
        repeats: how often the stage runs (tries of learning rates, seeds).
        group: stages that a table shows as one; empty: alone.
        prompt: what its prompts are like; None where there are none.
        module: puts what is trained to work in the backbone, where that is weights.
    """

    name: str
    kind: Kind
    method: Method
    tasks: list[TokenTask]
    sampler: Sampler
    settings: Optimiser
    length: int
    rank: int
    trainable: int
    stored: int
    microbatch: int
    adapters: int = 0
    once: float = 0.0
    distil: DistilSettings | None = None
    cached: int = 0
    repeats: int = 1
    group: str = ""
    prompt: PromptSettings | None = None
    module: Callable[[Backbone], AbstractContextManager[PromptModule]] | None = None
    shapes: dict[int, Step] = field(default_factory=dict)
    dev: list[Step] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.resize(self.microbatch)

    def resize(self, microbatch: int) -> None:
        """Take micro-batches of so many tokens."""
        self.microbatch = microbatch
        self.shapes = stage_steps(self.sampler, self.tasks, self.length, microbatch)
        self.dev = dev_steps(self.tasks, self.length, microbatch)

    @property
    def evaluations(self) -> int:
        """Rounds of dev losses."""
        return evaluations(self.settings)

    @property
    def same_pass(self) -> bool:
        """Whether teachers answer in every step."""
        return self.distil is not None and not self.cached

    @property
    def teacher_prefix(self) -> int:
        """S of the teachers' prefixes that are held; 0 without."""
        if self.distil is None or any(one.notes for one in self.shapes.values()):
            return 0
        return self.length + max(len(task.fixed) for task in self.tasks)


@dataclass
class Answering:
    """A stage that answers test examples.

    Attributes:
        prefix: tokens of prompt and instruction, computed once.
        group: as of `Training`.
    """

    name: str
    card: Card
    rows: list[TestRow]
    prefix: int
    repeats: int = 1
    group: str = ""

    def read_again(self) -> None:
        """Count the prefix with every row, where it stands behind the text."""
        self.rows = [TestRow(r.input + self.prefix, r.options, r.answer) for r in self.rows]
        self.prefix = 0


def width(shape: Shape, depth: Depth) -> int:
    """Numbers of one position of a prompt: H, or 2 N G D of keys and values of all layers."""
    if depth == "input":
        return shape.hidden
    return 2 * shape.layers * shape.kv_heads * shape.head_dim


def prompt_numbers(shape: Shape, prompt: PromptSettings, tasks: int) -> int:
    """P* and the vectors of some tasks."""
    size, length = width(shape, prompt.depth), prompt.length
    return length * size + tasks * prompt.rank * (length + size)


def source_trainings(recipe: Recipe, shape: Shape, rows: Rows, microbatch: int) -> list[Training]:
    """Teachers and distillation, as `training.source` sets them up.

    Raises:
        ClinpromptError: what `source_cards`, loading and tokenising raise.
    """
    cards, suite = source_cards(recipe)
    length, rank = recipe.prompt.length, recipe.prompt.rank
    tasks = [rows.task(card, recipe.data, length, recipe.seed, suite=suite) for card in cards]
    sizes = [len(task.rows["train"]) for task in tasks]
    found = []
    single = length * width(shape, recipe.prompt.depth)
    plain = len(tasks) * single
    teaching, distil = recipe.teachers, recipe.distil
    taught = wants_teachers(recipe)
    if taught and recipe.teachers_from is None:
        sampler = Sampler(
            sizes,
            steps=teaching.steps,
            rows=teaching.rows,
            seed=recipe.seed,
            per_step=teaching.tasks_per_step,
        )
        found.append(
            Training(
                "teachers",
                "table",
                "prompt",
                tasks,
                sampler,
                teaching,
                length,
                rank,
                plain,
                plain * FLOAT32,
                microbatch,
                prompt=recipe.prompt,
            )
        )
    sampler = Sampler(
        sizes,
        steps=distil.steps,
        rows=distil.rows,
        seed=recipe.seed + 1,
        kappa=distil.kappa if distil.stochastic else None,
        per_step=distil.kappa,
        weights=mixing_weights(
            sizes, distil.mixing, cap=distil.mixing_cap, temperature=distil.mixing_temperature
        ),
    )
    whole = prompt_numbers(shape, recipe.prompt, len(tasks))
    trainable = whole if distil.decomposition else single
    stage = Training(
        "distil",
        "decomposed",
        "prompt",
        tasks,
        sampler,
        distil,
        length,
        rank,
        trainable,
        whole * FLOAT32,
        microbatch,
        prompt=recipe.prompt,
    )
    if taught and distil.weight > 0:
        stage.distil = distil
        some = next(iter(stage.shapes.values()))
        stage.once = forward(shape, Step(len(tasks), stage.teacher_prefix or some.prefix, 0, ()))
        if wants_cache(distil, sampler):
            _cache(stage, shape)
    return [*found, stage]


def _cache(stage: Training, shape: Shape) -> None:
    """Teachers answer every example that will be drawn once, before the first step."""
    for slot, (task, drawn) in enumerate(
        zip(stage.tasks, stage.sampler.drawn.tolist(), strict=True)
    ):
        rows = task.rows["train"]
        unique = min(drawn, len(rows))
        if not unique:
            continue
        stage.cached += round(unique * sum(len(row.answer) for row in rows) / len(rows))
        # Rows are drawn at random; some of them stand for all.
        some = rows[:: max(1, len(rows) // 64)]
        step = shaped(
            [Item(row, slot) for row in some], stage.tasks, stage.length, stage.microbatch
        )
        stage.once += forward(shape, step, prefix=False, head=False) * unique / len(some)


def adapt_training(
    recipe: AdaptRecipe,
    cards: Sequence[Card],
    shape: Shape,
    rows: Rows,
    microbatch: int,
    *,
    fresh: bool,
    shots: int | None,
    sources: int = 21,
    suite: Suite | None = None,
    name: str | None = None,
) -> Training:
    """Target adaptation of one task or a group, or plain prompt tuning, as `training.adapt`.

    Args:
        fresh: plain prompt tuning.
        sources: source tasks of the metaprompt, where the start is chosen among them.

    Raises:
        ClinpromptError: CP-TRAIN-081 a task named twice; what loading and tokenising raise.
    """
    require_distinct(cards)
    settings, length, rank = recipe.adapt, recipe.prompt.length, recipe.prompt.rank
    tasks = [
        rows.task(card, recipe.data, length, recipe.seed, shots=shots, suite=suite)
        for card in cards
    ]
    sampler = Sampler(
        [len(task.rows["train"]) for task in tasks],
        steps=settings.steps,
        rows=settings.rows,
        seed=recipe.seed,
    )
    lora = settings.lora
    one = length * width(shape, recipe.prompt.depth)
    whole = prompt_numbers(shape, recipe.prompt, len(tasks))
    kind: Kind = "table" if fresh else _TRAINED[settings.trainable]
    counts = {"table": len(tasks) * one, "decomposed": whole, "vectors": whole - one, "weights": 0}
    update = 0 if lora is None else lora_parameters(shape, lora.rank, lora.layers)
    trainable = counts[kind] + update
    what = "adapt lora" if lora is not None else _TITLES[kind]
    stage = Training(
        name or f"{what}: {', '.join(card.name for card in cards)}, {_many(shots)}",
        kind,
        "prompt" if lora is None else "lora",
        tasks,
        sampler,
        settings,
        length,
        rank,
        trainable,
        trainable * FLOAT32,
        microbatch,
        adapters=update,
        prompt=recipe.prompt,
    )
    if lora is not None:
        stage.module = partial(_adapters, shape=lora, seed=recipe.seed)
    if not fresh and settings.init in ("nearest", "dev"):
        stage.once = sum(_choice(task, shape, stage, sources) for task in tasks)
    return stage


def _many(shots: int | None) -> str:
    return f"{'all' if shots is None else shots} shots"


def _adapters(
    backbone: Backbone, shape: LoraShape, seed: int
) -> AbstractContextManager[PromptModule]:
    return adapters(backbone, shape.rank, shape.alpha, shape.layers, seed)


def _choice(task: TokenTask, shape: Shape, stage: Training, sources: int) -> float:
    """Forward passes that choose where a target's task vectors start."""
    items = [Item(row, 0) for row in task.rows["train"][:_NEAREST_ROWS]]
    return sources * forward(shape, shaped(items, [task], stage.length, stage.microbatch))


def weights_training(
    name: str,
    method: Literal["lora", "full"],
    trainable: int,
    tasks: list[TokenTask],
    settings: Optimiser,
    seed: int,
    microbatch: int,
    stored: int,
) -> Training:
    """LoRA or full fine-tuning on the same rows behind the instruction."""
    sampler = Sampler(
        [len(task.rows["train"]) for task in tasks],
        steps=settings.steps,
        rows=settings.rows,
        seed=seed,
    )
    stage = Training(
        name, "weights", method, tasks, sampler, settings, 0, 1, trainable, stored, microbatch
    )
    stage.adapters = trainable if method == "lora" else 0
    return stage


def answering(
    name: str,
    card: Card,
    rows: Rows,
    length: int,
    *,
    limit: int | None = None,
    most_input: int | None = None,
    split: Split = "test",
    suite: Suite | None = None,
) -> Answering:
    """Answering a task's examples behind a prompt of so many tokens."""
    found = rows.test(card, limit, split, suite=suite)
    if most_input is not None:
        found = [TestRow(min(r.input, most_input), r.options, r.answer) for r in found]
    fixed = rows.codec.fixed(verbalize.instruction(card))
    return Answering(name, card, found, length + len(fixed))
