from __future__ import annotations

import base64
import json
from datetime import UTC, datetime

import pytest
from fhir.resources.R4B.bundle import Bundle
from hypothesis import given, settings
from hypothesis import strategies as st

from clinprompt.documents.fhir import bundle, check, write
from clinprompt.documents.fhir_resources import Losses, resource_of, system_of
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
from clinprompt.errors import ClinpromptError
from clinprompt.report import Report

OPTIONS = WriteOptions(made=datetime(2024, 5, 1, 12, 30, tzinfo=UTC), artefact="ab" * 32)
TEXT = "\ufeffNo fever\u00a0today \U0001f912.\r\nPossible flu, on aspirin; Na 140."
NOTE = Document(
    "ward 1/17",
    TEXT,
    (
        Mention("T1", "Symptom", ((4, 9),), 0.75),
        Mention("T2", "Disease", ((29, 32),)),
        Mention("T3", "Drug", ((37, 44),)),
        Mention("T4", "Lab", ((46, 48), (49, 52))),
        Attribute("A1", "Negated", "T1"),
        Attribute("A2", "Assertion", "T2", "possible"),
        Attribute("A3", "Negation", "T4", "yes"),
        Normalization("N1", "T1", "MeSH", "D005334", "Fever"),
        Normalization("N2", "T1", "Own list", "f 1"),
        Comment("#1", "Note", "T2", "see\nlater"),
    ),
    metadata=(("patient", "p-9"),),
)


def made(*annotations, text="father fever", options=OPTIONS, **more):
    losses = Losses()
    value = bundle(Document("d", text, annotations, **more), options, losses)
    Bundle.model_validate(value)
    return value, {reason: count for reason, count in losses.items() if count}


def resources(value, kind):
    return [e["resource"] for e in value["entry"] if e["resource"]["resourceType"] == kind]


@pytest.fixture(scope="module")
def value():
    found = bundle(NOTE, OPTIONS, Losses())
    Bundle.model_validate(json.loads(json.dumps(found)))
    return found


def test_the_note_is_attached_as_it_is(value):
    (note,) = resources(value, "DocumentReference")
    attachment = note["content"][0]["attachment"]
    assert base64.b64decode(attachment["data"]).decode("utf-8") == TEXT
    assert attachment["size"] == len(TEXT.encode())
    assert note["masterIdentifier"]["value"] == "ward 1/17"
    assert note["subject"] == {"type": "Patient", "identifier": {"value": "p-9"}}


def test_conditions_say_how_sure_the_text_is(value):
    fever, flu = resources(value, "Condition")
    status = [one["verificationStatus"]["coding"][0]["code"] for one in (fever, flu)]
    assert status == ["refuted", "provisional"]
    assert fever["code"] == {
        "text": "fever",
        "coding": [
            {"system": "urn:oid:2.16.840.1.113883.6.177", "code": "D005334", "display": "Fever"},
            {"system": "urn:x-clinprompt:vocabulary:Own%20list", "code": "f 1"},
        ],
    }
    assert flu["note"] == [{"text": "see later"}]
    plain, _ = made(Mention("T1", "Disease", ((0, 6),)))
    (one,) = resources(plain, "Condition")
    assert one["verificationStatus"]["coding"][0]["code"] == "unconfirmed"


def test_other_labels_are_observations(value):
    drug, lab = resources(value, "Observation")
    assert drug["code"]["text"] == "aspirin" and "valueBoolean" not in drug
    assert lab["code"]["text"] == "Na 140" and lab["valueBoolean"] is False


def test_offsets_lead_back_to_the_text(value):
    for resource in [*resources(value, "Condition"), *resources(value, "Observation")]:
        (extension,) = resource["extension"]
        parts = extension["extension"]
        fragments = [
            tuple(end["valueUnsignedInt"] for end in one["extension"])
            for one in parts
            if one["url"] == "fragment"
        ]
        name = next(one["valueString"] for one in parts if one["url"] == "id")
        mention = NOTE.by_id[name]
        assert fragments == list(mention.spans)
        assert " ".join(TEXT[a:b] for a, b in fragments) == mention.surface(TEXT)
    assert {"url": "confidence", "valueDecimal": 0.75} in resources(value, "Condition")[0][
        "extension"
    ][0]["extension"]


def test_provenance_names_the_artefact_and_every_mention(value):
    (device,), (provenance,) = resources(value, "Device"), resources(value, "Provenance")
    assert device["identifier"][0]["value"] == "ab" * 32
    assert provenance["agent"][0]["who"] == {"reference": f"urn:uuid:{device['id']}"}
    assert provenance["agent"][0]["type"]["coding"][0]["code"] == "author"
    assert provenance["recorded"] == "2024-05-01T12:30:00+00:00"
    wanted = {e["fullUrl"] for e in value["entry"] if "code" in e["resource"]}
    assert {one["reference"] for one in provenance["target"]} == wanted and len(wanted) == 4


def test_all_references_lead_to_an_entry(value):
    known = {entry["fullUrl"] for entry in value["entry"]}
    assert len(known) == len(value["entry"])

    def references(part):
        if isinstance(part, dict):
            for name, inner in part.items():
                yield from [inner] if name == "reference" else references(inner)
        elif isinstance(part, list):
            for inner in part:
                yield from references(inner)

    assert set(references(value)) <= known


