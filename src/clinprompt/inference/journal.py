"""The answers' file: written chunk by chunk, and taken up again where a run stopped."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

from clinprompt.errors import ClinpromptError
from clinprompt.inference.source import Asked, Rejected

try:
    import fcntl
except ImportError:  # Windows: two runs into one file are not noticed
    fcntl = None  # type: ignore[assignment]

_FIRST = b'{"id": '  # what every record of ours begins with


@dataclass(frozen=True)
class MadeBy:
    """What a record's answer was made by; it stands in every record.

    Attributes:
        prompt: beginning of the prompts' digest.
        settings: what else changes answers, in words.
    """

    prompt: str
    settings: str

    def of(self, asked: Asked) -> dict[str, str]:
        """As in the record of an input."""
        return {"prompt": self.prompt, "settings": self.settings, "input": asked.digest}


class Answered:
    """Reads the records of an earlier run, one after the other.

    Args:
        file: open at its start.
        path: its name, for messages.
        made_by: what this run makes answers by.

    Attributes:
        end: how many bytes the records read so far take.
    """

    def __init__(self, file: BinaryIO, path: Path, made_by: MadeBy) -> None:
        self._path, self._made_by = path, made_by
        self.end = 0
        self._records = self._read(file)
        self._next = next(self._records, None)

    @property
    def exhausted(self) -> bool:
        """Whether all records have been taken."""
        return self._next is None

    def take(self, asked: Asked) -> bool:
        """Whether the next record answers this input; if so, it is passed.

        Raises:
            ClinpromptError: CP-INF-046 the answer was made in another way; CP-INF-047 the line
                was changed since; CP-INF-048 a record that is not one of ours.
        """
        if self._next is None:
            return False
        number, record, end = self._next
        if (record["id"], record["task"]) != (asked.request.id, asked.request.task):
            return False
        wanted, found = self._made_by.of(asked), record["made_by"]
        for key in ("prompt", "settings"):
            if found.get(key) != wanted[key]:
                raise ClinpromptError(
                    "CP-INF-046",
                    f"the answers there were made with {key} '{found.get(key)}', and these would "
                    f"be with '{wanted[key]}'",
                    file=self._path,
                    line=number,
                    hint="choose another output file, or begin anew with --overwrite",
                )
        if found.get("input") != wanted["input"]:
            raise ClinpromptError(
                "CP-INF-047",
                f"the input was changed since '{asked.request.id}' (line {asked.line}) was "
                "answered",
                file=self._path,
                line=number,
                hint="choose another output file, or begin anew with --overwrite",
            )
        self.end = end
        self._next = next(self._records, None)
        return True

    def mismatch(self) -> ClinpromptError:
        """The error to raise where the next record answers none of the inputs at its place."""
        assert self._next is not None
        return ClinpromptError(
            "CP-INF-049",
            "the answer there is not to the input that stands at its place",
            file=self._path,
            line=self._next[0],
            hint="is it the same input file? Answer corrected lines from a file of their own, or "
            "begin anew with --overwrite",
        )

    def _read(self, file: BinaryIO) -> Iterator[tuple[int, dict[str, Any], int]]:
        """Number, record and end of each whole line; a half-written last one is left out."""
        end = 0
        for number, line in enumerate(file, 1):
            end += len(line)
            if not line.endswith(b"\n"):
                if line.startswith(_FIRST[: len(line)]):
                    return
                raise self._foreign(number)
            try:
                record = json.loads(line)
                whole = isinstance(record["made_by"], dict) and {"id", "task"} <= record.keys()
            except (ValueError, TypeError, KeyError, RecursionError):
                whole = False
            if not whole:
                raise self._foreign(number)
            yield number, record, end

    def _foreign(self, number: int) -> ClinpromptError:
        return ClinpromptError(
            "CP-INF-048",
            "not an answer that clinprompt wrote",
            file=self._path,
            line=number,
            hint="choose another output file, or replace this one with --overwrite",
        )


def errors_path(out: Path) -> Path:
    """Where the lines that could not be answered are listed: beside the answers."""
    return out.with_name(out.name.removesuffix(".jsonl") + ".errors.jsonl")


class Journal:
    """Writes answers to a file, and rejected lines to another one beside it.

    What they hold is not touched before `begin`: a run that can't start destroys nothing.

    Args:
        path: the answers' file.
        overwrite: take no account of what it holds.

    Raises:
        ClinpromptError: CP-INF-024 another run is writing to it.
    """

    def __init__(self, path: Path, *, overwrite: bool = False) -> None:
        self.path, self.errors = path, errors_path(path)
        self._file: BinaryIO = path.open("r+b" if path.exists() else "x+b")
        self._overwrite = overwrite
        self._errors: BinaryIO | None = None
        self._waiting: list[Rejected] = []
        try:
            lock(self._file, path)
        except ClinpromptError:
            self._file.close()
            raise

    def answered(self, made_by: MadeBy) -> Answered:
        """What an earlier run left."""
        self._file.seek(0)
        return Answered(BytesIO() if self._overwrite else self._file, self.path, made_by)

    def remember(self, rejected: Sequence[Rejected]) -> None:
        """Rejected lines that an earlier run has met already: its list is written anew."""
        self._waiting += rejected

    def begin(self, at: int) -> None:
        """Cut off what stands behind byte `at` of the answers, and go on there."""
        self._file.seek(at)
        self._file.truncate()

    def add(self, records: Sequence[dict[str, Any]], rejected: Sequence[Rejected]) -> None:
        """Write one chunk; it is on the disk when this returns."""
        self._waiting += rejected
        self._write_errors()
        self._file.write(b"".join(encoded(record) for record in records))
        to_disk(self._file)

    def finish(self) -> None:
        """All is answered: the list of rejected lines is whole, and there is none without any."""
        self._write_errors()
        if self._errors is None:
            self.errors.unlink(missing_ok=True)

    def close(self) -> None:
        """Close both files, finished or not."""
        self._file.close()
        if self._errors is not None:
            self._errors.close()

    def _write_errors(self) -> None:
        if not self._waiting:
            return
        if self._errors is None:
            self._errors = self.errors.open("wb")
        self._errors.write(b"".join(encoded(rejected.record()) for rejected in self._waiting))
        self._waiting = []
        to_disk(self._errors)


class Pipe:
    """The same for standard output and other streams: nothing can be taken up again there.

    Rejected lines are listed nowhere but in the messages.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def add(self, records: Sequence[dict[str, Any]], rejected: Sequence[Rejected]) -> None:
        """Write one chunk of answers."""
        self._stream.write(b"".join(encoded(record) for record in records))
        self._stream.flush()


def encoded(record: dict[str, Any]) -> bytes:
    """One line of JSON; half of a surrogate pair, which UTF-8 does not know, stays an escape."""
    return json.dumps(record, ensure_ascii=False).encode(errors="backslashreplace") + b"\n"


def to_disk(file: BinaryIO) -> None:
    """Return when all that was written is on the disk."""
    file.flush()
    os.fsync(file.fileno())


def lock(file: BinaryIO, path: Path) -> None:
    """Keep other runs out until the file is closed, however this run ends.

    Raises:
        ClinpromptError: CP-INF-024 another run is writing to it.
    """
    if fcntl is None:
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ClinpromptError(
            "CP-INF-024", "another run is writing to this file", file=path
        ) from None
    except OSError as error:
        if error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS):
            raise  # else a file system without locks
