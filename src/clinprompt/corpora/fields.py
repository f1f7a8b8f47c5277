"""How a card says what a field of an example is made of.

A field is given by

- the name of a column, or dotted keys into nested JSON: ``premise``, ``article.title``, ``tags.0``;
- the same with a question mark where it may be missing or empty: ``context?``;
- a template with names in braces: ``"{title}\\n{abstract}"``; ``{question|hash}`` stands for a
  hash of the words (see `identity.text_id`), to name a document by its text;
- a fixed text after an equals sign: ``"=Which disease is this about?"``.

``@file``, ``@folder``, ``@row`` and ``@key`` are names too (see `reserved`).
"""

from __future__ import annotations

import re
from typing import Any

from clinprompt.corpora.checks import SHOWN
from clinprompt.corpora.cleaning import unix_lines
from clinprompt.corpora.identity import stem, text_id
from clinprompt.corpora.tabular import MISSING, Record, follow
from clinprompt.errors import did_you_mean

_BRACES = re.compile(r"\{([^{}]+)\}")


def reserved(record: Record) -> dict[str, str]:
    """Values every record has beside its own: where it comes from."""
    return {
        "@file": stem(record.file),
        "@folder": record.file.parent.name,
        "@row": str(record.row),
        "@key": record.key,
    }


def plain(value: Any, record: Record, name: str) -> str:
    """A cell as text: Unix line ends, no blanks around it.

    Numbers without a fraction lose their ``.0`` (spreadsheets store 3 as 3.0), truth values are
    ``true`` and ``false``, a list is its items on lines of their own, nothing is "".

    Raises:
        ClinpromptError: CP-DATA-083 if it is an object.
    """
    if value is None:
        return ""
    if isinstance(value, str):
        return unix_lines(value).strip()
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, list):
        items = (plain(item, record, name) for item in value)
        return "\n".join(item for item in items if item)
    if isinstance(value, dict):
        raise record.error("CP-DATA-083", f"field '{name}' holds an object, not a text")
    return str(value)


def _find(record: Record, name: str) -> Any:
    if name in record.values:
        return record.values[name]
    if name.startswith("@"):
        return reserved(record).get(name, MISSING)
    return follow(record.values, name)


def value_of(record: Record, name: str) -> Any:
    """The value of a column or of dotted keys; None for a missing one that may be missing.

    Raises:
        ClinpromptError: CP-DATA-064 if there is no such column, with the nearest name.
    """
    value = _find(record, name)
    if value is MISSING and name.endswith("?"):
        value = _find(record, name[:-1])
        return None if value is MISSING else value
    if value is MISSING:
        known = [key for key in record.values if len(key) <= SHOWN]
        raise record.error("CP-DATA-064", f"no column '{name}'", did_you_mean(name, known))
    return value


def field_text(record: Record, spec: str) -> str:
    """The text that `spec` makes of a record (see the module's text for what it may be).

    Raises:
        ClinpromptError: CP-DATA-064 unknown column, CP-DATA-083 a value that isn't text.
    """
    if spec.startswith("="):
        return spec[1:]
    if not _BRACES.search(spec):
        return plain(value_of(record, spec), record, spec)

    def fill(match: re.Match[str]) -> str:
        name, bar, filter_name = match[1].rpartition("|")
        if bar and filter_name == "hash":
            return text_id(plain(value_of(record, name), record, name)).removeprefix("text:")
        return plain(value_of(record, match[1]), record, match[1])

    return _BRACES.sub(fill, spec).strip()


def raw_text(record: Record, spec: str) -> str:
    """Like `field_text`, but a column's text stays as it is, so that offsets into it hold."""
    if not spec.startswith("=") and not _BRACES.search(spec):
        value = value_of(record, spec)
        if isinstance(value, str):
            return value
    return field_text(record, spec)


def field_texts(record: Record, spec: str) -> list[str]:
    """Like `field_text`, but a column that holds a list gives its items."""
    if not spec.startswith("=") and not _BRACES.search(spec):
        value = value_of(record, spec)
        if isinstance(value, list):
            return [plain(item, record, spec) for item in value]
    return [field_text(record, spec)]
