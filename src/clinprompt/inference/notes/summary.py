"""What became of the notes of a run, in numbers and errors; it never holds text of a note."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from clinprompt.errors import ClinpromptError
from clinprompt.inference.notes.collection import Unread
from clinprompt.inference.notes.journal import Entry
from clinprompt.inference.notes.plan import Plan
from clinprompt.report import Report

_FILES = 100  # that are named for a reason
_FLAGS = ("truncated", "unfinished", "unaligned", "unparsable", "windowed", "dropped")
_ITEMS = ("entities", "relations", "spans")


@dataclass
class Summary:
    """Counts over all notes, whenever they were answered.

    Attributes:
        notes: all that were found.
        answered: notes that stand in the output.
        incomplete: those of them that some task could not be asked about.
        tasks: by task, its answers, what they hold and what is wrong with them.
        errors: what could not be read or asked, with the file or document it concerns.
    """

    notes: int = 0
    answered: int = 0
    incomplete: int = 0
    tasks: dict[str, Counter[str]] = field(default_factory=dict)
    errors: list[dict[str, Any]] = field(default_factory=list)

    def unread(self, unread: Unread) -> list[ClinpromptError]:
        """Count a file or document that can't be asked anything; returns what is to be said."""
        self.notes += 1
        self._error(unread.error, {"file": unread.place, "document": unread.document})
        return [unread.error]

    def add(self, entry: Entry) -> list[ClinpromptError]:
        """Count a note; returns what is to be said about it."""
        self.notes += 1
        self.answered += entry.answered
        self.incomplete += entry.answered and bool(entry.refused)
        for record in entry.found:
            self._answer(record)
        for task, (asked, left_out) in entry.pairs.items():
            counts = self.tasks.setdefault(task, Counter())
            counts.update({"pairs_asked": asked, "pairs_left_out": left_out})
        said = []
        for one in entry.refused:
            error = ClinpromptError(one.code, one.message, file=entry.id, hint=one.hint)
            place = {"document": entry.id, "task": one.task}
            self._error(error, place | ({"count": one.count} if one.count > 1 else {}))
            said.append(error)
        return said

    def to_json(
        self,
        plan: Plan,
        prompts: Mapping[str, Any],
        reader: Report,
        formats: Mapping[str, Any],
    ) -> dict[str, Any]:
        """As plain values; the same for a run that was interrupted and one that was not.

        Args:
            plan: what was asked.
            prompts: what the answers were made by.
            reader: what reading left out.
            formats: by format, what became of writing it.
        """
        return {
            "notes": self.notes,
            "answered": self.answered,
            "incomplete": self.incomplete,
            "errors": len(self.errors),
            "tasks": {name: dict(sorted(self.tasks[name].items())) for name in sorted(self.tasks)},
            "not_asked": dict(plan.unasked),
            "made_by": dict(prompts),
            "reading": [
                {"reason": reason, "count": count, "files": _files(reader, reason)}
                for reason, count in sorted(reader.counts.items())
            ],
            "formats": dict(formats),
            "error_list": self.errors,
        }

    def total(self, name: str) -> int:
        """A count over all tasks."""
        return sum(counts[name] for counts in self.tasks.values())

    @property
    def complaints(self) -> int:
        """Notes of which something could not be read or asked."""
        return self.notes - self.answered + self.incomplete

    def _answer(self, record: Mapping[str, Any]) -> None:
        counts = self.tasks.setdefault(record["task"], Counter())
        counts["answers"] += 1
        answer = record["answer"] or {}
        for name in _ITEMS:
            if name in answer:
                counts[name] += len(answer[name])
        for name in _FLAGS:
            if record.get(name):
                counts[name] += record[name]

    def _error(self, error: ClinpromptError, place: Mapping[str, Any]) -> None:
        record = {
            **place,
            "line": error.line,
            "code": error.code,
            "message": error.message,
            "hint": error.hint,
        }
        self.errors.append({key: value for key, value in record.items() if value is not None})


def _files(reader: Report, reason: str) -> list[str]:
    """The first files that something was left out of."""
    files = dict.fromkeys(one.file for one in reader.problems if one.reason == reason)
    return list(files)[:_FILES]
