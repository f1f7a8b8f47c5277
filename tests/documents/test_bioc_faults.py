"""BioC files that are refused, and what is left out of others."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.documents.bioc_files import FOREIGN, FULL, KINDS, READ, back, read_raw
from tests.documents.fuzzing import mutated, survives

from clinprompt.documents import formats
from clinprompt.documents.bioc_formats import json_documents, xml_documents
from clinprompt.documents.bioc_text import Names
from clinprompt.documents.formats import ReadOptions
from clinprompt.documents.model import (
    Document,
    Mention,
)
from clinprompt.documents.store import Member
from clinprompt.errors import ClinpromptError
from clinprompt.report import Report


@pytest.mark.parametrize(
    ("head", "code"),
    [
        ('<!DOCTYPE collection [<!ENTITY a "b">]>', "CP-DOC-221"),
        ('<!DOCTYPE collection [<!ENTITY a SYSTEM "file:///etc/hostname">]>', "CP-DOC-221"),
        ('<!DOCTYPE collection [<!ENTITY % a SYSTEM "file:///etc/hostname"> %a;]>', "CP-DOC-221"),
        ('<!DOCTYPE collection SYSTEM "file:///none.dtd">', "CP-DOC-222"),
        ("", "CP-DOC-220"),
    ],
)
def test_entities_are_refused(head: str, code: str, tmp_path: Path) -> None:
    body = FOREIGN.split("\n", 2)[2].replace("Two.", "&a;")
    with pytest.raises(ClinpromptError) as caught:
        read_raw("bioc-xml", tmp_path, (head + body).encode())
    assert caught.value.code == code


def test_a_bomb_is_refused_without_being_expanded(tmp_path: Path) -> None:
    entities = "".join(
        f'<!ENTITY l{n} "{"&l" + str(n - 1) + ";" if n else "haha"}{f"&l{n - 1};" * 9 * (n > 0)}">'
        for n in range(12)
    )
    for use in ("<date>&l11;</date>", '<infon key="&l11;">x</infon>'):
        raw = f"<!DOCTYPE collection [{entities}]><collection>{use}</collection>".encode()
        with pytest.raises(ClinpromptError) as caught:
            read_raw("bioc-xml", tmp_path, raw)
        assert caught.value.code in ("CP-DOC-220", "CP-DOC-221")


XML_FAULTS = [
    ("<offset>19</offset><", "<offset>17</offset><", "CP-DOC-203", "overlaps"),
    ("<offset>19</offset><", "<offset>99999999</offset><", "CP-DOC-203", "without text"),
    ("<offset>25<", "<offset>x<", "CP-DOC-222", "not a whole number"),
    ("<id>7</id>", "", "CP-DOC-222", "'document' without 'id'"),
    ("<id>7</id>", "<id></id>", "CP-DOC-201", "is empty"),
    ("<id>7</id>", "<id>7</id><id>8</id>", "CP-DOC-222", "two of 'id'"),
    ("Two.", "Two<b/>.", "CP-DOC-222", "holds 'b', not just text"),
    ('refid="0"', "", "CP-DOC-222", "'node' without 'refid'"),
    ('length="3"', 'length="-3"', "CP-DOC-222", "length is not a whole"),
    ('length="3"', 'length="0"', "CP-DOC-101", "not behind start"),
    ('length="3"', 'length="300"', "CP-DOC-103", "outside the text"),
    ('annotation id="1"', 'annotation id="0"', "CP-DOC-211", "id '0' comes twice"),
    ("collection>", "corpus>", "CP-DOC-222", "root element"),
    ("</document>", "", "CP-DOC-220", "not well-formed"),
    ('key="v">1', 'key="clinprompt.x">1', None, ""),
    ('key="journal">J', 'key="clinprompt.order">J', "CP-DOC-210", "clinprompt.order"),
    ('key="journal">J', 'key="clinprompt.text">[[0,"x"],[0,"y"]]', "CP-DOC-210", ".text"),
    ('key="journal">J', 'key="clinprompt.passages">[[0,99,""]]', "CP-DOC-210", ".passages"),
    ('key="score">0.7', 'key="clinprompt.infons">{"a":["b"]}', "CP-DOC-210", ".infons"),
    ('key="Chemical">D1', 'key="clinprompt.kind">event', "CP-DOC-210", ".kind"),
]


@pytest.mark.parametrize(("old", "new", "code", "part"), XML_FAULTS)
def test_faults(old: str, new: str, code: str | None, part: str, tmp_path: Path) -> None:
    assert old in FOREIGN
    raw = (
        FOREIGN.replace("collection>", new).replace("<collection", "<corpus")
        if (old == "collection>")
        else FOREIGN.replace(old, new)
    )
    if code is None:
        assert read_raw("bioc-xml", tmp_path, raw.encode())[0]
        return
    with pytest.raises(ClinpromptError, match=part) as caught:
        read_raw("bioc-xml", tmp_path, raw.encode())
    assert caught.value.code == code


def test_the_line_is_told(tmp_path: Path) -> None:
    with pytest.raises(ClinpromptError) as caught:
        read_raw("bioc-xml", tmp_path, FOREIGN.replace(">25<", ">x<").encode())
    assert caught.value.line == FOREIGN[: FOREIGN.index(">25<")].count("\n") + 1


@pytest.mark.parametrize(
    ("old", "new", "counted"),
    [
        ("One.</text>", "One<!-- a -->.<?b?></text>", None),
        ("<passage>", "loose<passage>", "text between BioC elements"),
        ("<passage>", "<extra/><passage>", "elements that BioC does not have"),
        ("<passage>", '<passage n="1">', "XML attributes that BioC does not have"),
        ('key="section_type"', 'key="type"', "infons whose key comes twice"),
        ('annotation id="2"', 'annotation id=""', "missing annotation ids filled in"),
        ('annotation id="2"', 'annotation id="1"', "repeated annotation ids replaced"),
        ('key="journal">J', 'key="clinprompt.order">[1]', "order of annotations that does not"),
    ],
)
def test_what_is_left_out_is_counted(
    old: str, new: str, counted: str | None, tmp_path: Path
) -> None:
    before = read_raw("bioc-xml", tmp_path, FOREIGN.encode())[1].counts
    raw = FOREIGN.replace(old, new).replace('refid="2"', 'refid="0"')
    found, report = read_raw("bioc-xml", tmp_path, raw.encode())
    assert found[0].text == READ.text
    more = report.counts - before
    assert [reason for reason in more if counted and reason.startswith(counted)] == list(more)
    assert bool(more) == bool(counted)


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        ("", "CP-DOC-202"),
        ("[" * 100_000, "CP-DOC-202"),
        ('{"documents": [], "documents": []}', "CP-DOC-202"),
        ('{"documents": [{"id": "\\ud800"}]}', "CP-DOC-202"),
        ("3", "CP-DOC-230"),
        ("{}", "CP-DOC-230"),
        ('{"documents": {}}', "CP-DOC-230"),
        ('{"documents": [{}]}', "CP-DOC-230"),
        ('{"documents": [{"id": true}]}', "CP-DOC-230"),
        ('{"documents": [{"id": "1", "infons": []}]}', "CP-DOC-230"),
        ('{"documents": [{"id": "1", "passages": [{"offset": 1.5}]}]}', "CP-DOC-230"),
        ('{"documents": [{"id": "1", "passages": [{"offset": 0, "text": 3}]}]}', "CP-DOC-230"),
        ('{"documents": [{"id": "1"}, {"id": "1"}]}', "CP-DOC-201"),
    ],
)
def test_faults_of_json(raw: str, code: str, tmp_path: Path) -> None:
    with pytest.raises(ClinpromptError) as caught:
        read_raw("bioc-json", tmp_path, raw.encode())
    assert caught.value.code == code


def test_what_cannot_be_written(tmp_path: Path) -> None:
    mention = Mention("T\x00", "x", ((0, 1),))
    faults = {
        "CP-DOC-223": Document("a", "abc", (mention,)),
        "CP-DOC-204": Document("a", "\ud800"),
        "CP-DOC-300": Document("a", "", (mention,)),
    }
    for code, document in faults.items():
        with pytest.raises(ClinpromptError) as caught:
            formats.write("bioc-xml", tmp_path / "x", [document], Report())
        assert caught.value.code == code
    assert not (tmp_path / "x").exists()
    held = [faults["CP-DOC-223"]]
    assert back("bioc-json", held, tmp_path)[0] == held
    with pytest.raises(ClinpromptError, match="comes twice"):
        formats.write("bioc-json", tmp_path / "x", held * 2, Report())


@KINDS
def test_broken_files(kind: str, tmp_path: Path) -> None:
    formats.write(kind, tmp_path / "seed", [FULL], Report())
    seeds = [(tmp_path / "seed").read_bytes()]
    formats.write(kind, tmp_path / "seed", [READ, Document("p", "x")], Report())
    seeds.append((tmp_path / "seed").read_bytes())
    if kind == "bioc-xml":
        seeds.append(FOREIGN.encode())
    found: list[Document] = []

    def read(raw: bytes) -> None:
        member = Member("x", "x", lambda: raw)
        one = xml_documents if kind == "bioc-xml" else json_documents
        found.extend(list(one(member, ReadOptions(), Report(), Names()))[:1])

    good, refused = survives(read, mutated(seeds, 10_000, seed=5))
    assert good > 500 and refused > 500
    for one in found[::500]:  # what was read can be written
        formats.write("bioc-json", tmp_path / "y", [one], Report())
