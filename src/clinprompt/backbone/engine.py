"""The exact shared-prefix forward.

A task's prefix is its soft prompt followed by the tokens that are the same in all its rows (the
template's head and the instruction). It stands in front of the text and attention is causal, so its
keys and values don't depend on the text: they are computed once per task and the rows attend to
them. Loss and gradients equal those of running the concatenation for each row.

Shapes: T tasks, P prompt length, S longest prefix, B rows, L longest row, H hidden, A answer
tokens of all rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import pad
from torch.nn.utils.rnn import pad_sequence

from clinprompt.backbone import prefill
from clinprompt.backbone.keyvalues import LayerKV, PrefixKV
from clinprompt.backbone.layout import Layout
from clinprompt.backbone.model import Backbone
from clinprompt.backbone.notekv import NoteKV
from clinprompt.backbone.transfer import moved, numbers


@dataclass
class Prefix:
    """What rows attend to.

    Attributes:
        layers: keys and values [T, heads, S, D] of every layer.
        lengths: [T] real length of each prefix; the rest is padding that no one sees.
        tokens: sum of the lengths, if that is known without asking the device.
        changes: of each prefix, the number of the update that it and its rows are computed with
            (`Backbone.beside`), negative without one; None if none has any.
    """

    layers: list[LayerKV]
    lengths: Tensor
    tokens: int | None = None
    changes: tuple[int, ...] | None = None

    def detached(self) -> Prefix:
        """The same values as leaves that collect gradients, so that micro-batches of rows can be
        differentiated one after another before the prefix is, once."""
        leaves = [
            (k.detach().requires_grad_(), v.detach().requires_grad_()) for k, v in self.layers
        ]
        return Prefix(leaves, self.lengths, self.tokens, self.changes)

    def backward(self, leaves: Prefix) -> None:
        """Differentiate through the prefix with the gradients that `leaves` collected."""
        tensors, gradients = [], []
        for own, leaf in zip(self.layers, leaves.layers, strict=True):
            for tensor, collected in zip(own, leaf, strict=True):
                if collected.grad is not None and tensor.requires_grad:
                    tensors.append(tensor)
                    gradients.append(collected.grad)
        torch.autograd.backward(tensors, gradients)

    def apart(self) -> Iterator[Prefix]:
        """The prefix of each task by itself, padding and all."""
        for k in range(len(self.lengths)):
            layers = [(keys[k : k + 1], values[k : k + 1]) for keys, values in self.layers]
            changes = None if self.changes is None else self.changes[k : k + 1]
            yield Prefix(layers, self.lengths[k : k + 1], changes=changes)

    def followed(self, other: Prefix) -> Prefix:
        """Keys and values of both, task by task; there is no padding in the first."""
        layers = [
            (torch.cat([k, other_k], dim=2), torch.cat([v, other_v], dim=2))
            for (k, v), (other_k, other_v) in zip(self.layers, other.layers, strict=True)
        ]
        known = self.tokens is not None and other.tokens is not None
        tokens = (self.tokens or 0) + (other.tokens or 0) if known else None
        return Prefix(layers, self.lengths + other.lengths, tokens, other.changes)

    def select(self, tasks: Sequence[int]) -> Prefix:
        """The prefixes of some tasks, in that order."""
        index = numbers(tasks, self.lengths.device)
        layers = [(k.index_select(0, index), v.index_select(0, index)) for k, v in self.layers]
        changes = None
        if self.changes is not None:
            changes = tuple(self.changes[task] for task in tasks)
        return Prefix(layers, self.lengths[index], changes=changes)

    def changes_of(self, tasks: Tensor) -> Tensor | None:
        """[B] number of the update of rows behind prefixes [B]; None if no prefix has any."""
        if self.changes is None:
            return None
        return numbers(self.changes, tasks.device)[tasks]


def joined(prefixes: Sequence[Prefix]) -> Prefix:
    """Prefixes of one task each as one prefix of T tasks, padded on the right."""
    if len(prefixes) == 1:
        return prefixes[0]
    longest = max(prefix.layers[0][0].shape[2] for prefix in prefixes)

    def stacked(layer: int, side: int) -> Tensor:
        parts = [prefix.layers[layer][side] for prefix in prefixes]
        return torch.cat([pad(part, (0, 0, 0, longest - part.shape[2])) for part in parts])

    layers = [(stacked(i, 0), stacked(i, 1)) for i in range(len(prefixes[0].layers))]
    changes: list[int] = []
    for prefix in prefixes:
        changes += (-1,) * len(prefix.lengths) if prefix.changes is None else prefix.changes
    any_change = any(change >= 0 for change in changes)
    return Prefix(
        layers,
        torch.cat([prefix.lengths for prefix in prefixes]),
        changes=tuple(changes) if any_change else None,
    )


@dataclass
class Soft:
    """Soft prompts that rows begin with, where the prompt stands behind the text.

    A row's first columns are the prompt's; the token ids that stand there are not read. A prompt of
    keys and values has columns too where rows share their notes' (`NoteKV`): what is computed in
    them is thrown away, and its keys and values take their place.

    Attributes:
        prompts: [K, P, H], shorter ones padded on the right.
        lengths: [K] real length of each prompt.
        of: [B] index of each row's prompt.
        held: prompts of keys and values, one of length 0 where a row has none; by `of` as well.
    """

    prompts: Tensor
    lengths: Tensor
    of: Tensor
    held: Prefix | None = None

    def into(self, embeddings: Tensor) -> Tensor:
        """Embeddings [B, L, H] of rows with the prompts in their place."""
        columns = min(self.prompts.shape[1], embeddings.shape[1])
        # Gathered before it is rounded: gradients of a prompt's rows add up in its own type.
        given = self.prompts[:, :columns].index_select(0, self.of).to(embeddings.dtype)
        within = torch.arange(columns, device=self.of.device) < self.lengths[self.of][:, None]
        first = torch.where(within[:, :, None], given, embeddings[:, :columns])
        return torch.cat([first, embeddings[:, columns:]], dim=1)


@dataclass
class Rows:
    """A right-padded batch of rows.

    Attributes:
        ids: [B, L] token ids.
        lengths: [B] real length of each row.
        task: [B] index of each row's prefix.
        until: [B, L], optional: column (of L) at which what continues each column ends, where
            rows branch (`masks.visibility`).
        offsets: [B, L], optional: positions relative to the prefix where they are not 0, 1, 2, ...
        soft: soft prompts that the rows begin with, if any.
        tokens: sum of the lengths, if that is known without asking the device.
    """

    ids: Tensor
    lengths: Tensor
    task: Tensor
    until: Tensor | None = None
    offsets: Tensor | None = None
    soft: Soft | None = None
    tokens: int | None = None

    @classmethod
    def of(cls, rows: Sequence[Sequence[int]], task: Sequence[int], device: torch.device) -> Rows:
        """Pad lists of token ids on the right."""
        ids = pad_sequence([torch.tensor(row) for row in rows], batch_first=True)
        lengths = torch.tensor([len(row) for row in rows])
        return cls(
            moved(ids, device),
            moved(lengths, device),
            numbers(task, device),
            tokens=sum(len(row) for row in rows),
        )


def prefix(
    backbone: Backbone,
    prompts: Sequence[Tensor | None],
    fixed: Sequence[Sequence[int]],
    changes: Sequence[int] | None = None,
) -> Prefix:
    """Keys and values of T prefixes.

    Args:
        prompts: T soft prompts [P, H] (P may differ), or None for a bare instruction; or T prompts
            of keys and values of all layers [P, W] (`keyvalues`), all of one length.
        fixed: T lists of token ids that follow the prompt; prompt and list may not both be empty.
        changes: T numbers of updates, as `Prefix` has them.
    """
    own = None if changes is None else tuple(changes)
    if any(is_deep(backbone, prompt) for prompt in prompts):
        return _behind_held(backbone, [p for p in prompts if p is not None], fixed, own)
    parts = []
    for prompt, ids in zip(prompts, fixed, strict=True):
        text = backbone.embed(numbers(ids, backbone.device))
        parts.append(text if prompt is None else torch.cat([prompt.to(text.dtype), text]))
    lengths = numbers([len(part) for part in parts], backbone.device)
    embeddings = pad_sequence(parts, batch_first=True)
    columns = torch.arange(embeddings.shape[1], device=backbone.device).expand(len(parts), -1)
    valid = columns < lengths[:, None]
    laid = Layout(0, columns, valid, tokens=sum(len(part) for part in parts))
    by_row = None if own is None else numbers(own, backbone.device)
    if prefill.needed(backbone, laid):  # a long text, in the placement that has it in front
        none = columns.new_empty(0)
        layers = prefill.run(
            backbone, _cut(embeddings), laid, read=(none, none), keep=True, changes=by_row
        )[1]
        return Prefix(layers, lengths, laid.tokens, own)
    cache = PrefixKV(keep=True)
    backbone.run(
        embeddings,
        columns,
        laid.mask(backbone),
        cache,
        valid=valid,
        want="keys",
        changes=by_row,
    )
    return Prefix(cache.layers, lengths, laid.tokens, own)


def is_deep(backbone: Backbone, prompt: Tensor | None) -> bool:
    """Whether a prompt is one of keys and values of all layers."""
    return (
        prompt is not None
        and prompt.shape[-1] == backbone.keyvalue_width
        and prompt.shape[-1] != backbone.hidden_size
    )


def held(backbone: Backbone, prompts: Tensor) -> Prefix:
    """Prompts of keys and values [T, P, W] as what rows attend to, differentiable."""
    layers, heads, size = backbone.keyvalue_shape
    tasks, length, _ = prompts.shape
    parts = prompts.to(backbone.dtype).unflatten(2, (layers, 2, heads, size))
    pairs = parts.permute(2, 3, 0, 4, 1, 5)
    lengths = numbers([length] * tasks, backbone.device)
    return Prefix([(pair[0], pair[1]) for pair in pairs], lengths, length * tasks)


def _behind_held(
    backbone: Backbone,
    prompts: Sequence[Tensor],
    fixed: Sequence[Sequence[int]],
    changes: tuple[int, ...] | None,
) -> Prefix:
    """Prompts of keys and values, and what the instructions behind them give."""
    if len(prompts) != len(fixed) or len({tuple(prompt.shape) for prompt in prompts}) > 1:
        raise ValueError("prompts of keys and values must be alike for all tasks of a prefix")
    before = held(backbone, torch.stack(list(prompts)))
    before.changes = changes
    if not any(fixed):
        return before
    rows = Rows.of(fixed, range(len(fixed)), backbone.device)
    cache = PrefixKV(before.layers, rows.task, keep=True)
    laid = layout(before, rows)
    positions, valid = laid.own
    backbone.run(
        backbone.embed(rows.ids),
        positions,
        laid.mask(backbone),
        cache,
        valid=valid,
        want="keys",
        changes=before.changes_of(rows.task),
    )
    return before.followed(Prefix(cache.layers, rows.lengths, rows.tokens, changes))


def layout(before: Prefix, rows: Rows) -> Layout:
    """Where rows stand behind their prefixes."""
    b, length = rows.ids.shape
    own = torch.arange(length, device=rows.ids.device).expand(b, -1)
    start = before.lengths[rows.task][:, None]
    count = before.layers[0][0].shape[2]
    columns = torch.arange(count, device=rows.ids.device).expand(b, -1)
    until = rows.until
    if until is not None:  # a whole row stands behind its prefix
        until = torch.cat([torch.full_like(columns, count + length), count + until], dim=1)
    return Layout(
        count,
        torch.cat([columns, start + (own if rows.offsets is None else rows.offsets)], dim=1),
        torch.cat([columns < start, own < rows.lengths[:, None]], dim=1),
        until,
        rows.tokens,
    )


def note_memory(backbone: Backbone, before: Prefix, rows: Rows, extra: int = 0) -> NoteKV | None:
    """A memory in which rows share their notes, where rows stand behind notes and the backbone's
    layers can use it.

    Args:
        extra: room for this many new tokens.
    """
    if rows.soft is None or backbone.lean is None or torch.is_grad_enabled():
        return None
    room = rows.ids.shape[1] + extra
    windowed = backbone.attention.window is not None
    held = rows.soft.held
    own = None if held is None else (held.layers, held.lengths, rows.soft.of)
    return NoteKV(before.layers, before.lengths, rows.task, room, windowed=windowed, held=own)


def hidden(
    backbone: Backbone,
    before: Prefix,
    rows: Rows,
    *,
    cache: PrefixKV | NoteKV | None = None,
    read: tuple[Tensor, Tensor] | None = None,
) -> Tensor:
    """Last hidden states of rows behind their prefixes.

    Args:
        cache: to keep the rows' keys and values in, for decoding.
        read: rows and columns [A] of the states that are asked for; None for all.

    Returns:
        [A, H], or [B, L, H] whose padding columns hold nothing of use.
    """
    laid = layout(before, rows)
    if cache is None:
        cache = note_memory(backbone, before, rows)
    if not isinstance(cache, NoteKV) and prefill.needed(backbone, laid):
        embed: prefill.Embed = partial(_embed_part, backbone, rows.ids)
        if rows.soft is not None:
            embed = _cut(rows.soft.into(backbone.embed(rows.ids)))
        keep = cache is not None
        states, layers = prefill.run(
            backbone,
            embed,
            laid,
            before.layers,
            rows.task,
            read=read,
            keep=keep,
            changes=before.changes_of(rows.task),
        )
        if cache is not None:
            cache.layers = layers
        return states
    embeddings = backbone.embed(rows.ids)
    if rows.soft is not None:
        if rows.soft.held is not None and not isinstance(cache, NoteKV):
            raise ValueError("held prompts have columns only where notes are shared")
        embeddings = rows.soft.into(embeddings)
    positions, valid = laid.own
    if cache is None:
        cache = PrefixKV(before.layers, rows.task)
    return backbone.run(
        embeddings,
        positions,
        laid.mask(backbone),
        cache,
        valid=valid,
        want="all" if read is None else read,
        changes=before.changes_of(rows.task),
    )


def _cut(embeddings: Tensor) -> prefill.Embed:
    """Parts of embeddings [B, L, H] that are there already."""
    return lambda rows, first, last: embeddings[rows, first:last]


def _embed_part(backbone: Backbone, ids: Tensor, rows: Tensor, first: int, last: int) -> Tensor:
    return backbone.embed(ids[rows, first:last])
