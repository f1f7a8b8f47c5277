"""Paired differences between two methods of a comparison.

Both methods answered the same test examples. A bootstrap draw takes the same documents for both and
for all seeds, and its difference is that of the means over seeds; draws of different targets are
independent, and an average's draw is the mean of its targets' draws.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import fmean
from typing import Literal

import numpy as np

from clinprompt.errors import ClinpromptError
from clinprompt.experiments.compare.cell import PREDICTIONS_FILE, Shots
from clinprompt.experiments.compare.draws import Draws, examples_digest, read_draws
from clinprompt.experiments.report.reading import Results, Slot
from clinprompt.experiments.report.rebuilt import rebuilt
from clinprompt.metrics import bootstrap_draws
from clinprompt.metrics.bootstrap import interval
from clinprompt.metrics.tally import Array
from clinprompt.tasks import catalogue
from clinprompt.tasks.card import Card

Outcome = Literal["win", "loss", "tie", "open"]
_SAME = 1e-3  # points by which a score may differ from the one in the cell


@dataclass(frozen=True)
class Gap:
    """A method's score minus a reference's, in points, with its 95 % interval.

    Without an interval (`low` is None) nothing can be said about who wins.

    Attributes:
        seeds, planned: how many seeds it is the mean of, and of how many it should be.
    """

    value: float
    low: float | None = None
    high: float | None = None
    seeds: int = 1
    planned: int = 1

    @property
    def outcome(self) -> Outcome:
        """A win or loss only if the whole interval lies on one side of 0."""
        if self.low is None or self.high is None:
            return "open"
        return "win" if self.low > 0 else "loss" if self.high < 0 else "tie"


@dataclass
class Gaps:
    """Differences by place; what is computed once is kept.

    Attributes:
        results: the comparison.
        problems: why some differences have no interval, each once.
    """

    results: Results
    problems: dict[str, None] = field(default_factory=dict)
    _cells: dict[str, Draws | None] = field(default_factory=dict)
    _cards: dict[str, Card | None] = field(default_factory=dict)

    def at(
        self, backbone: str, target: str, method: str, reference: str, shots: Shots
    ) -> Gap | None:
        """The difference on one target; None if the two have no finished seed in common."""
        pairs, planned = self._pairs(backbone, target, method, reference, shots)
        if not pairs:
            return None
        value, draws = self._difference(target, method, reference, list(pairs.values()))
        low, high = (None, None) if draws is None else interval(draws)
        return Gap(value, low, high, len(pairs), planned)

    def average(self, backbone: str, method: str, reference: str, shots: Shots) -> Gap | None:
        """The mean difference over all targets, of the seeds that both have on every target.

        None if there is no such seed: a target is never left out.
        """
        found = {
            target: self._pairs(backbone, target, method, reference, shots)
            for target in self.results.targets
        }
        common = set.intersection(*(set(pairs) for pairs, _ in found.values()))
        if not common:
            return None
        values, all_draws = [], []
        for target, (pairs, _) in found.items():
            kept = [pair for seed, pair in pairs.items() if seed in common]
            value, draws = self._difference(target, method, reference, kept)
            values.append(value)
            all_draws.append(draws)
        known = [draws for draws in all_draws if draws is not None]
        whole = len(known) == len(values)
        low, high = interval(np.mean(known, axis=0)) if whole else (None, None)
        planned = max(planned for _, planned in found.values())
        return Gap(fmean(values), low, high, len(common), planned)

    def _pairs(
        self, backbone: str, target: str, method: str, reference: str, shots: Shots
    ) -> tuple[dict[int, tuple[Slot, Slot]], int]:
        """The two cells of every seed that both have, and how many seeds were planned.

        Only those count, so that the methods had the same training examples.
        """
        ours, theirs = (
            {slot.plan.key.seed: slot for slot in self.results.seeds(backbone, target, m, shots)}
            for m in (method, reference)
        )
        both = {s: (ours[s], theirs[s]) for s in ours if s in theirs}
        done = {s: pair for s, pair in both.items() if all(slot.done for slot in pair)}
        return done, len(ours.keys() | theirs.keys())

    def _difference(
        self, target: str, method: str, reference: str, pairs: list[tuple[Slot, Slot]]
    ) -> tuple[float, Array | None]:
        """The mean difference of some seeds, and its draws [R] where they are known."""
        value = fmean(_value(ours) - _value(theirs) for ours, theirs in pairs)
        drawn = [(self.drawn(ours), self.drawn(theirs)) for ours, theirs in pairs]
        known = [(a, b) for a, b in drawn if a is not None and b is not None]
        if len(known) < len(pairs):
            return value, None
        if len({one.examples for pair in known for one in pair}) > 1:
            self.problems[f"{target}: the test examples of {method} and {reference} differ"] = None
            return value, None
        return value, np.mean([np.subtract(a.draws, b.draws) for a, b in known], axis=0)

    def drawn(self, slot: Slot) -> Draws | None:
        """The draws of a finished cell; None (and a problem) if they can't be had.

        They are made of its predictions, or read where those were left out (`experiments.share`).
        """
        if slot.plan.id not in self._cells:
            try:
                self._cells[slot.plan.id] = self._draw(slot)
            except ClinpromptError as error:  # its text may name ids, never texts
                self.problems[f"{slot.plan.id}: {error.code}, {error.message}"] = None
                self._cells[slot.plan.id] = None
        return self._cells[slot.plan.id]

    def _draw(self, slot: Slot) -> Draws | None:
        target = slot.plan.key.target
        settings = self.results.plan.recipe.get("statistics") or {}
        resamples = int(settings.get("resamples", 1000))
        # Targets are drawn apart, so that their draws are independent.
        seed = int(settings.get("seed", 0)) + 1 + self.results.targets.index(target)
        folder = slot.plan.key.folder(self.results.folder)
        if not (folder / PREDICTIONS_FILE).exists() and (kept := read_draws(folder)) is not None:
            asked = (slot.plan.metric, resamples, seed)
            if (kept.metric, len(kept.draws), kept.seed) == asked and self._fits(slot, kept.value):
                return kept
            self.problems[f"{slot.plan.id}: its draws were made for another recipe or score"] = None
            return None
        card = self._card(target)
        if card is None:
            self.problems[f"{target}: its task card is not at hand"] = None
            return None
        items = rebuilt(card, folder / PREDICTIONS_FILE)
        if not items:
            self.problems[f"{slot.plan.id}: no predictions lie beside it"] = None
            return None
        value, draws = bootstrap_draws(
            card, items, metric=slot.plan.metric, resamples=resamples, seed=seed
        )
        if not self._fits(slot, value):
            self.problems[f"{slot.plan.id}: its predictions do not give its score"] = None
            return None
        return Draws(
            metric=slot.plan.metric,
            value=value,
            seed=seed,
            examples=examples_digest((item.id, item.document) for item in items),
            draws=draws.tolist(),
        )

    @staticmethod
    def _fits(slot: Slot, value: float) -> bool:
        return abs(value - _value(slot)) <= _SAME

    def _card(self, target: str) -> Card | None:
        if target not in self._cards:
            self._cards[target] = None
            for name in (target, *map(str, self.results.plan.recipe.get("targets") or ())):
                try:
                    card = catalogue.find(name)
                except (ClinpromptError, OSError):
                    continue
                if card.name == target:
                    self._cards[target] = card
                    break
        return self._cards[target]


def _value(slot: Slot) -> float:
    assert slot.cell is not None
    assert slot.cell.main is not None
    return slot.cell.main.value
