"""Full fine-tuning of the backbone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from pydantic import Field
from torch import Tensor, nn

from clinprompt.backbone import updates
from clinprompt.backbone.model import Backbone
from clinprompt.experiments.compare.cell import WEIGHTS
from clinprompt.experiments.compare.methods.base import Given, Job
from clinprompt.experiments.compare.methods.weights import Trained, WeightsSettings
from clinprompt.training.modules import Weights, flat


class Masters(Weights):
    """Float32 copies of weights that the backbone uses in a float type of fewer bits.

    The optimizer moves the copies; before every forward pass they are rounded into the backbone,
    and each gradient is added up in float32 as soon as it is there (mixed-precision training,
    Micikevicius et al., 2018). Bfloat16 weights alone would lose most updates to rounding.

    Args:
        used: the backbone's parameters by name; their `requires_grad` is switched on.
    """

    def __init__(self, used: dict[str, nn.Parameter]) -> None:
        super().__init__({n: nn.Parameter(p.detach().float().clone()) for n, p in used.items()})
        self._pairs = [(weight, self.trained[flat(name)]) for name, weight in used.items()]
        self._hooks = []
        for weight, master in self._pairs:
            weight.requires_grad_(True)
            self._hooks.append(weight.register_post_accumulate_grad_hook(_into(master)))

    def prompts(self, tasks: Sequence[int]) -> Tensor | None:
        """Round the copies into the backbone first."""
        self.write()
        return super().prompts(tasks)

    @torch.no_grad()
    def write(self) -> None:
        """Round the copies into the backbone."""
        for weight, master in self._pairs:
            weight.copy_(master)

    def remove(self) -> None:
        """Stop collecting gradients."""
        for hook in self._hooks:
            hook.remove()
        for weight, _ in self._pairs:
            weight.requires_grad_(False)
            weight.grad = None


def _into(master: nn.Parameter) -> Any:
    def collect(weight: Tensor) -> None:
        assert weight.grad is not None
        gradient = weight.grad.float()
        master.grad = gradient.clone() if master.grad is None else master.grad.add_(gradient)
        weight.grad = None

    return collect


class FineTuningSettings(WeightsSettings):
    """Full fine-tuning."""

    keep: bool = Field(False, description="keep each cell's weights (as large as the backbone)")


class FineTuning(Trained):
    """All weights of the backbone, with float32 copies for the optimizer (see `Masters`)."""

    name, title = "fine-tuning", "full fine-tuning"
    settings = FineTuningSettings
    small = False

    @contextmanager
    def at_work(
        self, backbone: Backbone, settings: FineTuningSettings, seed: int
    ) -> Iterator[Weights]:
        """The backbone's own weights, as they are."""
        with _restored(backbone) as used:
            module = Masters(used)
            try:
                yield module
            finally:
                module.remove()

    def _save(self, job: Job, module: Weights, folder: Path) -> int:
        """The weights in the backbone's float type; tied ones once."""
        assert isinstance(module, Masters)
        module.write()  # the best state
        folder.mkdir(parents=True, exist_ok=True)
        used = dict(job.prepared.backbone.model.named_parameters())
        tensors = {name: p.detach().contiguous() for name, p in used.items()}
        safetensors.torch.save_file(tensors, folder / "model.safetensors")
        return sum(t.numel() * t.element_size() for t in tensors.values())

    @contextmanager
    def answering(self, job: Job, out: Path) -> Iterator[dict[str, Given]]:
        """The trained weights in the backbone's place."""
        with _restored(job.prepared.backbone) as used:
            tensors = safetensors.torch.load_file(out / WEIGHTS / "model.safetensors")
            with torch.no_grad():
                for name, weight in used.items():
                    weight.copy_(tensors[name])
            yield {card.name: Given(placement=job.settings.place) for card in job.cards}


@contextmanager
def _restored(backbone: Backbone) -> Iterator[dict[str, nn.Parameter]]:
    """The backbone's parameters by name; afterwards they have their values back, bit by bit."""
    used = dict(backbone.model.named_parameters())
    try:
        with updates.restored(used.values()):
            yield used
    finally:
        backbone.model.requires_grad_(False)
