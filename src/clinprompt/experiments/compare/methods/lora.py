"""Low-rank adapters (PEFT)."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import Field

from clinprompt.backbone.model import Backbone
from clinprompt.errors import ClinpromptError
from clinprompt.experiments.compare.cell import WEIGHTS
from clinprompt.experiments.compare.methods.base import Entry, Given, Job, Outline
from clinprompt.experiments.compare.methods.weights import Trained, Weights, WeightsSettings


class Adapters(Weights):
    """A PEFT model's adapters.

    Args:
        peft: the model around the backbone's.
    """

    def __init__(self, peft: Any) -> None:
        super().__init__({n: p for n, p in peft.named_parameters() if p.requires_grad})
        self.peft = (peft,)  # in a tuple, so that the backbone is no part of this module


class LoraSettings(WeightsSettings):
    """Rank and layers of the adapters (Hu et al., 2022)."""

    rank: int = Field(16, ge=1)
    alpha: float = Field(32, gt=0, description="the update is scaled by alpha / rank")
    layers: list[str] | Literal["all-linear"] = Field(
        default_factory=lambda: ["q_proj", "v_proj"],
        description="last parts of the names of the layers with an adapter; or all-linear",
    )


class Lora(Trained):
    """Low-rank adapters by PEFT, in float32 beside frozen weights, without dropout."""

    name, title = "lora", "LoRA"
    settings = LoraSettings

    def complaints(self, entry: Entry, outline: Outline) -> Iterator[ClinpromptError]:
        """PEFT missing; layer names that match nothing."""
        settings = entry.settings
        assert isinstance(settings, LoraSettings)
        try:
            import peft  # noqa: F401
        except ImportError:
            yield ClinpromptError(
                "CP-EXP-121",
                f"method '{entry.id}' needs the library peft",
                hint="pip install 'clinprompt[lora]'",
            )
        if settings.layers == "all-linear":
            return
        for name in settings.layers:
            if not any(layer == name or layer.endswith(f".{name}") for layer in outline.layers):
                known = sorted({layer.split(".")[-1] for layer in outline.layers})
                yield ClinpromptError(
                    "CP-EXP-122",
                    f"method '{entry.id}': no layer of the backbone is named '{name}'",
                    hint=f"its layers: {', '.join(known)}",
                )

    @contextmanager
    def at_work(self, backbone: Backbone, settings: LoraSettings, seed: int) -> Iterator[Weights]:
        """Adapters with random A and B = 0, drawn from the seed."""
        from peft import LoraConfig, get_peft_model

        config = LoraConfig(
            r=settings.rank,
            lora_alpha=settings.alpha,  # type: ignore[arg-type]  # a float does as well
            lora_dropout=0.0,
            target_modules=settings.layers,
            task_type="CAUSAL_LM",
        )
        model = backbone.model
        with torch.random.fork_rng(), _quiet():
            torch.manual_seed(seed)
            adapted = get_peft_model(model, config)  # type: ignore[arg-type]
        try:
            for parameter in adapted.parameters():
                if parameter.requires_grad:
                    parameter.data = parameter.data.float()
            yield Adapters(adapted)
        finally:
            _unload(adapted, model)

    def _save(self, job: Job, module: Weights, folder: Path) -> int:
        """As PEFT saves it; the tables of embeddings are not asked about, so nothing is fetched."""
        assert isinstance(module, Adapters)
        with _quiet():
            module.peft[0].save_pretrained(str(folder), save_embedding_layers=False)
        return (folder / "adapter_model.safetensors").stat().st_size

    @contextmanager
    def answering(self, job: Job, out: Path) -> Iterator[dict[str, Given]]:
        """The saved adapter at work."""
        from peft import PeftModel

        model = job.prepared.backbone.model
        with _quiet():
            adapted = PeftModel.from_pretrained(model, str(out / WEIGHTS))
        try:
            adapted.requires_grad_(False)
            adapted.eval()
            yield {card.name: Given(placement=job.settings.place) for card in job.cards}
        finally:
            _unload(adapted, model)

    def _details(self, settings: LoraSettings) -> dict[str, Any]:
        return settings.model_dump(mode="json", include={"rank", "alpha", "layers"})


def _unload(adapted: Any, model: Any) -> None:
    """Take adapters out of the model again."""
    adapted.unload()
    if hasattr(model, "peft_config"):
        del model.peft_config
    model.requires_grad_(False)


@contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
