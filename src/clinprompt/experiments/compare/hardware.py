"""What a cell ran on, and how much memory it took."""

from __future__ import annotations

import os
import platform
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import torch

from clinprompt.backbone.allocator import give_back_freed

_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def describe(device: torch.device) -> dict[str, Any]:
    """Device, processor, cores and threads, as plain values."""
    found: dict[str, Any] = {
        "device": device.type,
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "system": f"{platform.system()} {platform.machine()}",
    }
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        found |= {"gpu": properties.name, "gpu_memory_bytes": properties.total_memory}
    return found


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor()
    named = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor())


def reset_peak(device: torch.device, *, give_back: bool = True) -> None:
    """Begin to measure a new peak.

    Args:
        give_back: from what is in use: what was freed before counts no longer. Otherwise from what
            the process holds, memory it keeps for the next use (`backbone.allocator`) included.
    """
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return
    if give_back:
        give_back_freed()
    with suppress(OSError):  # not Linux, or not allowed: `peak` says "unknown"
        _RESET.write_text("5")  # sets the peak of the resident set to what it is now


def peak(device: torch.device) -> tuple[int | None, Literal["cuda", "resident", "unknown"]]:
    """Bytes since the last reset, and what was measured."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device)), "cuda"
    if not os.access(_RESET, os.W_OK):
        return None, "unknown"
    try:
        lines = _STATUS.read_text().splitlines()
    except OSError:
        return None, "unknown"
    sizes = (int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
    found = next(sizes, None)
    return found, "unknown" if found is None else "resident"
