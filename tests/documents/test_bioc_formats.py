"""BioC XML and JSON: every document reads back equal, from a file or an archive."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import bioc
import pytest
from bioc import biocjson, biocxml
from bioc.validator import BioCValidator
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.documents.fuzzing import mutated, survives

from clinprompt.documents import formats
from clinprompt.documents.bioc_formats import json_documents, xml_documents
from clinprompt.documents.bioc_text import Names
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
from clinprompt.documents.store import Member
from clinprompt.errors import ClinpromptError
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

names = st.text("abT1.~*#: é", min_size=1, max_size=4)
labels = st.sampled_from(
    ["", "type", "relation", "confidence", "identifier", "MESH", "clinprompt.infons", "Sign", "a b"]
)
values = st.sampled_from(["", "true", "0.5", "MESH:D1", "a\tb\n", "\u2028é\U0001f912"])
letters = st.characters(exclude_categories=["Cs"]) | st.sampled_from(
    "  \n\r\t\x0c\ufeffé\U0001f912"
)


@st.composite
def documents(draw: st.DrawFn, name: str = "d") -> Document:
    """Whatever the model can hold, with all references met."""
    text = draw(st.text(letters, max_size=30))
    ids = iter(draw(st.lists(names, unique=True, min_size=9, max_size=9)))
    sure = st.none() | st.floats(0, 1)
    mentions = []
    if text:
        for _ in range(draw(st.integers(0, 3))):
            ends = draw(
                st.lists(st.integers(0, len(text)), unique=True, min_size=2, max_size=4)
                .filter(lambda found: len(found) % 2 == 0)
                .map(sorted)
            )
            spans = tuple(zip(ends[::2], ends[1::2], strict=True))
            mentions.append(Mention(next(ids), draw(labels), spans, draw(sure)))
    annotations: list = list(mentions)
    if mentions:
        known = [one.id for one in mentions]
        target = st.sampled_from(known)
        role = st.builds(Argument, labels, target)
        roles = st.lists(role, max_size=3).map(tuple)
        annotations.append(Link(next(ids), draw(labels), draw(roles), draw(sure)))
        annotations.append(Event(next(ids), draw(target), draw(roles)))
        known += [one.id for one in annotations[-2:]]
        target = st.sampled_from(known)
        for _ in range(draw(st.integers(0, 3))):
            host, label, value = draw(target), draw(labels), draw(values)
            own = draw(st.sampled_from([next(ids), f"{host}.{label}"]))
            if own in {one.id for one in annotations if not isinstance(one, Equivalence)}:
                continue
            kind = draw(st.integers(0, 3))
            annotations.append(
                (
                    Attribute(own, label, host, draw(st.none() | st.just(value))),
                    Normalization(own, host, label, value, draw(values), draw(labels)),
                    Comment(own, label, host, value),
                    Equivalence(label, tuple(draw(st.lists(target, max_size=3)))),
                )[kind]
            )
    cuts = draw(st.lists(st.integers(0, len(text)), max_size=6))
    if draw(st.booleans()):
        cuts.sort()
    pairs = [tuple(sorted(pair)) for pair in zip(cuts[::2], cuts[1::2], strict=False)]
    passages = tuple(Passage(pair, draw(labels)) for pair in pairs)
    keys = labels | st.sampled_from(["collection.date", "collection.a", "passage[0].b", "date"])
    metadata = draw(st.lists(st.tuples(keys, values), max_size=3))
    order = draw(st.permutations(annotations))
    return Document(name, text, tuple(order), passages, tuple(metadata))


def back(kind: str, held: list[Document], folder: Path) -> tuple[list[Document], Report]:
    file, report = folder / "x", Report()
    assert formats.write(kind, file, held, report) == len(held)
    return list(formats.read(kind, file, report)), report


KINDS = pytest.mark.parametrize("kind", ["bioc-xml", "bioc-json"])


@KINDS
def test_everything_reads_back(kind: str, tmp_path: Path) -> None:
    plain = Document("p", "")
    for held in ([FULL], [FULL, plain], [plain], []):
        read, report = back(kind, held, tmp_path)
        assert read == held
        assert report.counts == {}


@KINDS
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_documents_read_back(kind: str, tmp_path: Path, data: st.DataObject) -> None:
    held = [data.draw(documents(name)) for name in ("a", "b")]
    read, report = back(kind, held, tmp_path)
    assert read == held
    assert report.counts == {}


@KINDS
@pytest.mark.parametrize("archive", [False, True])
def test_archives_and_folders(kind: str, archive: bool, tmp_path: Path) -> None:
    ending = kind.removeprefix("bioc-")
    folder = tmp_path / "in"
    for name in ("a", "b"):
        held = Document(name, TEXT, FULL.annotations)
        formats.write(kind, folder / f"{name}.{ending}", [held], Report())
    (folder / "README.md").write_text("none")
    source = folder
    if archive:
        source = tmp_path / "in.zip"
        with zipfile.ZipFile(source, "w") as file:
            for one in folder.iterdir():
                file.write(one, one.name)
    report = Report()
    assert [one.id for one in formats.read(kind, source, report)] == ["a", "b"]
    assert report.counts == {f"files that are not .{ending}": 1}


@KINDS
def test_the_library_reads_what_is_written(kind: str, tmp_path: Path) -> None:
    """Offsets, texts, references: what the library's own validator looks at."""
    whole = Mention("T2", "Sign", ((8, 12),))
    single = tuple(whole if one == FULL.mentions[1] else one for one in FULL.annotations)
    held = [FULL, Document("single", TEXT, single, FULL.passages)]
    formats.write(kind, tmp_path / "x", held, Report())
    text = (tmp_path / "x").read_bytes().decode()
    library = biocxml.loads(text) if kind == "bioc-xml" else biocjson.loads(text)
    # The validator wants the text of discontinuous annotations in another way, so not for FULL.
    BioCValidator().validate_doc(library.documents[1])
    full = library.documents[0]
    found = {one.id: one for part in (full, *full.passages) for one in part.annotations}
    assert [(at.offset, at.length) for at in found["T2"].locations] == [(8, 4), (17, 3)]
    assert found["T1"].text == "Fiebre" and found["T1"].infons["site"] == "left"
    relation = next(one for one in full.relations if one.id == "R1")
    assert [(node.refid, node.role) for node in relation.nodes] == [("T1", "Arg1"), ("E1", "Arg2")]
    offset, whole = bioc.get_text(full)
    assert offset == 0 and len(whole) == len(TEXT)


