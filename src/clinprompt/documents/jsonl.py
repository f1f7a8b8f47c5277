"""``jsonl``: the native format. One document a line, nothing lost, both ways (see `record`)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from clinprompt.documents.formats import Format, ReadOptions, WriteOptions, register
from clinprompt.documents.model import Document
from clinprompt.documents.output import write_bytes
from clinprompt.documents.record import from_record, quoted, to_record
from clinprompt.documents.store import alone, members
from clinprompt.errors import ClinpromptError
from clinprompt.report import Report

_SUFFIXES = (".jsonl", ".ndjson")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) != len(pairs):
        raise ValueError("a key comes twice")
    return record


def read(path: Path, options: ReadOptions, report: Report) -> Iterator[Document]:
    """The documents of a file, or of all ``.jsonl`` and ``.ndjson`` files of a folder or archive.

    Raises:
        ClinpromptError: CP-DOC-301, CP-DOC-302 with file and line, and what `store` raises.
    """
    for member in members(path):
        if not alone(path) and member.suffix not in _SUFFIXES:
            report.skip("files that are not .jsonl", member.place)
            continue
        # Not splitlines(): JSON strings may hold other line separators than \n.
        for number, line in enumerate(member.text(options.encoding).split("\n"), 1):
            if line.strip():
                yield from_record(_parsed(line, member.place, number), member.place, number)


def _parsed(line: str, place: str, number: int) -> Any:
    try:
        record = json.loads(line, object_pairs_hook=_unique)
        if "\\ud" in line.lower():
            # A lone half of a surrogate pair is JSON but no text: it can't be written anywhere.
            json.dumps(record, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError) as error:
        what = error.msg if isinstance(error, json.JSONDecodeError) else type(error).__name__
        if isinstance(error, UnicodeEncodeError):
            what = "half of a surrogate pair"
        elif str(error) == "a key comes twice":
            what = str(error)
        raise ClinpromptError("CP-DOC-302", f"not JSON: {what}", file=place, line=number) from None
    return record


def write(path: Path, documents: Iterable[Document], options: WriteOptions, report: Report) -> int:
    """Write all documents to one file; returns how many.

    Raises:
        ClinpromptError: CP-DOC-300, CP-DOC-303 text that is not Unicode, CP-DOC-004.
    """
    lines = []
    for document in documents:
        line = json.dumps(to_record(document), ensure_ascii=False) + "\n"
        try:
            lines.append(line.encode("utf-8"))
        except UnicodeEncodeError as error:
            raise ClinpromptError(
                "CP-DOC-303", f"document '{quoted(document.id)}' holds half of a surrogate pair"
            ) from error
    write_bytes(path, b"".join(lines))
    return len(lines)


register(
    Format(
        "jsonl", "the native format: JSON lines, one document a line, nothing lost", False, read,
        write,
    )
)  # fmt: skip
