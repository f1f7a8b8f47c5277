"""Numbers that the host knows, on the device, without waiting for it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def moved(values: Tensor, device: torch.device) -> Tensor:
    """A tensor of the host on a device.

    An ordinary copy to CUDA makes the host wait until all work given to the device so far is done;
    one from pinned memory does not.
    """
    if device.type != "cuda":
        return values.to(device)
    return values.pin_memory().to(device, non_blocking=True)


def numbers(values: Sequence[int], device: torch.device) -> Tensor:
    """Whole numbers as a tensor on a device; there may be none."""
    return moved(torch.tensor(list(values), dtype=torch.long), device)
