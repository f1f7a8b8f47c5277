"""Writing files of a collection: one after another, each whole or not at all."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from clinprompt.errors import ClinpromptError


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
            "CP-DOC-004", f"cannot be written ({error.strerror})", file=path
        ) from error


def document_file(folder: Path, document: str, suffix: str) -> Path:
    """The file of a document, ``folder/<id><suffix>``.

    Raises:
        ClinpromptError: CP-DOC-005 if its id would lead outside the folder.
    """
    parts = PurePosixPath(document).parts
    if not parts or document.startswith("/") or ".." in parts or "\\" in document:
        raise ClinpromptError("CP-DOC-005", f"document id '{document}' can't name a file")
    return folder / f"{document}{suffix}"
