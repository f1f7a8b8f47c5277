"""The manifest of a saved folder: size and SHA-256 of each file, checked before anything is read.

Nothing in it depends on time, place or machine: the same content gives the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from clinprompt import __version__
from clinprompt.artifacts.staging import located
from clinprompt.errors import ClinpromptError

MANIFEST = "manifest.json"
FORMAT_VERSION = 1
# What version control, hubs and file managers put into a folder; never part of an artefact.
HOUSEKEEPING = frozenset({".git", ".gitattributes", ".gitignore", ".cache", ".DS_Store"})


class FileRecord(BaseModel):
    """Size in bytes and SHA-256 (hex) of one file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    size: int = Field(ge=0)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class Manifest(BaseModel):
    """What belongs to a saved folder.

    Attributes:
        format: marks the folder as one of ours.
        format_version: layout of this manifest.
        kind: what the folder is, such as "prompt-set"; only the same kind may replace it.
        created_by: program and version.
        files: relative path (with ``/``) -> size and hash; never empty.
        free: files for human readers that may be edited or deleted: not hashed.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["clinprompt-folder"] = "clinprompt-folder"
    format_version: Literal[1] = 1
    kind: str = Field(min_length=1)
    created_by: str = f"clinprompt {__version__}"
    files: dict[str, FileRecord] = Field(min_length=1)
    free: tuple[str, ...] = ()

    @field_validator("files", "free")
    @classmethod
    def _inside(cls, value: dict[str, FileRecord] | tuple[str, ...]) -> object:
        for name in value:
            parts = PurePosixPath(name).parts
            outside = name.startswith("/") or ".." in parts or "\\" in name or "\n" in name
            if outside or str(PurePosixPath(*parts)) != name or name in (".", MANIFEST):
                raise ValueError(f"{name!r} is no plain path inside the folder")
        return value

    @property
    def digest(self) -> str:
        """SHA-256 of the file list, one line ``hash size name`` a file, in order of names."""
        lines = (f"{r.sha256} {r.size} {name}\n" for name, r in sorted(self.files.items()))
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    def to_bytes(self) -> bytes:
        """The content of ``manifest.json``."""
        content = self.model_dump(mode="json")
        return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()


def record(content: bytes) -> FileRecord:
    """Size and hash of a file with this content."""
    return FileRecord(size=len(content), sha256=hashlib.sha256(content).hexdigest())


def make_manifest(folder: Path, kind: str, free: tuple[str, ...] = ()) -> Manifest:
    """Hash all files of a folder, subfolders included, in order of names."""
    files = {}
    for name in file_names(folder):
        path = folder / name
        if name not in free:
            files[name] = FileRecord(size=path.stat().st_size, sha256=_sha256(path))
    return Manifest(kind=kind, files=files, free=free)


def file_names(folder: Path) -> list[str]:
    """Relative paths of all files of a folder but its manifest and housekeeping, sorted."""
    return sorted(name for name in _walk(folder) if name != MANIFEST)


def read_manifest(path: str | Path) -> Manifest:
    """The manifest of a saved folder; the files themselves are not looked at.

    Raises:
        ClinpromptError: CP-ART-006 no such folder, CP-ART-007 not a folder of clinprompt,
            CP-ART-008 written by a newer clinprompt, CP-ART-009 the manifest is damaged.
    """
    folder = located(Path(path))
    file = folder / MANIFEST
    if not folder.is_dir():
        what = "a file, not a folder saved by clinprompt" if folder.exists() else "no such folder"
        raise ClinpromptError("CP-ART-006", what, file=path)
    try:
        text = file.read_bytes().decode()
        content = json.loads(text)
        if not isinstance(content, dict):
            raise ValueError("not a JSON object")
        version = content.get("format_version")
        if isinstance(version, int) and version > FORMAT_VERSION:
            raise newer(version, FORMAT_VERSION, file)
        return Manifest.model_validate(content)
    except FileNotFoundError as error:
        raise ClinpromptError(
            "CP-ART-007", f"not a folder saved by clinprompt: it has no {MANIFEST}", file=path
        ) from error
    except (ValueError, RecursionError) as error:  # not UTF-8, not JSON, or not this schema
        raise ClinpromptError(
            "CP-ART-009", f"damaged manifest: {_reason(error)}", file=file
        ) from error


def newer(version: int, known: int, file: Path) -> ClinpromptError:
    """The error for a format version that this program doesn't know yet."""
    return ClinpromptError(
        "CP-ART-008",
        f"format version {version}, but this clinprompt ({__version__}) reads up to {known}",
        file=file,
        hint="install a newer clinprompt",
    )


