"""BigBIO rows as documents, both ways, in Parquet and JSON lines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet
from tests.documents.bigbio_files import (
    ENDINGS,
    ENTITY,
    EXAMPLES,
    FULL,
    PASSAGE,
    TEXT,
    back,
    read_rows,
)

from clinprompt.documents import formats
from clinprompt.documents.bigbio_schema import SCHEMAS, arrow, problem, schema_of, unknown
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


@ENDINGS
def test_everything_a_row_can_hold_reads_back(ending: str, tmp_path: Path) -> None:
    for held in ([FULL, Document("18", "")], []):
        found, report = back(tmp_path, ending, *held)
        assert found == held
        assert report.counts == {}


def test_rows_have_the_published_features(tmp_path: Path) -> None:
    """Column by column, with Arrow's own types, and without a field that is missing or new."""
    back(tmp_path, "parquet", FULL)
    back(tmp_path, "jsonl", FULL)
    text, number = pyarrow.string(), pyarrow.int32()
    spans = [("text", pyarrow.list_(text)), ("offsets", pyarrow.list_(pyarrow.list_(number)))]
    named = [("id", text), ("type", text)]
    concepts = pyarrow.list_(pyarrow.struct([("db_name", text), ("db_id", text)]))
    roles = pyarrow.list_(pyarrow.struct([("role", text), ("ref_id", text)]))
    events = [*named, ("trigger", pyarrow.struct(spans)), ("arguments", roles)]
    coreferences = [("id", text), ("entity_ids", pyarrow.list_(text))]
    relations = [*named, ("arg1_id", text), ("arg2_id", text), ("normalized", concepts)]
    published = pyarrow.schema(
        [
            ("id", text),
            ("document_id", text),
            ("passages", pyarrow.list_(pyarrow.struct([*named, *spans]))),
            ("entities", pyarrow.list_(pyarrow.struct([*named, *spans, ("normalized", concepts)]))),
            ("events", pyarrow.list_(pyarrow.struct(events))),
            ("coreferences", pyarrow.list_(pyarrow.struct(coreferences))),
            ("relations", pyarrow.list_(pyarrow.struct(relations))),
        ]
    )
    written = parquet.read_schema(tmp_path / "x.parquet").remove_metadata()
    assert [(one.name, str(one.type)) for one in written] == [
        (one.name, str(one.type).replace("element:", "item:")) for one in published
    ] or written.equals(published)
    row = json.loads((tmp_path / "x.jsonl").read_text())
    assert parquet.read_table(tmp_path / "x.parquet").to_pylist() == [row]
    assert set(row) == set(published.names)
    assert problem(row, SCHEMAS["KB"]) is None and unknown(row, SCHEMAS["KB"]) == 0
    assert pyarrow.Table.from_pylist([row], schema=published).to_pylist() == [row]
    ids = [one["id"] for kind in ("passages", "entities", "events", "coreferences", "relations")
           for one in row[kind]]  # fmt: skip
    assert len(ids) == len(set(ids)) and all(name.startswith("17_") for name in ids)


def test_a_row_of_someone_else(tmp_path: Path) -> None:
    row = {
        "id": "0",
        "document_id": "227508",
        "passages": [
            {"id": "1", "type": "title", "text": ["Naloxone works."], "offsets": [[0, 15]]},
            {"id": "2", "type": "abstract", "text": ["In rats."], "offsets": [[16, 24]]},
        ],
        "entities": [
            {"id": "3", "offsets": [[0, 8]], "text": ["Naloxone"], "type": "Chemical",
             "normalized": [{"db_name": "MESH", "db_id": "D009270"}]},
            {"id": "4", "offsets": [[19, 23], [9, 14]], "text": ["works rats"], "type": "X",
             "normalized": []},
            {"id": "5", "offsets": [], "text": [], "type": "X", "normalized": [], "extra": 1},
        ],
        "events": [
            {"id": "6", "type": "Chemical", "arguments": [{"role": "a", "ref_id": "4"}],
             "trigger": {"text": ["Naloxone"], "offsets": [[0, 8]]}},
            {"id": "7", "type": "Y", "arguments": [], "trigger": {"text": [], "offsets": []}},
        ],
        "coreferences": [{"id": "8", "entity_ids": ["3", "4"]}],
        "relations": [
            {"id": "9", "type": "r", "arg1_id": "3", "arg2_id": "4", "normalized": []},
            {"id": "10", "type": "r", "arg1_id": "3", "arg2_id": "5", "normalized": None},
        ],
    }  # fmt: skip
    found, report = read_rows(tmp_path, row)
    assert found == [
        Document(
            "227508",
            "Naloxone works. In rats.",
            (
                Mention("3", "Chemical", ((0, 8),)),
                Normalization("N1", "3", "MESH", "D009270"),
                Mention("4", "X", ((9, 14), (19, 23))),
                Event("6", "3", (Argument("a", "4"),)),
                Link("9", "r", (Argument("Arg1", "3"), Argument("Arg2", "4"))),
                Equivalence("Equiv", ("3", "4")),
            ),
            (Passage((0, 15), "title"), Passage((16, 24), "abstract")),
            (("bigbio.id", "0"),),
        )
    ]
    assert report.counts == {
        "fields that BigBIO's schema does not have": 1,
        "entities without offsets": 1,
        "events without a trigger": 1,
        "annotations and relations that refer to what is not there": 1,
    }
    # Two rows of one document are told apart by their own ids.
    found, _ = read_rows(tmp_path, row, row | {"id": "1"})
    assert [one.id for one in found] == ["227508", "1"]
    assert ("bigbio.document_id", "227508") in found[1].metadata
    assert back(tmp_path, "parquet", *found)[0] == found


