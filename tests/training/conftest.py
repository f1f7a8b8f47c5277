"""Two targets and a metaprompt for adaptation."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.training import toy
from tests.training.adapting import SOURCES, random_set

from clinprompt.artifacts.prompt_set import PromptSet
from clinprompt.tasks import catalogue


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
