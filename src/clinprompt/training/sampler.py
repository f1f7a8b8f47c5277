"""Which tasks and which examples make up a step: a pure function of (seed, step).

Nothing is drawn from a running generator, so a resumed run, and a run on any number of workers,
sees the same batches.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from clinprompt.errors import ClinpromptError

Mixing = Literal["equal", "proportional", "sqrt", "log", "temperature"]


def mixing_weights(
    sizes: Sequence[int], mixing: Mixing, *, cap: int = 2**18, temperature: float = 2.0
) -> np.ndarray:
    """Probabilities of drawing each task.

    Args:
        sizes: training examples of each task.
        mixing: "equal"; "proportional" to min(size, cap) (T5, Raffel et al., 2020, section 3.5.2);
            "sqrt" or "log" of the size; "temperature": proportional to min(size, cap)^(1/T).

    Returns:
        [K], summing to 1.
    """
    capped = np.minimum(np.asarray(sizes, dtype=np.float64), cap)
    weight = {
        "equal": np.ones_like(capped),
        "proportional": capped,
        "sqrt": np.sqrt(capped),
        "log": np.log1p(capped),
        "temperature": capped ** (1 / temperature),
    }[mixing]
    probabilities: np.ndarray = weight / weight.sum()
    return probabilities


@dataclass(frozen=True)
class Draw:
    """One task's share of a step: indices into its training examples."""

    task: int
    examples: tuple[int, ...]


class Sampler:
    """The batches of a stage.

    With `kappa`, each step draws K uniformly from [2, kappa] and then K tasks without replacement
    (stochastic task sampling, Wang et al., 2023, section 3.2), and the rows are filled evenly from
    them. Without, tasks take turns, `per_step` at a time, so that each is trained equally often.
    Every task goes through its examples in random order, all of them before any again.

    Args:
        sizes: training examples of each task.
        steps: length of the stage.
        rows: rows of a step.
        seed: of all draws.
        kappa: most tasks of a step, or None for turns.
        per_step: tasks of a step where they take turns.
        weights: probability of each task, for stochastic sampling.

    Raises:
        ClinpromptError: CP-TRAIN-001 if a task has no training example.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        *,
        steps: int,
        rows: int,
        seed: int,
        kappa: int | None = None,
        per_step: int | None = None,
        weights: np.ndarray | None = None,
    ) -> None:
        if min(sizes, default=0) < 1:
            raise ClinpromptError("CP-TRAIN-001", "a task has no training example left")
        self.sizes, self.steps, self.rows, self.seed = list(sizes), steps, rows, seed
        count = len(self.sizes)
        self.kappa = None if kappa is None else max(1, min(kappa, count, rows))
        self.per_step = min(per_step or count, count, rows)
        self.weights = np.full(count, 1 / count) if weights is None else weights
        self._orders: dict[tuple[int, int], tuple[int, ...]] = {}
        self._tasks = [self._draw_tasks(step) for step in range(steps)]
        taken = np.zeros(count, dtype=np.int64)
        self._begin = np.zeros((steps, count), dtype=np.int64)
        for step, tasks in enumerate(self._tasks):
            self._begin[step] = taken
            for task, share in zip(tasks, self._shares(step, len(tasks)), strict=True):
                taken[task] += share
        self.drawn = taken  # [K] examples of each task over the whole stage

    def __getitem__(self, step: int) -> list[Draw]:
        """The draws of one step, tasks in the order they were drawn."""
        draws = []
        tasks = self._tasks[step]
        for task, share in zip(tasks, self._shares(step, len(tasks)), strict=True):
            begin, size = int(self._begin[step, task]), self.sizes[task]
            picked = (divmod(begin + k, size) for k in range(share))
            draws.append(Draw(task, tuple(self._order(task, e)[i] for e, i in picked)))
        return draws

    def _rng(self, stream: int, *numbers: int) -> np.random.Generator:
        return np.random.Generator(
            np.random.Philox(np.random.SeedSequence([self.seed, stream, *numbers]))
        )

    def _draw_tasks(self, step: int) -> list[int]:
        count = len(self.sizes)
        if self.kappa is None:
            turn = [(step * self.per_step + k) for k in range(self.per_step)]
            return [self._fixed_turns[t % count] for t in turn]
        rng = self._rng(0, step)
        k = int(rng.integers(min(2, self.kappa), self.kappa + 1))
        return [int(t) for t in rng.choice(count, size=k, replace=False, p=self.weights)]

    @cached_property
    def _fixed_turns(self) -> list[int]:
        # One order for all cycles: a new one could bring a task twice into a step.
        return [int(t) for t in self._rng(1).permutation(len(self.sizes))]

    def _shares(self, step: int, tasks: int) -> list[int]:
        """Rows of each of the step's tasks; rows left over go to others in the next cycle."""
        base, extra = divmod(self.rows, tasks)
        cycle = 0 if self.kappa is not None else step * self.per_step // len(self.sizes)
        return [base + ((k + cycle) % tasks < extra) for k in range(tasks)]

    def _order(self, task: int, epoch: int) -> tuple[int, ...]:
        key = (task, epoch)
        if key not in self._orders:
            self._orders.pop((task, epoch - 2), None)  # a step spans two epochs, seldom more
            order = self._rng(2, task, epoch).permutation(self.sizes[task])
            self._orders[key] = tuple(int(i) for i in order)
        return self._orders[key]
