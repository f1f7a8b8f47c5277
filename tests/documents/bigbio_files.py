"""A document with everything a BigBio row can hold, and ways to read and write rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from clinprompt.documents import formats
from clinprompt.documents.formats import ReadOptions, WriteOptions
from clinprompt.documents.model import (
    Argument,
    Document,
    Equivalence,
    Event,
    Link,
    Mention,
    Normalization,
    Passage,
)
from clinprompt.report import Report

ENDINGS = pytest.mark.parametrize("ending", ["parquet", "jsonl"])


TEXT = "Na\u00efve title. \U0001f912 fever\r\nand pain  "


FULL = Document(
    "17",
    TEXT,
    (
        Mention("T1", "Sign", ((15, 20),)),
        Normalization("N1", "T1", "MESH", "D005334"),
        Mention("T2", "Sign", ((15, 20), (26, 30))),
        Mention("E1.trigger", "Act", ((0, 5),)),
        Event("E1", "E1.trigger", (Argument("Of", "T1"), Argument("Of", "T2"))),
        Link("R1", "Joins", (Argument("Arg1", "T1"), Argument("Arg2", "E1"))),
        Normalization("N2", "R1", "RO", "1"),
        Equivalence("Equiv", ("T1", "T2")),
    ),
    (Passage((0, 12), "title"), Passage((13, 20), "")),
    (("bigbio.id", "0"),),
)


def back(
    folder: Path, ending: str, *held: Document, **options: Any
) -> tuple[list[Document], Report]:
    report = Report()
    file = folder / f"x.{ending}"
    assert formats.write("bigbio", file, held, report, WriteOptions(**options)) == len(held)
    return list(formats.read("bigbio", file, Report())), report


def read_rows(folder: Path, *rows: Any, **options: str) -> tuple[list[Document], Report]:
    report = Report()
    file = folder / "r.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return list(formats.read("bigbio", file, report, ReadOptions(**options))), report


EXAMPLES = {
    "QA": {"id": "0", "question_id": "q", "document_id": "d", "question": "Why?", "type": "yesno",
           "choices": ["yes", "no"], "context": "A text.", "answer": ["yes"]},
    "TE": {"id": "0", "premise": "A text.", "hypothesis": "No.", "label": "neutral"},
    "T2T": {"id": "0", "document_id": "d", "text_1": "A text.", "text_2": "Text.",
            "text_1_name": "long", "text_2_name": "short"},
    "TEXT": {"id": "0", "document_id": "d", "text": "A text.", "labels": ["x", "y"]},
    "PAIRS": {"id": "0", "document_id": "d", "text_1": "A text.", "text_2": "B", "label": "1"},
}  # fmt: skip


PASSAGE = {"id": "p", "type": "x", "text": ["abc"], "offsets": [[0, 3]]}


ENTITY = {"id": "e", "type": "x", "text": ["bc"], "offsets": [[1, 3]], "normalized": []}
