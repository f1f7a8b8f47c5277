"""JSON records with mentions by offsets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from clinprompt.corpora import Report, read
from clinprompt.errors import ClinpromptError
from clinprompt.examples import Entity, EntityAnswer, Example, TextInput

TEXT = "é secret pain and a rash"
PAIN = {"start": 9, "end": 13, "type": "Sign", "text": "pain"}
FRAGMENTS = {"fragments": "f"}
RASH = {"start": 20, "end": 24, "type": "Sign", "text": "rash"}


def spans(folder: Path, *records: object, **options: object) -> tuple[list[Example], Report]:
    lines = "\n".join(json.dumps(record) for record in records)
    (folder / "x.jsonl").write_text(lines)
    report = Report()
    files = [folder / "x.jsonl"]
    return read("json-spans", files, options, root=folder, split="dev", report=report), report


def test_records_become_examples(tmp_path: Path) -> None:
    record = {"id": "NCT1", "text": TEXT, "entities": [RASH, PAIN]}
    (example,), report = spans(tmp_path, record, document_prefix="nct:")
    assert (example.id, example.document, example.input) == ("NCT1", "nct:NCT1", TextInput(TEXT))
    answer = EntityAnswer((Entity(((9, 13),), "Sign"), Entity(((20, 24),), "Sign")))
    assert example.answer == answer
    assert not report.counts


def test_a_list_over_several_lines_and_other_keys(tmp_path: Path) -> None:
    entity = {"from": 9, "to": 13, "label": "Sign", "cui": "C1"}
    records = [{"no": 4, "note": TEXT, "found": [entity]}, {"no": 5, "note": "x", "found": []}]
    (tmp_path / "x.json").write_text(json.dumps(records, indent=1))
    options: dict[str, Any] = {
        "text": "note",
        "entities": "found",
        "id": "no",
        "start": "from",
        "end": "to",
    }
    options |= {"type": "label", "surface": None, "concept": "cui"}
    files = [tmp_path / "x.json"]
    first, second = read("json-spans", files, options, root=tmp_path, split="dev", report=Report())
    assert isinstance(first.answer, EntityAnswer)
    assert [(e.spans, e.concept) for e in first.answer.entities] == [(((9, 13),), "C1")]
    assert (first.id, second.id) == ("4", "5")


def test_fragments(tmp_path: Path) -> None:
    entity = {"parts": [[20, 24], [9, 13]], "type": "Sign", "text": "pain rash"}
    record = {"text": TEXT, "entities": [entity, PAIN]}
    (example,), _ = spans(tmp_path, record, id=None, fragments="parts")
    expected = (Entity(((9, 13),), "Sign"), Entity(((9, 13), (20, 24)), "Sign"))
    assert example.answer == EntityAnswer(expected)
    assert example.id == "dev:1"


def test_types_repeated_entities_and_empty_texts_are_counted(tmp_path: Path) -> None:
    records = [
        {"id": "1", "text": TEXT, "entities": [PAIN, PAIN, {**RASH, "type": "Other"}]},
        {"id": "2", "text": " \n", "entities": []},
    ]
    (example,), report = spans(tmp_path, *records, types=["Sign"])
    assert example.answer == EntityAnswer((Entity(((9, 13),), "Sign"),))
    assert report.counts == {
        "entity of a type that was not asked for": 1,
        "entity that stands twice": 1,
        "empty text": 1,
    }


def test_wrong_offsets_are_refused_or_left_out(tmp_path: Path) -> None:
    wrong = {"id": "2", "text": TEXT, "entities": [PAIN, {**RASH, "start": 19, "end": 23}]}
    good = {"id": "1", "text": TEXT, "entities": [PAIN]}
    with pytest.raises(ClinpromptError, match=r"x.jsonl:2: record 2: offsets 19-23") as caught:
        spans(tmp_path, good, wrong)
    assert caught.value.code == "CP-DATA-020"
    assert "lies +1 from it" in str(caught.value)
    examples, report = spans(tmp_path, good, wrong, on_mismatch="skip")
    assert [example.id for example in examples] == ["1"]
    assert report.counts == {"example with wrong offsets left out": 1}
    assert report.problems[0].line == 2


@pytest.mark.parametrize(
    ("record", "options", "code"),
    [
        ({"text": TEXT, "entities": []}, {}, "CP-DATA-028"),
        ({"id": "1", "entities": []}, {}, "CP-DATA-028"),
        ({"id": "1", "text": 3, "entities": []}, {}, "CP-DATA-028"),
        ({"id": "1", "text": TEXT, "entities": {}}, {}, "CP-DATA-028"),
        ({"id": "1", "text": TEXT, "entities": ["pain"]}, {}, "CP-DATA-028"),
        ({"id": "1", "text": TEXT, "entities": [{**PAIN, "start": 9.0}]}, {}, "CP-DATA-028"),
        ({"id": "1", "text": TEXT, "entities": [{**PAIN, "start": True}]}, {}, "CP-DATA-028"),
        ({"id": "1", "text": TEXT, "entities": [{"start": 9, "end": 13}]}, {}, "CP-DATA-028"),
        ({"id": "1", "text": TEXT, "entities": [{**PAIN, "f": [[1]]}]}, FRAGMENTS, "CP-DATA-030"),
        ({"id": "1", "text": TEXT, "entities": [{**PAIN, "f": [3]}]}, FRAGMENTS, "CP-DATA-030"),
        ({"id": "1", "text": TEXT, "entities": [{**PAIN, "f": []}]}, FRAGMENTS, "CP-DATA-020"),
        ({"id": "0", "text": TEXT, "entities": []}, {}, "CP-DATA-050"),
    ],
)  # fmt: skip
def test_what_is_refused(
    tmp_path: Path, record: dict[str, object], options: dict[str, object], code: str
) -> None:
    first = {"id": "0", "text": "x", "entities": []}
    with pytest.raises(ClinpromptError) as caught:
        spans(tmp_path, first, record, **options)
    assert (caught.value.code, caught.value.line) == (code, 2)
    assert "secret" not in str(caught.value)
