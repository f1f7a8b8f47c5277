"""Readers by name: what a card's ``data.reader`` may say.

A reader turns the files of one split into examples. It never drops anything unseen: what it
leaves out goes through `Report.skip`, with file and line; what it can't accept is raised.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from clinprompt.errors import ClinpromptError, did_you_mean
from clinprompt.examples import Example
from clinprompt.report import Problem, Report


class Options(BaseModel):
    """Base of every reader's options: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    encoding: str = "utf-8"


@dataclass(frozen=True)
class Source:
    """What a reader is given: one split's files, the data root, and where to report.

    Attributes:
        root: folder that relative paths in options start from.
        files: this split's files, absolute.
        split: name of the split being read ("train", "dev", "test" or "all").
        report: takes what is left out.
    """

    root: Path
    files: tuple[Path, ...]
    split: str
    report: Report

    def place(self, file: Path, line: int) -> str:
        """A name for what stands in that line, unique in the task: ``test:17``, ``test:2:17``."""
        part = f"{self.files.index(file) + 1}:" if len(self.files) > 1 else ""
        return f"{self.split}:{part}{line}"


__all__ = ["Options", "Problem", "Report", "Source", "names", "read", "reader"]

O = TypeVar("O", bound=Options)  # noqa: E741
ReaderFunction = Callable[[Source, O], Iterable[Example]]
_READERS: dict[str, tuple[type[Options], Callable[[Source, Any], Iterable[Example]]]] = {}


def reader(name: str, options: type[O]) -> Callable[[ReaderFunction[O]], ReaderFunction[O]]:
    """Register a reader under `name` with its options' schema."""

    def register(function: ReaderFunction[O]) -> ReaderFunction[O]:
        assert name not in _READERS, name
        _READERS[name] = (options, function)
        return function

    return register


def names() -> list[str]:
    """All registered readers."""
    return sorted(_READERS)


def read(
    name: str,
    files: Sequence[Path],
    options: Mapping[str, Any],
    *,
    root: Path,
    split: str,
    report: Report,
) -> list[Example]:
    """Read one split.

    Raises:
        ClinpromptError: CP-DATA-006 unknown reader, CP-DATA-007 bad options, and what the reader
            raises for its files.
    """
    if name not in _READERS:
        raise ClinpromptError(
            "CP-DATA-006", f"unknown reader '{name}'", hint=did_you_mean(name, _READERS)
        )
    schema, function = _READERS[name]
    try:
        parsed = schema.model_validate(dict(options))
    except ValidationError as error:
        first = error.errors()[0]
        *above, key = [str(part) for part in first["loc"]] or [""]
        unknown = first["type"] == "extra_forbidden"
        message = "unknown key" if unknown else first["msg"].removeprefix("Value error, ")
        where = ".".join(part for part in ("data.options", *above, key) if part)
        raise ClinpromptError(
            "CP-DATA-007",
            f"{where} of reader '{name}': {message}",
            hint=did_you_mean(key, _fields(schema, above)) if unknown else None,
        ) from error
    return list(function(Source(root, tuple(files), split, report), parsed))


def _fields(schema: type[BaseModel], path: Sequence[str]) -> list[str]:
    """Names of the fields at `path` below `schema`."""
    for part in path:
        inner = schema.model_fields[part].annotation if part in schema.model_fields else None
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return []
        schema = inner
    return list(schema.model_fields)
