"""MIMIC-CXR: sections of reports, studies of a split, and what is left out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.documents.fuzzing import Held, mutated, survives

from clinprompt.corpora.mimic_cxr import sections
from clinprompt.corpora.registry import read
from clinprompt.errors import ClinpromptError
from clinprompt.examples import Example, TextAnswer, TextInput
from clinprompt.report import Report

Run = Callable[..., Any]
REPORT = """ WET READ: ___ 9:00 AM
 IMPRESSION: early words

                                 FINAL REPORT
 EXAMINATION:  CHEST (PA AND LAT)

 FINDINGS:

 The lungs are
 clear.  Time 10:30.

 IMPRESSION:

 No change.
"""
SPLIT = "dicom_id,study_id,subject_id,split\na,1,7,train\nb,1,7,train\nc,2,8,validate\nd,3,9,test\n"


def world(root: Path, report: str = REPORT, split: str = SPLIT) -> list[Path]:
    for study in (1, 2):
        path = root / f"reports/files/p10/p{study + 6}/s{study}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(report, encoding="utf-8", newline="")
    (root / "split.csv").write_text(split, encoding="utf-8", newline="")
    return [root / "reports", root / "split.csv"]


def test_sections() -> None:
    assert sections(REPORT) == {
        "examination": "CHEST (PA AND LAT)",
        "findings": "The lungs are clear. Time 10:30.",
        "impression": "No change.",
    }
    assert sections("FINDINGS: a\nFINDINGS: b\r\nTIP:") == {"findings": "a\nb"}
    assert sections("") == {}


def test_studies_of_each_split_once(tmp_path: Path, run_reader: Run) -> None:
    files = world(tmp_path)
    expected = Example(
        "s1",
        "mimic:p7",
        TextInput("The lungs are clear. Time 10:30."),
        TextAnswer("No change."),
    )
    assert run_reader("mimic-cxr", files)[0] == [expected]
    assert [e.id for e in run_reader("mimic-cxr", files, split="dev")[0]] == ["s2"]
    examples, report = run_reader("mimic-cxr", files, split="test")
    assert examples == [] and report.counts == {"study without a report": 1}


def test_a_report_without_a_section_is_counted(tmp_path: Path, run_reader: Run) -> None:
    files = world(tmp_path, REPORT.replace("FINDINGS", "Findings"))
    examples, report = run_reader("mimic-cxr", files)
    assert examples == [] and report.counts == {"report without 'findings'": 1}
    files = world(tmp_path, REPORT.replace("No change.", ""))
    examples, report = run_reader("mimic-cxr", files)
    assert examples == [] and report.counts == {"report without 'impression'": 1}


@pytest.mark.parametrize(
    ("split", "code", "said"),
    [
        ("dicom_id,study,subject_id,split\n", "CP-DATA-610", "no column 'study_id'; did you mean"),
        ("", "CP-DATA-610", "split.csv:1"),
        (SPLIT.replace("validate", "dev"), "CP-DATA-611", "split.csv:4: study '2'"),
        (SPLIT.replace("b,1", "b,x"), "CP-DATA-611", "split.csv:3"),
    ],
)
def test_a_malformed_list(
    tmp_path: Path, run_reader: Run, split: str, code: str, said: str
) -> None:
    with pytest.raises(ClinpromptError) as caught:
        run_reader("mimic-cxr", world(tmp_path, split=split), split="dev")
    assert caught.value.code == code and said in str(caught.value)


@given(st.text(alphabet="AB:\n\r fI,-", max_size=60))
def test_any_text_has_sections(text: str) -> None:
    for name, body in sections(text).items():
        assert name == name.lower() and body.strip()


def test_mutated_lists_never_break_it(tmp_path: Path) -> None:
    reports, listed = world(tmp_path)
    # One report alone: walking through the folders would take longer than all the rest.
    held = Held(listed)
    files = [next(reports.rglob("s1.txt")), held]

    def check(raw: bytes) -> None:
        held.raw = raw
        read("mimic-cxr", files, {}, root=tmp_path, split="train", report=Report())

    good, refused = survives(check, mutated([SPLIT.encode()], 10_000, 3))
    assert good > 20 and refused > 20
