"""Numbers on their way to a device."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from clinprompt.backbone.transfer import moved, numbers


def test_numbers_arrive() -> None:
    cpu = torch.device("cpu")
    assert numbers([3, 1], cpu).tolist() == [3, 1]
    assert numbers((), cpu).dtype == torch.long
    assert numbers((), cpu).shape == (0,)
    values = torch.rand(2, 3)
    assert moved(values, cpu) is values


def test_what_goes_to_cuda_is_pinned_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy from ordinary memory would make the host wait."""
    asked: list[Any] = []

    def pinned(self: Tensor) -> Tensor:
        asked.append("pinned")
        return self

    def to(self: Tensor, device: torch.device, *, non_blocking: bool = False) -> Tensor:
        asked.append((device.type, non_blocking))
        return self

    monkeypatch.setattr(Tensor, "pin_memory", pinned)
    monkeypatch.setattr(Tensor, "to", to)
    numbers([1], torch.device("cuda"))
    assert asked == ["pinned", ("cuda", True)]
