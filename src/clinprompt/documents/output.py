"""Writing files of a collection: one after another, each whole or not at all."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path, PurePosixPath

from clinprompt.documents.archives import HIDDEN
from clinprompt.errors import ClinpromptError

UNWRITABLE = "CP-DOC-004"  # the code of what no other document would help against
_LONGEST = 255  # bytes of a name, on all common file systems


def write_bytes(path: Path, raw: bytes) -> None:
    """Write a file by way of a new one beside it, making its folder where missing.

    Raises:
        ClinpromptError: CP-DOC-004 if it can't be written (disk full, no permission).
    """
    part = path.with_name(_part(path.name))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(raw)
        part.replace(path)
    except OSError as error:
        with suppress(OSError):  # its folder may be no folder, or its name too long
            part.unlink(missing_ok=True)
        raise unwritable(path, error) from error


def _part(name: str) -> str:
    return f".{name}.part"


def unwritable(path: Path, error: OSError) -> ClinpromptError:
    """The error for a file or folder that can't be written."""
    return ClinpromptError(UNWRITABLE, f"cannot be written ({error.strerror})", file=path)


def document_file(folder: Path, document: str, suffix: str) -> Path:
    """The file of a document, ``folder/<id><suffix>``.

    Raises:
        ClinpromptError: CP-DOC-005 if its id would lead outside the folder, or is no path in its
            shortest form (``a//b`` and ``a/b`` would be one file), or is a hidden file, which
            `store.members` would not find, or too long.
    """
    parts = PurePosixPath(document).parts
    hidden = any(part.startswith(HIDDEN) for part in parts)
    odd = str(PurePosixPath(document)) != document or not _encodable(document, suffix)
    if not parts or document.startswith("/") or ".." in parts or "\\" in document or odd or hidden:
        raise ClinpromptError("CP-DOC-005", f"document id '{document}' can't name a file")
    return folder / f"{document}{suffix}"


def _encodable(name: str, suffix: str) -> bool:
    """Whether a file system can be asked for such a name, and for what `write_bytes` makes."""
    try:
        raw = os.fsencode(name)
        last = os.fsencode(_part(name.rpartition("/")[2] + suffix))
        return b"\0" not in raw and all(len(one) <= _LONGEST for one in (*raw.split(b"/"), last))
    except UnicodeEncodeError:
        return False