def test_what_cannot_be_held_is_counted(tmp_path: Path) -> None:
    held = Document(
        "1",
        "a b c",
        (
            Mention("T1", "X", ((0, 1),), 0.5),
            Mention("T2", "X", ((2, 3),)),
            Mention("T3", "X", ((4, 5),)),
            Event("E1", "T3", (Argument("Of", "R2"),)),
            Link("R1", "L", (Argument("From", "T1"), Argument("To", "T2")), 0.5),
            Link("R2", "L", (Argument("Arg1", "T1"),)),
            Link("R3", "L", (Argument("Arg1", "T1"), Argument("Arg2", "R2"))),
            Normalization("N1", "T1", "A", "1", "name"),
            Normalization("N2", "E1", "A", "1"),
            Attribute("A1", "Negated", "T1"),
            Comment("#1", "Note", "T1", "x"),
            Equivalence("Same", ("T1", "T2")),
            Equivalence("Equiv", ("T1", "E1")),
        ),
        (Passage((0, 3), "x"), Passage((1, 4), "y")),
        (("date", "2020"),),
    )
    (found,), report = back(tmp_path, "jsonl", held)
    assert found == Document(
        "1",
        "a b c",
        (
            Mention("T1", "X", ((0, 1),)),
            Normalization("N1", "T1", "A", "1"),
            Mention("T2", "X", ((2, 3),)),
            Mention("E1.trigger", "X", ((4, 5),)),
            Event("E1", "E1.trigger"),
            Link("R1", "L", (Argument("Arg1", "T1"), Argument("Arg2", "T2"))),
            Equivalence("Equiv", ("T1", "T2")),
        ),
    )
    end = " (BigBIO's schema KB can't hold them)"
    assert {reason.removesuffix(end): count for reason, count in report.counts.items()} == {
        "passages that overlap or are out of order": 2,
        "arguments of events": 1,
        "roles of relations": 1,
        "relations that are not between two mentions, events or relations": 2,
        "names and labels of concepts": 1,
        "concepts of what is not a mention or relation": 1,
        "confidences": 2,
        "attributes": 1,
        "comments": 1,
        "labels of equivalences": 1,
        "equivalences of what is not a mention": 1,
        "metadata": 1,
    }


def test_a_trigger_at_the_place_of_an_entity(tmp_path: Path) -> None:
    mentions = (Mention("T1", "X", ((0, 1),)), Mention("T2", "X", ((0, 1),)))
    (found,), report = back(tmp_path, "jsonl", Document("1", "a", (*mentions, Event("E1", "T2"))))
    assert found.annotations == (mentions[0], Event("E1", "T1"))
    reason = "triggers apart from entities of the same type and place"
    assert report.counts == {f"{reason} (BigBIO's schema KB can't hold them)": 1}


# ---- the other schemas -------------------------------------------------------------------------


@ENDINGS
@pytest.mark.parametrize("schema", list(EXAMPLES))
def test_examples(schema: str, ending: str, tmp_path: Path) -> None:
    full = EXAMPLES[schema]
    assert list(full) == list(SCHEMAS[schema]) and schema_of(set(full)) == schema
    bare = {k: [] if isinstance(v, list) else None for k, v in full.items()} | {"id": "1"}
    table = pyarrow.Table.from_pylist([full, bare], schema=arrow(schema))  # type: ignore[arg-type]
    file, report = tmp_path / "in.parquet", Report()
    parquet.write_table(table, file)
    held = list(formats.read("bigbio", file, report))
    assert report.counts == {}
    assert (held[0].id, held[0].text) == ("0", "A text.")
    given = [
        (name, one)
        for name, value in full.items()
        for one in (value if isinstance(value, list) else [value])
        if name != "id" and one != "A text."
    ]
    assert held[0].metadata == (("bigbio.schema", schema), *given)
    found, report = back(tmp_path, ending, *held)
    assert found == held and report.counts == {}
    if ending == "jsonl":
        rows = [json.loads(one) for one in (tmp_path / "x.jsonl").read_text().splitlines()]
        text = next(name for name, value in full.items() if value == "A text.")
        # A text that was missing is empty, a missing document_id the row's id.
        added = {text: ""} | ({"document_id": "1"} if "document_id" in full else {})
        assert rows == [full, bare | added]


