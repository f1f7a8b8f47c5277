"""Opening data files as they lie: plain, ``.xz``, and members of ``.tar.xz`` archives."""

from __future__ import annotations

import lzma
import tarfile
from collections.abc import Iterator
from pathlib import Path

from clinprompt.errors import ClinpromptError


def read_bytes(path: Path) -> bytes:
    """The file's bytes, decompressed if its name ends in ``.xz``.

    Raises:
        ClinpromptError: CP-DATA-001 missing, CP-DATA-002 unreadable, CP-DATA-003 broken archive.
    """
    try:
        raw = path.read_bytes()
    except FileNotFoundError as error:
        raise ClinpromptError(
            "CP-DATA-001",
            "no such file",
            file=path,
            hint="set --data-root or CLINPROMPT_DATA to the folder that holds the data",
        ) from error
    except OSError as error:
        raise ClinpromptError(
            "CP-DATA-002", f"cannot be read ({error.strerror})", file=path
        ) from error
    if path.suffix != ".xz":
        return raw
    try:
        return lzma.decompress(raw)
    except (lzma.LZMAError, EOFError) as error:
        raise ClinpromptError(
            "CP-DATA-003", "broken or truncated xz file", file=path, hint="fetch the file again"
        ) from error


def decode(raw: bytes, path: Path, encoding: str = "utf-8") -> str:
    """Text of `raw`; a byte-order mark is dropped and line ends are kept.

    Raises:
        ClinpromptError: CP-DATA-004 if the bytes are not `encoding` (with the line), CP-DATA-008
            if there is no such encoding.
    """
    if encoding == "utf-8":
        encoding = "utf-8-sig"
    try:
        return raw.decode(encoding)
    except LookupError as error:
        raise ClinpromptError(
            "CP-DATA-008",
            f"unknown encoding '{encoding}'",
            hint="name one that Python knows, such as utf-8, cp1252 or latin-1",
        ) from error
    except UnicodeDecodeError as error:
        raise ClinpromptError(
            "CP-DATA-004",
            f"byte 0x{raw[error.start]:02x} is not {error.encoding}",
            file=path,
            line=raw.count(b"\n", 0, error.start) + 1,
            hint="name the file's encoding in the card (data.options.encoding), such as cp1252",
        ) from error


def read_text(path: Path, encoding: str = "utf-8") -> str:
    """The file's text (see `read_bytes` and `decode` for what is raised)."""
    return decode(read_bytes(path), path, encoding)


def tar_members(path: Path, suffix: str = "") -> Iterator[tuple[str, bytes]]:
    """Name and bytes of each regular file in a tar archive, sorted by name.

    Raises:
        ClinpromptError: CP-DATA-001 missing, CP-DATA-005 broken or truncated archive.
    """
    if not path.exists():
        read_bytes(path)
    try:
        with tarfile.open(path, "r:*") as archive:
            members = sorted((m for m in archive if m.isfile()), key=lambda member: member.name)
            for member in members:
                if member.name.endswith(suffix):
                    handle = archive.extractfile(member)
                    assert handle is not None
                    yield member.name, handle.read()
    except (tarfile.TarError, lzma.LZMAError, EOFError) as error:
        raise ClinpromptError(
            "CP-DATA-005", "broken or truncated archive", file=path, hint="fetch the file again"
        ) from error
