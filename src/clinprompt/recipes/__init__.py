"""Recipes: one YAML file a run. Those here can be named without a path."""

from __future__ import annotations

from pathlib import Path

from clinprompt import bundled

FOLDER = Path(__file__).parent


def find(name_or_path: str | Path) -> Path:
    """The file of a bundled recipe's name; anything else is taken as a path.

    Raises:
        ClinpromptError: CP-NAME-001 a plain word that is neither.
    """
    known = {file.stem: file for file in FOLDER.glob("*.yaml")}
    return bundled.find(name_or_path, known, "recipe")
