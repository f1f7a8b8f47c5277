"""Annotated documents, written in each format to a folder of its own, whole or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from clinprompt.documents import conversion, formats
from clinprompt.documents.formats import WriteOptions
from clinprompt.documents.model import Document
from clinprompt.documents.output import UNWRITABLE
from clinprompt.errors import ClinpromptError, did_you_mean
from clinprompt.inference.notes.collection import unquoted
from clinprompt.report import Report

# Endings of formats that are one file; others end as they are called.
_ENDINGS = {"omop": "csv", "bigbio": "parquet", "bioc-xml": "xml", "bioc-json": "json"}
_FILE = "notes"


def check_formats(names: Iterable[str]) -> list[str]:
    """The names, each once, if all of them can be written.

    Raises:
        ClinpromptError: CP-INF-340 a format that is unknown or only read, CP-INF-341 no name.
    """
    chosen = list(dict.fromkeys(name.strip() for name in names if name.strip()))
    writable = [one.name for one in formats.formats() if one.write is not None]
    for name in chosen:
        if name not in writable:
            raise ClinpromptError(
                "CP-INF-340",
                f"there is no format '{name}' that can be written",
                hint=did_you_mean(name, writable),
            )
    if not chosen:
        raise ClinpromptError(
            "CP-INF-341", "no format to write is named", hint=f"writable: {', '.join(writable)}"
        )
    return chosen


def place_of(out: Path, name: str) -> Path:
    """Where a format is written: ``out/brat``, ``out/jsonl/notes.jsonl``."""
    if formats.find(name).folder:
        return out / name
    ending = _ENDINGS.get(name, name.rpartition("-")[2])
    return out / name / f"{_FILE}.{ending}"


def write_format(
    name: str,
    out: Path,
    documents: Callable[[], Iterable[Document]],
    options: WriteOptions,
) -> dict[str, Any]:
    """Write one format into ``out/<name>``; a folder there is replaced when the new one is whole.

    Documents that can't be written in it are left out. If that is all of them, the folder stays as
    it is.

    Args:
        name: of the format.
        out: the folder of all formats.
        documents: gives them, as often as it is called.
        options: for the writer.

    Returns:
        As plain values: how many documents were ``written``, what of them the format could not
        hold (``left_out``, by reason), and ``errors``, if there are any.

    Raises:
        ClinpromptError: what `documents` raises, and CP-DOC-004 where the disk is full.
    """
    part, target, old = out / f".{name}.part", out / name, out / f".{name}.old"
    place = part / place_of(out, name).relative_to(target)
    for each_alone in (False, True):
        for left in (part, old):
            shutil.rmtree(left, ignore_errors=True)
        source = _Source(documents())
        given: Iterable[Document] = source
        if each_alone:
            given = conversion.writable(source, name, place, options, source.note_error)
        part.mkdir()
        report = Report()
        try:
            count = formats.write(name, place, given, report, options)
            break
        except ClinpromptError as error:
            shutil.rmtree(part, ignore_errors=True)
            if each_alone or source.failed or error.code == UNWRITABLE:
                raise
    errors = {"errors": source.errors} if source.errors else {}
    if errors and not count:
        shutil.rmtree(part)
        return {"written": 0, "left_out": {}, **errors}
    if target.exists():
        target.replace(old)
    part.replace(target)
    shutil.rmtree(old, ignore_errors=True)
    return {"written": count, "left_out": dict(sorted(report.counts.items())), **errors}


class _Source:
    """Documents that remember which came last, and whether giving one was what failed."""

    def __init__(self, documents: Iterable[Document]) -> None:
        self._documents, self._last = iter(documents), ""
        self.failed = False
        self.errors: list[dict[str, Any]] = []

    def __iter__(self) -> _Source:
        return self

    def __next__(self) -> Document:
        try:
            document = next(self._documents)
        except ClinpromptError:
            self.failed = True
            raise
        self._last = document.id
        return document

    def note_error(self, error: ClinpromptError) -> None:
        """Keep what is wrong with the last document, without what the message quotes."""
        plain = unquoted(error, "")
        record = {
            "document": self._last,
            "code": plain.code,
            "message": plain.message,
            "hint": plain.hint,
        }
        self.errors.append({key: value for key, value in record.items() if value is not None})
