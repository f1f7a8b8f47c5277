"""Writing files of a collection: one after another, each whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

from clinprompt.errors import ClinpromptError

UNWRITABLE = "CP-DOC-004"  # the code of what no other document would help against


def write_bytes(path: Path, raw: bytes) -> None:
    """Write a file by way of a new one beside it, making its folder where missing.

    Raises:
        ClinpromptError: CP-DOC-004 if it can't be written (disk full, no permission).
    """
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(raw)
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise ClinpromptError(
            UNWRITABLE, f"cannot be written ({error.strerror})", file=path
        ) from error


def document_file(folder: Path, document: str, suffix: str) -> Path:
    """The file of a document, ``folder/<id><suffix>``.

    Raises:
        ClinpromptError: CP-DOC-005 if its id would lead outside the folder, or is no path in its
            shortest form (``a//b`` and ``a/b`` would be one file).
    """
    parts = PurePosixPath(document).parts
    odd = str(PurePosixPath(document)) != document or not _encodable(document)
    if not parts or document.startswith("/") or ".." in parts or "\\" in document or odd:
        raise ClinpromptError("CP-DOC-005", f"document id '{document}' can't name a file")
    return folder / f"{document}{suffix}"


def _encodable(name: str) -> bool:
    """Whether the file system can be asked for such a name at all."""
    try:
        return b"\0" not in os.fsencode(name)
    except UnicodeEncodeError:
        return False
