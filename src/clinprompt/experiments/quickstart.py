"""The main job in small: source training, then few-shot adaptation to unseen tasks, compared.

Everything is real: the backbone, the training, the scores. Only the corpus is synthetic.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from clinprompt import recipes
from clinprompt.artifacts.prompt_set import PromptSet
from clinprompt.experiments.verdict import verdict
from clinprompt.inference.evaluate import evaluate, sample
from clinprompt.inference.predictor import Predictor
from clinprompt.inference.writing import write_atomically
from clinprompt.tasks import catalogue
from clinprompt.tasks.card import Card
from clinprompt.tasks.loading import load
from clinprompt.training.adapt import adapt
from clinprompt.training.prepare import Prepared
from clinprompt.training.progress import Progress
from clinprompt.training.settings import AdaptRecipe, Recipe, load_settings
from clinprompt.training.source import train_source

TARGETS = ("syn-med-reasons", "syn-findings")
METHODS = ("bare backbone", "metaprompt, 0 shots", "prompt tuning", "metaprompt")


@dataclass(frozen=True)
class Cell:
    """One method on one target.

    Attributes:
        value, low, high: main metric and its 95 % bootstrap interval, 0 to 100.
        seconds: of training (without source training) and of evaluation.
    """

    target: str
    method: str
    metric: str
    value: float
    low: float
    high: float
    shots: int
    trainable: int
    share: float
    seconds: float
    bad_answers: dict[str, int]


def quickstart(
    out: Path,
    *,
    overrides: Sequence[str] = (),
    shots: int = 16,
    steps: int = 8,
    limit: int = 48,
    targets: Sequence[str] = TARGETS,
    say: Callable[[str], None],
    should_stop: Callable[[], bool] = lambda: False,
) -> list[Cell]:
    """Train a metaprompt on five synthetic tasks and compare it on two that it never saw.

    Prompt tuning and the metaprompt get the same examples, steps, rows and selection on dev.

    Args:
        out: folder for artefacts and ``results.json``; a run that stopped goes on.
        overrides: ``key=value`` settings of the source recipe.
        shots: training examples of each target.
        steps: of both methods' adaptation.
        limit: test examples of each target.
    """
    begin = time.monotonic()
    recipe = load_settings(Recipe, recipes.find("quickstart"), overrides)
    prepared = Prepared.of(recipe.backbone)
    progress = Progress(prepared.backbone, say)
    say(f"1/3 source training: {', '.join(recipe.sources)}")
    metaprompt = train_source(
        recipe,
        None,
        out / "metaprompt",
        prepared=prepared,
        progress=progress,
        should_stop=should_stop,
    )
    cells = []
    cards = [catalogue.find(name) for name in targets]
    for number, card in enumerate(cards, 2):
        say(f"{number}/{len(cards) + 1} unseen target: {card.name} ({shots} shots)")
        for method in METHODS:
            started = time.monotonic()
            prompts = _prompts(
                method, card, recipe, metaprompt, prepared, progress, out, shots, steps, should_stop
            )
            cells.append(_cell(method, card, prompts, prepared, limit, shots, started))
            cell = cells[-1]
            say(f"{card.name}, {method}: {cell.metric} {cell.value:.1f} ({cell.seconds:.0f} s)")
    result = {
        "cells": [asdict(cell) for cell in cells],
        "verdict": verdict(cells),
        "seconds": round(time.monotonic() - begin, 1),
        "recipe": recipe.model_dump(mode="json"),
        "libraries": metaprompt.meta.libraries,
        "metaprompt": metaprompt.digest,
    }
    write_atomically(out / "results.json", [json.dumps(result, indent=2) + "\n"])
    return cells


def _prompts(
    method: str,
    card: Card,
    recipe: Recipe,
    metaprompt: PromptSet,
    prepared: Prepared,
    progress: Progress,
    out: Path,
    shots: int,
    steps: int,
    should_stop: Callable[[], bool],
) -> PromptSet | None:
    """The prompt that a method has for a target; None for the bare backbone."""
    if method == "bare backbone":
        return None
    fresh = method == "prompt tuning"
    settings: dict[str, Any] = {
        "steps": steps,
        "rows": 10,
        "evaluate_every": max(1, steps // 3),
        "init": "type",
        # As in source training: a fresh prompt like a teacher, the metaprompt like itself.
        "rate_shared": recipe.teachers.rate if fresh else recipe.distil.rate_shared,
        "rate_vectors": recipe.distil.rate_vectors,
    }
    zero = method == "metaprompt, 0 shots"
    return adapt(
        AdaptRecipe(
            seed=recipe.seed,
            backbone=recipe.backbone,
            prompt=recipe.prompt,
            data=recipe.data,
            adapt=settings,  # type: ignore[arg-type]  # pydantic builds it
            engine=recipe.engine,
        ),
        None if fresh else metaprompt,
        [card],
        None,
        out / f"{card.name}-{'pt' if fresh else 'zero' if zero else 'mpt'}",
        shots=0 if zero else shots,
        prepared=prepared,
        progress=progress,
        should_stop=should_stop,
    )


def _cell(
    method: str,
    card: Card,
    prompts: PromptSet | None,
    prepared: Prepared,
    limit: int,
    shots: int,
    started: float,
) -> Cell:
    if prompts is None:
        predictor = Predictor(prepared)
        predictor.add(card, None)
    else:
        predictor = Predictor.of(prompts, prepared=prepared)
    examples = sample(load(card, None, splits=("test",)).splits["test"], limit, seed=0)
    found = evaluate(predictor, card, examples)
    trainable = 0 if prompts is None else prompts.meta.trainable_parameters
    return Cell(
        target=card.name,
        method=method,
        metric=found.scores.metric,
        value=found.scores.value,
        low=found.scores.low,
        high=found.scores.high,
        shots=shots if trainable else 0,
        trainable=trainable,
        share=trainable / prepared.backbone.parameters,
        seconds=round(time.monotonic() - started, 1),
        bad_answers=dict(found.counts),
    )
