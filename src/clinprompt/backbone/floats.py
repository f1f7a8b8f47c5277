"""Which float type a backbone is computed in.

A CPU without instructions for bfloat16 multiplies its matrices one number at a time: 1.2 GFLOP/s
instead of 60 in float32 (docs/performance.md). Nobody wants that who didn't ask for it; float32
holds every bfloat16 value, so that only the rounding differs.
"""

from __future__ import annotations

import logging
from functools import cache
from typing import Literal

import torch

_LOG = logging.getLogger(__name__)

Dtype = Literal["auto", "float32", "bfloat16"]
_INSTEAD = "this CPU has no instructions for bfloat16: float32 is used, in twice the memory"


@cache
def say(line: str) -> None:
    """Log a line, once a process."""
    _LOG.warning(line)


def computes_bfloat16(device: torch.device) -> bool:
    """Whether a device multiplies bfloat16 matrices at speed: every one but CPUs that can't.

    It is asked of oneDNN, whose answer decides which product torch takes.
    """
    if device.type != "cpu":
        return True
    asked = getattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", None)
    return bool(asked is not None and asked())


def float_type(asked: Dtype, stored: torch.dtype, device: torch.device) -> torch.dtype:
    """The type to compute in; where it isn't the checkpoint's own for the CPU's sake, or slow, that
    is logged.

    Args:
        asked: "auto" keeps the checkpoint's type, with two exceptions. float16 becomes bfloat16:
            gradients through it vanish without a scaling of the loss. bfloat16 becomes float32, in
            twice the memory, on a CPU that does not compute it.
        stored: the checkpoint's.
    """
    kind = stored if asked == "auto" else getattr(torch, asked)
    kind = torch.bfloat16 if kind == torch.float16 else kind
    if kind != torch.bfloat16 or computes_bfloat16(device):
        return kind
    if asked == "auto":
        say(_INSTEAD)
        return torch.float32
    say(
        "this CPU has no instructions for bfloat16, which is asked for: expect a small part of the "
        "speed; float32 (or auto) differs in rounding only"
    )
    return kind


def trained_in(configuration: object, device: torch.device) -> Dtype:
    """The float type to ask prompts in: the one they were trained in, or float32 where a CPU does
    not compute it; "auto" if they don't say.

    Args:
        configuration: a prompt set's (`meta.configuration`), as it was read.
    """
    backbone = configuration.get("backbone") if isinstance(configuration, dict) else None
    found = backbone.get("dtype") if isinstance(backbone, dict) else None
    if found == "bfloat16" and not computes_bfloat16(device):
        say(_INSTEAD)
        return "float32"
    return found if found in ("float32", "bfloat16") else "auto"
