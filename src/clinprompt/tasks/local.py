"""Where a card's files lie on this machine, and what to say if they aren't there."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from clinprompt.errors import ClinpromptError
from clinprompt.tasks.card import Card, RawSplit

ROOT_VARIABLE = "CLINPROMPT_DATA"
PACKED = (".zip", ".tar.gz", ".tgz", ".tar", ".tar.xz", ".tar.bz2", ".xz")


def card_root(card: Card, data_root: Path | None) -> Path:
    """The folder that the card's relative paths start from.

    For a user's own card it is the card's folder if the first file lies there, else the data root.

    Raises:
        ClinpromptError: CP-TASK-061 if there is neither.
    """
    named = [Path(file) for files in card.data.files.values() for file in files]
    if not named:
        return data_root or card.folder or Path()
    if card.folder is not None and (
        data_root is None or _as_it_lies(card.folder / named[0]).exists()
    ):
        return card.folder
    if data_root is None and not all(path.is_absolute() for path in named):
        raise ClinpromptError(
            "CP-TASK-061",
            f"task '{card.name}' needs data files, and it is not known where they are",
            hint=f"set --data-root or {ROOT_VARIABLE} to the folder that holds '{named[0]}'",
        )
    return data_root or Path()


def files_of(card: Card, data_root: Path | None) -> dict[RawSplit, list[Path]]:
    """The files of each split that is read, as full paths (none for a reader without files).

    A file or folder may lie packed under the same name with one of the endings `PACKED` behind it.
    """
    root = card_root(card, data_root)
    return {
        split: [_as_it_lies(root / name) for name in card.data.files.get(split, ())]
        for split in card.data.raw_splits
    }


def _as_it_lies(path: Path) -> Path:
    if path.exists():
        return path
    packed = (path.with_name(path.name + ending) for ending in PACKED)
    return next((file for file in packed if file.exists()), path)


def absent(
    card: Card, data_root: Path | None, splits: Collection[RawSplit] | None = None
) -> list[str]:
    """Files of the card that are not there, as the card names them; all if no root is known.

    Args:
        splits: the splits that are to be read; None: all.
    """
    read = card.data.files if splits is None else splits
    named = list(dict.fromkeys(name for split in read for name in card.data.files.get(split, ())))
    try:
        root = card_root(card, data_root)
    except ClinpromptError:
        return named
    return [name for name in named if not _as_it_lies(root / name).exists()]


def need_local_copy(
    card: Card, data_root: Path | None, splits: Collection[RawSplit] | None = None
) -> ClinpromptError | None:
    """What to say about a card whose data each user has to get, if they aren't there."""
    if not card.obtain or not (missing := absent(card, data_root, splits)):
        return None
    where = f"there is no '{missing[0]}'" + (f" below {data_root}" if data_root else "")
    if len(missing) > 1:
        where += f" (and {len(missing) - 1} more)"
    return ClinpromptError(
        "CP-TASK-400",
        f"task '{card.name}' needs a local copy of its data, and {where}",
        hint=" ".join(card.obtain.split()),
    )
