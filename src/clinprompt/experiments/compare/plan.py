"""From a recipe to the cells: which there are, what each depends on, in which order they run."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from clinprompt.artifacts.prompt_set import PromptSet
from clinprompt.backbone.template import Depth, Placement
from clinprompt.experiments.compare.cell import Key, Shots
from clinprompt.experiments.compare.methods import Entry
from clinprompt.experiments.compare.recipe import CompareRecipe, NamedBackbone
from clinprompt.tasks.card import Card
from clinprompt.training.settings import Recipe, judged_by

_VERSION = 1  # of what a result means; a change of the harness that changes results raises it
# What of the evaluation also matters to dev answers that choose states.
_ANSWERS = {
    "long_inputs",
    "max_input",
    "max_new",
    "balance",
    "grounded",
    "no_repeat_ngram",
    "empty_above",
}


@dataclass(frozen=True)
class SourcePlan:
    """A backbone's metaprompt: a finished one, or the recipe that it will be trained by."""

    file: Path | None = None
    metaprompt: PromptSet | None = None
    recipe: Recipe | None = None

    @property
    def length(self) -> int | None:
        """P; None without a metaprompt."""
        if self.metaprompt is not None:
            return self.metaprompt.meta.length
        return None if self.recipe is None else self.recipe.prompt.length

    @property
    def placement(self) -> Placement:
        """Where its prompts stand."""
        if self.metaprompt is not None:
            return self.metaprompt.meta.placement
        return "before" if self.recipe is None else self.recipe.prompt.placement

    @property
    def depth(self) -> Depth:
        """What its prompts are."""
        if self.metaprompt is not None:
            return self.metaprompt.meta.depth
        return "input" if self.recipe is None else self.recipe.prompt.depth

    @property
    def tasks(self) -> list[str]:
        """Names of its source tasks."""
        from clinprompt.training.source import source_cards

        if self.metaprompt is not None:
            return self.metaprompt.meta.names
        return [] if self.recipe is None else [card.name for card in source_cards(self.recipe)[0]]

    def identity(self) -> Any:
        """What results depend on."""
        if self.metaprompt is not None:
            return {"metaprompt": self.metaprompt.digest}
        if self.recipe is None:
            return None
        told = self.recipe.model_dump(mode="json", exclude={"name", "engine"})
        return {"recipe": told | {"prompt": _flat(told["prompt"])}}


@dataclass(frozen=True)
class Unit:
    """One fitting: a method's targets that are fitted together, at some shots and seed."""

    backbone: NamedBackbone
    entry: Entry
    cards: tuple[Card, ...]
    shots: Shots
    seed: int

    @property
    def name(self) -> str:
        """The target, or the first one and how many more."""
        more = len(self.cards) - 1
        return self.cards[0].name + (f"+{more}" if more else "")

    def folder(self, out: Path) -> Path:
        """Where its tries lie."""
        method = f"{self.entry.id}-{self.shots}"
        return out / "tuning" / self.backbone.id / method / f"{self.name}-s{self.seed}"

    @property
    def ids(self) -> list[str]:
        """Ids of its cells."""
        return [self.key(card).id for card in self.cards]

    def key(self, card: Card) -> Key:
        """The key of one of its cells."""
        return Key(
            backbone=self.backbone.id,
            target=card.name,
            method=self.entry.id,
            shots=self.shots,
            seed=self.seed,
        )


@dataclass(frozen=True)
class CellPlan:
    """A cell that is to be run.

    Attributes:
        tuned_on: the fittings whose dev losses choose the rates; empty where there is no choice.
        configuration: everything of the recipe that its result depends on.
    """

    card: Card
    unit: Unit
    tuned_on: tuple[Unit, ...]
    configuration: dict[str, Any]

    @property
    def key(self) -> Key:
        """Which cell it is."""
        return self.unit.key(self.card)

    @property
    def identity(self) -> str:
        """Digest of the configuration."""
        return digest(self.configuration)


