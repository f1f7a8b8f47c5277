"""Fixtures shared by all tests."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

if "PYTEST_XDIST_WORKER" in os.environ:  # before torch is imported: processes share the cores
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# A busy machine is not a failed property.
settings.register_profile("clinprompt", deadline=None)
# A change is judged by the same cases every time; other cases are looked for at home.
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CLINPROMPT_CI") else "clinprompt")


@pytest.fixture(scope="session")
def data_root() -> Path:
    """The folder with the open datasets; the test is skipped where it is missing."""
    named = os.environ.get("CLINPROMPT_DATA")
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    root = Path(named) if named else beside
    if not (root / "NER").is_dir():
        pytest.skip("open datasets not found: set CLINPROMPT_DATA to their folder")
    return root


@pytest.fixture(autouse=True)
def _denormal_floats() -> Iterator[None]:
    """Commands flush denormal floats to zero in their whole process; hypothesis needs them."""
    yield
    if "torch" in sys.modules:
        sys.modules["torch"].set_flush_denormal(False)
