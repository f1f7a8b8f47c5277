"""Prompts that stand after the text: a note is encoded once, and all its tasks ask it together.

Rows of one note come together, closed and open ones one after the other while the note's keys and
values are there, so each note goes through the backbone once however many tasks ask it.

Shapes: P prompt length, H hidden size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from clinprompt.backbone import decode, engine
from clinprompt.backbone.after import Notes, suffixes
from clinprompt.backbone.decode import Constraint, Generated
from clinprompt.backbone.engine import Prefix, Soft, joined
from clinprompt.backbone.model import Backbone
from clinprompt.inference.batches import Size
from clinprompt.inference.requests import PredictorSettings, Row

# Keys and values that a row sees take memory but no time to speak of: so many columns may be held
# for one that is computed.
_HELD = 8


class Asking(Protocol):
    """What of a task stands behind a note."""

    @property
    def prompt(self) -> Tensor | None:
        """[P, H]; None for the instruction alone."""
        ...

    @property
    def fixed(self) -> Sequence[int]:
        """Token ids behind the prompt."""
        ...


@dataclass(frozen=True)
class Laid:
    """A batch as the backbone reads it.

    Attributes:
        prefix: what the rows attend to: a task's prompt and instruction, or a note.
        inputs: token ids of each row; soft prompts have columns among them.
        places: of each row, its prefix.
        soft: the soft prompts that the rows begin with, if any.
    """

    prefix: Prefix
    inputs: list[list[int]]
    places: list[int]
    soft: Soft | None = None


def laid(notes: Notes, rows: Sequence[Row], tasks: Sequence[Asking], *, shared: bool) -> Laid:
    """Rows behind their notes.

    Args:
        notes: encodes them.
        rows: of any notes; those of one note share it.
        tasks: the task of each row.
        shared: whether what reads the batch lets rows share a note's keys and values where the
            backbone can; else each prompt of keys and values has a copy of the note beside it.
    """
    distinct = list({id(task): task for task in tasks}.values())
    number = {id(task): k for k, task in enumerate(distinct)}
    of = [number[id(task)] for task in tasks]
    prompts = [_prompt(task, notes) for task in distinct]
    lengths = [len(prompt) for prompt in prompts]
    held = [_held(task, notes) for task in distinct]
    # A window would see a prompt's columns behind the note, and not those in front of it.
    windowed = notes.backbone.attention.window is not None
    own = _columns(held) if shared and notes.backbone.lean is not None and not windowed else None
    prefix, places = notes.prefix(
        [row.seen.ids[: row.shared] for row in rows], held if own is None else (), of
    )
    columns = lengths
    if own is not None:
        columns = [a + b for a, b in zip(lengths, own.lengths.tolist(), strict=True)]
    inputs = suffixes(
        columns, [task.fixed for task in tasks], [row.seen.ids[row.shared :] for row in rows], of
    )
    soft = None
    if any(columns):
        device = notes.backbone.device
        soft = Soft(
            pad_sequence(prompts, batch_first=True),
            torch.tensor(lengths, device=device),
            torch.tensor(of, device=device),
            own,
        )
    return Laid(prefix, inputs, places, soft)


def _prompt(task: Asking, notes: Notes) -> Tensor:
    """What a row begins with, [P, H]: nothing where the prompt is one of keys and values."""
    if task.prompt is not None and not engine.is_deep(notes.backbone, task.prompt):
        return task.prompt
    return torch.zeros(0, notes.backbone.hidden_size, device=notes.backbone.device)


def _held(task: Asking, notes: Notes) -> Prefix | None:
    """What a row sees beside its note: a prompt of keys and values."""
    if task.prompt is None or not engine.is_deep(notes.backbone, task.prompt):
        return None
    return engine.held(notes.backbone, task.prompt[None])


def _columns(held: Sequence[Prefix | None]) -> Prefix | None:
    """Prompts of keys and values as one prefix, empty for tasks without; None if none has any."""
    there = next((one for one in held if one is not None), None)
    if there is None:
        return None
    none = Prefix([(k[:, :, :0], v[:, :, :0]) for k, v in there.layers], there.lengths * 0)
    return joined([one or none for one in held])


def shares_notes(backbone: Backbone, settings: PredictorSettings) -> bool:
    """Whether rows can be decoded while they share their notes' keys and values.

    Elsewhere each row in the decoder's memory has a copy of its note.
    """
    return backbone.lean is not None and not settings.drawn


def together(
    backbone: Backbone,
    batch: Laid,
    rows: Sequence[Row],
    stops: frozenset[int],
    hold: Callable[[Row], Constraint | None],
) -> Iterator[tuple[int, Generated, Constraint | None]]:
    """Decode a batch of open rows side by side; a row that ends leaves the batch.

    Args:
        stops: ids that end a row.
        hold: makes what a row is held to.

    Yields:
        Place of a row, its tokens, and what they were held to.
    """
    held = [hold(row) for row in rows]
    generated = decode.greedy(
        backbone,
        batch.prefix,
        batch.inputs,
        batch.places,
        stops=stops,
        max_new=[row.max_new for row in rows],
        constraints=held,
        soft=batch.soft,
    )
    for place, (new, own) in enumerate(zip(generated, held, strict=True)):
        yield place, new, own


def note_batches(rows: Sequence[Row], sizes: Sequence[Size], budget: int) -> list[list[int]]:
    """Indices of rows, batch by batch: closed or open ones, and note by note.

    Notes are taken in bundles of similar length, of at most `budget` tokens or one note. A batch
    computes at most `budget` padded columns and holds at most eight times as many, or has one row.

    Args:
        sizes: with a row's note as its prefix.
        budget: padded tokens.
    """
    found: list[list[int]] = []
    for bundle in _bundles(rows, budget):
        for closed in (True, False):
            part = [i for i in bundle if bool(rows[i].options) == closed]
            found += _within(part, sizes, budget)
    return found


def _bundles(rows: Sequence[Row], budget: int) -> list[list[int]]:
    asked: dict[tuple[int, ...], list[int]] = {}
    for i, row in enumerate(rows):
        asked.setdefault(tuple(row.seen.ids[: row.shared]), []).append(i)
    found: list[list[int]] = []
    tokens = 0
    for note in sorted(asked, key=lambda ids: (-len(ids), asked[ids][0])):
        if found and tokens + len(note) <= budget:
            found[-1] += asked[note]
            tokens += len(note)
        else:
            found.append(list(asked[note]))
            tokens = len(note)
    return found


def _within(part: Sequence[int], sizes: Sequence[Size], budget: int) -> list[list[int]]:
    """Rows of a bundle, cut where a batch would become too large."""
    found: list[list[int]] = []
    width = Size(0, 0, 0)
    for index in part:
        wider = width.widened(sizes[index])
        count = len(found[-1]) + 1 if found else 1
        computed = (wider.text + wider.answer) * count
        if found and computed <= budget and wider.total * count <= _HELD * budget:
            found[-1].append(index)
            width = wider
        else:
            found.append([index])
            width = sizes[index]
    return found
