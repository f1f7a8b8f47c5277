"""LoRA behind a metaprompt that stays as it is: the metaprompt knows, a few weights learn."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from clinprompt.artifacts.prompt_set import PromptSet
from clinprompt.backbone.template import Placement
from clinprompt.experiments.compare.cell import WEIGHTS
from clinprompt.experiments.compare.methods.base import Given, Job
from clinprompt.experiments.compare.methods.lora import Lora, LoraSettings
from clinprompt.experiments.compare.recipe import CompareRecipe
from clinprompt.training.adapt import adapt
from clinprompt.training.prepare import Prepared
from clinprompt.training.settings import AdaptRecipe, AdaptSettings, PromptSettings

PROMPT = "prompt"  # folder of the prompt set, beside the adapter


class MetapromptLoraSettings(LoraSettings):
    """Rank and layers of the adapters, and where the target's prompt comes from."""

    rank: int = Field(1, ge=1)
    alpha: float = Field(2, gt=0, description="the update is scaled by alpha / rank")
    init: Literal["mean", "type", "similar", "blend"] = Field(
        "blend", description="task vectors of the target, chosen without its examples"
    )
    metaprompt: Path | None = Field(None, description="another metaprompt than the comparison's")
    placement: None = Field(None, description="the metaprompt's, which has to be 'before'")


class MetapromptLora(Lora):
    """The target's zero-shot prompt, frozen, and adapters of rank one on the layers behind it.

    A prompt holds what the source tasks have taught, but 24 updates move it little; adapters learn
    a new form of answer from few examples, and know nothing. At rank 1 both together train less
    than the metaprompt alone (docs/experiments.md, section 24).
    """

    name, title = "mpt-lora", "metaprompt and rank-one LoRA"
    settings = MetapromptLoraSettings
    needs_metaprompt = True
    # Behind a note the prompt would need the note read anew by every task's weights.
    placements: ClassVar[tuple[Placement, ...]] = ("before",)

    def context_tokens(self, settings: Any, recipe: CompareRecipe, meta_length: int | None) -> int:
        """P."""
        return meta_length or recipe.prompt.length

    @contextmanager
    def answering(self, job: Job, out: Path) -> Iterator[dict[str, Given]]:
        """The saved prompt before the saved adapter."""
        prompts = PromptSet.load(out / WEIGHTS / PROMPT)
        with super().answering(job, out):
            yield {card.name: Given(prompts.task_prompt(card.name)) for card in job.cards}

    def _placed(self, job: Job) -> Prepared:
        assert job.metaprompt is not None
        return job.prepared.placed("before", job.metaprompt.meta.template)

    def _frozen(self, job: Job, out: Path) -> Tensor:
        prompts = adapt(
            AdaptRecipe(
                seed=job.seed,
                backbone=job.backbone,
                prompt=PromptSettings(),
                data=job.recipe.data,
                adapt=AdaptSettings(init=job.settings.init),
            ),
            job.metaprompt,
            list(job.cards),
            None,
            out / WEIGHTS / PROMPT,
            shots=0,
            prepared=job.prepared,
            progress=job.progress,
        )
        device = job.prepared.backbone.device
        return torch.stack([prompts.task_prompt(card.name) for card in job.cards]).to(device)

    def _parent(self, job: Job) -> dict[str, Any]:
        assert job.metaprompt is not None
        return {"metaprompt": job.metaprompt.digest}
