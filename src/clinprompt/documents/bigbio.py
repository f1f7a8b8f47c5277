"""``bigbio``: Parquet and JSON lines in BigBIO's schemas, both ways; the file's ending decides.

A row of schema KB is a document named ``document_id``, or by the row's ``id`` where that is missing
or was there before. Its text is its passages at their offsets, blanks between; a passage with an
empty type is text outside all passages. Ids lose the document's in front (``17_T1`` is ``T1``)
where all have it, and get it on writing. Relations have the roles ``Arg1`` and ``Arg2``, concepts
the ids ``N1``, ..., coreferences the label ``Equiv``. An event's trigger is the entity of the same
type and place, or else a mention of its own, ``EVENT.trigger``. The other schemas are in
`bigbio_rows`.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, get_args

from clinprompt.documents import bigbio_decode, bigbio_encode
from clinprompt.documents.bigbio_rows import MARK, document_of, row_of
from clinprompt.documents.bigbio_schema import SCHEMAS, Schema, arrow, problem, schema_of, unknown
from clinprompt.documents.bioc_infons import Place
from clinprompt.documents.bioc_text import Names, chosen, covering, parse_json
from clinprompt.documents.formats import Format, ReadOptions, WriteOptions, register
from clinprompt.documents.model import Document
from clinprompt.documents.output import write_bytes
from clinprompt.documents.store import Member
from clinprompt.errors import ClinpromptError
from clinprompt.report import Report

Row = dict[str, Any]
_ENDINGS = (".parquet", ".jsonl")
_BATCH = 64  # rows that are Python objects at a time


def read(path: Path, options: ReadOptions, report: Report) -> Iterator[Document]:
    """The documents of a file, or of all ``.parquet`` and ``.jsonl`` files of a folder or archive.

    Raises:
        ClinpromptError: CP-DOC-200 to CP-DOC-202, CP-DOC-254 another ending, CP-DOC-255 to
            CP-DOC-257 broken Parquet or rows of no schema, and what `bigbio_decode.decode` raises.
    """
    names = Names()
    for member in chosen(path, _ENDINGS, report):
        yield from member_documents(member, options, report, names)


def member_documents(
    member: Member, options: ReadOptions, report: Report, names: Names
) -> Iterator[Document]:
    """The documents of one file (see `read`); `names` are those met before."""
    for number, row in _rows(member, options):
        schema = _schema(row, member.place, number)
        report.skip(
            "fields that BigBIO's schema does not have",
            member.place,
            number,
            count=unknown(row, SCHEMAS[schema]),
        )
        if schema != "KB":
            document = document_of(row, schema, report, member.place)
            names.add(document.id, member.place, number)
        else:
            name = row.get("document_id") or ""
            if not name or name in names.places:
                name = row.get("id") or ""
            names.add(name, member.place, number)
            place = Place(member.place, name, report)
            document = bigbio_decode.decode(row, name, options, place, number)
        yield document


def write(path: Path, documents: Iterable[Document], options: WriteOptions, report: Report) -> int:
    """Write all documents to one ``.parquet`` or ``.jsonl`` file; returns how many.

    The schema is `options.schema`, else the one that the first document was read from, else KB.

    Raises:
        ClinpromptError: CP-DOC-201, CP-DOC-204, CP-DOC-250, CP-DOC-254, CP-DOC-256, CP-DOC-300,
            CP-DOC-004.
    """
    ending = _ending(path.name, str(path))
    schema: Schema | None = options.schema
    names = Names()
    rows: list[Row] = []
    for document in documents:
        schema = schema or _read_from(document)
        names.add(document.id, str(path))
        covering(document, str(path))
        if schema == "KB":
            rows.append(bigbio_encode.encode(document, report, str(path)))
        else:
            rows.append(row_of(document, schema, report, str(path)))
    if ending == ".jsonl":
        lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
        raw = "".join(lines).encode("utf-8")
    else:
        raw = _parquet(rows, schema or "KB", str(path))
    write_bytes(path, raw)
    return len(rows)


def _read_from(document: Document) -> Schema:
    """The schema that a document was read from; KB for one that was not."""
    given = dict(document.metadata).get(MARK)
    return next((one for one in get_args(Schema) if one == given), "KB")


def _ending(name: str, place: str) -> str:
    for ending in _ENDINGS:
        if name.lower().endswith(ending):
            return ending
    raise ClinpromptError(
        "CP-DOC-254", "the name ends in neither .parquet nor .jsonl", file=place
    )  # fmt: skip


def _schema(row: Any, place: str, number: int) -> Schema:
    """The schema of a row, which has its shape.

    Raises:
        ClinpromptError: CP-DOC-255 if it has not.
    """
    schema = schema_of(set(row)) if isinstance(row, dict) else None
    why = "its fields are those of none of " + ", ".join(SCHEMAS)
    if schema is not None:
        why = problem(row, SCHEMAS[schema]) or ""
        if not why:
            return schema
        why = f"as a row of schema {schema}: {why}"
    raise ClinpromptError("CP-DOC-255", why, file=place, line=number)


def _rows(member: Member, options: ReadOptions) -> Iterator[tuple[int, Any]]:
    """Each row with its line, or its number in a Parquet file, from 1."""
    if _ending(member.name, member.place) == ".jsonl":
        # Not splitlines(): JSON strings may hold other line separators than \n.
        for number, line in enumerate(member.text(options.encoding).split("\n"), 1):
            if line.strip():
                yield number, parse_json(line, member.place, number)
        return
    pyarrow = _pyarrow(member.place)
    from pyarrow import parquet

    number = 0
    try:
        file = parquet.ParquetFile(pyarrow.BufferReader(member.read()))
        names = file.schema_arrow.names
        if len(set(names)) != len(names):
            raise ValueError("two columns of one name")
        for batch in file.iter_batches(batch_size=_BATCH):
            for row in batch.to_pylist():
                number += 1
                yield number, row
    # A broken file may give almost anything; the reader of the rows is not inside this block.
    except (pyarrow.ArrowException, OSError, ValueError, OverflowError, MemoryError) as error:
        raise ClinpromptError(
            "CP-DOC-257",
            f"broken Parquet file ({type(error).__name__})",
            file=member.place,
            line=number or None,
        ) from error


def _parquet(rows: list[Row], schema: Schema, place: str) -> bytes:
    pyarrow = _pyarrow(place)
    from pyarrow import parquet

    held = io.BytesIO()
    parquet.write_table(pyarrow.Table.from_pylist(rows, schema=arrow(schema)), held)
    return held.getvalue()


def _pyarrow(place: str) -> Any:
    try:
        import pyarrow
    except ImportError as error:
        raise ClinpromptError(
            "CP-DOC-256", "Parquet needs the package 'pyarrow'", file=place, hint="install it"
        ) from error
    return pyarrow


register(Format("bigbio", "BigBIO, .parquet or .jsonl by the file's ending", False, read, write))
