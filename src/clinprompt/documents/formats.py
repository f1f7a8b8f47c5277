"""Formats by name: what ``--from`` and ``--to`` may say.

A format reads a collection (a file, a folder or an archive) into documents, or writes documents to
a file or folder, or both. Neither drops anything unseen: what a reader leaves out, and what a
format can't hold, goes through `Report.skip`; what is wrong is raised with its file and line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from clinprompt.documents.model import Document
from clinprompt.errors import ClinpromptError, did_you_mean
from clinprompt.report import Report


@dataclass(frozen=True)
class ReadOptions:
    """How a collection is read.

    Attributes:
        encoding: of its text files.
        offsets: what the files' offsets count. ``characters`` are Unicode code points.
        mismatch: what is done where the text that an annotation quotes is not the text its offsets
            cover: ``refuse`` raises; ``realign`` moves it to the nearest occurrence of the quoted
            text, and counts it.
    """

    encoding: str = "utf-8"
    offsets: Literal["characters", "bytes"] = "characters"
    mismatch: Literal["refuse", "realign"] = "refuse"


@dataclass(frozen=True)
class WriteOptions:
    """How documents are written.

    Attributes:
        artefact: digest of the prompts that made the annotations, for formats that keep provenance.
        scheme: tags of CoNLL files.
        schema: of BigBIO files; None is the one that holds the annotations.
        made: when the annotations were made, with its time zone, for formats that keep it. None is
            now; give it for output that is the same in each run.
        formulas: what `csv` does with cells that a spreadsheet would run as a formula.
        note_ids: what `omop` does where a document's id is not the number of its note.
        resources: pairs of a label and what `fhir` makes of its mentions: ``Condition``,
            ``Observation`` or ``none``. Other labels go by its own list.
        validate: whether `fhir` has each bundle checked by the ``fhir.resources`` library.
    """

    artefact: str | None = None
    scheme: Literal["BIO", "BIO2", "IO", "BIOES"] = "BIO2"
    schema: Literal["KB", "QA", "TE", "T2T", "TEXT", "PAIRS"] | None = None
    made: datetime | None = None
    formulas: Literal["mark", "keep"] = "mark"
    note_ids: Literal["refuse", "number"] = "refuse"
    resources: tuple[tuple[str, str], ...] = ()
    validate: bool = False

    @property
    def moment(self) -> datetime:
        """`made`, or now, to the second and with its time zone."""
        made = self.made or datetime.now(UTC)
        return (made if made.tzinfo else made.replace(tzinfo=UTC)).replace(microsecond=0)


Read = Callable[[Path, ReadOptions, Report], Iterable[Document]]
Write = Callable[[Path, Iterable[Document], WriteOptions, Report], int]


@dataclass(frozen=True)
class Format:
    """A way of keeping annotated documents.

    Attributes:
        name: what users call it.
        about: one line on it.
        folder: whether it is written to a folder (one or more files a document) or to one file.
        read: gives the documents of a collection, or None if it can't be read.
        write: writes documents and returns how many, or None if it can't be written.
    """

    name: str
    about: str
    folder: bool
    read: Read | None = None
    write: Write | None = None


_FORMATS: dict[str, Format] = {}


def register(one: Format) -> Format:
    """Make a format known by its name."""
    assert one.name not in _FORMATS, one.name
    _FORMATS[one.name] = one
    return one


def formats() -> list[Format]:
    """All registered formats, by name."""
    return [_FORMATS[name] for name in sorted(_FORMATS)]


def find(name: str) -> Format:
    """The format of that name.

    Raises:
        ClinpromptError: CP-DOC-010 if there is none.
    """
    if name not in _FORMATS:
        raise ClinpromptError(
            "CP-DOC-010", f"unknown format '{name}'", hint=did_you_mean(name, _FORMATS)
        )
    return _FORMATS[name]


def read(
    name: str, path: Path, report: Report, options: ReadOptions | None = None
) -> Iterator[Document]:
    """The documents of a collection, one after another.

    Raises:
        ClinpromptError: CP-DOC-010, CP-DOC-011 for a format that can't be read, and what the
            reader raises.
    """
    one = find(name)
    if one.read is None:
        raise ClinpromptError(
            "CP-DOC-011",
            f"format '{name}' can't be read",
            hint=f"readable: {', '.join(f.name for f in formats() if f.read)}",
        )
    yield from one.read(path, options or ReadOptions(), report)


def write(
    name: str,
    path: Path,
    documents: Iterable[Document],
    report: Report,
    options: WriteOptions | None = None,
) -> int:
    """Write documents to a file or folder; returns how many.

    Raises:
        ClinpromptError: CP-DOC-010, CP-DOC-012 for a format that can't be written, and what the
            writer raises.
    """
    one = find(name)
    if one.write is None:
        raise ClinpromptError(
            "CP-DOC-012",
            f"format '{name}' can't be written",
            hint=f"writable: {', '.join(f.name for f in formats() if f.write)}",
        )
    return one.write(path, documents, options or WriteOptions(), report)
