"""JSON and JSON lines; a key given twice is refused, since the first value would be lost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clinprompt.corpora.checks import shown
from clinprompt.errors import ClinpromptError
from clinprompt.files import read_text


class _DuplicateKeyError(ValueError):
    """Carries the key to where file and line are known."""


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        keys = [key for key, _ in pairs]
        raise _DuplicateKeyError(next(key for key in keys if keys.count(key) > 1))
    return result


def parse_json(text: str, file: str | Path, first_line: int | None = None) -> Any:
    """The value that `text` holds.

    Args:
        first_line: line of the file that `text` starts in, if it isn't the whole file.

    Raises:
        ClinpromptError: CP-DATA-059 not JSON (file and line), CP-DATA-060 a repeated key.
    """
    try:
        return json.loads(text, object_pairs_hook=_no_duplicates)
    except _DuplicateKeyError as error:
        raise ClinpromptError(
            "CP-DATA-060",
            f"key {shown(error)} stands twice in one object",
            file=file,
            line=first_line,
        ) from error
    except json.JSONDecodeError as error:
        raise ClinpromptError(
            "CP-DATA-059",
            f"not valid JSON: {error.msg} (column {error.colno})",
            file=file,
            line=(first_line or 1) + error.lineno - 1,
        ) from error


def load_json(path: Path, kind: type, encoding: str = "utf-8") -> Any:
    """The file's value, which must be a `kind` (dict or list).

    Raises:
        ClinpromptError: CP-DATA-061 another type; what `parse_json` and `read_text` raise.
    """
    value = parse_json(read_text(path, encoding), path)
    if not isinstance(value, kind):
        names: dict[type, str] = {dict: "an object", list: "a list"}
        raise ClinpromptError(
            "CP-DATA-061",
            f"the file holds {names.get(type(value), 'a single value')}, "
            f"not {names.get(kind, kind.__name__)}",
            file=path,
        )
    return value


def json_lines(path: Path, encoding: str = "utf-8") -> Iterator[tuple[int, Any]]:
    """Line number (from 1) and value of each line that isn't blank.

    Raises:
        ClinpromptError: what `parse_json` and `read_text` raise.
    """
    # Not splitlines(): U+2028 and its kin may stand inside a JSON string.
    for number, line in enumerate(read_text(path, encoding).split("\n"), 1):
        if line.strip():
            yield number, parse_json(line, path, number)
