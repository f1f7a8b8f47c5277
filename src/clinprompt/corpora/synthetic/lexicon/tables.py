"""How the vocabulary is written down: small tables of text, parsed once at import.

A table's line is ``name | field | field ...``; a field holds several values split by ``;``.  A line
that starts with ``#`` opens a group (a body system, a region) for the lines below it.  A field of
``-`` or nothing is empty.  A long line is broken by a backslash, as in any Python string.
"""

from __future__ import annotations

from collections.abc import Iterator


def rows(table: str, width: int) -> Iterator[tuple[str, list[str]]]:
    """Yield (group, fields) of each line; every line has exactly `width` fields."""
    group = ""
    for line in table.strip().splitlines():
        if not line.strip():
            continue
        if line.startswith("#"):
            group = line[1:].strip()
            continue
        fields = ["" if field.strip() == "-" else field.strip() for field in line.split("|")]
        assert len(fields) == width, line
        yield group, fields


def words(text: str) -> tuple[str, ...]:
    """The words of a text."""
    return tuple(text.split())


def values(field: str) -> tuple[str, ...]:
    """The ``;``-separated values of a field, possibly none."""
    return tuple(value.strip() for value in field.split(";") if value.strip())
