"""Which of the three kinds of recipe a file is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import yaml

from clinprompt.errors import ClinpromptError
from clinprompt.tasks.yamlfile import plain_yaml

RecipeKind = Literal["source", "adapt", "compare"]
_ONLY: dict[RecipeKind, frozenset[str]] = {
    "compare": frozenset({"methods", "targets", "shots", "seeds", "backbones", "training"}),
    "source": frozenset(
        {"suite", "sources", "teachers", "distil", "teachers_from", "metaprompt_from"}
    ),
    "adapt": frozenset({"adapt"}),
}


def kind_of(path: Path, tasks: Sequence[str] = ()) -> RecipeKind:
    """By the keys that only one kind has; `tasks` to be adapted to make it an adaptation.

    Raises:
        ClinpromptError: CP-EXP-304 if nothing tells. A file that can't be read is a source recipe
            here: reading it as one says what is wrong with it.
    """
    try:
        content: Any = plain_yaml(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return "source"
    keys = set(content) if isinstance(content, dict) else set()
    for kind, known in _ONLY.items():
        if keys & known:
            return kind
    if tasks:
        return "adapt"
    raise ClinpromptError(
        "CP-EXP-304",
        "neither a source recipe (suite or sources), nor settings of an adaptation (adapt), nor a "
        "comparison (methods)",
        file=path,
        hint="to plan an adaptation, name its tasks with --task",
    )


def require_tasks(kind: RecipeKind, tasks: Sequence[str], shots: int | None) -> None:
    """Refuse options that a kind of recipe has no use for, or lacks.

    Raises:
        ClinpromptError: CP-EXP-305 an adaptation without targets; CP-EXP-306 targets or shots for
            a recipe that says itself what it does.
    """
    if kind == "adapt" and not tasks:
        raise ClinpromptError(
            "CP-EXP-305", "settings of an adaptation name no target", hint="name them with --task"
        )
    if kind != "adapt" and (tasks or shots is not None):
        raise ClinpromptError(
            "CP-EXP-306",
            f"--task and --shots are for settings of an adaptation, and this is a {kind} recipe",
            hint="leave them out",
        )
