"""Source trainings of a second."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.training import toy

from clinprompt.artifacts.prompt_set import PromptSet
from clinprompt.training.source import train_source


def train(
    task_paths: list[Path], out: Path, progress: toy.Lines | None = None, **changes: Any
) -> PromptSet:
    return train_source(
        toy.recipe(task_paths, **changes),
        None,
        out,
        prepared=toy.prepared(),
        progress=progress or toy.Lines(),
    )
