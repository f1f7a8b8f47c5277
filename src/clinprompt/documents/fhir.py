"""``fhir``: one FHIR R4 bundle a document, as JSON. Write-only.

The note is a DocumentReference with its text as attachment. Each mention is a Condition or an
Observation (`fhir_resources`) whose extension holds its offsets in that text. A Provenance names
the note as source and a Device, whose identifier is the digest of the prompts, as author. All ids
are UUIDs made from the content, so that the same input gives the same bundle.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from clinprompt import __version__
from clinprompt.documents.attached import Attached
from clinprompt.documents.fhir_resources import NAMESPACE, Losses, mention_resource, words
from clinprompt.documents.formats import Format, WriteOptions, register
from clinprompt.documents.model import (
    Attribute,
    Comment,
    Document,
    Equivalence,
    Event,
    Link,
    Normalization,
)
from clinprompt.documents.output import document_file, write_bytes
from clinprompt.documents.record import checked
from clinprompt.documents.textfolder import each_once
from clinprompt.errors import ClinpromptError
from clinprompt.report import Report

_IDS = uuid5(NAMESPACE_URL, NAMESPACE)
_ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
_PATIENT = "patient"  # the fact on a document that names its patient


def identity(*parts: str) -> str:
    """A UUID made from words alone."""
    return str(_uuid(json.dumps(parts)))


def _uuid(name: str) -> UUID:
    return uuid5(_IDS, name)


def bundle(document: Document, options: WriteOptions, losses: Losses) -> dict[str, Any]:
    """The document's bundle, of type ``collection``.

    Args:
        document: the note and its annotations.
        options: `moment`, `artefact` and `resources` are used.
        losses: what FHIR can't hold is added here, by reason.

    Raises:
        ClinpromptError: CP-DOC-320 text that is not Unicode; CP-DOC-323 a wrong resource.
    """
    try:
        raw = document.text.encode("utf-8")
        key = (document.id.encode("utf-8").decode(), hashlib.sha256(raw).hexdigest())
    except UnicodeEncodeError as error:
        raise _not_unicode() from error
    options = replace(options, artefact=words(options.artefact or "") or None)
    made_by = options.artefact or ""
    held = Attached.of(document)
    note = _note(document, raw, identity("DocumentReference", *key))
    context = {"subject": _subject(document), "note": _reference(note)}
    found = []
    for mention in document.mentions:
        one = mention_resource(document, mention, held, context, options, losses)
        if one is not None:
            found.append(
                {**one, "id": identity("mention", *key, made_by, mention.id, mention.label)}
            )
    entries = [note, *found]
    if found:
        device = _device(options.artefact)
        entries += [device, _provenance(note, found, device, options, (*key, made_by))]
    _count_rest(document, losses)
    urls = [f"urn:uuid:{one['id']}" for one in entries]
    return {
        "resourceType": "Bundle",
        "id": identity("Bundle", *key, made_by),
        "type": "collection",
        "timestamp": options.moment.isoformat(),
        "entry": [
            {"fullUrl": url, "resource": _ordered(one)}
            for url, one in zip(urls, entries, strict=True)
        ],
    }


def _not_unicode() -> ClinpromptError:
    return ClinpromptError(
        "CP-DOC-320", "a document holds half of a surrogate pair, which FHIR can't"
    )


def _ordered(resource: dict[str, Any]) -> dict[str, Any]:
    """The resource with its type and id in front."""
    return {"resourceType": resource["resourceType"], "id": resource["id"], **resource}


def _reference(resource: dict[str, Any]) -> dict[str, str]:
    return {"reference": f"urn:uuid:{resource['id']}"}


def _note(document: Document, raw: bytes, identity: str) -> dict[str, Any]:
    attachment = {
        "contentType": "text/plain; charset=utf-8",
        "data": base64.b64encode(raw).decode("ascii"),
        "size": len(raw),
        "hash": base64.b64encode(hashlib.sha1(raw, usedforsecurity=False).digest()).decode("ascii"),
    }
    if not raw:
        del attachment["data"]  # an empty string is no value in FHIR
    resource = {
        "resourceType": "DocumentReference",
        "id": identity,
        "status": "current",
        "subject": _subject(document),
        "content": [{"attachment": attachment}],
    }
    if words(document.id):
        resource["masterIdentifier"] = {
            "system": f"{NAMESPACE}:document",
            "value": words(document.id),
        }
    return resource


def _subject(document: Document) -> dict[str, Any]:
    """The patient by the document's fact of that name; else a reference that says "unknown"."""
    patient = words(dict(document.metadata).get(_PATIENT, ""))
    if patient:
        return {"type": "Patient", "identifier": {"value": patient}}
    return {"type": "Patient", "extension": [{"url": _ABSENT, "valueCode": "unknown"}]}


