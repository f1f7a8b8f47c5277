"""Counts of one document, by what was counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

Path = tuple[str, ...]  # such as ("Drug",) or ("Drug", "StatusTime", "current")


@dataclass
class Cells:
    """Numbers of gold, predicted and matching things of each path."""

    gold: Counter[Path] = field(default_factory=Counter)
    predicted: Counter[Path] = field(default_factory=Counter)
    matched: Counter[Path] = field(default_factory=Counter)

    def expect(self, path: Path, times: int = 1) -> None:
        """Count what gold has."""
        self.gold[path] += times

    def predict(self, path: Path, times: int = 1) -> None:
        """Count what was predicted."""
        self.predicted[path] += times

    def hit(self, path: Path, times: int = 1) -> None:
        """Count matches: of gold and predicted things that were counted under this path."""
        self.matched[path] += times

    def paths(self) -> set[Path]:
        """All paths with a count."""
        return set(self.gold) | set(self.predicted)

    def row(self, path: Path) -> tuple[int, int, int]:
        """True positives, false positives and false negatives of a path."""
        matched = self.matched[path]
        return matched, self.predicted[path] - matched, self.gold[path] - matched


def all_paths(cells: Iterable[Cells]) -> list[Path]:
    """The paths of several documents, sorted."""
    return sorted({path for one in cells for path in one.paths()})
