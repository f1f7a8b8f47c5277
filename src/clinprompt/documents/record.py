"""A document as JSON values and back, with nothing lost: what a line of ``jsonl`` holds.

A record is ``{"id", "text", "annotations", "passages", "metadata"}``; the last three may be left
out. An annotation is its ``kind`` and the fields of its class in `model`; fields that have their
default are left out. Fragments are ``[start, end]``, arguments ``[role, target]``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from clinprompt.documents.model import (
    Annotation,
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
from clinprompt.examples import Span

KINDS: dict[str, type[Annotation]] = {
    "mention": Mention,
    "relation": Link,
    "event": Event,
    "attribute": Attribute,
    "concept": Normalization,
    "comment": Comment,
    "equivalence": Equivalence,
}
KIND_OF = {kind: name for name, kind in KINDS.items()}


class _WrongError(Exception):
    """What is wrong with a record, in words that quote no text."""


def to_record(document: Document) -> dict[str, Any]:
    """The document as JSON values (see `from_record`).

    Raises:
        ClinpromptError: CP-DOC-300 if it breaks a rule of `model`, so that it could not be read.
    """
    checked(document)
    record: dict[str, Any] = {"id": document.id, "text": document.text}
    if document.annotations:
        record["annotations"] = [_annotation_record(one) for one in document.annotations]
    if document.passages:
        record["passages"] = [{"name": p.name, "span": list(p.span)} for p in document.passages]
    if document.metadata:
        record["metadata"] = [list(pair) for pair in document.metadata]
    return record


def checked(document: Document) -> Document:
    """The document, which keeps the rules of `model`: offsets, ids, probabilities.

    Raises:
        ClinpromptError: CP-DOC-300 if it breaks one.
    """
    try:
        _check(document)
    except _WrongError as error:
        raise ClinpromptError("CP-DOC-300", f"document '{quoted(document.id)}': {error}") from None
    return document


def from_record(record: Any, file: str | Path, line: int | None = None) -> Document:
    """The document of a record as `to_record` makes it.

    Args:
        record: JSON values.
        file: where it stands, for messages.
        line: its line, counted from 1.

    Raises:
        ClinpromptError: CP-DOC-301 if anything is missing, unknown, of a wrong type or outside the
            text.
    """
    try:
        document = _document(record)
        _check(document)
    except _WrongError as error:
        raise ClinpromptError("CP-DOC-301", str(error), file=file, line=line) from None
    return document


def _annotation_record(one: Annotation) -> dict[str, Any]:
    record: dict[str, Any] = {"kind": KIND_OF[type(one)]}
    for field in fields(one):
        value = getattr(one, field.name)
        if value == field.default:
            continue
        if field.name == "arguments":
            value = [[argument.role, argument.target] for argument in value]
        elif isinstance(value, tuple):
            value = [list(part) if isinstance(part, tuple) else part for part in value]
        record[field.name] = value
    return record


# ---- reading -----------------------------------------------------------------------------------


def _document(record: Any) -> Document:
    keys = _object(record, "the line", ("id", "text"), ("annotations", "passages", "metadata"))
    annotations = _list(keys.get("annotations", []), "annotations")
    passages = _list(keys.get("passages", []), "passages")
    return Document(
        _string(keys["id"], "id"),
        _string(keys["text"], "text"),
        tuple(_annotation(one, f"annotations[{i}]") for i, one in enumerate(annotations)),
        tuple(_passage(one, f"passages[{i}]") for i, one in enumerate(passages)),
        _pairs(keys.get("metadata", []), "metadata"),
    )


def _annotation(record: Any, where: str) -> Annotation:
    if not isinstance(record, dict) or not isinstance(record.get("kind"), str):
        raise _WrongError(f"{where} is not an object with a kind")
    kind = KINDS.get(record["kind"])
    if kind is None:
        raise _WrongError(f"{where}: unknown kind; known: {', '.join(KINDS)}")
    known = fields(kind)
    required = tuple(field.name for field in known if field.default is MISSING)
    optional = tuple(field.name for field in known if field.default is not MISSING)
    keys = _object(record, where, ("kind", *required), optional)
    values = {name: _FIELDS[name](keys[name], f"{where}.{name}") for name in keys if name != "kind"}
    return kind(**values)


def _passage(record: Any, where: str) -> Passage:
    keys = _object(record, where, ("name", "span"), ())
    return Passage(_span(keys["span"], f"{where}.span"), _string(keys["name"], f"{where}.name"))


def _object(
    value: Any, where: str, required: tuple[str, ...], optional: tuple[str, ...]
) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _WrongError(f"{where} is not an object")
    for name in required:
        if name not in value:
            raise _WrongError(f"{where} has no '{name}'")
    if not value.keys() <= {*required, *optional}:
        raise _WrongError(f"{where} has an unknown key; known: {', '.join((*required, *optional))}")
    return value


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise _WrongError(f"{where} is not a list")
    return value


def _string(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise _WrongError(f"{where} is not a string")
    return value


def _optional_string(value: Any, where: str) -> str | None:
    return None if value is None else _string(value, where)


def _probability(value: Any, where: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise _WrongError(f"{where} is not a number from 0 to 1")
    return float(value)


def _span(value: Any, where: str) -> Span:
    if not (isinstance(value, list) and len(value) == 2 and all(type(at) is int for at in value)):
        raise _WrongError(f"{where} is not [start, end]")
    return value[0], value[1]


def _spans(value: Any, where: str) -> tuple[Span, ...]:
    return tuple(_span(one, f"{where}[{i}]") for i, one in enumerate(_list(value, where)))


def _strings(value: Any, where: str) -> tuple[str, ...]:
    return tuple(_string(one, f"{where}[{i}]") for i, one in enumerate(_list(value, where)))


def _pairs(value: Any, where: str) -> tuple[tuple[str, str], ...]:
    pairs = [_strings(one, f"{where}[{i}]") for i, one in enumerate(_list(value, where))]
    if any(len(pair) != 2 for pair in pairs):
        raise _WrongError(f"{where} is not a list of pairs")
    return tuple((first, second) for first, second in pairs)


def _arguments(value: Any, where: str) -> tuple[Argument, ...]:
    return tuple(Argument(role, target) for role, target in _pairs(value, where))


_FIELDS: dict[str, Callable[[Any, str], Any]] = {
    **dict.fromkeys(
        ("id", "label", "name", "target", "trigger", "resource", "accession", "text"), _string
    ),
    "value": _optional_string,
    "confidence": _probability,
    "spans": _spans,
    "arguments": _arguments,
    "members": _strings,
}


# ---- what holds for every document ---------------------------------------------------------------


def _check(document: Document) -> None:
    """Offsets lie in the text, fragments are in order, ids are unique, probabilities are such."""
    size = len(document.text)
    for mention in document.mentions:
        ends = [at for span in mention.spans for at in span]
        if not ends or ends != sorted(ends) or ends[0] < 0 or ends[-1] > size:
            raise _WrongError(
                f"mention '{quoted(mention.id)}' has no fragments in order inside the text "
                f"of {size} characters"
            )
    sure: tuple[Mention | Link, ...] = (*document.mentions, *document.links)
    for one in sure:
        if one.confidence is not None and not 0 <= one.confidence <= 1:  # NaN is neither
            raise _WrongError(
                f"annotation '{quoted(one.id)}' has a confidence that is not a number from 0 to 1"
            )
    for number, passage in enumerate(document.passages):
        start, end = passage.span
        if not 0 <= start <= end <= size:
            raise _WrongError(
                f"passages[{number}]: {start}-{end} is outside the text of {size} characters"
            )
    ids = Counter(one.id for one in document.annotations if not isinstance(one, Equivalence))
    for name, count in ids.items():
        if count > 1:
            raise _WrongError(f"annotation id '{quoted(name)}' comes {count} times")


def quoted(name: str) -> str:
    """An id for a message, whatever is in it."""
    return name[:40].encode("utf-8", "backslashreplace").decode("utf-8")
