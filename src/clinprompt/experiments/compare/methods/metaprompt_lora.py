"""LoRA behind a metaprompt: the metaprompt knows, a few weights learn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from clinprompt.artifacts.prompt_set import PromptSet
from clinprompt.backbone import updates
from clinprompt.backbone.template import Placement
from clinprompt.errors import ClinpromptError
from clinprompt.experiments.compare.cell import WEIGHTS, Shots
from clinprompt.experiments.compare.methods.base import Entry, Given, Job, Outline
from clinprompt.experiments.compare.methods.lora import lora_complaints
from clinprompt.experiments.compare.methods.prompts import Metaprompt, MetapromptSettings
from clinprompt.training.settings import VectorStart


class MetapromptLoraSettings(MetapromptSettings):
    """Rank and layers of the update; where the prompt starts, and what of it is trained."""

    init: VectorStart = "blend"
    trainable: Literal["none", "vectors", "all"] = Field(
        "none", description="of the prompt, beside the update: nothing, task vectors, or P* too"
    )
    rank: int = Field(1, ge=1)
    alpha: float = Field(2, gt=0, description="the update is scaled by alpha / rank")
    layers: list[str] = Field(
        default_factory=lambda: ["q_proj", "v_proj"],
        min_length=1,
        description="last parts of the names of the layers with an update",
    )


class MetapromptLora(Metaprompt):
    """The target's zero-shot prompt, frozen unless said otherwise, and a low-rank update of the
    layers behind it.

    A prompt holds what the source tasks have taught, but a few updates move it little; adapters
    learn a new form of answer from few examples, and know nothing. At rank 1 they are as many
    parameters as the metaprompt alone (docs/experiments.md, section 24).
    """

    name, title = "mpt-lora", "metaprompt and LoRA"
    settings = MetapromptLoraSettings
    groups = ("weights",)
    # Behind a note the prompt would need the note read anew by every task's weights.
    placements: ClassVar[tuple[Placement, ...]] = ("before",)

    def rates(self, settings: MetapromptLoraSettings) -> tuple[str, ...]:
        """Those of what is trained."""
        more = {"none": (), "vectors": ("vectors",), "all": ("shared", "vectors")}
        return ("weights", *more[settings.trainable])

    def shots(self, settings: Any, asked: Sequence[Shots]) -> list[Shots]:
        """Above zero: at zero it is the metaprompt's own cell."""
        return [shots for shots in asked if shots != 0]

    def complaints(self, entry: Entry, outline: Outline) -> Iterator[ClinpromptError]:
        """PEFT missing; layer names that match nothing."""
        settings = entry.settings
        assert isinstance(settings, MetapromptLoraSettings)
        yield from lora_complaints(entry, settings.layers, outline)

    @contextmanager
    def answering(self, job: Job, out: Path) -> Iterator[dict[str, Given]]:
        """The saved prompts, and the update at work."""
        update = PromptSet.load(out / WEIGHTS).update
        with updates.at_work(job.prepared.backbone, update), super().answering(job, out) as given:
            yield given

    def _adapt(self, settings: Any) -> dict[str, Any]:
        shape = {"rank": settings.rank, "alpha": settings.alpha, "layers": settings.layers}
        return {"init": settings.init, "trainable": settings.trainable, "lora": shape}

    def _stored(self, prompts: PromptSet) -> int:
        """What was trained; what was not follows from the metaprompt."""
        return prompts.meta.trainable_parameters * prompts.tensors["update"].element_size()
