"""Recipes: one YAML file a run. Those here can be named without a path."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent


def find(name_or_path: str | Path) -> Path:
    """The file of a bundled recipe's name; anything else is taken as a path."""
    bundled = FOLDER / f"{name_or_path}.yaml"
    path = Path(name_or_path)
    return bundled if path.name == str(name_or_path) and bundled.exists() else path
