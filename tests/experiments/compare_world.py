"""A comparison of seconds: a tiny random backbone, two small targets, every method."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.training import toy
from tests.training.adapting import SOURCES, random_set

from clinprompt.experiments.compare import run
from clinprompt.experiments.compare.cell import Cell, read_cell
from clinprompt.experiments.compare.recipe import CompareRecipe
from clinprompt.experiments.compare.world import World
from clinprompt.tasks import catalogue

METHODS: list[Any] = [
    "bare",
    {"name": "in-context", "k": 2},
    {"name": "pt", "rates": [{"shared": 0.05}, {"shared": 0.5}]},
    {
        "name": "mpt",
        "rates": [{"shared": 0.05, "vectors": 0.03}, {"shared": 0.5, "vectors": 0.03}],
    },
    {"name": "mpt-vectors", "rates": [{"vectors": 0.03}, {"vectors": 0.3}]},
    {
        "name": "mpt-grouped",
        "groups": "all",
        "rates": [{"shared": 0.05, "vectors": 0.03}, {"shared": 0.5, "vectors": 0.03}],
    },
    {"name": "mpt-lora", "rates": [{"weights": 0.001}, {"weights": 0.01}]},
    {"name": "lora", "rank": 2, "alpha": 4, "rates": [{"weights": 0.001}, {"weights": 0.01}]},
    {"name": "fine-tuning", "rates": [{"weights": 0.0001}, {"weights": 0.001}]},
]


def write_world(folder: Path) -> dict[str, Any]:
    """Targets and a metaprompt on disk; the recipe that compares all methods on them."""
    targets = [
        toy.write_task(folder, "asked", "label", seed=1, train=12, test=6),
        toy.write_task(folder, "marked", "ner", seed=2, train=12, test=6),
    ]
    cards = [catalogue.find(path) for path in toy.write_tasks(folder / "sources", SOURCES)]
    random_set(cards).save(folder / "metaprompt")
    return {
        "name": "tiny",
        "backbones": [{"name": "tiny", "id": "tiny"}],
        "targets": [str(path) for path in targets],
        "shots": [0, 4, "full"],
        "seeds": [0],
        "source": {"metaprompt": str(folder / "metaprompt")},
        "methods": METHODS,
        "data": {"dev_examples": 3},
        "training": {"steps": {4: 2, "full": 3}, "rows": 2, "evaluations": 2},
        "evaluation": {"examples": 5, "max_new": 4, "max_input": 60},
        "statistics": {"resamples": 50},
        "engine": {"save_every": 1},
    }


def recipe_of(fields: dict[str, Any], **changes: Any) -> CompareRecipe:
    """The recipe, some of its fields changed."""
    return CompareRecipe.model_validate(toy.merged(fields, changes))


def planned(fields: dict[str, Any], out: Path, **changes: Any) -> World:
    """A checked world on the tiny backbone; lines of progress are dropped."""
    recipe = recipe_of(fields, **changes)
    return run.planned(recipe, out, None, lambda _: None, {"tiny": toy.prepared()})


def compared(
    fields: dict[str, Any],
    out: Path,
    *,
    only: tuple[str, ...] = (),
    should_stop: Callable[[], bool] = lambda: False,
    **changes: Any,
) -> dict[str, Cell]:
    """All cells that are there after a run, by id."""
    world = planned(fields, out, **changes)
    world.should_stop = should_stop
    return {cell.id: cell for cell in run.compare(world, only=only)}


def cell_at(out: Path, name: str) -> Cell:
    """A cell by its id without the backbone."""
    found = read_cell(out / "cells" / "tiny" / name)
    assert found is not None
    return found
