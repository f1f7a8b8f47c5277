"""Low-rank adapters by PEFT in a frozen backbone while they are trained (LoRA, Hu et al., 2022)."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from clinprompt.backbone import updates
from clinprompt.backbone.model import Backbone
from clinprompt.backbone.updates import LowRank
from clinprompt.errors import ClinpromptError
from clinprompt.training.modules import PromptModule, Weights
from clinprompt.training.settings import LoraShape


class Adapters(Weights):
    """A PEFT model's adapters.

    Args:
        peft: the model around the backbone's.
    """

    def __init__(self, peft: Any) -> None:
        super().__init__({n: p for n, p in peft.named_parameters() if p.requires_grad})
        self.peft = (peft,)  # in a tuple, so that the backbone is no part of this module

    def values(self) -> Tensor:
        """What was learned, as `backbone.updates` has it: [N] float32."""
        found = {
            name: (module.lora_A["default"].weight, module.lora_B["default"].weight)
            for name, module in self.peft[0].named_modules()
            if hasattr(module, "lora_A")
        }
        return updates.flat(found)


class Joined(PromptModule):
    """Prompts, or what of them is trained, and adapters behind them.

    Args:
        soft: the prompts; those that are frozen stay as they are.
        weights: the adapters.
    """

    def __init__(self, soft: PromptModule, weights: Adapters) -> None:
        super().__init__()
        self.soft, self.weights = soft, weights

    def prompts(self, tasks: Sequence[int]) -> Tensor | None:
        """Task prompts [T, P, H]."""
        return self.soft.prompts(tasks)

    def groups(self) -> dict[str, list[nn.Parameter]]:
        """Those of both."""
        return self.soft.groups() | self.weights.groups()

    def state_of(self, task: int) -> dict[str, Tensor]:
        """Nothing: the adapters belong to all tasks."""
        return {}


@contextmanager
def adapters(
    backbone: Backbone, rank: int, alpha: float, layers: Sequence[str] | str, seed: int
) -> Iterator[Adapters]:
    """Adapters with random A and B = 0, drawn from the seed, in float32 beside frozen weights and
    without dropout; afterwards the backbone is as it was.

    Args:
        layers: last parts of the names of the layers, or "all-linear".
    """
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(
        r=rank,
        lora_alpha=alpha,  # type: ignore[arg-type]  # a float does as well
        lora_dropout=0.0,
        target_modules=layers if isinstance(layers, str) else list(layers),
        task_type="CAUSAL_LM",
    )
    model = backbone.model
    with torch.random.fork_rng(), quiet():
        torch.manual_seed(seed)
        adapted = get_peft_model(model, config)  # type: ignore[arg-type]
    try:
        for parameter in adapted.parameters():
            if parameter.requires_grad:
                parameter.data = parameter.data.float()
        yield Adapters(adapted)
    finally:
        unload(adapted, model)


def unload(adapted: Any, model: Any) -> None:
    """Take adapters out of the model again."""
    adapted.unload()
    if hasattr(model, "peft_config"):
        del model.peft_config
    model.requires_grad_(False)


@contextmanager
def quiet() -> Iterator[None]:
    """Without PEFT's warnings, which are about what is so on purpose."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def require_peft(what: str) -> None:
    """Refuse what needs PEFT where it is not installed.

    Raises:
        ClinpromptError: CP-TRAIN-097 PEFT is missing.
    """
    try:
        import peft  # noqa: F401
    except ImportError as error:
        raise ClinpromptError(
            "CP-TRAIN-097",
            f"{what} needs the library peft",
            hint="pip install 'clinprompt[lora]'",
        ) from error


def require_lora(shape: LoraShape, backbone: Backbone) -> None:
    """Refuse what can't be trained.

    Raises:
        ClinpromptError: CP-TRAIN-097 PEFT is missing, CP-TRAIN-098 layers that the backbone lacks.
    """
    require_peft("adapt.lora")
    linear = updates.sites(backbone.model, shape.layers)
    for name in shape.layers:
        if not any(site.split(".")[-1] == name for site in linear):
            raise ClinpromptError(
                "CP-TRAIN-098",
                f"adapt.lora.layers: no linear layer of the backbone is named '{name}'",
                hint="such as q_proj and v_proj; the backbone's own names count",
            )


def shape_of(shape: LoraShape | None, module: Adapters) -> LowRank:
    """What the trained update is like."""
    assert shape is not None
    return LowRank(
        rank=shape.rank, alpha=shape.alpha, layers=shape.layers, numbers=module.trainable
    )
