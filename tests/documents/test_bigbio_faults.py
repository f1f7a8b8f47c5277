"""BigBio rows and tables that are refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from pyarrow import parquet
from tests.documents.bigbio_files import ENTITY, EXAMPLES, FULL, PASSAGE, back, read_rows
from tests.documents.fuzzing import mutated, survives

from clinprompt.documents import formats
from clinprompt.documents.bigbio import member_documents
from clinprompt.documents.bigbio_schema import arrow
from clinprompt.documents.bioc_text import Names
from clinprompt.documents.formats import ReadOptions
from clinprompt.documents.model import (
    Document,
)
from clinprompt.documents.store import Member
from clinprompt.errors import ClinpromptError
from clinprompt.report import Report


@pytest.mark.parametrize(
    ("row", "code"),
    [
        (3, "CP-DOC-255"),
        ({"x": 1}, "CP-DOC-255"),
        ({"passages": 3}, "CP-DOC-255"),
        ({"id": "1", "passages": [{**PASSAGE, "text": "abc"}]}, "CP-DOC-255"),
        ({"id": "1", "passages": [{**PASSAGE, "offsets": [[0, 2**31]]}]}, "CP-DOC-255"),
        ({"id": "1", "passages": [{**PASSAGE, "offsets": [[0, True]]}]}, "CP-DOC-255"),
        ({"id": "1", "passages": [{**PASSAGE, "offsets": [[0, 1, 2]]}]}, "CP-DOC-252"),
        ({"id": "1", "passages": [{**PASSAGE, "offsets": [[0, 3], [3, 4]]}]}, "CP-DOC-252"),
        ({"id": "1", "passages": [{**PASSAGE, "offsets": [[0, 4]]}]}, "CP-DOC-253"),
        ({"id": "1", "passages": [PASSAGE, PASSAGE]}, "CP-DOC-203"),
        ({"passages": [PASSAGE]}, "CP-DOC-201"),
        ({"id": "1", "passages": [PASSAGE], "entities": [ENTITY] * 2}, "CP-DOC-251"),
        ({"id": "1", "passages": [PASSAGE], "entities": [{**ENTITY, "id": ""}]}, "CP-DOC-251"),
        ({"id": "1", "passages": [PASSAGE], "entities": [{**ENTITY, "text": ["ab"]}]},
         "CP-DOC-100"),
        ({"id": "1", "passages": [PASSAGE], "entities": [{**ENTITY, "offsets": [[1, 9]]}]},
         "CP-DOC-103"),
        ({"id": "1", "question": "a", "answer": "b"}, "CP-DOC-255"),
    ],
)  # fmt: skip
def test_faults(row: Any, code: str, tmp_path: Path) -> None:
    with pytest.raises(ClinpromptError) as caught:
        read_rows(tmp_path, {"id": "0", "text": "first"}, row)
    assert (caught.value.code, caught.value.line) == (code, None if code == "CP-DOC-203" else 2)


def test_tables_that_are_no_rows(tmp_path: Path) -> None:
    file = tmp_path / "x.parquet"
    column = pyarrow.array(["a"])
    tables = {
        "CP-DOC-255": pyarrow.table({"other": column}),
        "CP-DOC-257": pyarrow.Table.from_arrays([column, column], names=["text", "text"]),
    }
    for code, table in tables.items():
        parquet.write_table(table, file)
        with pytest.raises(ClinpromptError) as caught:
            list(formats.read("bigbio", file, Report()))
        assert caught.value.code == code
    file.write_bytes(b"PAR1none")
    with pytest.raises(ClinpromptError) as caught:
        list(formats.read("bigbio", file, Report()))
    assert caught.value.code == "CP-DOC-257"


def test_broken_lines(tmp_path: Path) -> None:
    back(tmp_path, "jsonl", FULL, Document("p", "x y"))
    seeds = [(tmp_path / "x.jsonl").read_bytes()]
    seeds += [json.dumps(row).encode() + b"\n" for row in EXAMPLES.values()]

    def read(raw: bytes) -> None:
        list(
            member_documents(Member("x.jsonl", "x", lambda: raw), ReadOptions(), Report(), Names())
        )

    good, refused = survives(read, mutated(seeds, 10_000, seed=7))
    assert good > 500 and refused > 500


def test_broken_parquet(tmp_path: Path) -> None:
    back(tmp_path, "parquet", FULL, Document("p", "x y"))
    seeds = [(tmp_path / "x.parquet").read_bytes()]
    table = pyarrow.Table.from_pylist([EXAMPLES["QA"]], schema=arrow("QA"))
    for compression in ("none", "snappy"):
        parquet.write_table(table, tmp_path / "y.parquet", compression=compression)
        seeds.append((tmp_path / "y.parquet").read_bytes())

    def read(raw: bytes) -> None:
        held = Member("x.parquet", "x", lambda: raw)
        list(member_documents(held, ReadOptions(), Report(), Names()))

    good, refused = survives(read, mutated(seeds, 10_000, seed=9))
    assert good > 20 and refused > 500
