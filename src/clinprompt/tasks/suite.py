"""Suites: which tasks are sources, which are held-out targets, and what was left out for it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError, model_validator

from clinprompt.errors import ClinpromptError, did_you_mean
from clinprompt.tasks import catalogue
from clinprompt.tasks.card import Card, Split
from clinprompt.tasks.yamlfile import Strict, parse_yaml, read_yaml_text, schema_error

SUITES = Path(__file__).resolve().parent / "suites"
Role = Literal["source", "target"]


class SuiteSpec(Strict):
    """A suite as its YAML file has it.

    Attributes:
        sources: tasks that the metaprompt is learned from: names, or paths of cards that start at
            the suite's own folder.
        targets: held-out tasks that it is adapted to.
        dropped: file beside this one with the ids that the leakage check leaves out; written by
            `clinprompt tasks leakage SUITE --write`.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")
    title: str = ""
    sources: list[str] = Field(min_length=1)
    targets: list[str] = Field(default_factory=list)
    dropped: str | None = None

    @model_validator(mode="after")
    def _once(self) -> SuiteSpec:
        seen: set[str] = set()
        for name in [*self.sources, *self.targets]:
            if name in seen:
                raise ValueError(f"task '{name}' stands twice")
            seen.add(name)
        return self


class TaskDrops(Strict):
    """What is left out of one task.

    Attributes:
        version: version of the card it was found with.
        ids: split -> example id -> why: the reason and the example of the other side.
    """

    version: int
    ids: dict[Split, dict[str, str]]


class Drops(Strict):
    """What the leakage check leaves out of a suite's tasks: ids only, no text."""

    suite: str
    tasks: dict[str, TaskDrops] = Field(default_factory=dict)


@dataclass(frozen=True)
class Suite:
    """Source and target tasks.

    Attributes:
        dropped: where the ids that were left out stand (the file need not exist yet).
    """

    name: str
    title: str
    sources: tuple[Card, ...]
    targets: tuple[Card, ...]
    file: Path
    dropped: Path | None = None

    @property
    def cards(self) -> tuple[Card, ...]:
        """Sources, then targets."""
        return self.sources + self.targets

    @property
    def roles(self) -> Mapping[str, Role]:
        """Task name -> "source" or "target"."""
        roles: dict[str, Role] = {card.name: "source" for card in self.sources}
        roles.update({card.name: "target" for card in self.targets})
        return roles

    @property
    def bundled(self) -> bool:
        """Whether the suite comes with the package."""
        return self.file.parent == SUITES

    def drops(self) -> dict[str, TaskDrops]:
        """Task name -> what the leakage check leaves out of it (see `read_drops`)."""
        return {} if self.dropped is None else dict(read_drops(self.dropped).tasks)


def names() -> list[str]:
    """Names of the bundled suites."""
    return sorted(path.stem for path in SUITES.glob("*.yaml"))


def find_suite(name_or_path: str | Path) -> Suite:
    """A bundled suite by name, or a user's YAML file.

    Raises:
        ClinpromptError: CP-TASK-030 unknown suite, CP-TASK-031 two different cards with one name,
            what is wrong with the file (CP-TASK-001 to 005), CP-TASK-012 unknown task in it.
    """
    if catalogue.is_path(name_or_path):
        path = Path(name_or_path)
    elif name_or_path in names():
        path = SUITES / f"{name_or_path}.yaml"
    else:
        raise ClinpromptError(
            "CP-TASK-030",
            f"unknown suite '{name_or_path}'",
            hint=did_you_mean(str(name_or_path), names()),
        )
    text = read_yaml_text(path)
    spec = parse_yaml(text, SuiteSpec, path)
    folder = path.resolve().parent
    sources = tuple(_member(name, folder, text, path) for name in spec.sources)
    targets = tuple(_member(name, folder, text, path) for name in spec.targets)
    seen: set[str] = set()
    for card in (*sources, *targets):
        if card.name in seen:
            raise ClinpromptError("CP-TASK-031", f"two cards are named '{card.name}'", file=path)
        seen.add(card.name)
    dropped = None if spec.dropped is None else folder / spec.dropped
    return Suite(spec.name, spec.title, sources, targets, path.resolve(), dropped)


def _member(name: str, folder: Path, text: str, path: Path) -> Card:
    """A card that a suite names; a complaint about the name points at the suite's line."""
    if catalogue.is_path(name):
        return catalogue.find(folder / name)
    try:
        return catalogue.find(name)
    except ClinpromptError as error:
        if error.file is not None:
            raise
        lines = enumerate(text.splitlines(), 1)
        line = next((number for number, row in lines if name in row), None)
        raise ClinpromptError(
            error.code, error.message, file=path, line=line, hint=error.hint
        ) from error


def find_any(name_or_path: str | Path) -> Card | Suite:
    """A suite or a task, whichever the name or the YAML file is.

    Raises:
        ClinpromptError: CP-TASK-032 if it is the name of neither; else as `find_suite` and
            `catalogue.find`.
    """
    if catalogue.is_path(name_or_path):
        is_suite = any(
            row.startswith(("sources:", "targets:"))
            for row in read_yaml_text(Path(name_or_path)).splitlines()
        )
        return find_suite(name_or_path) if is_suite else catalogue.find(name_or_path)
    name = str(name_or_path)
    if name in names():
        return find_suite(name)
    if name in catalogue.names():
        return catalogue.find(name)
    raise ClinpromptError(
        "CP-TASK-032",
        f"'{name}' is neither a task nor a suite",
        hint=catalogue.unknown_hint(name, tuple(names())),
    )


@lru_cache(maxsize=8)
def _parsed_drops(text: str, path: Path) -> Drops:
    try:
        return Drops.model_validate(json.loads(text))
    except ValidationError as error:
        raise schema_error("CP-TASK-033", error, Drops, text, path) from error
    except ValueError as error:
        raise ClinpromptError(
            "CP-TASK-034", f"not valid JSON: {error}", file=path, hint="write it anew"
        ) from error


def read_drops(path: Path) -> Drops:
    """The ids that a leakage check left out.

    Raises:
        ClinpromptError: CP-TASK-033, 034 malformed, CP-TASK-035 missing.
    """
    if not path.exists():
        raise ClinpromptError(
            "CP-TASK-035",
            "the suite names this file, but it isn't there",
            file=path,
            hint="write it with 'clinprompt tasks leakage SUITE --write'",
        )
    return _parsed_drops(read_yaml_text(path), path)


def bundled_drops(card: Card, ignore: Path | None = None) -> dict[Path, TaskDrops]:
    """What bundled suites leave out of `card`, by the file that says so (`ignore` is not read).

    A bundled task is always loaded without it, by whatever command: so training and evaluation see
    the same data. A user's own card, or a changed copy of a bundled one, has other examples.
    """
    if not catalogue.is_bundled(card):
        return {}
    found = {}
    for name in names():
        path = SUITES / f"{name}.yaml"
        spec = _spec(path)
        if spec.dropped is None or card.name not in (*spec.sources, *spec.targets):
            continue
        file = SUITES / spec.dropped
        if file != ignore and card.name in read_drops(file).tasks:
            found[file] = read_drops(file).tasks[card.name]
    return found


@cache
def _spec(path: Path) -> SuiteSpec:
    return parse_yaml(read_yaml_text(path), SuiteSpec, path)