def test_ids_follow_from_the_content(value):
    assert bundle(NOTE, OPTIONS, Losses()) == value
    other = bundle(NOTE, WriteOptions(made=OPTIONS.made, artefact="cd"), Losses())
    ids = [{e["fullUrl"] for e in one["entry"]} for one in (value, other)]
    (shared,) = ids[0] & ids[1]
    assert shared == f"urn:uuid:{resources(value, 'DocumentReference')[0]['id']}"


def test_without_prompts_nobody_is_called_the_author():
    found, _ = made(Mention("T1", "X", ((0, 1),)), options=WriteOptions(made=OPTIONS.made))
    assert resources(found, "Provenance")[0]["agent"][0]["type"]["coding"][0]["code"] == "assembler"
    assert "identifier" not in resources(found, "Device")[0]


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("Subject", "father", "mentions about somebody else than the patient"),
        ("Assertion", "hypothetical", "mentions that are hypothetical or conditional"),
    ],
)
def test_what_is_no_fact_of_the_patient_is_left_out_and_counted(name, value, reason):
    found, losses = made(Mention("T1", "Disease", ((7, 12),)), Attribute("A", name, "T1", value))
    assert [e["resource"]["resourceType"] for e in found["entry"]] == ["DocumentReference"]
    assert losses == {f"{reason}, left out of FHIR": 1}


def test_what_has_no_place_is_counted():
    _, losses = made(
        Mention("T1", "X", ((0, 1),)),
        Link("R1", "With", ()),
        Event("E1", "T1"),
        Equivalence("Same", ("T1",)),
        Attribute("A1", "Negated", "R1"),
        Attribute("A2", "Negated", "T1", "who knows"),
        passages=(Passage((0, 3), "a"),),
        metadata=(("date", "2020"), ("patient", "p")),
    )
    assert losses == {
        "relations that FHIR output can't hold": 1,
        "events that FHIR output can't hold": 1,
        "equivalences that FHIR output can't hold": 1,
        "attributes, concepts and comments of other things than mentions": 1,
        "attributes on assertion with a value of no known meaning": 1,
        "passages that FHIR output can't hold": 1,
        "facts on documents that FHIR output can't hold": 1,
    }


def test_resources_can_be_chosen_by_label():
    options = WriteOptions(resources=(("Drug", "Condition"), ("Age", "none")))
    assert resource_of("Drug", options) == "Condition"
    assert resource_of("Sign_or-Symptom", options) == "Condition"
    assert resource_of("Gene", options) == "Observation"
    found, losses = made(Mention("T1", "Age", ((0, 1),)), options=options)
    assert len(found["entry"]) == 1
    assert losses == {"mentions left out by the choice of resources": 1}
    with pytest.raises(ClinpromptError, match=r"CP-DOC-323.*MedicationStatement"):
        resource_of("Drug", WriteOptions(resources=(("Drug", "MedicationStatement"),)))


def test_vocabularies_have_the_uris_of_fhir():
    assert system_of("SNOMED-CT") == "http://snomed.info/sct"
    assert system_of("ICD-10-CM") == "http://hl7.org/fhir/sid/icd-10-cm"


@settings(max_examples=150)
@given(st.data())
def test_any_document_gives_a_valid_bundle(data):
    anything = st.text(st.characters(exclude_categories=["Cs"]), max_size=10)
    odd = st.one_of(
        anything, st.sampled_from(["", " ", "\x00", "\u00a0", "\u2028", "a\tb", "\x85"])
    )
    text = data.draw(odd)
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    note = Document(
        data.draw(odd),
        text,
        (
            Mention("T1", data.draw(odd), ((start, end),), data.draw(st.none() | st.floats(0, 1))),
            Mention(data.draw(odd), "Disease", ((start, end),)),
            Attribute("A1", data.draw(odd), "T1", data.draw(st.none() | odd)),
            Normalization("N1", "T1", data.draw(odd), data.draw(odd), data.draw(odd)),
            Comment("#1", "Note", "T1", data.draw(odd)),
        ),
        metadata=(("patient", data.draw(odd)),),
    )
    found = bundle(note, WriteOptions(artefact=data.draw(st.none() | odd)), Losses())
    Bundle.model_validate(json.loads(json.dumps(found)))


def test_one_file_a_document(tmp_path):
    report = Report()
    note = Document("empty", "")
    assert write(tmp_path / "o", [NOTE, note], WriteOptions(validate=True), report) == 2
    files = sorted(p.relative_to(tmp_path) for p in tmp_path.rglob("*.json"))
    assert [str(file) for file in files] == ["o/empty.json", "o/ward 1/17.json"]
    assert Bundle.model_validate_json((tmp_path / "o" / "ward 1" / "17.json").read_bytes())


def test_an_invalid_bundle_is_refused_by_the_library():
    value = bundle(NOTE, OPTIONS, Losses())
    value["entry"][1]["resource"]["verificationStatus"] = "refuted"
    with pytest.raises(ClinpromptError, match=r"CP-DOC-322.*ward 1/17.*verificationStatus"):
        check(value, NOTE.id)


def test_half_a_surrogate_pair_is_refused():
    with pytest.raises(ClinpromptError, match="CP-DOC-320"):
        bundle(Document("d", "\ud800"), OPTIONS, Losses())