# ---- files of others ---------------------------------------------------------------------------

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


def test_foreign_xml(tmp_path: Path) -> None:
    found, report = read_raw("bioc-xml", tmp_path, FOREIGN.encode())
    assert found == [READ]
    assert report.counts == {
        "sentence boundaries": 2,
        "infons of sentences": 1,
        "missing annotation ids filled in": 1,
    }


@KINDS
def test_foreign_files_keep_their_marks(kind: str, tmp_path: Path) -> None:
    """Ours written again holds their ids, locations and infons, and none of our own."""
    found, _ = read_raw("bioc-xml", tmp_path, FOREIGN.encode())
    formats.write(kind, tmp_path / "y", found, Report())
    text = (tmp_path / "y").read_text(encoding="utf-8")
    assert "clinprompt" not in text
    ours = (biocxml if kind == "bioc-xml" else biocjson).loads(text)
    assert (ours.source, ours.date, ours.key, ours.infons) == (
        "PubTator",
        "2015",
        "BioC.key",
        {"v": "1"},
    )
    title, abstract = ours.documents[0].passages
    assert title.infons == {"type": "title", "section_type": "TITLE"}
    assert [one.id for one in title.annotations] == ["0", "1"]
    assert title.annotations[0].infons == {"type": "Disease", "MESH": "D005334", "score": "0.7"}
    assert title.annotations[1].infons == {"type": "Disease", "identifier": "MESH:D010146"}
    assert [one.offset for one in title.annotations[1].locations] == [0, 14]
    assert (abstract.offset, abstract.text) == (19, "One.  Two.")
    assert [one.id for one in ours.documents[0].relations] == ["R2", "R1"]
    assert ours.documents[0].relations[0].infons == {"type": "CID", "Chemical": "D1"}


def test_foreign_json(tmp_path: Path) -> None:
    """Wrapped, with fields left out, and values that are no text."""
    document = {
        "id": 7,
        "_id": "7|x",
        "passages": [
            {
                "offset": 0,
                "text": "fever",
                "infons": {"type": "title"},
                "annotations": [
                    {
                        "id": "1",
                        "text": "fever",
                        "infons": {"type": "Disease", "valid": True, "note": None},
                        "locations": [{"offset": 0, "length": 5}],
                    },
                    {"id": "2", "infons": {}, "text": "", "locations": []},
                ],
                "relations": [{"id": "3", "infons": {}, "nodes": [{"refid": "2", "role": "x"}]}],
            }
        ],
    }
    counts = {
        "fields that BioC JSON does not have": 1,
        "infon values that are not text, kept as JSON": 1,
        "annotations without a location": 1,
        "annotations and relations that refer to what is not there": 1,
    }
    for wrapped in ({"PubTator3": [document]}, [{"documents": [document]}]):
        found, report = read_raw("bioc-json", tmp_path, json.dumps(wrapped).encode())
        assert found == [
            Document(
                "7",
                "fever",
                (
                    Mention("1", "Disease", ((0, 5),)),
                    Attribute("1.valid", "valid", "1", "true"),
                    Attribute("1.note", "note", "1", ""),
                ),
                (Passage((0, 5), "title"),),
            )
        ]
        assert report.counts == counts


def test_byte_offsets(tmp_path: Path) -> None:
    raw = FOREIGN.encode()
    for old, new in (
        ('6" length', '7" length'),
        ('14" length', '15" length'),
        ('0" length="5', '0" length="6'),
        (">19<", ">20<"),
        ('"19"', '"20"'),
        (">25<", ">26<"),
    ):
        assert old.encode() in raw
        raw = raw.replace(old.encode(), new.encode())
    found, _ = read_raw("bioc-xml", tmp_path, raw, offsets="bytes")
    assert found == [READ]
    with pytest.raises(ClinpromptError, match="is 'ever ', not 'fever'") as caught:
        read_raw("bioc-xml", tmp_path, raw)
    assert caught.value.code == "CP-DOC-100"
    inside = raw.replace(b'"7" length="5"', b'"3" length="5"')
    with pytest.raises(ClinpromptError, match="inside a character"):
        read_raw("bioc-xml", tmp_path, inside, offsets="bytes")


def test_shifted_offsets_are_realigned_where_asked(tmp_path: Path) -> None:
    raw = FOREIGN.replace('"6" length', '"8" length').encode()
    found, report = read_raw("bioc-xml", tmp_path, raw, mismatch="realign")
    assert found == [READ]
    assert report.counts["offsets moved to the nearest place of the text they quote"] == 1


# ---- what is refused ---------------------------------------------------------------------------


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


# ---- broken files ------------------------------------------------------------------------------


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
