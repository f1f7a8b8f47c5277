"""Opening data files as they lie: plain, ``.xz``, and members of ``.tar.xz`` archives."""

from __future__ import annotations

import codecs
import lzma
import tarfile
import zlib
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
    return unpacked(raw, path) if path.suffix.lower() == ".xz" else raw


def unpacked(raw: bytes, path: Path) -> bytes:
    """The content of an ``.xz`` file.

    Raises:
        ClinpromptError: CP-DATA-003 if it is broken.
    """
    try:
        return lzma.decompress(raw)
    except (lzma.LZMAError, EOFError) as error:
        raise ClinpromptError(
            "CP-DATA-003", "broken or truncated xz file", file=path, hint="fetch the file again"
        ) from error


def is_utf8(encoding: str) -> bool:
    """Whether an encoding is UTF-8, under whatever name (``UTF8``, ``utf_8``, ``utf-8-sig``)."""
    try:
        return codecs.lookup(encoding).name in ("utf-8", "utf-8-sig")
    except (LookupError, ValueError):
        return False


def decode(raw: bytes, path: Path, encoding: str = "utf-8") -> str:
    """Text of `raw`; a byte-order mark is dropped and line ends are kept.

    Raises:
        ClinpromptError: CP-DATA-004 if the bytes are not `encoding` (with the line), CP-DATA-008
            if there is no such encoding, or it is none of files (``idna``, ``rot13``).
    """
    try:
        return raw.decode("utf-8-sig" if is_utf8(encoding) else encoding)
    except UnicodeDecodeError as error:
        byte = f"byte 0x{raw[error.start]:02x} is" if error.start < len(raw) else "the end is"
        raise ClinpromptError(
            "CP-DATA-004",
            f"{byte} not {error.encoding}",
            file=path,
            line=raw.count(b"\n", 0, error.start) + 1,
            hint="name the file's encoding (--encoding, or data.options.encoding in a card), "
            "such as cp1252",
        ) from error
    except (LookupError, ValueError) as error:  # also codecs that are not for files, such as idna
        raise ClinpromptError(
            "CP-DATA-008",
            f"unknown encoding '{encoding}', or one that files are not in",
            hint="name one that Python knows, such as utf-8, cp1252 or latin-1",
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
    except (tarfile.TarError, lzma.LZMAError, zlib.error, OSError, EOFError) as error:
        raise ClinpromptError(
            "CP-DATA-005", "broken or truncated archive", file=path, hint="fetch the file again"
        ) from error
