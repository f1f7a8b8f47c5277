"""Taking zip and tar archives apart: the files in them that are no hidden ones."""

from __future__ import annotations

import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from clinprompt.errors import ClinpromptError

# What hidden files and those that macOS puts into archives begin with: they are no part of it.
HIDDEN = (".", "__MACOSX")


def wanted(name: str) -> bool:
    """Whether a file, by its path inside a collection, is none of the hidden ones."""
    return not any(part.startswith(HIDDEN) for part in name.split("/"))


def broken(path: Path) -> ClinpromptError:
    """The error for an archive or packed file that can't be opened."""
    return ClinpromptError(
        "CP-DOC-002", "broken or truncated archive", file=path, hint="fetch the file again"
    )


def _checked(archive: Path, name: str) -> str:
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if ".." in parts or name.startswith("/"):
        raise ClinpromptError(
            "CP-DOC-003", f"member '{name}' leads outside the archive", file=archive
        )
    return "/".join(part for part in parts if part != ".")


def unreadable(path: Path, error: OSError) -> ClinpromptError:
    """The error for what there is no permission to read."""
    return ClinpromptError("CP-DOC-370", f"cannot be read ({error.strerror})", file=path)


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    """An archive's file, while it is taken apart."""
    try:
        handle = path.open("rb")
    except OSError as error:
        raise unreadable(path, error) from error
    with handle:
        try:
            yield handle
        except ClinpromptError:
            raise
        except Exception as error:  # the libraries raise almost anything for a broken archive
            raise broken(path) from error


def from_zip(path: Path) -> list[tuple[str, bytes]]:
    """Name and bytes of each file in a zip archive, sorted by name.

    Raises:
        ClinpromptError: CP-DOC-002 broken, CP-DOC-003 a member that leads outside, CP-DOC-370 no
            permission to read, CP-DOC-371 encrypted.
    """
    found = []
    with _opened(path) as handle, zipfile.ZipFile(handle) as archive:
        for info in sorted(archive.infolist(), key=lambda one: one.filename):
            name = _checked(path, info.filename)
            if info.is_dir() or not wanted(name):
                continue
            if info.flag_bits & 1:
                raise ClinpromptError(
                    "CP-DOC-371",
                    f"member '{name}' is encrypted",
                    file=path,
                    hint="unpack the archive and read the folder",
                )
            found.append((name, archive.read(info)))
    return found


def from_tar(path: Path) -> list[tuple[str, bytes]]:
    """The same for a tar archive; a link stands for the file in the archive it leads to.

    Raises:
        ClinpromptError: CP-DOC-002, CP-DOC-003, CP-DOC-370, CP-DOC-372 a link that leads to no
            file in the archive.
    """
    found = []
    with _opened(path) as handle, tarfile.open(fileobj=handle, mode="r:*") as archive:
        for info in archive:
            name = _checked(path, info.name)
            if wanted(name) and (info.isfile() or info.islnk() or info.issym()):
                found.append((name, _extracted(archive, info, path)))
    return sorted(found, key=lambda pair: pair[0])


def _extracted(archive: tarfile.TarFile, info: tarfile.TarInfo, path: Path) -> bytes:
    """The content of a file, or of the one in the same archive that a link leads to."""
    try:
        handle = archive.extractfile(info)
    except KeyError:
        handle = None
    if handle is None:
        raise ClinpromptError(
            "CP-DOC-372",
            f"link '{info.name}' leads to no file in the archive",
            file=path,
            hint="unpack the archive and read the folder",
        )
    return handle.read()
