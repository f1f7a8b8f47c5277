"""JSON lines of inputs: read one by one, a bad one never stops the rest.

A line is an object with ``id``, ``task`` (where not all are of one task) and the fields of its
task's input (see `records`). Blank lines are passed over.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from clinprompt.corpora.jsonfile import parse_json
from clinprompt.errors import ClinpromptError, did_you_mean
from clinprompt.inference.records import needed_text, read_input
from clinprompt.inference.requests import Request
from clinprompt.tasks.card import Card

_BOM = b"\xef\xbb\xbf"
DIGITS = 16  # of digests in records: 64 bits tell apart by accident, which is all they are for


@dataclass(frozen=True, slots=True)
class Asked:
    """A line that asks something.

    Attributes:
        line: its number, from 1.
        digest: of the line's bytes, so that a changed line is not taken for an answered one.
    """

    line: int
    request: Request
    digest: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """A line that can't be answered, and why; `id` is None where it could not be read."""

    line: int
    error: ClinpromptError
    id: str | None = None

    def record(self) -> dict[str, Any]:
        """As a JSON object; it holds no text of the line but its id."""
        return {
            "line": self.line,
            "id": self.id,
            "code": self.error.code,
            "message": self.error.message,
            "hint": self.error.hint,
        }


Entry = Asked | Rejected


def chunks(lines: Iterable[bytes], size: int) -> Iterator[list[tuple[int, bytes]]]:
    """Numbered lines without their ends, `size` at a time (blank ones count as lines).

    Where a chunk begins depends on line numbers alone, so that a run that goes on later batches
    the same inputs together and computes the same numbers.
    """
    numbered = enumerate(lines, 1)
    while part := list(islice(numbered, size)):
        yield [(number, line.rstrip(b"\r\n")) for number, line in part]


class Reader:
    """Turns lines into entries; remembers ids, since each may come once in a task.

    Args:
        file: name of the input, for messages.
        cards: the tasks that can be asked.
        task: the task of lines that name none.
    """

    def __init__(self, file: str, cards: Mapping[str, Card], task: str | None = None) -> None:
        self._file, self._cards, self._task = file, cards, task
        self._seen: dict[tuple[str, str], int] = {}

    def entries(self, chunk: Iterable[tuple[int, bytes]]) -> list[Entry]:
        """The entries of numbered lines; blank lines give none."""
        found = []
        for number, line in chunk:
            content = line.removeprefix(_BOM) if number == 1 else line
            if content.strip():
                found.append(self._entry(number, content))
        return found

    def rejected(self, line: int, error: ClinpromptError, name: str | None) -> Rejected:
        """The entry of a line that an error was found in."""
        placed = ClinpromptError(
            error.code, error.message, file=self._file, line=line, hint=error.hint
        )
        return Rejected(line, placed, name)

    def _entry(self, number: int, content: bytes) -> Entry:
        name = None
        try:
            record = self._object(number, content)
            name = needed_text(record, "id")
            request = self._request(number, name, record)
        except ClinpromptError as error:
            return self.rejected(number, error, name)
        return Asked(number, request, hashlib.sha256(content).hexdigest()[:DIGITS])

    def _object(self, number: int, content: bytes) -> dict[str, Any]:
        try:
            value = parse_json(content.decode("utf-8"), self._file, number)
        except UnicodeDecodeError as error:
            raise ClinpromptError(
                "CP-INF-040", f"not UTF-8 (byte {error.start} of the line)"
            ) from None
        except (RecursionError, ValueError) as error:
            why = "nested too deeply" if isinstance(error, RecursionError) else "a number too long"
            raise ClinpromptError("CP-INF-041", f"not readable as JSON: {why}") from None
        if not isinstance(value, dict):
            raise ClinpromptError("CP-INF-042", "the line is not a JSON object")
        return value

    def _request(self, number: int, name: str, record: dict[str, Any]) -> Request:
        task = self._task if record.get("task") is None else needed_text(record, "task")
        if task is None:
            raise ClinpromptError(
                "CP-INF-043",
                "it is not said which task is asked",
                hint="add a field 'task' to the line, or --task for all lines without one",
            )
        if task not in self._cards:
            raise ClinpromptError(
                "CP-INF-044",
                "the prompts have no such task as the line names",
                hint=did_you_mean(task, self._cards),
            )
        fields = {key: value for key, value in record.items() if key not in ("id", "task")}
        value = read_input(self._cards[task], fields)
        first = self._seen.setdefault((task, name), number)
        if first != number:
            raise ClinpromptError(
                "CP-INF-045", f"id '{name}' stands in line {first} already", hint="ids are unique"
            )
        return Request(task, value, name)
