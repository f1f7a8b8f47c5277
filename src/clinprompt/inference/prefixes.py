"""The tasks that a predictor knows, and the keys and values that their rows stand behind.

Shapes: P prompt length, H hidden size.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from clinprompt.backbone import engine
from clinprompt.backbone.engine import Prefix, joined
from clinprompt.backbone.kvstore import KVStore
from clinprompt.backbone.model import Backbone
from clinprompt.backbone.updates import Update
from clinprompt.inference.mixing import Mixing
from clinprompt.tasks.card import Card


@dataclass
class Known:
    """A task that can be asked.

    Attributes:
        prompt: its soft prompt [P, H], or one of keys and values [P, W]; None for the instruction
            alone.
        fixed: token ids behind the prompt: the template's head and the instruction.
        bias: what is added to each label's log-score.
        update: what is added to the backbone's weights for its rows.
        option_ids: token ids of answers, by their texts, as far as they were asked for.
    """

    card: Card
    prompt: Tensor | None
    fixed: list[int]
    bias: Mapping[str, float] | None = None
    update: Update | None = None
    option_ids: dict[tuple[str, ...], tuple[tuple[int, ...], ...]] = field(default_factory=dict)

    @property
    def length(self) -> int:
        """Tokens of the prefix, virtual ones included."""
        return len(self.fixed) + (0 if self.prompt is None else len(self.prompt))


class Prefixes:
    """Prefixes of tasks, each computed when it is first needed and then kept.

    Args:
        backbone: computes them.
        store: keeps them on disk as well.
        mixing: knows the tasks' updates, which are at work when a prefix is asked for.
    """

    def __init__(
        self, backbone: Backbone, store: KVStore | None = None, mixing: Mixing | None = None
    ) -> None:
        self._backbone, self._store, self._mixing = backbone, store, mixing
        self._kept: dict[str, Prefix] = {}
        self._last: tuple[tuple[str, ...], Prefix] | None = None

    def forget(self, name: str) -> None:
        """Compute the prefix of the task of this name anew: it is another one now."""
        self._kept.pop(name, None)
        self._last = None

    def together(self, tasks: Mapping[str, Known]) -> Prefix:
        """The prefixes of tasks as one, in their order; what was asked for last is kept as well."""
        names = tuple(tasks)
        if self._last is None or self._last[0] != names:
            self._last = names, joined([self.of(name, task) for name, task in tasks.items()])
        return self._last[1]

    @torch.no_grad()
    def of(self, name: str, task: Known) -> Prefix:
        """The prefix of one task."""
        if name not in self._kept:
            self._kept[name] = self._computed(task)
        return self._kept[name]

    def _computed(self, task: Known) -> Prefix:
        number = None if self._mixing is None else self._mixing.number(task.update)
        if self._store is None:
            changes = None if number is None else [number]
            return engine.prefix(self._backbone, [task.prompt], [task.fixed], changes)
        digest = None if task.update is None else task.update.digest
        return self._store.prefix(task.prompt, task.fixed, digest, number)