def test_a_schema_can_be_chosen(tmp_path: Path) -> None:
    found, report = back(tmp_path, "jsonl", FULL, schema="TEXT")
    assert (found[0].text, found[0].annotations) == (TEXT, ())
    end = " (BigBIO's schema TEXT can't hold them)"
    counts = {f"annotations{end}": 8, f"passages{end}": 2, f"metadata{end}": 1}
    assert report.counts == counts
    with pytest.raises(ClinpromptError, match="no 'question'") as caught:
        back(tmp_path, "jsonl", FULL, schema="QA")
    assert caught.value.code == "CP-DOC-250"


def test_byte_offsets_and_realigned_ones(tmp_path: Path) -> None:
    row = {
        "id": "1",
        "passages": [{**PASSAGE, "text": ["\u00e9bc"], "offsets": [[0, 4]]}],
        "entities": [{**ENTITY, "offsets": [[2, 4]]}],
    }
    found, _ = read_rows(tmp_path, row, offsets="bytes")
    assert found[0].mentions == (Mention("e", "x", ((1, 3),)),)
    row = {"id": "1", "passages": [PASSAGE], "entities": [{**ENTITY, "offsets": [[0, 2]]}]}
    found, report = read_rows(tmp_path, row, mismatch="realign")
    assert found[0].mentions == (Mention("e", "x", ((1, 3),)),)
    assert sum(report.counts.values()) == 1


def test_endings(tmp_path: Path) -> None:
    for name in ("x.csv", "x"):
        with pytest.raises(ClinpromptError) as caught:
            formats.write("bigbio", tmp_path / name, [], Report())
        assert caught.value.code == "CP-DOC-254"
    (tmp_path / "x.csv").write_text("")
    with pytest.raises(ClinpromptError, match="neither"):
        list(formats.read("bigbio", tmp_path / "x.csv", Report()))
    with pytest.raises(ClinpromptError, match=r"holds no \.parquet or \.jsonl"):
        list(formats.read("bigbio", tmp_path, Report()))


# ---- properties --------------------------------------------------------------------------------

odd = st.sampled_from("  \n\r\t\x0c\ufeffé\U0001f912")
letters = st.characters(exclude_categories=["Cs"]) | odd
labels = st.sampled_from(["", "Sign", "a b", "1_T1"])


@st.composite
def documents(draw: st.DrawFn) -> Document:
    """Documents with everything but attributes and comments, whose loss is counted."""
    text = draw(st.text(letters, min_size=1, max_size=20))
    mentions: list[Mention] = []
    for number in range(draw(st.integers(1, 4))):
        ends = draw(st.lists(st.integers(0, len(text)), unique=True, min_size=2, max_size=5))
        ends = sorted(ends[: len(ends) // 2 * 2])
        spans = tuple(zip(ends[::2], ends[1::2], strict=True))
        mentions.append(Mention(draw(st.sampled_from(["T", "1_T", "N"])) + str(number),
                                draw(labels), spans))  # fmt: skip
    # Where a trigger has the type and place of another mention, the two become one.
    mentions = list({(one.label, one.spans): one for one in mentions}.values())
    target = st.sampled_from([one.id for one in mentions])
    role = st.builds(Argument, labels, target)
    rest: list[Any] = [
        Event(f"E{i}", draw(target), tuple(draw(st.lists(role, max_size=2))))
        for i in range(draw(st.integers(0, 2)))
    ]
    # The schema knows triggers by their events only: an equivalence of one is not kept.
    triggers = {one.trigger for one in rest}
    plain = [one.id for one in mentions if one.id not in triggers]
    target = st.sampled_from([one.id for one in (*mentions, *rest)])
    for number in range(draw(st.integers(0, 2))):
        ends = (Argument("Arg1", draw(target)), Argument("Arg2", draw(target)))
        rest.append(Link(f"R{number}", draw(labels), ends))
        rest.append(Normalization(f"C{number}", draw(target), draw(labels), draw(labels)))
        if plain:
            same = st.lists(st.sampled_from(plain), max_size=2)
            rest.append(Equivalence("Equiv", tuple(draw(same))))
    cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=6)))
    pairs = zip(cuts[::2], cuts[1::2], strict=False)
    passages = tuple(Passage(pair, draw(labels)) for pair in pairs)
    order = draw(st.permutations([*mentions, *rest]))
    return Document("1", text, tuple(order), passages)


@ENDINGS
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
@given(held=documents())
def test_any_document_settles(ending: str, tmp_path: Path, held: Document) -> None:
    """Text, passages, mentions and relations are kept, and what was read reads back equal."""
    (first,), report = back(tmp_path, ending, held)
    assert (first.text, first.passages) == (held.text, held.passages)
    places = {(one.label, one.spans) for one in held.mentions}
    assert {(one.label, one.spans) for one in first.mentions} == places
    assert {one.id for one in first.links} == {one.id for one in held.links}
    assert {one.id for one in first.events} == {one.id for one in held.events}
    kept = len(list(first.of(Normalization))) + sum(
        count for reason, count in report.counts.items() if reason.startswith("concepts of")
    )
    assert kept == len(list(held.of(Normalization)))
    (second,), report = back(tmp_path, ending, first)
    assert second == first
    assert report.counts == {}
