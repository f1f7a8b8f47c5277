"""Files of a collection as they lie: a single file, a folder, or a zip or tar archive of one.

A file whose name ends in ``.xz`` or ``.gz`` is opened, and called without that ending. An archive
inside a folder or another archive stays closed.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from clinprompt.documents import archives
from clinprompt.documents.archives import HIDDEN
from clinprompt.errors import ClinpromptError
from clinprompt.files import decode, read_bytes, unpacked

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
        path: a file, a folder (read with its subfolders, links among them), or a zip or tar
            archive.

    Raises:
        ClinpromptError: CP-DOC-001 no such file or folder, CP-DOC-002 a broken or truncated
            archive, CP-DOC-003 a member that leads outside its archive, CP-DOC-370 no permission
            to read, CP-DOC-371 an encrypted archive, CP-DOC-372 a link in an archive that leads to
            no file in it.
    """
    narrowed = _NARROWED.get()
    if narrowed is not None and narrowed[0] == path:
        return list(narrowed[1])
    try:
        folder, there = path.is_dir(), path.exists()
    except OSError as error:  # no permission, or a name that is too long
        raise archives.unreadable(path, error) from error
    if folder:
        return [_lying(file.relative_to(path).as_posix(), file) for file in sorted(_files(path))]
    if not there:
        raise ClinpromptError("CP-DOC-001", "no such file or folder", file=path)
    if path.name.lower().endswith(_TAR):
        return [_held(path, name, raw) for name, raw in archives.from_tar(path)]
    if path.suffix.lower() == ".zip":
        return [_held(path, name, raw) for name, raw in archives.from_zip(path)]
    return [_lying(path.name, path)]


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


def _files(folder: Path) -> Iterator[Path]:
    """The files below a folder that are not hidden; links that lead nowhere are among them."""
    waiting: list[tuple[Path, frozenset[Path]]] = [(folder, frozenset())]
    while waiting:
        folder, above = waiting.pop()
        real = folder.resolve()
        if real in above:  # a link to a folder that it lies in
            continue
        try:
            entries = [one for one in folder.iterdir() if not one.name.startswith(HIDDEN)]
        except OSError as error:
            raise archives.unreadable(folder, error) from error
        for entry in entries:
            if entry.is_dir():
                waiting.append((entry, above | {real}))
            elif entry.is_file() or entry.is_symlink():
                yield entry


def _lying(name: str, file: Path) -> Member:
    called, ending = _called(name)
    if ending != ".gz":  # `read_bytes` opens .xz
        return Member(called, str(file), lambda: read_bytes(file))
    return Member(called, str(file), lambda: _gunzipped(read_bytes(file), file))


def _called(name: str) -> tuple[str, str]:
    """A file's name without the ending that reading it takes off, and that ending."""
    path = PurePosixPath(name)
    ending = path.suffix.lower()
    if ending not in (".xz", ".gz") or name.lower().endswith(_TAR):
        return name, ""
    return str(path.with_suffix("")), ending


def _gunzipped(raw: bytes, place: Path) -> bytes:
    try:
        return gzip.decompress(raw)
    except (OSError, EOFError, zlib.error) as error:
        raise archives.broken(place) from error


def _held(archive: Path, name: str, raw: bytes) -> Member:
    called, ending = _called(name)
    place = f"{archive}!{name}"
    if ending == ".gz":
        return Member(called, place, lambda: _gunzipped(raw, Path(place)))
    if ending == ".xz":
        return Member(called, place, lambda: unpacked(raw, Path(place)))
    return Member(called, place, lambda: raw)
