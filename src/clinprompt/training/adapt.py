"""Target adaptation: a metaprompt fitted to new tasks; and plain prompt tuning, its baseline."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from clinprompt.artifacts.meta import Parents
from clinprompt.artifacts.prompt_set import PromptSet
from clinprompt.backbone.after import Notes
from clinprompt.errors import ClinpromptError
from clinprompt.examples import Example
from clinprompt.prompts import compose, mean_update
from clinprompt.tasks.card import Card
from clinprompt.tasks.resemblance import resemblances, shares
from clinprompt.tasks.suite import Suite
from clinprompt.training.batch import Item, notes_for, prefix_of, row_losses
from clinprompt.training.data import TokenTask
from clinprompt.training.loop import Judge, Outcome, Stage, run
from clinprompt.training.lora import Adapters, Joined, adapters, require_lora, shape_of
from clinprompt.training.microbatch import sized
from clinprompt.training.modules import Decomposed, PromptModule, PromptTable
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
from clinprompt.training.sampler import Sampler
from clinprompt.training.settings import AdaptRecipe, judged_by
from clinprompt.training.tracking import require, tracked
from clinprompt.training.workspace import clear_checkpoints, occupied, work_folder, workspace

# From the backbone, the tasks and their dev examples to what scores them.
Judging = Callable[[Prepared, Sequence[Card], Sequence[Sequence[Example]]], Judge]
_NEAREST_ROWS = 32  # examples that a start is chosen by


@dataclass(frozen=True)
class Start:
    """Where a target's task vectors begin, u [P, R] and v [R, H], and what they come from."""

    name: str
    u: Tensor
    v: Tensor


