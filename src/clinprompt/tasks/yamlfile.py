"""YAML files with a schema: cards, suites and recipes are read and refused the same way."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from clinprompt.errors import ClinpromptError, did_you_mean


class Strict(BaseModel):
    """Base of every schema that is read from YAML: frozen, and unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML with three traps removed.

    `yes` and `no` are words, not truth values (they are labels of many tasks); a key that stands
    twice in one mapping is an error instead of silently winning; and a scalar that only looks like
    a date or a number (``2024-02-30``) is an error of YAML with its line.
    """

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """A value; a scalar that can't be what it looks like is refused."""
        try:
            return super().construct_object(node, deep)
        except ValueError as error:
            kind = node.tag.rpartition(":")[2]
            raise yaml.constructor.ConstructorError(
                None,
                None,
                f"a value looks like a {kind} and is none; quote it if it is text",
                node.start_mark,
            ) from error

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """A mapping; refuses repeated keys."""
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, str) and key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key '{key}' stands twice", key_node.start_mark
                )
            if isinstance(key, str):
                seen.add(key)
        result: dict[Any, Any] = super().construct_mapping(node, deep)
        return result


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool",
    re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"),
    list("tTfF"),
)

S = TypeVar("S", bound=BaseModel)


def plain_yaml(text: str) -> Any:
    """The plain values of YAML text, without the three traps above.

    Raises:
        yaml.YAMLError: not YAML, or a key stands twice.
    """
    return yaml.load(text, _Loader)


def parse_yaml(text: str, schema: type[S], file: str | Path | None = None) -> S:
    """An object of `schema` from YAML text.

    Raises:
        ClinpromptError: CP-TASK-001 not YAML, CP-TASK-002 a key is unknown, missing or wrong,
            CP-TASK-003 not a mapping.
    """
    try:
        content = plain_yaml(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = None if mark is None else mark.line + 1
        problem = getattr(error, "problem", None) or "not readable"
        raise ClinpromptError(
            "CP-TASK-001", f"not valid YAML: {problem}", file=file, line=line
        ) from error
    if not isinstance(content, dict):
        raise ClinpromptError(
            "CP-TASK-003", f"a {schema.__name__.lower()} is a mapping of keys to values", file=file
        )
    try:
        return schema.model_validate(content)
    except ValidationError as error:
        raise schema_error("CP-TASK-002", error, schema, text, file) from error


def read_yaml_text(path: Path) -> str:
    """Text of a card, suite or recipe.

    Raises:
        ClinpromptError: CP-TASK-004 missing or unreadable, CP-TASK-005 not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ClinpromptError(
            "CP-TASK-004", f"cannot be read ({error.strerror})", file=path
        ) from error
    except UnicodeDecodeError as error:
        raise ClinpromptError(
            "CP-TASK-005", f"byte {error.start} is not UTF-8", file=path, hint="save it as UTF-8"
        ) from error


def schema_error(
    code: str,
    error: ValidationError,
    schema: type[BaseModel],
    text: str,
    file: str | Path | None,
) -> ClinpromptError:
    """Turn pydantic's complaint into one line with the key, its line and the nearest match.

    The first complaint, but a misspelt key before the required key that is missing because of it.
    """
    found = error.errors()
    first = next((one for one in found if one["type"] == "extra_forbidden"), found[0])
    path = [str(part) for part in first["loc"]]
    key = path[-1] if path else ""
    line = _line_of(path, text)
    hint = None
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        message = "unknown key"
        hint = did_you_mean(key, _fields_at(schema, path[:-1]))
    elif first["type"] == "missing":
        message, line = "required key is missing", None
    where = ".".join(path)
    more = len(found) - 1
    tail = f" (and {more} more)" if more else ""
    text = f"{where}: {message}{tail}" if where else f"{message}{tail}"
    return ClinpromptError(code, text, file=file, line=line, hint=hint)


def _line_of(path: list[str], text: str) -> int | None:
    """The line where the deepest key of a path stands, each key being looked for below the last."""
    rows = [row.strip() for row in text.splitlines()]
    line, after = None, 0
    for key in path:
        found = next((n for n in range(after, len(rows)) if rows[n].startswith(f"{key}:")), None)
        if found is not None:
            line, after = found + 1, found + 1
    return line


def _fields_at(schema: type[BaseModel], path: list[str]) -> list[str]:
    """Names of the fields of the model that stands at `path` below `schema`."""
    current: Any = schema
    for part in path:
        if isinstance(current, type) and issubclass(current, BaseModel):
            info = current.model_fields.get(part)
            current = None if info is None else info.annotation
        args = [
            arg
            for arg in getattr(current, "__args__", ())
            if isinstance(arg, type) and issubclass(arg, BaseModel)
        ]
        current = args[0] if args else current
    if isinstance(current, type) and issubclass(current, BaseModel):
        return list(current.model_fields)
    return []
