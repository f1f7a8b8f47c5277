"""Files of a collection as they lie: a single file, a folder, or a zip or tar archive of one."""

from __future__ import annotations

import gzip
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from clinprompt.errors import ClinpromptError
from clinprompt.files import decode, read_bytes

_TAR = (".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2")
_NARROWED: ContextVar[tuple[Path, tuple[Member, ...]] | None] = ContextVar("narrowed", default=None)


@dataclass(frozen=True)
class Member:
    """One file of a collection.

    Attributes:
        name: its path inside the collection, with ``/``.
        place: its name for messages: a path, or ``archive.zip!notes/17.txt``.
        read: gives its bytes.
    """

    name: str
    place: str
    read: Callable[[], bytes]

    @property
    def stem(self) -> str:
        """The path without its last ending: what the files of one document share."""
        return str(PurePosixPath(self.name).with_suffix(""))

    @property
    def suffix(self) -> str:
        """The last ending in lower case, such as ``.ann``."""
        return PurePosixPath(self.name).suffix.lower()

    def text(self, encoding: str = "utf-8") -> str:
        """Its text; a byte-order mark is dropped, line ends are kept.

        Raises:
            ClinpromptError: CP-DATA-001 to CP-DATA-004.
        """
        return decode(self.read(), Path(self.place), encoding)


def members(path: Path) -> list[Member]:
    """All files of a collection, sorted by name; hidden ones and those of macOS archives left out.

    Args:
        path: a file (``.xz`` and ``.gz`` are opened), a folder (read with its subfolders), or a
            zip or tar archive.

    Raises:
        ClinpromptError: CP-DOC-001 no such file or folder, CP-DOC-002 a broken or truncated
            archive, CP-DOC-003 a member that leads outside its archive.
    """
    narrowed = _NARROWED.get()
    if narrowed is not None and narrowed[0] == path:
        return list(narrowed[1])
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file())
        found = [(str(file.relative_to(path).as_posix()), file) for file in files]
        return [Member(name, str(file), _reader(file)) for name, file in found if _wanted(name)]
    if not path.exists():
        raise ClinpromptError("CP-DOC-001", "no such file or folder", file=path)
    if path.name.lower().endswith(_TAR):
        return _tar(path)
    if path.suffix.lower() == ".zip":
        return _zip(path)
    name = path.name.removesuffix(".xz").removesuffix(".gz")
    return [Member(name, str(path), _reader(path))]


def alone(path: Path) -> bool:
    """Whether `path` names one file, which is read whatever its name ends in.

    In a folder or archive a reader passes over the files that are not of its format.
    """
    return path.is_file() and not path.name.lower().endswith((*_TAR, ".zip"))


@contextmanager
def narrowed(path: Path, some: Sequence[Member]) -> Iterator[None]:
    """Inside, `members(path)` gives only these.

    So the files of one document can be read alone, by any format, under their own names: what is
    wrong with one document then does not keep the others from being read.
    """
    token = _NARROWED.set((path, tuple(some)))
    try:
        yield
    finally:
        _NARROWED.reset(token)


def _wanted(name: str) -> bool:
    return not any(part.startswith((".", "__MACOSX")) for part in name.split("/"))


def _reader(file: Path) -> Callable[[], bytes]:
    def read() -> bytes:
        raw = read_bytes(file)
        if file.suffix.lower() != ".gz":
            return raw
        try:
            return gzip.decompress(raw)
        except (OSError, EOFError, zlib.error) as error:
            raise _broken(file) from error

    return read


def _broken(path: Path) -> ClinpromptError:
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


def _held(place: Path, name: str, raw: bytes) -> Member:
    return Member(name, f"{place}!{name}", lambda: raw)


def _zip(path: Path) -> list[Member]:
    found = []
    try:
        with zipfile.ZipFile(path) as archive:
            for info in sorted(archive.infolist(), key=lambda one: one.filename):
                name = _checked(path, info.filename)
                if not info.is_dir() and _wanted(name):
                    found.append(_held(path, name, archive.read(info)))
    except (zipfile.BadZipFile, EOFError, zlib.error, NotImplementedError, RuntimeError) as error:
        raise _broken(path) from error
    return found


def _tar(path: Path) -> list[Member]:
    found = []
    try:
        with tarfile.open(path, "r:*") as archive:
            for info in archive:
                name = _checked(path, info.name)
                handle = archive.extractfile(info) if info.isfile() else None
                if handle is not None and _wanted(name):
                    found.append(_held(path, name, handle.read()))
    except (tarfile.TarError, lzma.LZMAError, EOFError, OSError, zlib.error) as error:
        raise _broken(path) from error
    return sorted(found, key=lambda member: member.name)
