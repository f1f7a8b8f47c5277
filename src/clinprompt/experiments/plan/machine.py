"""What a machine can do: this one as measured, or a named GPU from its data sheet.

Nobody reaches a data sheet's peak: how much of it training reaches is assumed below, and every
plan for a named GPU says so.
"""

from __future__ import annotations

import os
import platform
import time
from dataclasses import dataclass
from typing import Literal

from clinprompt.errors import ClinpromptError, did_you_mean

GIB = 2**30


@dataclass(frozen=True)
class Gpu:
    """A data sheet: dense bf16 FLOP/s with float32 sums, bytes/s of memory, bytes of memory."""

    name: str
    flops: float
    bandwidth: float
    memory: float


GPUS = {
    one.name.lower(): one
    for one in (
        Gpu("B200", 2250e12, 8000e9, 180 * GIB),
        Gpu("H200", 989e12, 4800e9, 141e9),
        Gpu("H100", 989e12, 3350e9, 80 * GIB),
        Gpu("H100-PCIe", 756e12, 2000e9, 80 * GIB),
        Gpu("A100-80GB", 312e12, 2039e9, 80 * GIB),
        Gpu("A100-40GB", 312e12, 1555e9, 40 * GIB),
        Gpu("L40S", 362e12, 864e9, 48 * GIB),
        Gpu("RTX-6000-Ada", 364e12, 960e9, 48 * GIB),
        Gpu("RTX-4090", 165e12, 1008e9, 24 * GIB),
        Gpu("A10G", 70e12, 600e9, 24 * GIB),
        Gpu("L4", 121e12, 300e9, 24 * GIB),
        Gpu("T4", 65e12, 320e9, 16 * GIB),
    )
}
# Shares of the peak, assumed: micro-batches of some thousand tokens without compilation reach less
# than long pretraining runs (40 to 50 %), experts less again (28 % is reported for gpt-oss 20B in
# full training on H100s with fused kernels), and decoding waits for memory.
UTILISATION = 0.35
UTILISATION_MIXTURE = 0.15
BANDWIDTH_REACHED = 0.5
CPU_UTILISATION = 0.35  # of a bare matrix product, where a plan must not measure more than that


@dataclass(frozen=True)
class Machine:
    """What times are made from.

    Attributes:
        name: for people.
        device: "cpu" or "cuda".
        flops: FLOP/s that are reached in training and when reading.
        bandwidth: bytes/s at which weights are read when answers are written token by token.
        memory: bytes there are; None if unknown.
        by: where the figures come from.
    """

    name: str
    device: Literal["cpu", "cuda"]
    flops: float
    bandwidth: float
    memory: float | None
    by: str


def named_gpu(name: str, *, mixture: bool) -> Machine:
    """A GPU from the table.

    Args:
        mixture: whether the backbone is a mixture of experts.

    Raises:
        ClinpromptError: CP-EXP-303 if it is not in the table.
    """
    gpu = GPUS.get(name.strip().lower().replace(" ", "-").removeprefix("nvidia-"))
    if gpu is None:
        raise ClinpromptError(
            "CP-EXP-303",
            f"no GPU '{name}' in the table",
            hint=did_you_mean(name, [one.name for one in GPUS.values()]),
        )
    share = UTILISATION_MIXTURE if mixture else UTILISATION
    return Machine(
        gpu.name,
        "cuda",
        gpu.flops * share,
        gpu.bandwidth * BANDWIDTH_REACHED,
        gpu.memory,
        f"data sheet, {share:.0%} of {gpu.flops / 1e12:.0f} TFLOP/s and "
        f"{BANDWIDTH_REACHED:.0%} of {gpu.bandwidth / 1e9:.0f} GB/s assumed",
    )


def this_machine(*, dtype: str, device: str, mixture: bool = False) -> Machine:
    """This machine by a short benchmark: a matrix product, and a copy of memory (0.5 s)."""
    import torch

    if device == "cuda":
        name = torch.cuda.get_device_name()
        known = max(
            (one for one in GPUS.values() if one.name in name),
            key=lambda g: len(g.name),
            default=None,
        )
        flops, bandwidth = _matmul(dtype, device, 4096), _copy(device, 2**28)
        share = UTILISATION_MIXTURE if mixture else UTILISATION
        memory: float | None = float(torch.cuda.get_device_properties(0).total_memory)
        title = name if known is None else known.name
    else:
        flops, bandwidth = _matmul(dtype, device, 1024), _copy(device, 2**26)
        share, memory = CPU_UTILISATION, _ram()
        title = f"{platform.machine()}, {torch.get_num_threads()} threads"
    return Machine(
        title,
        "cuda" if device == "cuda" else "cpu",
        flops * share,
        bandwidth * BANDWIDTH_REACHED,
        memory,
        f"matrix product of {flops / 1e9:.0f} GFLOP/s measured, {share:.0%} of it assumed",
    )


def _matmul(dtype: str, device: str, side: int) -> float:
    """The best of a few matrix products, FLOP/s."""
    import torch

    a = torch.randn(side, side, device=device).to(getattr(torch, dtype))
    best = 0.0
    for _ in range(6):
        _wait(device)
        begin = time.perf_counter()
        a @ a
        _wait(device)
        best = max(best, 2 * side**3 / (time.perf_counter() - begin))
    return best


def _copy(device: str, count: int) -> float:
    """Bytes read in a second by copying."""
    import torch

    a = torch.zeros(count, dtype=torch.uint8, device=device)
    best = 0.0
    for _ in range(4):
        _wait(device)
        begin = time.perf_counter()
        a.clone()
        _wait(device)
        best = max(best, 2 * count / (time.perf_counter() - begin))
    return best


def _wait(device: str) -> None:
    import torch

    if device == "cuda":
        torch.cuda.synchronize()


def _ram() -> float | None:
    try:
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, ValueError, OSError):  # not everywhere
        return None