@dataclass
class Plan:
    """All that a comparison will do.

    Attributes:
        sources: backbone id -> its metaprompt.
        own: (backbone id, folder) -> metaprompts that single methods name.
    """

    recipe: CompareRecipe
    cards: list[Card]
    entries: list[Entry]
    sources: dict[str, SourcePlan]
    own: dict[tuple[str, Path], SourcePlan] = field(default_factory=dict)
    cells: list[CellPlan] = field(default_factory=list)

    def source(self, unit: Unit) -> SourcePlan:
        """The metaprompt that a fitting starts from, or takes its length from."""
        path = getattr(unit.entry.settings, "metaprompt", None)
        if path is not None:
            return self.own[unit.backbone.id, path]
        return self.sources[unit.backbone.id]

    def steps(self, shots: Shots) -> int:
        """Updates at so many shots; what the recipe lacks was refused before, or is unused."""
        return self.recipe.training.steps_at(shots) or 1

    def fill(self) -> None:
        """List the cells: by seed, then target, then shots, then method.

        So an interrupted comparison has whole rows of the table, not whole columns.
        """
        order = {card.name: number for number, card in enumerate(self.cards)}
        method = {entry.id: number for number, entry in enumerate(self.entries)}
        self.cells = sorted(
            (cell for unit in self._units() for cell in self._cells(unit)),
            key=lambda cell: (
                [one.id for one in self.recipe.backbones].index(cell.unit.backbone.id),
                self.recipe.seeds.index(cell.unit.seed),
                order[cell.card.name],
                math.inf if cell.unit.shots == "full" else cell.unit.shots,
                method[cell.unit.entry.id],
            ),
        )

    def _units(self) -> Iterator[Unit]:
        for backbone in self.recipe.backbones:
            for entry in self.entries:
                for shots in entry.method.shots(entry.settings, self.recipe.shots):
                    for cards in entry.method.together(entry.settings, self.cards):
                        for seed in self.recipe.seeds:
                            yield Unit(backbone, entry, cards, shots, seed)

    def _cells(self, unit: Unit) -> Iterator[CellPlan]:
        tuned_on = self._tuned_on(unit)
        for card in unit.cards:
            configuration = self.fitting(unit) | {
                "target": card.name,
                "evaluation": _answered(
                    self.recipe.evaluation.model_dump(mode="json", exclude={"batch_tokens"}), card
                ),
                "statistics": self.recipe.statistics.model_dump(mode="json"),
                "tuning": {
                    "when": self.recipe.tuning.when,
                    "on": [one for other in tuned_on for one in other.ids],
                },
            }
            yield CellPlan(card, unit, tuned_on, configuration)

    def fitting(self, unit: Unit) -> dict[str, Any]:
        """Everything that a fitting's result depends on, but for the choice of rates."""
        recipe, entry = self.recipe, unit.entry
        source = self.source(unit)
        trained = bool(entry.method.groups) and unit.shots != 0
        judged = judged_by(recipe.training.select, unit.cards)
        training = _flat(recipe.training.model_dump(mode="json") | {"select": judged})
        if judged == "metric":  # how dev examples are answered matters, too
            told = recipe.evaluation.model_dump(mode="json", include=_ANSWERS)
            training["answers"] = _answered(told, *unit.cards)
        given = entry.settings.model_dump(mode="json", exclude={"id", "title", "metaprompt"})
        return {
            "version": _VERSION,
            "backbone": unit.backbone.model_dump(mode="json", exclude={"id", "device"}),
            "method": {"name": entry.method.name, **_flat(given)},
            "source": source.identity() if entry.method.needs_metaprompt else None,
            "context_tokens": entry.method.context_tokens(entry.settings, recipe, source.length),
            "targets": [card.model_dump(mode="json") for card in unit.cards],
            "shots": unit.shots,
            "seed": unit.seed,
            "prompt": _flat(recipe.prompt.model_dump(mode="json")),
            "data": recipe.data.model_dump(mode="json"),
            "training": training | {"steps": self.steps(unit.shots)} if trained else None,
        }

    def _tuned_on(self, unit: Unit) -> tuple[Unit, ...]:
        tuning, settings = self.recipe.tuning, unit.entry.settings
        untrained = not unit.entry.method.groups or unit.shots == 0
        alone = tuning.when == "off" and not unit.entry.averages
        if untrained or len(settings.rates) < 2 or alone:
            return ()
        if tuning.when == "per-cell" or unit.entry.averages:
            return (unit,)
        first = self.recipe.seeds[0]
        if not tuning.targets:
            return (replace(unit, seed=first),)
        groups = unit.entry.method.together(settings, self.cards)
        named = [cards for cards in groups if any(card.name in tuning.targets for card in cards)]
        return tuple(replace(unit, cards=cards, seed=first) for cards in named)


def _answered(told: dict[str, Any], *cards: Card) -> dict[str, Any]:
    """Settings of answers to these targets, without what is nothing to them."""
    lists = any(card.lists for card in cards)
    return _flat(told if lists else told | {"empty_above": None})


def _flat(told: dict[str, Any]) -> dict[str, Any]:
    """Settings without those that say what was so before there was a choice."""
    usual = {
        "depth": (None, "input"),
        "placement": (None,),
        "select": ("loss",),
        "tries": ("best",),
        "trainable": ("none",),
        "balance": (False,),
        "grounded": (False,),
        "no_repeat_ngram": (None,),
        "empty_above": (None,),
    }
    return {k: v for k, v in told.items() if v not in usual.get(k, ())}


def digest(value: Any) -> str:
    """SHA-256 of plain values."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
