"""FlexAttention with gradients on a CPU, for tests.

torch refuses them by a check of the device; behind it lies a reference that has them. So what is
compared here is torch's own meaning of a block mask's rule, not the kernels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.attention import flex_attention as torch_flex

from clinprompt.backbone import flex
from clinprompt.backbone.lean.compiled import Compiled
from clinprompt.backbone.masks import Attention
from clinprompt.backbone.model import Backbone

EPSILON = 1e-6


def allow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let torch's reference take gradients on a CPU."""
    monkeypatch.setattr(torch_flex, "_validate_device", lambda *_: None)


def as_on_cuda(backbone: Backbone, *, compiled: bool = True, compiler: Any = None) -> Backbone:
    """Make a backbone on a CPU take the paths of CUDA, not compiled."""
    flex.use(backbone.model)
    backbone.attention = Attention.of(backbone.config, flex.NAME)
    backbone.unwritten, backbone.lean = True, None
    if compiled:
        found = Compiled.of(backbone.model.get_decoder(), backbone.attention, compiler)
        assert isinstance(found, Compiled), found
        backbone.compiled = found
    return backbone


def in_float64(backbone: Backbone) -> Backbone:
    """Double precision all through; the library's norms round to float32 inside."""
    backbone.model.double()
    if backbone.config.model_type == "gpt_oss":  # else experts are multiplied in float32
        backbone.model.set_experts_implementation("eager")
    for module in backbone.model.modules():
        if type(module).__name__.endswith("RMSNorm"):
            module.forward = _exact_norm(module)
    return backbone


def _exact_norm(module: Any) -> Callable[[Tensor], Tensor]:
    shift = 1.0 if type(module).__name__.startswith("Gemma") else 0.0

    def forward(x: Tensor) -> Tensor:
        return (
            (module.weight + shift) * x * torch.rsqrt(x.square().mean(-1, keepdim=True) + EPSILON)
        )

    return forward
