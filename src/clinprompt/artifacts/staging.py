"""Hidden folders beside an artefact: where it is built, and what a killed run leaves behind.

For a target ``runs/ncbi`` there may be

- ``runs/.ncbi.tmp-1a2b3c4d``: a folder being written, or being deleted. Its writer holds a lock
  on it, which the operating system drops when the process ends, however it ends; an unlocked one
  is left over and goes away with the next write.
- ``runs/.ncbi.old``: the previous version, for the moment between two renames on systems that
  can't exchange two folders in one step. If ``runs/ncbi`` is missing, this is it.
"""

from __future__ import annotations

import errno
import logging
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: no locks, so leftovers stay until the user deletes them
    fcntl = None  # type: ignore[assignment]

_log = logging.getLogger(__name__)


def backup_of(target: Path) -> Path:
    """Where the previous version waits between two renames."""
    return target.with_name(f".{target.name}.old")


def located(path: Path) -> Path:
    """The folder to read for `path`: its backup, if a run was killed between two renames."""
    target = path.resolve()
    backup = backup_of(target)
    return backup if not target.exists() and backup.is_dir() else path


def recover(target: Path) -> None:
    """Finish what a killed run began: put a backup back, delete leftovers of dead writers."""
    backup = backup_of(target)
    if backup.is_dir():
        if target.exists():
            discard(backup, target)
        else:
            backup.replace(target)
    pattern = re.compile(re.escape(f".{target.name}.tmp-") + r"[0-9a-f]{8}")
    for folder in sorted(target.parent.iterdir()):
        if pattern.fullmatch(folder.name) and folder.is_dir() and not folder.is_symlink():
            with _locked(folder) as locked:
                if locked:
                    shutil.rmtree(folder, ignore_errors=True)
                    _log.info("removed %s, left over from an interrupted run", folder.name)


@contextmanager
def building(target: Path) -> Iterator[Path]:
    """A new hidden folder beside `target`, locked; deleted at the end if it is still there."""
    while True:
        folder = _new_name(target)
        folder.mkdir()
        with _locked(folder) as locked:
            # Another writer may have swept it up before we held the lock: then once more.
            if locked is not False and folder.exists():
                try:
                    yield folder
                finally:
                    shutil.rmtree(folder, ignore_errors=True)
                return


def discard(folder: Path, target: Path) -> None:
    """Delete a folder that lost its place, first taking its name away in one step.

    A half-deleted folder must never stand under a name that means something.
    """
    doomed = _new_name(target)
    folder.replace(doomed)
    shutil.rmtree(doomed, ignore_errors=True)


def sync(folder: Path) -> None:
    """Force a folder's entries to the disk (a no-op on Windows, which has no such call)."""
    if os.name != "nt":
        _sync_path(folder)


def sync_tree(folder: Path) -> None:
    """Force all files and folders below `folder`, and itself, to the disk."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            _sync_path(path)
        elif path.is_dir():
            sync(path)
    sync(folder)


def _sync_path(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _new_name(target: Path) -> Path:
    return target.with_name(f".{target.name}.tmp-{secrets.token_hex(4)}")


@contextmanager
def _locked(folder: Path) -> Iterator[bool | None]:
    """Hold a lock on a folder: True; False if another process has it; None if there are no locks.

    A lock that is held tells other writers that the folder's writer lives.
    """
    if fcntl is None:
        yield None
        return
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except FileNotFoundError:
        yield False
        return
    try:
        yield _lock(descriptor)
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> bool | None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS):
            return None  # a network file system without locks
        raise
    return True
