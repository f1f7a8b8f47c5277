"""The fittings and answers of a comparison: how many there are of each, and what one is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from clinprompt import verbalize
from clinprompt.backbone.template import Placement
from clinprompt.experiments.compare.cell import Shots
from clinprompt.experiments.compare.methods import Entry
from clinprompt.experiments.compare.methods.fine_tuning import FineTuning
from clinprompt.experiments.compare.methods.lora import Lora
from clinprompt.experiments.compare.methods.prompts import Grouped, _Prompts
from clinprompt.experiments.compare.methods.untrained import InContext
from clinprompt.experiments.compare.methods.weights import Trained
from clinprompt.experiments.compare.plan import Plan, Unit
from clinprompt.experiments.compare.recipe import CompareRecipe, NamedBackbone
from clinprompt.experiments.plan.memory import SIZES
from clinprompt.experiments.plan.rows import Rows, TestRow
from clinprompt.experiments.plan.shapes import Shape, lora_parameters
from clinprompt.experiments.plan.stages import (
    Answering,
    Training,
    adapt_training,
    answering,
    weights_training,
)
from clinprompt.inference.limits import LIMITS
from clinprompt.tasks.card import Card
from clinprompt.training.settings import AdaptRecipe, AdaptSettings, Optimiser, judged_by

FLOAT32 = 4
RowsAt = Callable[[Placement], Rows]  # rows as they are written for a placement


def fittings(plan: Plan, backbone: NamedBackbone) -> dict[tuple[str, str, Shots], int]:
    """How often something is trained on a backbone: (method, first target, shots) -> times.

    A fitting that rates are chosen on runs once for every entry of the grid, any other once.
    """
    units = {cell.unit.ids[0]: cell.unit for cell in plan.cells if cell.unit.backbone == backbone}
    tried = {
        other.ids[0]
        for cell in plan.cells
        if cell.unit.backbone == backbone
        for other in cell.tuned_on
    }
    found: dict[tuple[str, str, Shots], int] = {}
    for name, unit in units.items():
        if unit.shots == 0 or not unit.entry.method.groups:
            continue
        key = (unit.entry.id, unit.name, unit.shots)
        tries = len(unit.entry.settings.rates) if name in tried else 1
        found[key] = found.get(key, 0) + tries
    return found


def trainings(
    plan: Plan,
    backbone: NamedBackbone,
    shape: Shape,
    rows_at: RowsAt,
    microbatch: int,
    dtype: str,
) -> list[Training]:
    """One stage for every method, group of targets and shots; seeds and tries repeat it."""
    found, counts = [], fittings(plan, backbone)
    units: dict[tuple[str, str, Shots], Unit] = {}
    for cell in plan.cells:
        if cell.unit.backbone == backbone:
            units.setdefault((cell.unit.entry.id, cell.unit.name, cell.unit.shots), cell.unit)
    for key, unit in units.items():
        if key not in counts:
            continue
        stage = _training(plan, unit, shape, rows_at, microbatch, dtype)
        stage.repeats, stage.group = counts[key], f"{unit.entry.id}, {unit.shots} shots"
        found.append(stage)
    return found


def _training(
    plan: Plan, unit: Unit, shape: Shape, rows_at: RowsAt, microbatch: int, dtype: str
) -> Training:
    recipe, entry = plan.recipe, unit.entry
    method, settings = entry.method, entry.settings
    place = placement_of(plan, unit)
    rows = rows_at(place)
    name = f"{entry.id}: {unit.name}, {unit.shots} shots"
    shots = None if unit.shots == "full" else unit.shots
    steps = plan.steps(unit.shots)
    every = max(1, -(-steps // recipe.training.evaluations))
    count = recipe.training.rows * len(unit.cards)
    if isinstance(method, _Prompts):
        fresh = not method.needs_metaprompt
        source = plan.source(unit)
        depth = getattr(settings, "depth", None) or recipe.prompt.depth if fresh else source.depth
        shaped = {"length": length_of(plan, unit), "depth": depth, "placement": place}
        prompt = recipe.prompt.model_copy(update=shaped)
        adapt = AdaptRecipe(
            seed=unit.seed,
            prompt=prompt,
            data=recipe.data,
            adapt=AdaptSettings(
                steps=steps,
                rows=count,
                evaluate_every=every,
                **method._adapt(settings),
            ),
        )
        stage = adapt_training(
            adapt,
            unit.cards,
            shape,
            rows,
            microbatch,
            fresh=fresh,
            shots=shots,
            sources=len(source.tasks),
            name=name,
        )
        if isinstance(method, Grouped):
            stage.stored = stage.trainable * FLOAT32
        return stage
    if not isinstance(method, Lora | FineTuning):
        raise TypeError(f"no plan for method {method.name}")
    tasks = [
        rows.task(card, recipe.data, 0, unit.seed, shots=shots, suite=None) for card in unit.cards
    ]
    if place == "after":
        tasks = [task.whole() for task in tasks]
    optimiser = Optimiser(steps=steps, rows=count, evaluate_every=every)
    if isinstance(method, Lora):
        given: Any = settings  # a LoRA method's own
        trainable = lora_parameters(shape, given.rank, given.layers)
        stage = weights_training(
            name, "lora", trainable, tasks, optimiser, unit.seed, microbatch, trainable * FLOAT32
        )
    else:
        stage = weights_training(
            name,
            "full",
            shape.parameters,
            tasks,
            optimiser,
            unit.seed,
            microbatch,
            shape.parameters * SIZES[dtype],
        )
    own: Any = settings  # the method's own
    stage.module = partial(method.at_work, settings=own, seed=unit.seed)
    return stage


def placement_of(plan: Plan, unit: Unit) -> Placement:
    """Where a method's prompt, or bare instruction, stands."""
    entry = unit.entry
    if isinstance(entry.method, Trained):
        given: Placement = entry.settings.place  # type: ignore[attr-defined]
        return given
    if not isinstance(entry.method, _Prompts):
        return "before"
    if entry.method.needs_metaprompt:
        return plan.source(unit).placement
    return getattr(entry.settings, "placement", None) or plan.recipe.prompt.placement


