"""Checks that readers of tables, JSON and XML share; each names the file and line."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clinprompt.corpora.registry import Source
from clinprompt.errors import ClinpromptError, did_you_mean

SHOWN = 40  # characters of a value that a message may quote


def shown(value: object) -> str:
    """A short value in quotes; a long one only by its length, since it may be a note."""
    text = str(value)
    if len(text) <= SHOWN and "\n" not in text:
        return f"'{text}'"
    return f"a value of {len(text)} characters"


class Ids:
    """Ids met in one split: a repeated one is refused."""

    def __init__(self) -> None:
        self._places: dict[str, tuple[str, int | None]] = {}

    def add(self, example_id: str, file: str | Path, line: int | None = None) -> str:
        """Remember `example_id` and give it back.

        Raises:
            ClinpromptError: CP-DATA-050 if it was there before, with the first place.
        """
        if example_id in self._places:
            first_file, first_line = self._places[example_id]
            first = first_file if first_line is None else f"{first_file}:{first_line}"
            raise ClinpromptError(
                "CP-DATA-050",
                f"id {shown(example_id)} stands twice, first in {first}",
                file=file,
                line=line,
                hint="ids must be unique in a task",
            )
        self._places[example_id] = (str(file), line)
        return example_id


def known_label(
    raw: str,
    known: Mapping[str, str],
    file: str | Path,
    line: int | None = None,
    *,
    what: str = "label",
) -> str:
    """What `raw` stands for in `known`.

    Raises:
        ClinpromptError: CP-DATA-051 names the label and the nearest known one.
    """
    if raw not in known:
        raise ClinpromptError(
            "CP-DATA-051",
            f"unknown {what} {shown(raw)}",
            file=file,
            line=line,
            hint=did_you_mean(raw[:SHOWN], known),
        )
    return known[raw]


def need(item: Any, key: str, kind: type | tuple[type, ...], file: str | Path, where: str) -> Any:
    """``item[key]``, which must be there and of type `kind`.

    Args:
        where: what `item` is, such as "question 17"; it opens the message.

    Raises:
        ClinpromptError: CP-DATA-052 if the field is missing or of another type.
    """
    value = item.get(key) if isinstance(item, Mapping) else None
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is int):
        found = "is missing" if value is None else f"is {type(value).__name__}"
        raise ClinpromptError("CP-DATA-052", f"{where}: field '{key}' {found}", file=file)
    return value


def expect_files(source: Source, what: str, *kinds: str) -> tuple[Path, ...]:
    """The split's files, which must be exactly these, in this order.

    Args:
        what: reader's name, for the message.
        kinds: what each file is.

    Raises:
        ClinpromptError: CP-DATA-053 if there are more or fewer.
    """
    if len(source.files) != len(kinds):
        raise ClinpromptError(
            "CP-DATA-053",
            f"reader '{what}' takes {len(kinds)} files a split ({', '.join(kinds)}), "
            f"but split '{source.split}' has {len(source.files)}",
        )
    return source.files
