"""Reading with a registered reader, as a card would."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from clinprompt.corpora import registry
from clinprompt.corpora.registry import Report
from clinprompt.examples import Example

Run = Callable[..., tuple[list[Example], Report]]


@pytest.fixture(scope="session")
def run_reader() -> Run:
    """``run_reader(name, files, options, split=, root=)`` gives the examples and the report."""

    def run(
        name: str,
        files: Sequence[Path] | Path,
        options: dict[str, Any] | None = None,
        *,
        split: str = "train",
        root: Path = Path(),
    ) -> tuple[list[Example], Report]:
        report = Report()
        paths = [files] if isinstance(files, Path) else files
        examples = registry.read(name, paths, options or {}, root=root, split=split, report=report)
        return examples, report

    return run
