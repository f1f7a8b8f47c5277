"""JSON lists and JSON lines of objects, each object with the line it starts in."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from clinprompt.corpora.jsonfile import parse_json
from clinprompt.errors import ClinpromptError, did_you_mean
from clinprompt.files import read_text

T = TypeVar("T")
_NAMES = {str: "text", int: "a whole number", list: "a list", dict: "an object", bool: "a boolean"}
_SPACE = re.compile(r"[ \t\r\n]*")


def json_records(path: Path, encoding: str = "utf-8") -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of a JSON list or of JSON lines, each with its (first) line.

    The first character says which it is: ``[`` or not. Blank lines are passed over.

    Raises:
        ClinpromptError: CP-DATA-027 a record is not an object; what `read_text` and `parse_json`
            raise.
    """
    text = read_text(path, encoding)
    listed = text.lstrip().startswith("[")
    for line, value in _items(text, path) if listed else _lines(text, path):
        if not isinstance(value, dict):
            raise ClinpromptError(
                "CP-DATA-027",
                f"a record must be an object, not {_kind(value)}",
                file=path,
                line=line,
                hint="the file must be a list of objects, or one object a line",
            )
        yield line, value


def _lines(text: str, path: Path) -> Iterator[tuple[int, object]]:
    # Not splitlines(): U+2028 and its kin may stand inside a JSON string.
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield number, parse_json(line, path, number)


def _items(text: str, path: Path) -> Iterator[tuple[int, object]]:
    """Items of a list with their lines, which `json.loads` alone would not tell."""
    values = parse_json(text, path)  # raises if anything is wrong
    decoder = json.JSONDecoder()
    at, line, counted = text.index("[") + 1, 1, 0
    for value in values:
        at = _skip(text, at)
        line += text.count("\n", counted, at)
        counted = at
        yield line, value
        _, at = decoder.raw_decode(text, at)
        at = _skip(text, at) + 1  # the comma


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    assert match is not None
    return match.end()


def _kind(value: object) -> str:
    return "null" if value is None else _NAMES.get(type(value), type(value).__name__)


def field(record: Mapping[str, Any], key: str, kind: type[T], path: Path, line: int) -> T:
    """The value of `key`, which must be of `kind`.

    Raises:
        ClinpromptError: CP-DATA-028 the key is missing or its value is of another kind.
    """
    value = record.get(key)
    if isinstance(value, kind) and not (kind is int and isinstance(value, bool)):
        return value
    missing = key not in record
    raise ClinpromptError(
        "CP-DATA-028",
        f"key '{key}' is missing" if missing else f"'{key}' is {_kind(value)}, not {_NAMES[kind]}",
        file=path,
        line=line,
        hint=did_you_mean(key, record) if missing else None,
    )