def _device(artefact: str | None) -> dict[str, Any]:
    resource: dict[str, Any] = {
        "resourceType": "Device",
        "id": identity("Device", artefact or "", __version__),
        "deviceName": [{"name": "clinprompt", "type": "model-name"}],
        "version": [{"value": __version__}],
    }
    if artefact:
        resource["identifier"] = [{"system": f"{NAMESPACE}:artefact", "value": artefact}]
    return resource


def _provenance(
    note: dict[str, Any],
    found: list[dict[str, Any]],
    device: dict[str, Any],
    options: WriteOptions,
    key: tuple[str, ...],
) -> dict[str, Any]:
    # Without prompts, annotations came from elsewhere: the device only put them together.
    role = "author" if options.artefact else "assembler"
    system = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
    agent = {"type": {"coding": [{"system": system, "code": role}]}, "who": _reference(device)}
    return {
        "resourceType": "Provenance",
        "id": identity("Provenance", *key),
        "target": [_reference(one) for one in found],
        "recorded": options.moment.isoformat(),
        "agent": [agent],
        "entity": [{"role": "source", "what": _reference(note)}],
    }


def _count_rest(document: Document, losses: Losses) -> None:
    mentions = {mention.id for mention in document.mentions}
    for one in document.annotations:
        match one:
            case Link():
                losses["relations that FHIR output can't hold"] += 1
            case Event():
                losses["events that FHIR output can't hold"] += 1
            case Equivalence():
                losses["equivalences that FHIR output can't hold"] += 1
            case Attribute() | Normalization() | Comment() if one.target not in mentions:
                losses["attributes, concepts and comments of other things than mentions"] += 1
    losses["passages that FHIR output can't hold"] += len(document.passages)
    facts = sum(name != _PATIENT for name, _ in document.metadata)
    losses["facts on documents that FHIR output can't hold"] += facts


def check(value: dict[str, Any], name: str) -> None:
    """Have a bundle checked against the R4B models of the ``fhir.resources`` library.

    The resources used here are the same in FHIR R4 (4.0.1) and R4B (4.3.0).

    Raises:
        ClinpromptError: CP-DOC-321 the library is missing, CP-DOC-322 the bundle is not valid.
    """
    try:
        from fhir.resources.R4B.bundle import Bundle
    except ImportError as error:
        raise ClinpromptError(
            "CP-DOC-321",
            "checking FHIR needs the library fhir.resources",
            hint="install it with: pip install 'fhir.resources>=8'",
        ) from error
    try:
        Bundle.model_validate(value)
    except ValueError as error:
        places = [".".join(map(str, one["loc"])) for one in getattr(error, "errors", list)()]
        raise ClinpromptError(
            "CP-DOC-322", f"document '{name}' gives no valid FHIR: {', '.join(places[:3])}"
        ) from None


def write(path: Path, documents: Iterable[Document], options: WriteOptions, report: Report) -> int:
    """Write ``<id>.json`` for each document into a folder; returns how many.

    Raises:
        ClinpromptError: CP-DOC-320 to CP-DOC-323, CP-DOC-004, CP-DOC-005, CP-DOC-123,
            CP-DOC-300.
    """
    options = replace(options, made=options.moment)
    count = 0
    for document in each_once(map(checked, documents), path):
        losses = Losses()
        value = bundle(document, options, losses)
        if options.validate:
            check(value, document.id)
        file = document_file(path, document.id, ".json")
        content = json.dumps(value, ensure_ascii=False, indent=1) + "\n"
        try:
            write_bytes(file, content.encode("utf-8"))
        except UnicodeEncodeError as error:  # a label or value of its annotations
            raise _not_unicode() from error
        for reason, number in losses.items():
            report.skip(reason, file, count=number)
        count += 1
    return count


register(Format("fhir", "FHIR R4, one bundle (JSON) a document", True, None, write))
