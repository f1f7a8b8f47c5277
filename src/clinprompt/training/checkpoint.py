"""State of a stage on disk, written so that a crash at any moment leaves the old or the new one."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from clinprompt.errors import ClinpromptError


def save(path: Path, state: dict[str, Any]) -> None:
    """Write `state` (tensors and plain values) to a new file and rename it over the old one."""
    scratch = path.with_name(path.name + ".tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with scratch.open("wb") as handle:
            torch.save(state, handle)
            handle.flush()
            os.fsync(handle.fileno())
        scratch.replace(path)
    except (OSError, RuntimeError) as error:
        # torch reports a full disk as a RuntimeError of its zip writer.
        with suppress(OSError):
            scratch.unlink(missing_ok=True)
        raise ClinpromptError(
            "CP-TRAIN-030",
            f"checkpoint can't be written ({getattr(error, 'strerror', None) or 'write failed'})",
            file=path,
            hint="free some space and run the same command again; the last checkpoint is untouched",
        ) from error


def load(path: Path, identity: str) -> dict[str, Any] | None:
    """The saved state, or None where there is none.

    Args:
        identity: of the run; a state of another run is refused.

    Raises:
        ClinpromptError: CP-TRAIN-031 unreadable, CP-TRAIN-032 of a different run.
    """
    if not path.exists():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        found = state["identity"]
    except Exception as error:
        raise ClinpromptError(
            "CP-TRAIN-031",
            "checkpoint can't be read",
            file=path,
            hint="delete it to begin this stage again",
        ) from error
    if found != identity:
        raise ClinpromptError(
            "CP-TRAIN-032",
            "checkpoint belongs to a run with other settings, data or backbone",
            file=path,
            hint="choose another output folder, or delete this one to begin again",
        )
    return state
