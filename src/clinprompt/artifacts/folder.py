"""Write a folder so that it is there in full or not at all, and never lost while replaced.

Order of events: build a hidden sibling, hash it, force it to the disk, then rename. A run that is
killed, or a full disk, at any point leaves what was there before. `verify_folder` reads back.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path

from clinprompt.artifacts import staging, swap
from clinprompt.artifacts.manifest import (
    HOUSEKEEPING,
    MANIFEST,
    Manifest,
    file_names,
    make_manifest,
    read_manifest,
    verify_folder,
)
from clinprompt.errors import ClinpromptError

__all__ = ["Manifest", "check_target", "verify_folder", "write_folder"]

_FULL = {errno.ENOSPC, errno.EDQUOT}


def write_folder(
    path: str | Path,
    write: Callable[[Path], None],
    *,
    kind: str,
    overwrite: bool = False,
    free: tuple[str, ...] = (),
) -> Manifest:
    """Save a folder atomically, with a manifest.

    Args:
        path: where; missing parents are made, a link is followed, an empty folder may be there.
        write: puts the files into the folder it is given. The same content gives the same folder.
        kind: what the folder is, such as "prompt-set".
        overwrite: replace a folder of the same kind. It is never gone meanwhile: either both
            change places in one step, or the old one is found under its backup name.
        free: files that readers may edit or delete later; they are not hashed.

    Returns:
        The manifest that was written.

    Raises:
        ClinpromptError: those of `check_target`; CP-ART-004 disk full, CP-ART-005 another failure
            of the file system. What was there before is untouched. Anything else that `write`
            raises is passed on, after cleaning up.
    """
    target = Path(path).resolve()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        staging.recover(target)
        check_target(path, kind=kind, overwrite=overwrite)
        with staging.building(target) as folder:
            write(folder)
            manifest = make_manifest(folder, kind, free)
            (folder / MANIFEST).write_bytes(manifest.to_bytes())
            staging.sync_tree(folder)
            check_target(path, kind=kind, overwrite=overwrite)  # `write` may have taken hours
            _place(folder, target)
    except ClinpromptError:
        raise
    except Exception as error:
        if _disk_full(error):
            raise ClinpromptError(
                "CP-ART-004",
                "disk full: nothing was saved, and what was there before is untouched",
                file=path,
                hint="free some space and run the same command again",
            ) from error
        if isinstance(error, OSError):
            raise ClinpromptError("CP-ART-005", f"can't be written: {error}", file=path) from error
        raise
    return manifest


def check_target(path: str | Path, *, kind: str, overwrite: bool = False) -> None:
    """Refuse a place that `write_folder` would refuse; call it before hours of work.

    Raises:
        ClinpromptError: CP-ART-001 a folder of this kind is there and `overwrite` isn't set,
            CP-ART-002 something else is there, CP-ART-003 the folder to replace holds files that
            don't belong to it and would be lost.
    """
    target = staging.located(Path(path)).resolve()
    if not target.exists() or (target.is_dir() and not any(target.iterdir())):
        return
    try:
        manifest = read_manifest(target)
    except ClinpromptError as error:
        raise _occupied(path, "something that clinprompt did not save") from error
    if manifest.kind != kind:
        raise _occupied(path, f"a '{manifest.kind}', not a '{kind}',")
    if not overwrite:
        raise ClinpromptError(
            "CP-ART-001",
            f"a '{kind}' is there already",
            file=path,
            hint="choose another folder, or ask to overwrite it",
        )
    known = {*manifest.files, *manifest.free}
    foreign = [name for name in file_names(target) if name not in known]
    foreign += sorted(e.name for e in target.iterdir() if e.name in HOUSEKEEPING - {".DS_Store"})
    if foreign:
        shown = ", ".join(foreign[:3]) + (f" and {len(foreign) - 3} more" if foreign[3:] else "")
        raise ClinpromptError(
            "CP-ART-003",
            f"holds files that are not part of it and would be lost: {shown}",
            file=path,
            hint="move them away first",
        )


def _occupied(path: str | Path, what: str) -> ClinpromptError:
    return ClinpromptError(
        "CP-ART-002", f"{what} is there already", file=path, hint="choose another folder"
    )


def _place(folder: Path, target: Path) -> None:
    """Give the finished folder its name."""
    if not target.exists() or not any(target.iterdir()):
        folder.replace(target)
        staging.sync(target.parent)
    elif swap.exchange(folder, target):
        staging.sync(target.parent)  # the old folder now has the hidden name and is deleted there
    else:
        backup = staging.backup_of(target)
        target.replace(backup)
        try:
            folder.replace(target)
        except BaseException:
            backup.replace(target)
            raise
        staging.sync(target.parent)
        staging.discard(backup, target)


def _disk_full(error: Exception) -> bool:
    """Also for libraries that hide the system's error in a text of their own."""
    if isinstance(error, OSError):
        return error.errno in _FULL
    return f"os error {errno.ENOSPC}" in str(error) or "No space left on device" in str(error)