def length_of(plan: Plan, unit: Unit) -> int:
    """P of a method's prompt, 0 where it has none."""
    entry = unit.entry
    if not isinstance(entry.method, _Prompts):
        return 0
    return entry.method.context_tokens(entry.settings, plan.recipe, plan.source(unit).length)


def answerings(plan: Plan, backbone: NamedBackbone, rows_at: RowsAt) -> list[Answering]:
    """One stage for every method, target and number of shots."""
    found: dict[tuple[str, str, Shots], Answering] = {}
    for cell in plan.cells:
        unit = cell.unit
        if unit.backbone != backbone:
            continue
        key = (unit.entry.id, cell.card.name, unit.shots)
        if key in found:
            found[key].repeats += 1
            continue
        place = placement_of(plan, unit)
        found[key] = _answering(plan, unit, cell.card, rows_at(place))
        if place == "after":  # prompt and instruction are read behind every text
            found[key].read_again()
    return list(found.values())


def _answering(plan: Plan, unit: Unit, card: Card, rows: Rows) -> Answering:
    recipe, entry = plan.recipe, unit.entry
    evaluation = recipe.evaluation
    stage = answering(
        f"answers of {entry.id}: {card.name}, {unit.shots} shots",
        card,
        rows,
        length_of(plan, unit),
        limit=evaluation.examples,
        most_input=evaluation.max_input,
    )
    stage.group = "answers"
    if evaluation.dev_examples:
        stage.rows = stage.rows + rows.test(card, evaluation.dev_examples, "dev")
    if isinstance(entry.method, InContext):
        stage.prefix += shown_tokens(recipe, entry, card, unit, rows)
    if not entry.method.groups or unit.shots == 0:
        stage.rows = [_to_the_limit(row, card, evaluation.max_new) for row in stage.rows]
    return stage


def judgings(plan: Plan, backbone: NamedBackbone, rows_at: RowsAt) -> list[Answering]:
    """Answers on dev that choose states: before the first step, and after some of them.

    Before it, an untrained prompt or backbone is answered with, which seldom ends where it should.
    """
    recipe = plan.recipe
    units = {
        (cell.unit.entry.id, cell.unit.name, cell.unit.shots): cell.unit
        for cell in plan.cells
        if cell.unit.backbone == backbone
    }
    found = []
    for key, times in fittings(plan, backbone).items():
        unit = units[key]
        if judged_by(recipe.training.select, unit.cards) == "loss":
            continue
        steps = plan.steps(unit.shots)
        every = max(1, -(-steps // recipe.training.evaluations))
        place = placement_of(plan, unit)
        for card in unit.cards:
            later = answering(
                f"dev answers of {unit.entry.id}: {card.name}, {unit.shots} shots",
                card,
                rows_at(place),
                length_of(plan, unit),
                limit=recipe.data.dev_examples,
                most_input=recipe.evaluation.max_input,
                split="dev",
            )
            later.group, later.repeats = "dev answers", times * -(-steps // every)
            if place == "after":
                later.read_again()
            rows = [_to_the_limit(row, card, recipe.evaluation.max_new) for row in later.rows]
            found += [later, replace(later, rows=rows, repeats=times)]
    return found


def _to_the_limit(row: TestRow, card: Card, max_new: int | None) -> TestRow:
    """An untrained backbone seldom ends an open answer where it should."""
    if card.closed:
        return row
    limit = LIMITS[card.form].of(row.input) if max_new is None else max_new
    return TestRow(row.input, row.options, limit)


def shown_tokens(recipe: CompareRecipe, entry: Entry, card: Card, unit: Unit, rows: Rows) -> int:
    """Tokens of the examples in the context, as many as fit."""
    settings: Any = entry.settings
    shots = None if unit.shots == "full" else unit.shots
    task = rows.task(card, recipe.data, 0, unit.seed, shots=shots)
    evaluation, context = recipe.evaluation, rows.shape.context
    fixed = len(rows.codec.fixed(verbalize.instruction(card)))
    room = context - fixed - (evaluation.max_input or context // 2) - (evaluation.max_new or 256)
    room = room if settings.max_tokens is None else min(room, settings.max_tokens)
    total = 0
    for row in task.rows["train"][: settings.k or 64]:
        own = len(row.input) + len(row.answer)
        if total + own > room:
            break
        total += own
    return total
