"""A document with everything BioC can hold, files of others, and ways to read them."""

from __future__ import annotations

from pathlib import Path

import pytest

from clinprompt.documents import formats
from clinprompt.documents.formats import ReadOptions
from clinprompt.documents.model import (
    Argument,
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
from clinprompt.report import Report

TEXT = "\ufeffFiebre alta\r\nno tos \U0001f912 e\u0301\u2028\x0cfin\x85.  "


FULL = Document(
    "ward/17",
    TEXT,
    (
        Attribute("A1", "Negated", "T2"),
        Mention("T1", "Sign", ((1, 7),), 0.25),
        Equivalence("Equiv", ("T1", "T2")),
        Mention("T2", "Sign", ((8, 12), (17, 20))),
        Mention("T3", "Act", ((14, 16),), 1.0),
        Event("E1", "T3", (Argument("Of", "T2"), Argument("Of", "T1"))),
        Link("R1", "Joins", (Argument("Arg1", "T1"), Argument("Arg2", "E1")), 0.5),
        Attribute("A2", "Degree", "T1", ""),
        Attribute("A3", "Degree", "T1", "true"),
        Attribute("A4", "type", "R1", "strong"),
        Attribute("T1.site", "site", "T1", "left"),
        Normalization("N1", "T1", "MeSH", "D005334", "Fever"),
        Normalization("T1.identifier", "T1", "UMLS", "C0015967"),
        Comment("#1", "AnnotatorNotes", "A1", "sure?\ttabbed\n"),
        Comment("#2", "AnnotatorNotes", "N1", ""),
    ),
    (Passage((0, 12), "first"), Passage((14, len(TEXT) - 3), "")),
    (
        ("collection.source", "ward"),
        ("date", "2020-01-01"),
        ("passage[1].author", "x"),
    ),
)


def back(kind: str, held: list[Document], folder: Path) -> tuple[list[Document], Report]:
    file, report = folder / "x", Report()
    assert formats.write(kind, file, held, report) == len(held)
    return list(formats.read(kind, file, report)), report


KINDS = pytest.mark.parametrize("kind", ["bioc-xml", "bioc-json"])


FOREIGN = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE collection SYSTEM "BioC.dtd">
<collection><source>PubTator</source><date>2015</date><key>BioC.key</key><infon key="v">1</infon>
<document><id>7</id><infon key="journal">J</infon>
<passage><infon key="type">title</infon><infon key="section_type">TITLE</infon><offset>0</offset>
<text>Na\u00efve fever &amp; pain</text>
<annotation id="0"><infon key="type">Disease</infon><infon key="MESH">D005334</infon>
<infon key="score">0.7</infon><location offset="6" length="5"/><text>fever</text></annotation>
<annotation id="1"><infon key="identifier">MESH:D010146</infon><infon key="type">Disease</infon>
<location offset="14" length="4"/><location offset="0" length="5"/>
<text>Na\u00efve fever &amp; pain</text></annotation>
</passage>
<passage><infon key="type">abstract</infon><offset>19</offset>
<sentence><infon key="n">1</infon><offset>19</offset><text>One.</text>
<annotation id="2"><location offset="19" length="3"/><text>One</text></annotation></sentence>
<sentence><offset>25</offset><text>Two.</text></sentence>
<relation id=""><infon key="relation">CID</infon><infon key="Chemical">D1</infon></relation>
</passage>
<relation id="R1"><infon key="type">Causes</infon><node refid="0" role="from"/><node refid="2"/>
</relation>
</document></collection>
"""


READ = Document(
    "7",
    "Na\u00efve fever & pain\nOne.  Two.",
    (
        Mention("0", "Disease", ((6, 11),)),
        Normalization("0.MESH", "0", "MESH", "D005334"),
        Attribute("0.score", "score", "0", "0.7"),
        Mention("1", "Disease", ((0, 5), (14, 18))),
        Normalization("1.identifier", "1", "MESH", "D010146"),
        Mention("2", "", ((19, 22),)),
        Link("R2", "CID", ()),
        Attribute("R2.Chemical", "Chemical", "R2", "D1"),
        Link("R1", "Causes", (Argument("from", "0"), Argument("", "2"))),
    ),
    (Passage((0, 18), "title"), Passage((19, 29), "abstract")),
    (
        ("collection.source", "PubTator"),
        ("collection.date", "2015"),
        ("collection.key", "BioC.key"),
        ("collection.v", "1"),
        ("journal", "J"),
        ("passage[0].section_type", "TITLE"),
    ),
)


def read_raw(kind: str, folder: Path, raw: bytes, **options: str) -> tuple[list[Document], Report]:
    report = Report()
    file = folder / f"x.{kind.removeprefix('bioc-')}"
    file.write_bytes(raw)
    return list(formats.read(kind, file, report, ReadOptions(**options))), report
