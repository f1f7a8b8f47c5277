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
from tests.documents.bioc_files import FOREIGN, FULL, KINDS, READ, TEXT, back, read_raw

from clinprompt.documents import formats
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
from clinprompt.errors import ClinpromptError
from clinprompt.report import Report

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
