"""Source tasks and a finished source training; two targets and a metaprompt for adaptation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.training import toy
from tests.training.adapting import SOURCES, random_set
from tests.training.sources import train

from clinprompt.artifacts.prompt_set import PromptSet
from clinprompt.tasks import catalogue
from clinprompt.training import source
from clinprompt.training.loop import Stage


@pytest.fixture(scope="session")
def task_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tasks")


@pytest.fixture(scope="session")
def target(task_folder: Path) -> Path:
    """A question-answering target, whose type one source has."""
    return toy.write_task(task_folder, "target", "answer", seed=1, train=12)


@pytest.fixture(scope="session")
def other(task_folder: Path) -> Path:
    """A target of a type that no source has."""
    return toy.write_task(task_folder, "other", "ner", seed=2, train=12)


@pytest.fixture(scope="session")
def metaprompt(task_folder: Path) -> PromptSet:
    """Random, far from the identity, and with sources that differ."""
    return random_set([catalogue.find(path) for path in toy.write_tasks(task_folder, SOURCES)])


@pytest.fixture(scope="session")
def task_paths(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return toy.write_tasks(tmp_path_factory.mktemp("tasks"))


@pytest.fixture(scope="session")
def finished(
    task_paths: list[Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, toy.Lines]:
    """An ordinary run's folder and what it printed."""
    out, progress = tmp_path_factory.mktemp("finished") / "meta", toy.Lines()
    train(task_paths, out, progress)
    return out, progress


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[Stage]:
    """Every stage that is run, as it was at its end."""
    found: list[Stage] = []
    real = source.run

    def watched(backbone: Any, stage: Stage, *arguments: Any) -> Any:
        found.append(stage)
        return real(backbone, stage, *arguments)

    monkeypatch.setattr(source, "run", watched)
    return found
