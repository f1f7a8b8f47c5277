"""BioC JSON, checked and completed before the `bioc` library reads it.

The library wants every field; files of others leave out empty ones, and wrap the collection (in a
list as PubMed Central does, or as ``{"PubTator3": [documents]}``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clinprompt.documents.bioc_text import parse_json
from clinprompt.errors import ClinpromptError
from clinprompt.report import Report

if TYPE_CHECKING:
    from bioc import BioCCollection

# Object -> field -> what it is: "id" (text or a number), "text", "offset", "infons", or a list of
# objects of that name. "!" marks fields that must be there.
_FIELDS: dict[str, dict[str, str]] = {
    "collection": {
        "source": "text", "date": "text", "key": "text", "version": "text", "infons": "infons",
        "documents": "document!",
    },
    "document": {
        "id": "id!", "infons": "infons", "passages": "passage", "annotations": "annotation",
        "relations": "relation",
    },
    "passage": {
        "offset": "offset!", "infons": "infons", "text": "text", "sentences": "sentence",
        "annotations": "annotation", "relations": "relation",
    },
    "sentence": {
        "offset": "offset!", "infons": "infons", "text": "text", "annotations": "annotation",
        "relations": "relation",
    },
    "annotation": {"id": "id", "infons": "infons", "text": "text", "locations": "location"},
    "relation": {"id": "id", "infons": "infons", "nodes": "node"},
    "location": {"offset": "offset!", "length": "offset!"},
    "node": {"refid": "id!", "role": "text"},
}  # fmt: skip
_MOST = 10**12  # an offset beyond is a mistake, and a number this size is still cheap


def load(text: str, place: str, report: Report) -> list[BioCCollection]:
    """The collections that a file holds; what BioC doesn't know is counted.

    Raises:
        ClinpromptError: CP-DOC-202 not JSON, CP-DOC-230 not BioC.
    """
    from bioc.biocjson.decoder import parse_collection

    value = parse_json(text, place)
    if isinstance(value, dict) and "documents" not in value and "PubTator3" in value:
        value = {"documents": value.pop("PubTator3"), **value}
    found = value if isinstance(value, list) else [value]
    return [parse_collection(_object(one, "collection", "file", place, report)) for one in found]


def dump(collection: BioCCollection) -> bytes:
    """The file that holds a collection; its text must be Unicode."""
    from bioc import biocjson

    return (biocjson.dumps(collection, ensure_ascii=False, indent=1) + "\n").encode("utf-8")


def _object(value: Any, kind: str, where: str, place: str, report: Report) -> dict[str, Any]:
    """The object with all its fields, for the library to read."""
    if not isinstance(value, dict):
        raise _malformed(f"{where} is not an object", place)
    fields = _FIELDS[kind]
    unknown = len(value.keys() - fields.keys() - {"bioctype"})
    report.skip("fields that BioC JSON does not have", place, detail=where, count=unknown)
    result = {}
    for name, rule in fields.items():
        given = value.get(name)
        if given is None and rule.endswith("!"):
            raise _malformed(f"{where} has no '{name}'", place)
        rule = rule.rstrip("!")
        result[name] = _value(given, rule, f"{where}.{name}", place, report)
    return result


def _value(given: Any, rule: str, where: str, place: str, report: Report) -> Any:
    if rule == "text":
        if not isinstance(given, str | None):
            raise _malformed(f"{where} is not a string", place)
        return given or ""
    if rule == "id":
        if not isinstance(given, str | int | None) or isinstance(given, bool):
            raise _malformed(f"{where} is not a string", place)
        return "" if given is None else str(given)
    if rule == "offset":
        if type(given) is not int or not 0 <= given < _MOST:
            raise _malformed(f"{where} is not a whole number from 0", place)
        return given
    if rule == "infons":
        if not isinstance(given, dict | None):
            raise _malformed(f"{where} is not an object", place)
        return given or {}
    if not isinstance(given, list | None):
        raise _malformed(f"{where} is not a list", place)
    return [_object(one, rule, f"{where}[{i}]", place, report) for i, one in enumerate(given or ())]


def _malformed(problem: str, place: str) -> ClinpromptError:
    return ClinpromptError("CP-DOC-230", f"not BioC JSON: {problem}", file=place)
