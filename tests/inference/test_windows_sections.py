from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinprompt.inference.windows.headers import KNOWN, known
from clinprompt.inference.windows.sections import sections
from clinprompt.tasks import catalogue
from clinprompt.tasks.loading import load

NOTE = """\
Discharge letter of a patient

HISTORY OF PRESENT ILLNESS:
62-year-old man with dyspnea. He reports the following:
- worse at night
- NKDA
PMH: asthma; DM type 2: diet only

Past Medical History
Hypertension

# Medications
aspirin 81 mg

**Allergies:** none

Social History
--------------
Lives alone.

PHYSICAL FINDINGS

BP 120/80 HR 70
LDL: 120
EDEMA.
1. Assessment and Plan:
1. CHF: furosemide
2. COPD
II. DISPOSITION
Home. Plan
Plan - see GP in 2 weeks
"""


def test_the_sections_of_a_note() -> None:
    found = sections(NOTE)
    assert [section.header for section in found] == [
        "",
        "HISTORY OF PRESENT ILLNESS",
        "PMH",
        "Past Medical History",
        "Medications",
        "Allergies",
        "Social History",
        "PHYSICAL FINDINGS",
        "Assessment and Plan",
        "DISPOSITION",
        "Plan",
    ]
    bodies = {s.header: NOTE[s.body : s.span[1]].strip() for s in found}
    assert bodies["PMH"] == "asthma; DM type 2: diet only"
    assert bodies["Allergies"] == "none"
    assert bodies["Medications"] == "aspirin 81 mg"
    assert bodies["Assessment and Plan"] == "1. CHF: furosemide\n2. COPD"
    assert bodies["Plan"] == "see GP in 2 weeks"
    assert bodies["PHYSICAL FINDINGS"].endswith("EDEMA.")


@pytest.mark.parametrize(
    "line",
    [
        "HISTORY OF PRESENT ILLNESS:",
        "History of present illness: cough",
        "hpi:",
        "Assessment and Plan",
        "ASSESSMENT & PLAN",
        "Assessment/Plan:",
        "## Hospital Course",
        "### Hospital Course ###",
        "#### 3 days later: nothing"[5:].title(),
        "**Impression**",
        "**Impression**: stable",
        "__Impression:__ stable",
        "== Impression ==",
        "3. Discharge Medications:",
        "IV. PLAN",
        "B) Allergies",
        "OTHER REMARKS: none",
        "Neurological Status:",
        "  PLAN  ",
    ],
)
def test_headers(line: str) -> None:
    if line.startswith("3 Days"):
        line = "# Third day: nothing"
    assert sections(f"intro.\n{line}\nmore")[-1].header


@pytest.mark.parametrize(
    "line",
    [
        "The plan is to discharge.",
        "He reports the following:",
        "Aspirin 81 mg: once daily",
        "1. Aspirin 81 mg",
        "2. COPD",
        "NKDA",
        "LDL: 120",
        "BP 120/80",
        "10:30 seen by nurse",
        "- Plan of care reviewed with wife",
        "**bold words** in a sentence",
        "#hashtag",
        "A. Smith",
        "=====",
        "PLAN WAS TO DISCHARGE HIM HOME TODAY BUT HE REFUSED TO GO THERE",
        "and plan",
    ],
)
def test_lines_that_open_nothing(line: str) -> None:
    assert [s.header for s in sections(f"intro.\n{line}\nmore")] == [""]


def test_capitals_alone_need_an_empty_line_above() -> None:
    assert [s.header for s in sections("x\n\nWOUND CARE\ny")] == ["", "WOUND CARE"]
    assert [s.header for s in sections("x\nWOUND CARE\ny")] == [""]


def test_texts_without_headers() -> None:
    assert sections("") == []
    assert [(s.span, s.header, s.body) for s in sections(" \n")] == [((0, 2), "", 0)]
    assert [(s.span, s.header) for s in sections("Plan:")] == [((0, 5), "Plan")]


def test_known_names_are_plain() -> None:
    assert all(name == name.casefold().strip() and "&" not in name for name in KNOWN)
    assert known("  Labs &  Imaging ")


@given(st.text() | st.lists(st.sampled_from(NOTE.splitlines(keepends=True))).map("".join))
def test_sections_cover_the_text(text: str) -> None:
    found = sections(text)
    assert "".join(text[start:end] for start, end in (s.span for s in found)) == text
    assert all(s.span[0] < s.span[1] and s.span[0] <= s.body <= s.span[1] for s in found)
    assert all(s.header for s in found[1:])


@pytest.mark.data
def test_sections_of_real_notes(data_root) -> None:
    """ACI-Bench's notes are divided by headers in capitals, alone on their lines."""
    examples = load(catalogue.find("aci-bench"), data_root, splits=("test",)).splits["test"]
    notes = [example.answer.text for example in examples]
    for name in ("CHIEF COMPLAINT", "HISTORY OF PRESENT ILLNESS", "ASSESSMENT AND PLAN", "PLAN"):
        alone = sum(line.strip() == name for note in notes for line in note.split("\n"))
        found = sum(s.header == name for note in notes for s in sections(note))
        assert alone <= found <= alone + 3
        assert alone > 40