def adapt(
    recipe: AdaptRecipe,
    metaprompt: PromptSet | None,
    cards: Sequence[Card],
    data_root: Path | None,
    out: Path,
    *,
    shots: int | None = None,
    suite: Suite | None = None,
    splits: Sequence[Mapping[str, list[Example]]] | None = None,
    prepared: Prepared | None = None,
    progress: Progress | None = None,
    judging: Judging | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> PromptSet:
    """Fit prompts to one task, or to a group of tasks that share one P*.

    Args:
        metaprompt: what to start from; None is plain prompt tuning from sampled vocabulary, with
            the prompt length of `recipe.prompt`.
        shots: training examples of each task, nested over k; 0 writes the zero-shot prompt
            without training; None uses all.
        suite: a suite of one's own whose leakage list is heeded as well.
        splits: chosen training and dev examples of each task, instead of loading them.
        out: folder of the artefact; checkpoints lie in ``<out>.work`` until it is written.
        judging: makes what scores answers on dev (`inference.judging`), for
            ``adapt.select=metric`` and, with lists, ``by-form``.

    Returns:
        The prompts as saved at `out`.

    Raises:
        ClinpromptError: CP-TRAIN-060 zero shots without a metaprompt, CP-TRAIN-061 a start chosen
            by data with zero shots, CP-TRAIN-062 `out` holds another run's result, CP-TRAIN-080
            `metaprompt` has no task vectors, CP-TRAIN-081 a task named twice, CP-TRAIN-085 another
            process is at it, CP-TRAIN-090 a length, rank or placement not the metaprompt's,
            CP-TRAIN-096 to CP-TRAIN-098 a low-rank update that can't be trained; what
            loading, tokenising and training raise; CP-ART codes for a wrong backbone.
    """
    require(recipe.tracking)
    _check(recipe, metaprompt, cards, shots)
    by_metric = shots != 0 and judged_by(recipe.adapt.select, cards) == "metric"
    if by_metric and judging is None:
        raise ValueError("adapt.select=metric needs 'judging', such as inference.judging.judging")
    settings = recipe.adapt
    template = None if metaprompt is None else metaprompt.meta.template
    placement = recipe.prompt.placement if metaprompt is None else metaprompt.meta.placement
    prepared = prepared or Prepared.of(recipe.backbone, template, placement)
    prepared = prepared.placed(placement, template)
    if metaprompt is not None:
        metaprompt.require_backbone(prepared.fingerprint)
    progress = progress or Progress(prepared.backbone)
    length = recipe.prompt.length if metaprompt is None else metaprompt.meta.length
    depth = recipe.prompt.depth if metaprompt is None else metaprompt.meta.depth
    tasks: list[TokenTask] = []
    if shots != 0:
        splits = splits or [
            training_splits(
                card,
                data_root,
                recipe.data,
                recipe.seed,
                shots=shots,
                suite=suite,
                say=progress.say,
            )
            for card in cards
        ]
        tasks = prepare_tasks(prepared, cards, splits, recipe.data, length)
        for line in too_long(tasks):
            progress.say(line)
    parent = None if metaprompt is None else metaprompt.digest
    inputs = {**recipe.model_dump(), "metaprompt": parent, "shots": shots}
    if not tasks:  # no rows tell the targets apart
        inputs["cards"] = [card.model_dump(mode="json") for card in cards]
    identity = identity_of(prepared, inputs, tasks)
    finished = _finished(out, identity)
    if finished is not None:
        progress.say(f"{out} is finished already")
        clear_checkpoints(work_folder(out))
        return finished

    chosen: dict[str, str] = {}
    notes = notes_for(prepared.backbone, placement, recipe.engine.notes_mb)
    module: PromptModule
    if metaprompt is None:
        unit, scale = unit_of(prepared, depth)
        start = initial_prompts(prepared, tasks, recipe.prompt, recipe.seed)
        module = PromptTable(start, unit)
        rates = {"shared": settings.rate_shared * scale}
    else:
        picked = [
            choose_start(recipe, metaprompt, card, tasks[k] if tasks else None, prepared, notes)
            for k, card in enumerate(cards)
        ]
        unit, scale = unit_of(prepared, depth)
        chosen = {card.name: start.name for card, start in zip(cards, picked, strict=True)}
        module = Decomposed(
            metaprompt.tensors["shared"].to(prepared.backbone.device),
            torch.stack([start.u for start in picked]),
            torch.stack([start.v for start in picked]),
            train_shared=settings.trainable == "all",
            train_vectors=settings.trainable != "none",
            unit=unit,
        )
        rates = {
            "shared": settings.rate_shared * scale,
            "vectors": settings.rate_vectors,
            "weights": settings.rate_weights,
        }
    module.to(prepared.backbone.device)
    with (
        workspace(out) as work,
        tracked(recipe.tracking, out, recipe, progress),
        _adapters(recipe, prepared, bool(tasks)) as weights,
    ):
        trained = module if weights is None else Joined(module, weights)
        outcome = Outcome()
        if tasks:
            sampler = Sampler(
                [len(task.rows["train"]) for task in tasks],
                steps=settings.steps,
                rows=settings.rows,
                seed=recipe.seed,
            )
            rates = {name: rates[name] for name in trained.groups()}
            stage = Stage("adapt", trained, tasks, rates, sampler, settings, recipe.engine)
            stage.notes = notes
            stage.best_by_task = metaprompt is None
            if by_metric:
                assert judging is not None
                assert splits is not None
                stage.judge = judging(prepared, cards, [split["dev"] for split in splits])
            outcome = run(prepared.backbone, stage, work, identity, progress, should_stop)
        result = PromptSet(
            described(
                prepared,
                _resolved(recipe, metaprompt),
                kind="prompt-tuning" if metaprompt is None else "adapted",
                cards=cards,
                tasks=tasks,
                length=length,
                rank=None if metaprompt is None else metaprompt.meta.rank,
                metrics={"run": identity, "adapt": {**outcome.to_json(), "start": chosen}},
                parents=Parents(metaprompt=parent),
                trainable=trained.trainable if tasks else 0,
                update=None if weights is None else shape_of(settings.lora, weights),
                shots=shots,
            ),
            _tensors(module) | ({} if weights is None else {"update": weights.values()}),
        )
        result.save(out)
        clear_checkpoints(work)
    return result


@contextmanager
def _adapters(recipe: AdaptRecipe, prepared: Prepared, trains: bool) -> Iterator[Adapters | None]:
    """Adapters in the backbone; None if none are asked for.

    Raises:
        ClinpromptError: CP-TRAIN-097, CP-TRAIN-098 (`lora.require_lora`).
    """
    shape = recipe.adapt.lora
    if shape is None or not trains:
        yield None
        return
    require_lora(shape, prepared.backbone)
    with adapters(prepared.backbone, shape.rank, shape.alpha, shape.layers, recipe.seed) as weights:
        yield weights


def _check(
    recipe: AdaptRecipe, metaprompt: PromptSet | None, cards: Sequence[Card], shots: int | None
) -> None:
    """Refuse what can't work, before anything is loaded."""
    require_distinct(cards)
    if metaprompt is not None and metaprompt.meta.form != "decomposed":
        raise ClinpromptError(
            "CP-TRAIN-080",
            f"a '{metaprompt.meta.kind}' set of plain prompts has no task vectors to start from",
            file=metaprompt.file,
            hint="give --metaprompt a result of 'clinprompt train'",
        )
    if metaprompt is not None:
        _require_its_shape(recipe, metaprompt)
    if recipe.adapt.lora is not None:
        placement = None if metaprompt is None else metaprompt.meta.placement
        if placement != "before":
            raise ClinpromptError(
                "CP-TRAIN-096",
                "adapt.lora trains behind a metaprompt that stands before the text, and "
                + ("there is none" if placement is None else f"this one stands {placement} it"),
                file=None if metaprompt is None else metaprompt.file,
                hint="leave adapt.lora out, or use another metaprompt",
            )
    if shots == 0 and metaprompt is None:
        raise ClinpromptError(
            "CP-TRAIN-060", "prompt tuning needs examples", hint="give --metaprompt or more shots"
        )
    if shots == 0 and recipe.adapt.init in ("nearest", "dev"):
        raise ClinpromptError(
            "CP-TRAIN-061",
            f"init '{recipe.adapt.init}' chooses by examples, and there are 0 shots",
            hint="use init mean, type or similar",
        )


def _require_its_shape(recipe: AdaptRecipe, metaprompt: PromptSet) -> None:
    """Refuse a length, rank or placement that was asked for and isn't the metaprompt's."""
    for name in ("length", "rank", "placement", "depth"):
        asked, given = getattr(recipe.prompt, name), getattr(metaprompt.meta, name)
        if name in recipe.prompt.model_fields_set and asked != given:
            raise ClinpromptError(
                "CP-TRAIN-090",
                f"prompt.{name} is {asked}, and the metaprompt's is {given}",
                file=metaprompt.file,
                hint=f"leave prompt.{name} out: it comes from the metaprompt",
            )


def _resolved(recipe: AdaptRecipe, metaprompt: PromptSet | None) -> AdaptRecipe:
    """The recipe with what comes from the metaprompt, as the artefact records it."""
    if metaprompt is None:
        return recipe
    theirs = {
        "length": metaprompt.meta.length,
        "rank": metaprompt.meta.rank,
        "placement": metaprompt.meta.placement,
        "depth": metaprompt.meta.depth,
    }
    return recipe.model_copy(update={"prompt": recipe.prompt.model_copy(update=theirs)})


def _finished(out: Path, identity: str) -> PromptSet | None:
    if not occupied(out):
        return None
    found = PromptSet.load(out)
    if found.meta.metrics.get("run") != identity:
        raise ClinpromptError(
            "CP-TRAIN-062",
            "holds the result of another adaptation",
            file=out,
            hint="choose another output folder",
        )
    return found


def _tensors(module: PromptModule) -> dict[str, Tensor]:
    if isinstance(module, PromptTable):
        return {"prompts": module.prompts(range(len(module.table))).detach().cpu()}
    assert isinstance(module, Decomposed)
    return {
        "shared": module.metaprompt.cpu(),
        "u": torch.stack([u.detach().cpu() for u in module.u]),
        "v": torch.stack([v.detach().cpu() for v in module.v]),
    }


def starts(metaprompt: PromptSet, card: Card) -> list[Start]:
    """The mean of all source updates, that of sources of the card's type, and each source's own."""
    u, v = metaprompt.tensors["u"], metaprompt.tensors["v"]
    same = [k for k, source in enumerate(metaprompt.meta.tasks) if source.type == card.type]
    found = [Start("mean", *mean_update(u, v)[:2])]
    if same:
        found.append(Start("type", *mean_update(u[same], v[same])[:2]))
    found += [Start(name, u[k], v[k]) for k, name in enumerate(metaprompt.meta.names)]
    return found


def choose_start(
    recipe: AdaptRecipe,
    metaprompt: PromptSet,
    card: Card,
    task: TokenTask | None,
    prepared: Prepared,
    notes: Notes | None = None,
) -> Start:
    """The start that `adapt.init` asks for.

    "type" falls back to "mean" where the metaprompt has no source of the card's type. "similar"
    (`tasks.resemblance`) needs no example and reads nothing but the cards.
    """
    candidates = starts(metaprompt, card)
    means = candidates[: -len(metaprompt.meta.names)]  # "mean", and "type" where there is one
    init = recipe.adapt.init
    if init in ("mean", "type"):
        return means[-1] if init == "type" else means[0]
    alike = resemblances(card, metaprompt.meta.tasks) if init in ("similar", "blend") else []
    if init == "similar":
        return candidates[len(means) :][max(range(len(alike)), key=alike.__getitem__)]
    if init == "blend":
        u, v = metaprompt.tensors["u"], metaprompt.tensors["v"]
        return Start("blend", *mean_update(u, v, torch.tensor(shares(alike)))[:2])
    assert task is not None
    if init == "nearest":
        candidates = candidates[len(means) :]
    rows = task.rows["train" if init == "nearest" else "dev"][:_NEAREST_ROWS]
    losses = start_losses(prepared, metaprompt, candidates, task, rows, recipe, notes)
    return candidates[min(range(len(losses)), key=losses.__getitem__)]


@torch.no_grad()
def start_losses(
    prepared: Prepared,
    metaprompt: PromptSet,
    candidates: Sequence[Start],
    task: TokenTask,
    rows: Sequence[Any],
    recipe: AdaptRecipe,
    notes: Notes | None = None,
) -> list[float]:
    """Loss of the task's rows behind each candidate's prompt, in nats per answer token."""
    losses = []
    shared = metaprompt.tensors["shared"]
    for first in range(0, len(candidates), 4):
        some = candidates[first : first + 4]
        soft = torch.stack([compose(shared, start.u, start.v) for start in some])
        before = prefix_of(
            prepared.backbone, soft.to(prepared.backbone.device), [task.fixed] * len(some), notes
        )
        items = [Item(row, slot) for slot in range(len(some)) for row in rows]
        found = row_losses(
            prepared.backbone,
            before,
            items,
            microbatch_tokens=sized(recipe.engine, prepared.backbone).tokens,
        )
        losses += [found[slot] for slot in range(len(some))]
    return losses
