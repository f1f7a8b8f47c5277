"""Source training: teachers, then distillation with decomposition, then the artefact."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from clinprompt.artifacts.meta import Parents
from clinprompt.artifacts.prompt_set import PromptSet
from clinprompt.backbone.after import Behind, Notes
from clinprompt.backbone.engine import Prefix
from clinprompt.errors import ClinpromptError
from clinprompt.tasks import catalogue
from clinprompt.tasks.card import Card
from clinprompt.tasks.suite import Suite, find_suite
from clinprompt.training.batch import (
    Distillation,
    Item,
    microbatches,
    notes_for,
    prefix_of,
    states_of,
)
from clinprompt.training.data import TokenTask, thin_empty
from clinprompt.training.lineage import (
    beginning,
    given_metaprompt,
    given_teachers,
    outcome_of,
    wants_teachers,
)
from clinprompt.training.loop import Outcome, Stage, run
from clinprompt.training.microbatch import sized
from clinprompt.training.modules import Decomposed, PromptTable
from clinprompt.training.prepare import (
    Prepared,
    identity_of,
    initial_prompts,
    prepare_tasks,
    require_distinct,
    too_long,
    training_splits,
    unit_of,
)
from clinprompt.training.progress import Progress
from clinprompt.training.result import described
from clinprompt.training.sampler import Sampler, mixing_weights
from clinprompt.training.settings import DistilSettings, Recipe
from clinprompt.training.tracking import require, tracked
from clinprompt.training.workspace import clear_checkpoints, occupied, work_folder, workspace

_MEMORISED = 1.1  # times its lowest dev loss; below that it may be chance


def source_cards(recipe: Recipe) -> tuple[list[Card], Suite | None]:
    """The recipe's source tasks.

    Raises:
        ClinpromptError: CP-TRAIN-050 if it names neither a suite nor sources, or fewer than two;
            CP-TRAIN-081 if one of them twice.
    """
    suite = find_suite(recipe.suite) if recipe.suite else None
    cards = [catalogue.find(name) for name in recipe.sources]
    if not cards and suite is not None:
        cards = list(suite.sources)
    if len(cards) < 2:
        raise ClinpromptError(
            "CP-TRAIN-050",
            f"{len(cards)} source tasks; a metaprompt needs at least two",
            hint="name a suite, or tasks under 'sources'",
        )
    require_distinct(cards)
    return cards, suite


def train_source(
    recipe: Recipe,
    data_root: Path | None,
    out: Path,
    *,
    prepared: Prepared | None = None,
    progress: Progress | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> PromptSet:
    """Run a recipe to its metaprompt; goes on where an earlier run of the same recipe stopped.

    Args:
        out: folder of the finished artefact. Checkpoints, teachers and histories lie beside it in
            ``<out>.work``.
        prepared: a backbone that is loaded already.

    Returns:
        The metaprompt as saved at `out`.

    Raises:
        ClinpromptError: CP-TRAIN-051 `out` holds another run's result, CP-TRAIN-085 another
            process is at it, CP-TRAIN-150 a tracker is missing; what `source_cards`, loading,
            tokenising and training raise.
    """
    require(recipe.tracking)
    cards, suite = source_cards(recipe)
    placement = recipe.prompt.placement
    prepared = (prepared or Prepared.of(recipe.backbone)).placed(placement)
    progress = progress or Progress(prepared.backbone)
    splits = [
        training_splits(card, data_root, recipe.data, recipe.seed, suite=suite, say=progress.say)
        for card in cards
    ]
    tasks = prepare_tasks(prepared, cards, splits, recipe.data, recipe.prompt.length)
    for line in too_long(tasks):
        progress.say(line)
    if recipe.data.most_empty is not None:
        for task in tasks:
            thin_empty(prepared.codec, task, recipe.data.most_empty, recipe.seed)
            if task.thinned:
                progress.say(
                    f"{task.name}: {task.thinned['train']} training examples without any mention "
                    f"left out, {len(task.rows['train'])} kept (data.most_empty)"
                )
    given = given_teachers(recipe, prepared, cards)
    parent = given_metaprompt(recipe, prepared)
    inputs = recipe.model_dump()
    if given is not None:
        inputs |= {"teachers_from": given.digest, "teachers": None}
    if parent is not None:
        inputs["metaprompt_from"] = parent.digest
    identity = identity_of(prepared, inputs, tasks)
    # Teachers don't depend on how they are distilled: other settings of that find them again.
    teaching = {k: v for k, v in inputs.items() if k not in ("name", "distil", "metaprompt_from")}
    teaching_identity = identity_of(prepared, teaching, tasks)
    if occupied(out):
        finished = PromptSet.load(out)
        if finished.meta.metrics.get("run") == identity:
            progress.say(f"{out} is finished already")
            clear_checkpoints(work_folder(out))
            return finished
        raise ClinpromptError(
            "CP-TRAIN-051",
            "holds the result of a run with other settings, data or backbone",
            file=out,
            hint="choose another output folder",
        )

    notes = notes_for(prepared.backbone, placement, recipe.engine.notes_mb)
    with workspace(out) as work, tracked(recipe.tracking, out, recipe, progress):
        if given is None:
            teachers, teacher_outcome = _teach(
                recipe, prepared, tasks, work, teaching_identity, progress, should_stop, notes
            )
        else:
            teachers, teacher_outcome = given, outcome_of(given)
        start = beginning(recipe, prepared, tasks, teachers, parent)
        module, outcome = _distil(
            recipe, prepared, tasks, start, teachers, work, identity, progress, should_stop, notes
        )
        for line in memorised(outcome, {task.name: len(task.rows["train"]) for task in tasks}):
            progress.say(line)
        prompts = PromptSet(
            described(
                prepared,
                recipe,
                kind="metaprompt",
                cards=cards,
                tasks=tasks,
                length=recipe.prompt.length,
                rank=recipe.prompt.rank,
                metrics={
                    "run": identity,
                    "teachers": teacher_outcome.to_json(),
                    "distil": outcome.to_json(),
                },
                parents=Parents(
                    metaprompt=None if parent is None else parent.digest,
                    teachers=None if teachers is None else teachers.digest,
                ),
                trainable=module.trainable,
            ),
            {
                "shared": module.metaprompt.cpu(),
                "u": torch.stack([u.detach().cpu() for u in module.u]),
                "v": torch.stack([v.detach().cpu() for v in module.v]),
            },
        )
        prompts.save(out)
        clear_checkpoints(work)
    return prompts


def _teach(
    recipe: Recipe,
    prepared: Prepared,
    tasks: Sequence[TokenTask],
    work: Path,
    identity: str,
    progress: Progress,
    should_stop: Callable[[], bool],
    notes: Notes | None,
) -> tuple[PromptSet | None, Outcome]:
    """Teachers of all tasks, side by side; kept as an artefact of their own."""
    if not wants_teachers(recipe):
        return None, Outcome()
    settings, place = recipe.teachers, work / "teachers"
    if place.exists():
        kept = PromptSet.load(place)
        if kept.meta.metrics.get("run") == identity:
            return kept, outcome_of(kept)
    backbone = prepared.backbone
    unit, scale = unit_of(prepared, recipe.prompt.depth)
    start = initial_prompts(prepared, tasks, recipe.prompt, recipe.seed)
    module = PromptTable(start, unit).to(backbone.device)
    stage = Stage(
        name="teachers",
        module=module,
        tasks=tasks,
        rates={"shared": settings.rate * scale},
        sampler=Sampler(
            [len(task.rows["train"]) for task in tasks],
            steps=settings.steps,
            rows=settings.rows,
            seed=recipe.seed,
            per_step=settings.tasks_per_step,
        ),
        settings=settings,
        engine=recipe.engine,
        best_by_task=True,
        notes=notes,
    )
    outcome = run(backbone, stage, work, identity, progress, should_stop)
    teachers = PromptSet(
        described(
            prepared,
            recipe,
            kind="prompt-tuning",
            cards=[task.card for task in tasks],
            tasks=tasks,
            length=recipe.prompt.length,
            rank=None,
            metrics={"run": identity, "teachers": outcome.to_json()},
            trainable=module.trainable,
        ),
        {"prompts": module.prompts(range(len(tasks))).detach().cpu()},
    )
    teachers.save(place, overwrite=True)
    return teachers, outcome


def _distil(
    recipe: Recipe,
    prepared: Prepared,
    tasks: Sequence[TokenTask],
    start: tuple[Tensor, Tensor, Tensor],
    teachers: PromptSet | None,
    work: Path,
    identity: str,
    progress: Progress,
    should_stop: Callable[[], bool],
    notes: Notes | None,
) -> tuple[Decomposed, Outcome]:
    """The metaprompt and its task vectors, from P*, u and v of `start` (`lineage.beginning`)."""
    settings, backbone = recipe.distil, prepared.backbone
    shared, u, v = start
    unit, scale = unit_of(prepared, recipe.prompt.depth)
    module = Decomposed(
        shared.to(backbone.device),
        u,
        v,
        train_vectors=settings.decomposition,
        unit=unit,
    ).to(backbone.device)
    sizes = [len(task.rows["train"]) for task in tasks]
    sampler = Sampler(
        sizes,
        steps=settings.steps,
        rows=settings.rows,
        seed=recipe.seed + 1,
        kappa=settings.kappa if settings.stochastic else None,
        per_step=settings.kappa,
        weights=mixing_weights(
            sizes, settings.mixing, cap=settings.mixing_cap, temperature=settings.mixing_temperature
        ),
    )
    stage = Stage(
        name="distil",
        module=module,
        tasks=tasks,
        rates={
            "shared": settings.rate_shared * scale,
            "vectors": settings.rate_vectors,
        },
        sampler=sampler,
        settings=settings,
        engine=recipe.engine,
        notes=notes,
    )
    if teachers is not None and settings.weight > 0:  # at 0 the teachers only give the start
        soft = teachers.tensors["prompts"].to(backbone.device)
        with torch.no_grad():
            before = prefix_of(backbone, soft, [task.fixed for task in tasks], notes)
        stage.distillation = Distillation(settings.weight, settings.temperature)
        if wants_cache(settings, sampler):
            progress.say("distil: computing the teachers' answers once")
            stage.cached = teacher_answers(prepared, before, tasks, sampler, recipe)
        else:
            stage.teachers = before
    return module, run(backbone, stage, work, identity, progress, should_stop)


def memorised(outcome: Outcome, sizes: Mapping[str, int]) -> list[str]:
    """A line for every task that was clearly better before the state that was kept.

    One state serves all tasks, and small sets are learned by heart first
    (docs/experiments.md, section 18).
    """
    step = outcome.best_step.get("mean", 0)
    kept: dict[str, float] = next(
        (entry["dev"] for entry in outcome.history if entry["step"] == step), {}
    )
    found = []
    for name, loss in kept.items():
        points = [(e["dev"][name], e["step"]) for e in outcome.history if e["step"] <= step]
        lowest, best = min(points)
        if loss > _MEMORISED * lowest:
            found.append(
                f"distil: '{name}' ({sizes[name]} training examples) had dev loss {lowest:.2f} at "
                f"step {best} and has {loss:.2f} in the state that is kept; "
                "if its set is small, distil.mixing=sqrt draws it less often"
            )
    return found


def wants_cache(settings: DistilSettings, sampler: Sampler) -> bool:
    """Whether teacher answers are computed once: pays where examples come up more than once."""
    if settings.teacher_answers != "auto":
        return settings.teacher_answers == "cached"
    unique = sum(min(int(n), size) for n, size in zip(sampler.drawn, sampler.sizes, strict=True))
    return int(sampler.drawn.sum()) > 1.1 * unique


@torch.no_grad()
def teacher_answers(
    prepared: Prepared,
    before: Prefix | Behind,
    tasks: Sequence[TokenTask],
    sampler: Sampler,
    recipe: Recipe,
) -> dict[tuple[int, str], Tensor]:
    """Teachers' last hidden states [answer tokens, H] of every example the stage will draw.

    Both distillation terms follow from them (logits through the frozen head). Computed in a fixed
    order, so a resumed run gets the same bits.
    """
    drawn = {
        (d.task, i) for step in range(sampler.steps) for d in sampler[step] for i in d.examples
    }
    items = [Item(tasks[k].rows["train"][i], k) for k, i in sorted(drawn)]
    found = {}
    for batch in microbatches(items, sized(recipe.engine, prepared.backbone).tokens):
        states, _, _ = states_of(prepared.backbone, before, batch)
        parts = states.cpu().split([len(item.row.answer) for item in batch])
        found.update({(i.slot, i.row.id): p.clone() for i, p in zip(batch, parts, strict=True)})
    return found
