"""What a finished stage writes down about itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from clinprompt.artifacts.meta import Parents, PromptMeta, library_versions
from clinprompt.backbone.updates import LowRank
from clinprompt.tasks.card import Card
from clinprompt.training.data import TokenTask
from clinprompt.training.prepare import Prepared, data_counts
from clinprompt.training.settings import AdaptRecipe, Recipe


def described(
    prepared: Prepared,
    recipe: Recipe | AdaptRecipe,
    *,
    kind: Literal["metaprompt", "prompt-tuning", "adapted"],
    cards: Sequence[Card],
    tasks: Sequence[TokenTask],
    length: int,
    rank: int | None,
    metrics: Mapping[str, Any],
    parents: Parents | None = None,
    trainable: int,
    update: LowRank | None = None,
    **configuration: Any,
) -> PromptMeta:
    """The description of prompts that were trained now.

    Args:
        rank: of the task vectors; None for plain prompts.
        tasks: the tokenised tasks, none where nothing was trained.
        update: of the backbone's layers, where one was trained.
        configuration: what goes into the artefact's configuration besides the recipe.
    """
    return PromptMeta(
        kind=kind,
        form="plain" if rank is None else "decomposed",
        tasks=tuple(cards),
        length=length,
        rank=rank,
        backbone=recipe.backbone.name,
        fingerprint=prepared.fingerprint,
        placement=prepared.codec.placement,
        depth=recipe.prompt.depth,
        update=update,
        width=None if recipe.prompt.depth == "input" else prepared.backbone.keyvalue_width,
        template=prepared.codec.template,
        configuration={**recipe.model_dump(mode="json"), **configuration},
        training_data=data_counts(tasks),
        metrics=dict(metrics),
        parents=parents or Parents(),
        trainable_parameters=trainable,
        seeds={"run": recipe.seed},
        libraries=library_versions(),
    )
