"""Metaprompts that come with the package: one folder each, named without a path.

They were trained on open datasets alone, and each folder's README.md says on which, with which
licences and with how many examples.
"""

from __future__ import annotations

from pathlib import Path

from clinprompt import bundled

FOLDER = Path(__file__).parent


def names() -> list[str]:
    """The bundled metaprompts."""
    return sorted(file.parent.name for file in FOLDER.glob("*/manifest.json"))


def find(name_or_path: str | Path) -> Path:
    """The folder of a bundled metaprompt's name; anything else is taken as a path.

    Raises:
        ClinpromptError: CP-NAME-001 a plain word that is neither.
    """
    known = {name: FOLDER / name for name in names()}
    return bundled.find(name_or_path, known, "metaprompt or folder of prompts")
