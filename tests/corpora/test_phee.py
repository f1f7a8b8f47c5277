"""PHEE events to relations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from clinprompt.corpora import Report, read
from clinprompt.errors import ClinpromptError
from clinprompt.examples import Entity, Example, Relation, RelationAnswer, TextInput

TEXT = "Aspirin and ibuprofen caused secret pain here and rash there."
RELATIONS = {"Harm": ["Treatment.Drug", "Effect"], "Help": ["Treatment.Drug", "Treatment.Disorder"]}


def role(*mentions: list[str]) -> dict[str, list[list[Any]]]:
    """A role with these mentions, each a list of fragments as they stand in the text."""
    starts = [[TEXT.index(part) for part in mention] for mention in mentions]
    return {"text": [list(mention) for mention in mentions], "start": starts}


def event(kind: str, **roles: object) -> dict[str, object]:
    return {"event_id": "E1", "event_type": kind, **roles}


def record(*events: object, name: str = "123_4", text: str = TEXT) -> dict[str, object]:
    return {"id": name, "context": text, "annotations": [{"events": list(events)}]}


def phee(folder: Path, *records: object, **options: object) -> tuple[list[Example], Report]:
    (folder / "x.json").write_text("\n".join(json.dumps(item) for item in records))
    report = Report()
    given = {"relations": RELATIONS, **options}
    examples = read("phee", [folder / "x.json"], given, root=folder, split="dev", report=report)
    return examples, report


def found(example: Example) -> list[tuple[str, str, str]]:
    assert isinstance(example.answer, RelationAnswer) and isinstance(example.input, TextInput)
    text = example.input.text
    return [(r.label, r.head.surface(text), r.tail.surface(text)) for r in example.answer.relations]


def test_every_drug_with_every_effect(tmp_path: Path) -> None:
    harm = event(
        "Harm",
        Treatment={**role(["Aspirin and ibuprofen"]), "Drug": role(["ibuprofen"], ["Aspirin"])},
        Effect=role(["rash"], ["there", "pain"]),
    )
    (example,), report = phee(tmp_path, record(harm))
    assert (example.id, example.document) == ("123_4", "pmid:123")
    assert found(example) == [
        ("Harm", "Aspirin", "pain there"),
        ("Harm", "Aspirin", "rash"),
        ("Harm", "ibuprofen", "pain there"),
        ("Harm", "ibuprofen", "rash"),
    ]
    assert isinstance(example.answer, RelationAnswer)
    drug, effect = Entity(((0, 7),), "Drug"), Entity(((36, 40), (55, 60)), "Effect")
    assert example.answer.relations[0] == Relation(drug, effect, "Harm")
    assert not report.counts


def test_several_events_and_what_is_counted(tmp_path: Path) -> None:
    drug = {"Drug": role(["Aspirin"])}
    events = [
        event("Harm", Treatment=drug, Effect=role(["pain"])),
        event("Harm", Treatment=drug, Effect=role(["pain"], ["rash"])),
        event("Help", Treatment={**drug, "Disorder": role(["rash"])}),
        event("Help", Treatment=drug, Effect=role(["rash"])),
        event("Harm", Effect=role(["rash"])),
    ]
    (example, empty), report = phee(tmp_path, record(*events), record(name="5_1"))
    assert found(example) == [
        ("Harm", "Aspirin", "pain"),
        ("Help", "Aspirin", "rash"),
        ("Harm", "Aspirin", "rash"),
    ]
    assert empty.answer == RelationAnswer(())
    assert report.counts == {
        "relation that another event gives too": 1,
        "event of type 'Help' without 'Treatment.Disorder'": 1,
        "event of type 'Harm' without 'Treatment.Drug'": 1,
    }


def test_empty_text_is_left_out_and_counted(tmp_path: Path) -> None:
    examples, report = phee(tmp_path, record(text=" "), record(name="1_1"))
    assert [example.id for example in examples] == ["1_1"]
    assert report.counts == {"empty text": 1}


@pytest.mark.parametrize(
    ("effect", "part"),
    [
        ({"text": [["pain"]], "start": [[35]]}, r"offsets 35-39: .* lies \+1 from it"),
        ({"text": [["pain"]], "start": [[99]]}, "outside"),
        ({"text": [[""]], "start": [[36]]}, "empty"),
        ({"text": [["pain", "in"]], "start": [[36, 38]]}, "overlap at 38"),
    ],
)
def test_wrong_offsets(tmp_path: Path, effect: dict[str, object], part: str) -> None:
    wrong = record(event("Harm", Treatment={"Drug": role(["Aspirin"])}, Effect=effect))
    with pytest.raises(ClinpromptError, match=part) as caught:
        phee(tmp_path, record(name="1_1"), wrong)
    assert (caught.value.code, caught.value.line) == ("CP-DATA-020", 2)
    assert "secret" not in str(caught.value)
    examples, report = phee(tmp_path, record(name="1_1"), wrong, on_mismatch="skip")
    assert [example.id for example in examples] == ["1_1"]
    assert report.counts == {"example with wrong offsets left out": 1}


@pytest.mark.parametrize(
    ("item", "code"),
    [
        ({"id": "1_1", "context": "x"}, "CP-DATA-028"),
        ({"id": 3, "context": "x", "annotations": []}, "CP-DATA-028"),
        ({"id": "1_1", "context": "x", "annotations": [3]}, "CP-DATA-028"),
        (record(3), "CP-DATA-028"),
        (record({"event_type": None}), "CP-DATA-028"),
        (record(event("Harms")), "CP-DATA-051"),
        (record(event("Harm", Treatment=[])), "CP-DATA-028"),
        (record(event("Harm", Treatment={"Drug": {"text": [["x"]]}})), "CP-DATA-028"),
        (record(event("Harm", Effect={"text": [["x"]], "start": []})), "CP-DATA-034"),
        (record(event("Harm", Effect={"text": [["x"]], "start": [[1, 2]]})), "CP-DATA-034"),
        (record(event("Harm", Effect={"text": [[]], "start": [[]]})), "CP-DATA-034"),
        (record(event("Harm", Effect={"text": ["x"], "start": [1]})), "CP-DATA-034"),
        (record(event("Harm", Effect={"text": [["x"]], "start": [["1"]]})), "CP-DATA-034"),
        (record(name="0_0"), "CP-DATA-050"),
    ],
)
def test_what_is_refused(tmp_path: Path, item: dict[str, object], code: str) -> None:
    with pytest.raises(ClinpromptError) as caught:
        phee(tmp_path, record(name="0_0"), item)
    assert (caught.value.code, caught.value.line) == (code, 2)


def test_options_need_relations(tmp_path: Path) -> None:
    with pytest.raises(ClinpromptError, match="CP-DATA-007"):
        phee(tmp_path, record(), relations={"Harm": ["Effect"]})
