"""Whether rows of tasks with different updates are answered together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager

from clinprompt.backbone import updates
from clinprompt.backbone.beside import Beside
from clinprompt.backbone.model import Backbone
from clinprompt.backbone.updates import Update
from clinprompt.inference.batches import by_update


class Mixing:
    """The updates of a predictor's tasks, and how they are at work.

    Where they can stand beside the weights (`updates.can_stand`), rows of any tasks share a batch.
    Else the rows of one update after the other are answered, with the update in the weights.

    Args:
        backbone: whose updates they are.
        allowed: whether rows of different updates may share a batch at all.
    """

    def __init__(self, backbone: Backbone, *, allowed: bool) -> None:
        self._backbone, self._allowed = backbone, allowed
        self._numbers: dict[int, tuple[int, Update]] = {}  # by the identity of its values
        self._next = 0
        self._beside: Beside | None = None

    def know(self, given: Sequence[Update]) -> None:
        """These are the updates now, which fit the backbone. What was known keeps its number."""
        shapes = {update.shape for update in given}
        stand = self._allowed and all(updates.can_stand(self._backbone, s) for s in shapes)
        before, self._numbers, self._beside = self._numbers, {}, None
        if not stand:
            return
        for update in given:
            key = id(update.values)
            if key not in self._numbers:
                self._next += key not in before
                self._numbers[key] = before.get(key, (self._next, update))

    def number(self, update: Update | None) -> int | None:
        """What prefixes and rows name the update by; None where nothing stands."""
        known = None if update is None else self._numbers.get(id(update.values))
        return None if known is None else known[0]

    def parts(
        self, given: Sequence[Update | None]
    ) -> Iterator[tuple[AbstractContextManager[None], list[int]]]:
        """Which rows are answered together, and what must be at work meanwhile.

        Args:
            given: the update of each row.
        """
        if self._numbers:
            if self._beside is None:
                self._beside = updates.beside(self._backbone, dict(self._numbers.values()))
            yield updates.standing(self._backbone, self._beside), list(range(len(given)))
            return
        for update, own in by_update(given):
            yield updates.at_work(self._backbone, update), own
