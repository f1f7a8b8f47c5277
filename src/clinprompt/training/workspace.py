"""The folder beside a result where an unfinished run keeps its state; one process at a time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from clinprompt.errors import ClinpromptError

try:
    import fcntl
except ImportError:  # Windows: nothing keeps a second process away
    fcntl = None  # type: ignore[assignment]


def occupied(out: Path) -> bool:
    """Whether something stands at `out` (an empty folder is nothing)."""
    return out.exists() and not (out.is_dir() and not any(out.iterdir()))


def work_folder(out: Path) -> Path:
    """``<out>.work``."""
    place = out.absolute() if out.name not in ("", "..") else out.resolve()  # `.` has no name
    return place.with_name(place.name + ".work")


@contextmanager
def workspace(out: Path) -> Iterator[Path]:
    """The work folder of `out`, held by this process; it goes away at the end if it is empty.

    Two processes in one folder would overwrite each other's checkpoints. The operating system
    drops the lock when a process ends, however it ends.

    Raises:
        ClinpromptError: CP-TRAIN-085 if another process holds it.
    """
    folder = work_folder(out)
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = None if fcntl is None else os.open(folder, os.O_RDONLY)
    try:
        if descriptor is not None and not _lock(descriptor):
            raise ClinpromptError(
                "CP-TRAIN-085",
                "another process is training into this folder",
                file=folder,
                hint="wait for it, stop it, or choose another output folder",
            )
        try:
            yield folder
        finally:
            _remove_empty(folder)
    finally:
        if descriptor is not None:
            os.close(descriptor)


def clear_checkpoints(folder: Path) -> None:
    """Delete the checkpoints of a finished run, and the folder if that leaves it empty."""
    for pattern in ("*.ckpt", "*.ckpt.tmp"):
        for leftover in folder.glob(pattern):
            leftover.unlink(missing_ok=True)
    _remove_empty(folder)


def _remove_empty(folder: Path) -> None:
    with suppress(OSError):  # not empty, or gone already
        folder.rmdir()


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a network file system without locks
        return True
    return True
