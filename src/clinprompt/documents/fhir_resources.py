"""A mention as a FHIR R4 Condition or Observation.

Which of the two follows from the label: those in `CONDITIONS` are Conditions, all others
Observations, and `WriteOptions.resources` overrides it label by label.

A mention that its attributes negate is a Condition with verificationStatus ``refuted``, or an
Observation with valueBoolean false. One that is merely uncertain is ``provisional``; any other
Condition is ``unconfirmed``, since a program read it in a text and nobody has checked it. What is
about somebody else, or would only be so under a condition, is no fact of this patient: it is left
out and counted.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any
from urllib.parse import quote

from clinprompt.documents.assertion import Assertion, assertion
from clinprompt.documents.attached import Attached
from clinprompt.documents.formats import WriteOptions
from clinprompt.documents.model import Attribute, Document, Mention, Normalization
from clinprompt.errors import ClinpromptError

Losses = Counter[str]
NAMESPACE = "urn:x-clinprompt"
RESOURCES = ("Condition", "Observation", "none")

# Labels, in lower case and letters only, whose mentions are Conditions.
CONDITIONS = frozenset(
    """condition diagnosis diagnoses disease diseases disorder disorders problem problems
    diseaseordisorder medicalcondition medicalproblem diseasedisorder specificdisease
    diseaseclass compositemention modifier symptom symptoms sign signs signsymptom
    signsymptoms signorsymptom finding findings adverseevent adverseevents ade adversereaction
    sideeffect injury cancer tumor tumour infection syndrome phenotype complication""".split()
)

_SYSTEMS = {
    "snomed": "http://snomed.info/sct",
    "snomedct": "http://snomed.info/sct",
    "sctid": "http://snomed.info/sct",
    "loinc": "http://loinc.org",
    "rxnorm": "http://www.nlm.nih.gov/research/umls/rxnorm",
    "umls": "http://terminology.hl7.org/CodeSystem/umls",
    "icd10": "http://hl7.org/fhir/sid/icd-10",
    "icd10cm": "http://hl7.org/fhir/sid/icd-10-cm",
    "icd9cm": "http://hl7.org/fhir/sid/icd-9-cm",
    "atc": "http://www.whocc.no/atc",
    "mesh": "urn:oid:2.16.840.1.113883.6.177",
    "hpo": "http://human-phenotype-ontology.org",
    "hp": "http://human-phenotype-ontology.org",
}


def words(text: str) -> str:
    """Text that a FHIR string may hold: white space as single blanks, no control characters."""
    plain = "".join(" " if one.isspace() else one for one in text)
    return " ".join(re.sub(r"[\x00-\x1f\x7f-\x9f]", "", plain).split())


def system_of(resource: str) -> str:
    """The URI of a vocabulary: the one FHIR uses where known, else one of our own."""
    known = _SYSTEMS.get(re.sub(r"[^a-z0-9]", "", resource.lower()))
    return known or f"{NAMESPACE}:vocabulary:{quote(resource.strip(), safe='')}"


def resource_of(label: str, options: WriteOptions) -> str:
    """Condition, Observation or none, for mentions of a label.

    Raises:
        ClinpromptError: CP-DOC-323 if the options name another resource.
    """
    for name, resource in options.resources:
        if resource not in RESOURCES:
            raise ClinpromptError(
                "CP-DOC-323",
                f"'{name}': mentions can't be made into '{resource}'",
                hint=f"known: {', '.join(RESOURCES)}",
            )
    chosen = dict(options.resources)
    if label in chosen:
        return chosen[label]
    return "Condition" if re.sub(r"[\W_]", "", label.lower()) in CONDITIONS else "Observation"


def mention_resource(
    document: Document,
    mention: Mention,
    held: Attached,
    context: dict[str, Any],
    options: WriteOptions,
    losses: Losses,
) -> dict[str, Any] | None:
    """The mention's resource without an id; None if it is left out, which is counted.

    Args:
        document: whose mention it is.
        mention: what is written.
        held: what hangs on the document's annotations.
        context: references ``subject`` and ``note``.
        options: see `resource_of`.
        losses: what is left out is added here, by reason.
    """
    kind = resource_of(mention.label, options)
    attributes = held.attributes.get(mention.id, [])
    state = assertion(attributes)
    losses["attributes on assertion with a value of no known meaning"] += len(state.unknown)
    reason = _reason_out(kind, state)
    if reason:
        losses[reason] += 1
        return None
    resource: dict[str, Any] = {
        "resourceType": kind,
        "extension": [_extension(mention, attributes)],
        **(_condition(state, context) if kind == "Condition" else _observation(state, context)),
        "code": _code(document, mention, held.concepts.get(mention.id, [])),
        "subject": context["subject"],
    }
    comments = [words(one.text) for one in held.comments.get(mention.id, [])]
    if any(comments):
        resource["note"] = [{"text": text} for text in comments if text]
    return resource


def _reason_out(kind: str, state: Assertion) -> str:
    if kind == "none":
        return "mentions left out by the choice of resources"
    if state.other:
        return "mentions about somebody else than the patient, left out of FHIR"
    if state.conditional:
        return "mentions that are hypothetical or conditional, left out of FHIR"
    return ""


def _condition(state: Assertion, context: dict[str, Any]) -> dict[str, Any]:
    code = "unconfirmed"
    if state.negated:
        code = "refuted"
    elif state.uncertain or state.improbable:
        code = "provisional"
    system = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
    return {
        "verificationStatus": {"coding": [{"system": system, "code": code}]},
        "evidence": [{"detail": [context["note"]]}],
    }


def _observation(state: Assertion, context: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"status": "preliminary", "derivedFrom": [context["note"]]}
    if state.negated:
        found["valueBoolean"] = False
    return found


def _code(document: Document, mention: Mention, concepts: list[Normalization]) -> dict[str, Any]:
    coding = []
    for one in concepts:
        if words(one.accession):
            entry = {"system": system_of(one.resource), "code": words(one.accession)}
            if words(one.name):
                entry["display"] = words(one.name)
            coding.append(entry)
    text = words(mention.surface(document.text)) or words(mention.label) or "unnamed"
    return {"coding": coding, "text": text} if coding else {"text": text}


def _extension(mention: Mention, attributes: list[Attribute]) -> dict[str, Any]:
    """What FHIR has no element for: id, label, offsets in code points, attributes, confidence."""
    parts = [
        ("id", "valueString", words(mention.id)),
        ("label", "valueString", words(mention.label)),
    ]
    found: list[dict[str, Any]] = [{"url": url, kind: value} for url, kind, value in parts if value]
    for start, end in mention.spans:
        ends = [
            {"url": "start", "valueUnsignedInt": start},
            {"url": "end", "valueUnsignedInt": end},
        ]
        found.append({"url": "fragment", "extension": ends})
    if mention.confidence is not None:
        found.append({"url": "confidence", "valueDecimal": mention.confidence})
    for one in attributes:
        pair = [{"url": "name", "valueString": words(one.name)}]
        pair.append({"url": "value", "valueString": words(one.value or "")})
        pair = [entry for entry in pair if entry["valueString"]]
        if pair:
            found.append({"url": "attribute", "extension": pair})
    return {"url": f"{NAMESPACE}:mention", "extension": found}
