"""What plans are made of: the toy tasks' cards, and a tiny backbone in a folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.training import toy


@pytest.fixture(scope="module")
def cards(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return toy.write_tasks(tmp_path_factory.mktemp("tasks"))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy.save_backbone(tmp_path_factory.mktemp("model"))