def verify_folder(path: str | Path, *, kind: str | None = None) -> Manifest:
    """Check every file of a saved folder against its manifest.

    Args:
        path: the folder.
        kind: what it must be, if that matters.

    Raises:
        ClinpromptError: those of `read_manifest`; CP-ART-010 another kind; CP-ART-011 a file is
            missing, CP-ART-012 truncated, CP-ART-013 changed, CP-ART-014 unexpected, CP-ART-015
            unreadable. With several problems the first one gives the code, and the message names
            up to five.
    """
    manifest = read_manifest(path)
    if kind is not None and manifest.kind != kind:
        raise ClinpromptError(
            "CP-ART-010", f"holds a '{manifest.kind}', where a '{kind}' is needed", file=path
        )
    problems = list(_problems(located(Path(path)), manifest))
    if problems:
        shown = "; ".join(message for _, message in problems[:5])
        more = f"; and {len(problems) - 5} more" if len(problems) > 5 else ""
        hint = "the folder was altered after saving: restore it from a copy or make it again"
        raise ClinpromptError(problems[0][0], shown + more, file=path, hint=hint)
    return manifest


def read_verified(folder: Path, manifest: Manifest, name: str) -> bytes:
    """The content of one file, checked against the manifest as it is read.

    Raises:
        ClinpromptError: CP-ART-016 if it differs: replaced since `verify_folder`, for example.
    """
    content = (folder / name).read_bytes()
    if record(content) != manifest.files[name]:
        raise ClinpromptError(
            "CP-ART-016", "changed while it was being read", file=folder / name, hint="try again"
        )
    return content


def _problems(folder: Path, manifest: Manifest) -> Iterator[tuple[str, str]]:
    """Error code and message of everything that differs from the manifest, in order of names."""
    present = set(file_names(folder))
    for name in sorted({*manifest.files, *present} - set(manifest.free)):
        if name not in manifest.files:
            yield "CP-ART-014", f"unexpected file '{name}', not in the manifest"
        elif name not in present:
            yield "CP-ART-011", f"missing file '{name}'"
        else:
            yield from _difference(folder / name, name, manifest.files[name])


def _difference(file: Path, name: str, expected: FileRecord) -> Iterator[tuple[str, str]]:
    try:
        size = file.stat().st_size
        if size < expected.size:
            yield "CP-ART-012", f"truncated file '{name}': {size} of {expected.size} bytes"
            return
        found = FileRecord(size=size, sha256=_sha256(file))
        if found != expected:
            yield "CP-ART-013", f"changed file '{name}': {_short(found)}, not {_short(expected)}"
    except OSError as error:
        yield "CP-ART-015", f"unreadable file '{name}': {error.strerror}"


def _walk(folder: Path) -> Iterator[str]:
    for root, folders, files in os.walk(folder):
        base = Path(root).relative_to(folder)
        if base == Path():
            folders[:] = [name for name in folders if name not in HOUSEKEEPING]
            files = [name for name in files if name not in HOUSEKEEPING]
        yield from ((base / name).as_posix() for name in files)


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _short(file: FileRecord) -> str:
    return f"{file.size} bytes with SHA-256 {file.sha256[:12]}..."


def _reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    if isinstance(error, json.JSONDecodeError):
        return f"not valid JSON at line {error.lineno}, column {error.colno}"
    return str(error) or type(error).__name__
