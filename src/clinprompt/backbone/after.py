"""The prompt after the text: a note is encoded once, and every task asks it.

In the usual placement a prefix belongs to a task and the text stands behind it. Here they change
places. What rows attend to is the note: its keys and values come before any prompt, so they depend
neither on a task nor on anything that is trained. They are computed without gradients, once a note,
and may be kept. A task's soft prompt, its instruction and its answer stand behind it, as a row.

A prompt of keys and values of every layer (width W) has no columns of its own: rows see it beside
their note, which doesn't see it. Its keys are used as they are, rotated for positions 0 to P - 1;
in memory it stands in front of the note's keys, or where rows share notes in front of a row's own
(`engine.Soft`). A row goes on P positions behind its note, as behind a prompt at the input.

Shapes: T tasks, P prompt length, B rows, H hidden size.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from clinprompt.backbone import engine
from clinprompt.backbone.answers import Targets, with_answers
from clinprompt.backbone.engine import Prefix, Rows, Soft, joined
from clinprompt.backbone.model import Backbone
from clinprompt.backbone.transfer import numbers

Ids = tuple[int, ...]
_NO_TOKEN = 0  # stands where a soft prompt's embeddings go; never read


class Notes:
    """Encoded notes, as many as fit.

    A note is always encoded by itself, so that its keys and values are the same bits whatever else
    is asked, kept or thrown away: an interrupted training goes on as if it had not been.

    Args:
        backbone: encodes them.
        most_bytes: what may be kept; 0 keeps nothing.
        keep: which notes stay where not all fit: those seen last (notes come one after the other),
            or those seen first (a training comes back to each: whatever is thrown away for a new
            one would be needed before it).

    Attributes:
        encoded: how many notes were run through the backbone.
        bytes: what is kept now.
    """

    def __init__(
        self, backbone: Backbone, most_bytes: int, *, keep: Literal["last", "first"] = "last"
    ) -> None:
        self.backbone, self.most_bytes, self.keep = backbone, most_bytes, keep
        self._kept: dict[Ids, Prefix] = {}  # the one used longest ago is the first
        self.encoded = self.bytes = 0

    def prefix(
        self,
        notes: Sequence[Sequence[int]],
        held: Sequence[Prefix | None] = (),
        of: Sequence[int] = (),
    ) -> tuple[Prefix, list[int]]:
        """The distinct notes as one prefix, padded on the right, and the place of each in it.

        Args:
            notes: token ids, with the template's around them; not empty.
            held: prompts of keys and values (`engine.held`), one task each, that are seen beside
                a note; None for tasks without one. A note is there once for each of them.
            of: for each note, the place of its task in `held`; not read where none is held.
        """
        ids = [tuple(note) for note in notes]
        if not any(held):
            of = [0] * len(ids)
            held = [None]
        asked = [(note, k if held[k] else None) for note, k in zip(ids, of, strict=True)]
        distinct = list(dict.fromkeys(asked))
        place = {pair: number for number, pair in enumerate(distinct)}
        parts = []
        for note, k in distinct:
            own = None if k is None else held[k]
            parts.append(self._one(note) if own is None else own.followed(self._one(note)))
        return joined(parts), [place[pair] for pair in asked]

    @torch.no_grad()
    def _one(self, note: Ids) -> Prefix:
        found = self._kept.pop(note, None)
        if found is None:
            found = engine.prefix(self.backbone, [None], [note])
            self.encoded += 1
            size = _size(found)
            if size > self.most_bytes or (
                self.keep == "first" and self.bytes + size > self.most_bytes
            ):
                return found
            self.bytes += size
            while self.bytes > self.most_bytes:
                self.bytes -= _size(self._kept.pop(next(iter(self._kept))))
        self._kept[note] = found
        return found


def _size(prefix: Prefix) -> int:
    return sum(x.numel() * x.element_size() for pair in prefix.layers for x in pair)


@dataclass
class Behind:
    """Prompts of T tasks that stand behind notes: what a `Prefix` is in the usual placement.

    Attributes:
        notes: encodes what they stand behind.
        prompts: [T, P, H], or [T, P, W] of keys and values; None for bare instructions.
        fixed: for each task, the token ids that follow its prompt.
    """

    notes: Notes
    prompts: Tensor | None
    fixed: Sequence[Sequence[int]]

    @property
    def lengths(self) -> Tensor:
        """[T] tokens that each task puts in front of what a row asks, virtual ones included."""
        own = 0 if self.prompts is None else self.prompts.shape[1]
        return torch.tensor([own + len(ids) for ids in self.fixed])

    def detached(self) -> Behind:
        """The same values as a leaf that collects gradients (see `Prefix.detached`)."""
        if self.prompts is None:
            return self
        return Behind(self.notes, self.prompts.detach().requires_grad_(), self.fixed)

    def backward(self, leaves: Behind) -> None:
        """Differentiate through the prompts with the gradients that `leaves` collected."""
        if self.prompts is None or leaves.prompts is None or leaves.prompts.grad is None:
            return
        if self.prompts.requires_grad:
            self.prompts.backward(leaves.prompts.grad)

    def select(self, tasks: Sequence[int]) -> Behind:
        """The prompts of some tasks, in that order."""
        prompts = None if self.prompts is None else self.prompts[list(tasks)]
        return Behind(self.notes, prompts, [self.fixed[k] for k in tasks])

    def rows(
        self,
        inputs: Sequence[tuple[Sequence[int], Sequence[int]]],
        answers: Sequence[Sequence[int]],
        task: Sequence[int],
    ) -> tuple[Prefix, Rows, Targets]:
        """A batch of rows ``prompt, fixed, rest, answer`` behind their notes.

        Args:
            inputs: for each row, its note and the rest of its input.
            answers: for each row, its answer.
            task: for each row, the place of its task.

        Returns:
            What the rows attend to, the rows, and their answer tokens.
        """
        device, prompts = self.notes.backbone.device, self.prompts
        held: list[Prefix | None] = []
        if prompts is not None and engine.is_deep(self.notes.backbone, prompts):
            held = list(engine.held(self.notes.backbone, prompts).apart())
            prompts = None
        prefix, places = self.notes.prefix([note for note, _ in inputs], held, task)
        lengths = [0 if prompts is None else prompts.shape[1]] * len(self.fixed)
        behind = suffixes(
            lengths,
            [self.fixed[k] for k in task],
            [rest for _, rest in inputs],
            task,
        )
        rows, targets = with_answers(behind, answers, places, device)
        if prompts is not None:
            rows.soft = Soft(
                prompts,
                numbers(lengths, device),
                numbers(task, device),
            )
        return prefix, rows, targets


def suffixes(
    lengths: Sequence[int],
    fixed: Iterable[Sequence[int]],
    rests: Iterable[Sequence[int]],
    task: Iterable[int],
) -> list[list[int]]:
    """Token ids of rows behind notes: places for the prompt's embeddings, then what follows it.

    Args:
        lengths: P of each task.
        fixed: for each row, the ids behind its prompt.
        rests: for each row, the rest of its input.
        task: for each row, its place in `lengths`.
    """
    return [
        [_NO_TOKEN] * lengths[k] + [*ids, *rest]
        for ids, rest, k in zip(fixed, rests, task, strict=True)
    ]
