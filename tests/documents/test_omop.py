from __future__ import annotations

import csv
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinprompt.documents.formats import WriteOptions
from clinprompt.documents.model import (
    Attribute,
    Comment,
    Document,
    Equivalence,
    Event,
    Link,
    Mention,
    Normalization,
    Passage,
)
from clinprompt.documents.omop import COLUMNS, LIMITS, note_id, snippet, write
from clinprompt.errors import ClinpromptError
from clinprompt.report import Report

MADE = datetime(2024, 5, 1, 12, 30, 15, 999, tzinfo=UTC)
TEXT = "Denies fever. Has a mild dry cough."
NOTE = Document(
    "42",
    TEXT,
    (
        Mention("T1", "Sign", ((7, 12),), 0.87654),
        Mention("T2", "Sign", ((20, 24), (29, 34))),
        Attribute("A1", "Negated", "T1"),
        Normalization("N1", "T1", "MeSH", "D005334", "Fever"),
        Normalization("N2", "T1", "OMOP", "437663", "Fever"),
        Attribute("A2", "Note", "T2", "a,b=c"),
    ),
    (Passage((0, 13), "History"),),
)


def written(tmp_path, *documents, **options):
    report = Report()
    path = tmp_path / "out.csv"
    options = WriteOptions(**{"made": MADE, "artefact": "abc123", **options})
    assert write(path, documents, options, report) == len(documents)
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file)), report


def test_the_columns_of_the_cdm(tmp_path):
    found, report = written(tmp_path, NOTE)
    assert tuple(found[0]) == COLUMNS
    system = found[0].pop("nlp_system")
    assert system.startswith("clinprompt ") and system.endswith(" abc123")
    assert found[0] == {
        "note_nlp_id": "1",
        "note_id": "42",
        "section_concept_id": "0",
        "snippet": TEXT,
        "offset": "7",
        "lexical_variant": "fever",
        "note_nlp_concept_id": "437663",
        "note_nlp_source_concept_id": "0",
        "nlp_date": "2024-05-01",
        "nlp_datetime": "2024-05-01 12:30:15",
        "term_exists": "N",
        "term_temporal": "",
        "term_modifiers": "label=Sign,concept=MeSH:D005334,Negated=true,section=History,"
        "confidence=0.8765",
    }
    assert found[1]["term_exists"] == "Y" and found[1]["lexical_variant"] == "mild cough"
    assert found[1]["note_nlp_concept_id"] == "0"
    assert found[1]["term_modifiers"] == "label=Sign,Note=a;b:c,spans=20-24 29-34"
    assert report.counts == {"modifiers with a comma or an equals sign, written as ; or :": 1}


def test_the_same_input_gives_the_same_bytes(tmp_path):
    written(tmp_path, NOTE)
    first = (tmp_path / "out.csv").read_bytes()
    written(tmp_path, NOTE)
    assert (tmp_path / "out.csv").read_bytes() == first


@pytest.mark.parametrize(
    ("attribute", "exists", "time"),
    [
        (("Assertion", "absent"), "N", ""),
        (("Subject", "mother"), "N", ""),
        (("Assertion", "hypothetical"), "N", ""),
        (("Assertion", "possible"), "Y", ""),
        (("Temporality", "Past"), "Y", "past"),
        (("Temporality", "current"), "Y", "present"),
    ],
)
def test_term_exists_and_time(tmp_path, attribute, exists, time):
    name, value = attribute
    note = Document("1", "x", (Mention("T1", "X", ((0, 1),)), Attribute("A", name, "T1", value)))
    found, _ = written(tmp_path, note)
    assert (found[0]["term_exists"], found[0]["term_temporal"]) == (exists, time)
    assert f"{name}={value}" in found[0]["term_modifiers"]


def test_a_value_that_is_not_understood_is_counted(tmp_path):
    note = Document("1", "x", (Mention("T1", "X", ((0, 1),)), Attribute("A", "Negated", "T1", "?")))
    found, report = written(tmp_path, note)
    assert found[0]["term_exists"] == "Y"
    assert report.counts["attributes on assertion with a value of no known meaning"] == 1


def test_what_is_cut_is_counted(tmp_path):
    text = "long " * 100
    annotations = [Mention("T1", "X", ((0, 400),)), Attribute("A1", "Why", "T1", "w" * 3000)]
    found, report = written(tmp_path, Document("1", text, tuple(annotations)))
    assert [len(found[0][column]) for column in ("lexical_variant", "term_modifiers")] == [
        250,
        2000,
    ]
    assert report.counts == {
        "lexical_variant cut to 250 characters": 1,
        "term_modifiers cut to 2000 characters": 1,
        "snippets that show only the beginning of their mention": 1,
    }


def test_what_has_no_column_is_counted(tmp_path):
    note = Document(
        "1",
        "x",
        (
            Mention("T1", "X", ((0, 1),)),
            Link("R1", "With", ()),
            Event("E1", "T1"),
            Comment("#1", "Note", "T1", "?"),
            Equivalence("Same", ("T1",)),
            Attribute("A1", "Negated", "R1"),
            Normalization("N1", "E1", "MeSH", "D1"),
        ),
        metadata=(("date", "2020"), ("note_id", "7")),
    )
    found, report = written(tmp_path, note, Document("2", "no mention"))
    assert [row["note_id"] for row in found] == ["7"]
    assert report.counts == {
        "relations that NOTE_NLP can't hold": 1,
        "events that NOTE_NLP can't hold": 1,
        "comments that NOTE_NLP can't hold": 1,
        "equivalences that NOTE_NLP can't hold": 1,
        "attributes of other things than mentions, which NOTE_NLP can't hold": 1,
        "concepts of other things than mentions, which NOTE_NLP can't hold": 1,
        "facts on documents that NOTE_NLP can't hold": 1,
        "documents without mentions, which have no row": 1,
    }


def test_notes_without_numbers(tmp_path):
    notes = [Document("note-a", "x", (Mention("T1", "X", ((0, 1),)),)), Document("b", "y")]
    with pytest.raises(ClinpromptError, match=r"CP-DOC-311.*note-a.*--note-ids"):
        written(tmp_path, *notes)
    assert list(tmp_path.iterdir()) == []
    found, report = written(tmp_path, *notes, note_ids="number")
    assert [row["note_id"] for row in found] == ["1"]
    assert report.counts["documents numbered for note_id"] == 2
    listed = (tmp_path / "out.notes.csv").read_text()
    assert listed.splitlines() == ["note_id,note_source_value", "1,note-a", "2,b"]


def test_two_documents_of_one_number_are_refused(tmp_path):
    with pytest.raises(ClinpromptError, match="CP-DOC-312"):
        written(tmp_path, Document("7", ""), Document("007", ""))


@pytest.mark.parametrize(
    ("name", "number"),
    [("0", 0), ("2147483647", 2147483647), ("2147483648", None), ("-1", None), ("٣", None)],
)
def test_note_ids_are_integers_of_the_cdm(name, number):
    assert note_id(Document(name, "")) == number


@given(st.data())
def test_snippets_fit_and_hold_their_mention(data):
    words = st.text(st.sampled_from("ab \n\u00a0é"), max_size=600)
    text = data.draw(words)
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    shown = snippet(text, Mention("T1", "X", ((start, end),)))
    assert len(shown) <= LIMITS["snippet"]
    assert "\n" not in shown
    covered = " ".join(text[start:end].split())
    assert covered[:250] in shown
