"""i2b2 2012 XML: offsets from 0 or 1, bare signs in quoted texts, links, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.documents.fuzzing import mutated, survives

from clinprompt.documents import formats
from clinprompt.documents.formats import ReadOptions
from clinprompt.documents.i2b2_2012 import read_document
from clinprompt.documents.model import Argument, Attribute, Document, Link
from clinprompt.documents.store import Member
from clinprompt.errors import ClinpromptError
from clinprompt.report import Report

BODY = "Admission Date :\n1901-02-03\nPain & fever for two days 🍺 .\nGone next day .\n"
TAGS = """<EVENT id="E0" {Admission} modality="FACTUAL" polarity="POS" type="OCCURRENCE" />
<EVENT id="E1" {Pain & fever} modality="POSSIBLE" polarity="NEG" type="PROBLEM" />
<TIMEX3 id="T0" {1901-02-03} type="DATE" val="1901-02-03" mod="NA" />
<TIMEX3 id="T1" {two days} type="DURATION" val="P2D" mod="NA" />
<TLINK id="TL0" fromID="E0" fromText="Admission" toID="T0" toText="1901-02-03" type="OVERLAP" />
<TLINK id="TL1" fromID="E1" fromText="x" toID="E9" toText="y" type="BEFORE" />
<SECTIME id="S0" {1901-02-03} type="ADMISSION" dvalue="1901-02-03" />
"""
HEAD = '<?xml version="1.0" encoding="UTF-8" ?>\n<ClinicalNarrativeTemporalAnnotation>\n'


def xml(*, lead: str = "\n", tags: str = TAGS, escaped: bool = False, shift: int = 0) -> str:
    """A file; offsets count from 1 in BODY, so they are right if one character leads."""
    for words in ("Admission", "Pain & fever", "1901-02-03", "two days"):
        start = BODY.index(words) + 1 + shift
        quoted = words.replace("&", "&amp;") if escaped else words
        place = f'start="{start}" end="{start + len(words)}" text="{quoted}"'
        tags = tags.replace("{" + words + "}", place)
    body = f"<TEXT><![CDATA[{lead}{BODY}]]></TEXT>\n"
    return f"{HEAD}{body}<TAGS>\n{tags}</TAGS>\n</ClinicalNarrativeTemporalAnnotation>\n"


def read(root: Path, content: str, mismatch: str = "refuse") -> tuple[Document, Report]:
    (root / "7.xml").write_text(content, encoding="utf-8", newline="")
    report = Report()
    options = ReadOptions(mismatch=mismatch)  # type: ignore[arg-type]
    (document,) = formats.read("i2b2-2012", root, report, options)
    return document, report


EXPECTED = [
    ("E0", "OCCURRENCE", "Admission"),
    ("E1", "PROBLEM", "Pain & fever"),
    ("T0", "DATE", "1901-02-03"),
    ("T1", "DURATION", "two days"),
    ("S0", "SECTIME", "1901-02-03"),
]


@pytest.mark.parametrize("escaped", [True, False])
@pytest.mark.parametrize("lead", ["\n", ""])
def test_a_note(tmp_path: Path, lead: str, escaped: bool) -> None:
    (tmp_path / "7.xml.txt").write_text("counted only")
    document, report = read(tmp_path, xml(lead=lead, escaped=escaped))
    assert document.text == lead + BODY
    assert [(m.id, m.label, m.surface(document.text)) for m in document.mentions] == EXPECTED
    assert document.links == (
        Link("TL0", "OVERLAP", (Argument("from", "E0"), Argument("to", "T0"))),
    )
    values = {(one.target, one.name): one.value for one in document.of(Attribute)}
    assert values["E1", "polarity"] == "NEG" and values["T1", "val"] == "P2D"
    assert values["S0", "type"] == "ADMISSION" and len(values) == 10
    counts = {"TLINK of a tag that is not there": 1, "files that are not .xml": 1}
    if not lead:
        counts["note whose offsets count from 1"] = 1
    if not escaped:
        counts["file with bare & or < in quoted texts"] = 1
    assert report.counts == counts


@pytest.mark.parametrize(
    ("content", "code", "said"),
    [
        ("<a><TEXT>x</TEXT></b>", "CP-DATA-604", "7.xml:1: not well-formed"),
        ("", "CP-DATA-604", "not well-formed"),
        ("<a><TEXT>x</TEXT></a>", "CP-DATA-605", "no TEXT or no TAGS"),
        (xml(tags='<EVENT id="E0" start="1" type="TEST" />'), "CP-DATA-606", "EVENT 'E0'"),
        (xml(tags='<EVENT start="1" end="2" type="TEST" />'), "CP-DATA-606", "needs an id"),
        (xml(tags='<EVENT id="E0" start="1" end="²" />'), "CP-DATA-606", "numbers"),
        (
            xml(tags='<EVENT id="E0" start="1" end="5" text="Admission" type="TEST" />'),
            "CP-DATA-607",
            "EVENT 'E0': 1-5 reads 'Admi', not 'Admission'",
        ),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, content: str, code: str, said: str) -> None:
    with pytest.raises(ClinpromptError) as caught:
        read(tmp_path, content)
    assert caught.value.code == code and said in str(caught.value)
    assert str(caught.value).startswith(f"[{code}] {tmp_path}/7.xml")


def test_realigned_or_left_out_and_counted(tmp_path: Path) -> None:
    tags = (
        '<EVENT id="E0" start="1" end="5" text="gone" type="OCCURRENCE" />\n'
        '<EVENT id="E1" start="900" end="905" text="nowhere" type="TEST" />\n'
        '<EVENT id="E0" {Admission} type="OCCURRENCE" />\n'
        '<SECTIME id="S0" start="" end="" text="" type="ADMISSION" dvalue="" />\n'
        '<TLINK id="TL0" fromID="E0" toID="E0" type="" />\n'
    )
    document, report = read(tmp_path, xml(tags=tags), "realign")
    assert [m.surface(document.text) for m in document.mentions] == ["Gone"]
    assert report.counts == {
        "tag moved to the nearest occurrence of its text": 1,
        "tag whose text stands nowhere": 1,
        "tag with an id that is there already": 1,
        "SECTIME without offsets": 1,
        "TLINK without a type": 1,
    }


@pytest.mark.parametrize("mismatch", ["refuse", "realign"])
def test_mutated_files_never_break_it(mismatch: str) -> None:
    seeds = [xml().encode(), xml(escaped=True, lead="").encode()]

    def check(raw: bytes) -> None:
        member = Member("7.xml", "7.xml", lambda: raw)
        options = ReadOptions(mismatch=mismatch)  # type: ignore[arg-type]
        document = read_document(member, options, Report())
        for mention in document.mentions:
            assert 0 <= mention.start < mention.end <= len(document.text)

    good, refused = survives(check, mutated(seeds, 5000, 11))
    assert good > 500 and refused > 500
