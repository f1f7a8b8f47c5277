"""The journal of a folder's run: the answers about each note, kept as soon as they are there.

Its first line says what the answers are made by. Every further line holds a chunk of notes with
their answers: a line is there as a whole or not at all, so a chunk that was interrupted is asked
again as a whole, in the same batches as in a run without interruption. Where a note stands in
several lines (it was changed, and asked again), the last one counts.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from clinprompt.errors import ClinpromptError
from clinprompt.inference.journal import encoded, lock, to_disk

_VERSION = 1
_FIRST = b'{"clinprompt_notes": '  # what every journal of ours begins with


@dataclass(frozen=True, slots=True)
class Refused:
    """A task that a note (or some of its pairs) could not be asked, and why."""

    task: str
    code: str
    message: str
    hint: str | None = None
    count: int = 1


@dataclass(frozen=True, slots=True)
class Entry:
    """What became of a note.

    Attributes:
        id: the document's.
        digest: of what was asked about, so that a changed note is not taken for an answered one.
        found: answers, as `found.found_record` makes them.
        refused: tasks that could not be asked.
        pairs: by task, how many pairs were asked and how many there were besides.
    """

    id: str
    digest: str
    found: Sequence[Mapping[str, Any]] = ()
    refused: Sequence[Refused] = ()
    pairs: Mapping[str, Sequence[int]] = field(default_factory=dict)

    @property
    def answered(self) -> bool:
        """Whether it goes into the output: not if nothing of what was to be asked could be."""
        return bool(self.found) or not self.refused


class NotesJournal:
    """Keeps entries in a file and finds them again.

    What the file holds is not touched before the first new entry.

    Args:
        path: the file; its folder is there.
        identity: everything that answers depend on besides the notes, as plain values.
        made: when the run was begun; a run that goes on keeps the time of the first one.
        overwrite: take no account of what the file holds.

    Attributes:
        made: when the run that this one goes on with was begun.

    Raises:
        ClinpromptError: CP-INF-024 another run is writing to it, CP-INF-320 no journal of ours,
            CP-INF-321 its answers were made in another way.
    """

    def __init__(
        self, path: Path, identity: Mapping[str, Any], made: str, *, overwrite: bool = False
    ) -> None:
        self.path, self.made = path, made
        self._identity = json.loads(json.dumps(identity))
        self._places: dict[str, tuple[str, int]] = {}  # digest, and where its line begins
        self._line: tuple[int, dict[str, Entry]] = (-1, {})
        self._end = 0
        self._file: BinaryIO = path.open("r+b" if path.exists() else "x+b")
        try:
            lock(self._file, path)
            if not overwrite:
                self._index()
        except ClinpromptError:
            self._file.close()
            raise

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[str]:
        """Ids of all notes it knows."""
        return iter(self._places)

    def digest(self, name: str) -> str | None:
        """Of the note as it was when it was answered; None if it was not."""
        return self._places[name][0] if name in self._places else None

    def entry(self, name: str) -> Entry:
        """What became of a note that it knows."""
        _, start = self._places[name]
        if self._line[0] != start:
            self._file.seek(start)
            entries = _entries(json.loads(self._file.readline()))
            self._line = start, {entry.id: entry for entry in entries}
        return self._line[1][name]

    def add(self, entries: Sequence[Entry]) -> None:
        """Write a chunk; it is on the disk when this returns."""
        if not self._end:
            self._write({"clinprompt_notes": _VERSION, "made": self.made, **self._identity})
        start = self._end
        self._write({"notes": [asdict(entry) for entry in entries]})
        self._places.update((entry.id, (entry.digest, start)) for entry in entries)

    def close(self) -> None:
        """Close the file; another run may then use it."""
        self._file.close()

    def _write(self, record: Mapping[str, Any]) -> None:
        self._file.seek(self._end)
        self._file.truncate()  # a half-written line, or all there was with `overwrite`
        self._file.write(encoded(dict(record)))
        to_disk(self._file)
        self._end = self._file.tell()

    def _index(self) -> None:
        """Where every note stands; a half-written last line is left out."""
        for number, line in enumerate(self._file, 1):
            if not line.endswith(b"\n") and (number > 1 or _FIRST.startswith(line[: len(_FIRST)])):
                return
            try:
                record = json.loads(line)
                if number == 1:
                    self._check_made(record)
                else:
                    for entry in _entries(record):
                        self._places[entry.id] = (entry.digest, self._end)
            except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
                raise ClinpromptError(
                    "CP-INF-320",
                    "not a journal that clinprompt wrote",
                    file=self.path,
                    line=number,
                    hint="choose another output folder, or begin anew with --overwrite",
                ) from None
            self._end += len(line)

    def _check_made(self, head: dict[str, Any]) -> None:
        version, made = head.pop("clinprompt_notes"), str(head.pop("made"))
        ours = {"version": _VERSION, **self._identity}
        theirs = {"version": version, **head}
        other = [key for key in {**ours, **theirs} if ours.get(key) != theirs.get(key)]
        if other:
            raise ClinpromptError(
                "CP-INF-321",
                f"the answers in this folder were made in another way: other {', '.join(other)}",
                file=self.path,
                hint="choose another output folder, or begin anew with --overwrite",
            )
        self.made = made


def _entries(record: Mapping[str, Any]) -> list[Entry]:
    return [
        Entry(**{**note, "refused": tuple(Refused(**one) for one in note["refused"])})
        for note in record["notes"]
    ]
