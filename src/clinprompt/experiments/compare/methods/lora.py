"""Low-rank adapters (PEFT)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from clinprompt.backbone.model import Backbone
from clinprompt.errors import ClinpromptError
from clinprompt.experiments.compare.cell import WEIGHTS
from clinprompt.experiments.compare.methods.base import Entry, Given, Job, Outline
from clinprompt.experiments.compare.methods.weights import Trained, WeightsSettings
from clinprompt.training.lora import Adapters, adapters, quiet, require_peft, unload
from clinprompt.training.modules import Weights


class LoraSettings(WeightsSettings):
    """Rank and layers of the adapters (Hu et al., 2022)."""

    rank: int = Field(16, ge=1)
    alpha: float = Field(32, gt=0, description="the update is scaled by alpha / rank")
    layers: list[str] | Literal["all-linear"] = Field(
        default_factory=lambda: ["q_proj", "v_proj"],
        description="last parts of the names of the layers with an adapter; or all-linear",
    )


def lora_complaints(
    entry: Entry, layers: Sequence[str] | str, outline: Outline
) -> Iterator[ClinpromptError]:
    """PEFT missing; layer names that match nothing."""
    try:
        require_peft(f"method '{entry.id}'")
    except ClinpromptError as error:
        yield error
    if layers == "all-linear":
        return
    for name in layers:
        if not any(layer == name or layer.endswith(f".{name}") for layer in outline.layers):
            known = sorted({layer.split(".")[-1] for layer in outline.layers})
            yield ClinpromptError(
                "CP-EXP-122",
                f"method '{entry.id}': no layer of the backbone is named '{name}'",
                hint=f"its layers: {', '.join(known)}",
            )


class Lora(Trained):
    """Low-rank adapters by PEFT, in float32 beside frozen weights, without dropout."""

    name, title = "lora", "LoRA"
    settings = LoraSettings

    def complaints(self, entry: Entry, outline: Outline) -> Iterator[ClinpromptError]:
        """PEFT missing; layer names that match nothing."""
        settings = entry.settings
        assert isinstance(settings, LoraSettings)
        yield from lora_complaints(entry, settings.layers, outline)

    @contextmanager
    def at_work(self, backbone: Backbone, settings: LoraSettings, seed: int) -> Iterator[Weights]:
        """Adapters with random A and B = 0, drawn from the seed."""
        with adapters(backbone, settings.rank, settings.alpha, settings.layers, seed) as module:
            yield module

    def _save(self, job: Job, module: Weights, folder: Path) -> int:
        """As PEFT saves it; the tables of embeddings are not asked about, so nothing is fetched."""
        assert isinstance(module, Adapters)
        with quiet():
            module.peft[0].save_pretrained(str(folder), save_embedding_layers=False)
        return (folder / "adapter_model.safetensors").stat().st_size

    @contextmanager
    def answering(self, job: Job, out: Path) -> Iterator[dict[str, Given]]:
        """The saved adapter at work."""
        from peft import PeftModel

        model = job.prepared.backbone.model
        with quiet():
            adapted = PeftModel.from_pretrained(model, str(out / WEIGHTS))
        try:
            adapted.requires_grad_(False)
            adapted.eval()
            yield {card.name: Given(placement=job.settings.place) for card in job.cards}
        finally:
            unload(adapted, model)

    def _details(self, settings: LoraSettings) -> dict[str, Any]:
        return settings.model_dump(mode="json", include={"rank", "alpha", "layers"})
