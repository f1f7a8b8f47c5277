"""What a reader or writer left out or repaired: counted, with its place, never silent."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Problem:
    """Something left out or repaired, and where.  `reason` never quotes the text of a note."""

    reason: str
    file: str
    line: int | None = None
    detail: str = ""


@dataclass
class Report:
    """What a reader left out or repaired, counted by reason."""

    counts: Counter[str] = field(default_factory=Counter)
    problems: list[Problem] = field(default_factory=list)

    def skip(
        self,
        reason: str,
        file: str | Path,
        line: int | None = None,
        detail: str = "",
        count: int = 1,
    ) -> None:
        """Count `count` left-out or repaired items under `reason` (short, in plain words)."""
        if count:
            self.counts[reason] += count
            self.problems.append(Problem(reason, str(file), line, detail))
