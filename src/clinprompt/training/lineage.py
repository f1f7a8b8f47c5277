"""What a source training begins from: earlier teachers, or an earlier metaprompt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import torch
from torch import Tensor

from clinprompt import metaprompts
from clinprompt.artifacts.prompt_set import PromptSet
from clinprompt.errors import ClinpromptError
from clinprompt.prompts import mean_update, unit_vectors
from clinprompt.tasks.card import Card
from clinprompt.training.data import TokenTask
from clinprompt.training.loop import Outcome
from clinprompt.training.prepare import Prepared, initial_prompts
from clinprompt.training.settings import Recipe


def wants_teachers(recipe: Recipe) -> bool:
    """Whether teachers have a part in the run: as the start, or in the loss."""
    if not recipe.distil.distillation:
        return False
    return recipe.metaprompt_from is None or recipe.distil.weight > 0


def given_teachers(recipe: Recipe, prepared: Prepared, cards: Sequence[Card]) -> PromptSet | None:
    """The teachers of an earlier run that the recipe names, if it does.

    Raises:
        ClinpromptError: CP-TRAIN-052 prompts that can't teach these tasks; CP-ART codes for a
            broken artefact or another backbone.
    """
    if recipe.teachers_from is None or not wants_teachers(recipe):
        return None
    found = PromptSet.load(recipe.teachers_from)
    found.require_backbone(prepared.fingerprint)
    theirs = [(card.name, card.version) for card in found.meta.tasks]
    wrong = None
    if found.meta.form != "plain":
        wrong = f"holds a '{found.meta.kind}', not teachers"
    elif theirs != [(card.name, card.version) for card in cards]:
        wrong = "holds teachers of other tasks, or of other versions of them"
    elif found.meta.length != recipe.prompt.length:
        wrong = f"holds prompts of length {found.meta.length}, not {recipe.prompt.length}"
    elif found.meta.placement != recipe.prompt.placement:
        wrong = f"holds prompts that stand {found.meta.placement} the text"
    if wrong is not None:
        raise ClinpromptError(
            "CP-TRAIN-052",
            wrong,
            file=recipe.teachers_from,
            hint="name the folder OUT.work/teachers of a run with the same tasks and prompt length",
        )
    return found


def outcome_of(teachers: PromptSet) -> Outcome:
    """What was reached when they were trained, by `train` or as single-task prompts by `adapt`."""
    metrics = teachers.meta.metrics
    history: Any = metrics.get("teachers", metrics.get("adapt", {}))
    return Outcome(
        **{field.name: history[field.name] for field in fields(Outcome) if field.name in history}
    )


def given_metaprompt(recipe: Recipe, prepared: Prepared) -> PromptSet | None:
    """The metaprompt of an earlier run that the recipe goes on from, if it names one.

    Raises:
        ClinpromptError: CP-TRAIN-053 prompts of another form or shape; CP-ART codes for a broken
            artefact or another backbone.
    """
    if recipe.metaprompt_from is None:
        return None
    found = PromptSet.load(metaprompts.find(recipe.metaprompt_from))
    found.require_backbone(prepared.fingerprint)
    wrong = None
    if found.meta.kind != "metaprompt":
        wrong = f"holds a '{found.meta.kind}', not a metaprompt"
    for name in ("length", "rank", "placement", "depth"):
        theirs, ours = getattr(found.meta, name), getattr(recipe.prompt, name)
        if wrong is None and theirs != ours:
            wrong = f"its {name} is {theirs}, and the recipe's prompt.{name} is {ours}"
    if wrong is not None:
        raise ClinpromptError(
            "CP-TRAIN-053",
            wrong,
            file=recipe.metaprompt_from,
            hint="metaprompt_from names a result of 'clinprompt train' of the same shape",
        )
    return found


def beginning(
    recipe: Recipe,
    prepared: Prepared,
    tasks: Sequence[TokenTask],
    teachers: PromptSet | None,
    metaprompt: PromptSet | None,
) -> tuple[Tensor, Tensor, Tensor]:
    """P* [P, H] and task vectors u [K, P, R], v [K, R, H] before the first step.

    P* is that of an earlier metaprompt, or the mean of the teachers, which were all trained from
    one start, or where they started from (`distil.start`). Task vectors are an earlier
    metaprompt's, with the mean of its updates for tasks it doesn't know, or ones.
    """
    prompt = recipe.prompt
    if metaprompt is not None:
        u, v = metaprompt.tensors["u"], metaprompt.tensors["v"]
        known = {(card.name, card.version): k for k, card in enumerate(metaprompt.meta.tasks)}
        places = [known.get((task.card.name, task.card.version)) for task in tasks]
        mean_u, mean_v, _ = mean_update(u, v)
        return (
            metaprompt.tensors["shared"],
            torch.stack([mean_u if k is None else u[k] for k in places]),
            torch.stack([mean_v if k is None else v[k] for k in places]),
        )
    if teachers is None or recipe.distil.start == "vocabulary":
        fresh = prompt.model_copy(update={"init": "vocabulary"})
        shared = initial_prompts(prepared, tasks[:1], fresh, recipe.seed)[0]
    else:
        shared = teachers.tensors["prompts"].mean(0)
    vectors = [
        unit_vectors(prompt.length, shared.shape[1], prompt.rank, k) for k in range(len(tasks))
    ]
    return shared, torch.stack([u for u, _ in vectors]), torch.stack([v for _, v in vectors])
