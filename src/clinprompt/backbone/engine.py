"""The exact shared-prefix forward.

A task's prefix is its soft prompt followed by the tokens that are the same in all its rows (the
template's head and the instruction). It stands in front of the text and attention is causal, so its
keys and values don't depend on the text: they are computed once per task and the rows attend to
them. Loss and gradients equal those of running the concatenation for each row.

Shapes: T tasks, P prompt length, S longest prefix, B rows, L longest row, H hidden, A answer
tokens of all rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from clinprompt.backbone.keyvalues import LayerKV, PrefixKV
from clinprompt.backbone.masks import visibility
from clinprompt.backbone.model import Backbone


@dataclass
class Prefix:
    """What rows attend to.

    Attributes:
        layers: keys and values [T, heads, S, D] of every layer.
        lengths: [T] real length of each prefix; the rest is padding that no one sees.
    """

    layers: list[LayerKV]
    lengths: Tensor

    def detached(self) -> Prefix:
        """The same values as leaves that collect gradients, so that micro-batches of rows can be
        differentiated one after another before the prefix is, once."""
        leaves = [
            (k.detach().requires_grad_(), v.detach().requires_grad_()) for k, v in self.layers
        ]
        return Prefix(leaves, self.lengths)

    def backward(self, leaves: Prefix) -> None:
        """Differentiate through the prefix with the gradients that `leaves` collected."""
        tensors, gradients = [], []
        for own, leaf in zip(self.layers, leaves.layers, strict=True):
            for tensor, collected in zip(own, leaf, strict=True):
                if collected.grad is not None and tensor.requires_grad:
                    tensors.append(tensor)
                    gradients.append(collected.grad)
        torch.autograd.backward(tensors, gradients)

    def select(self, tasks: Sequence[int]) -> Prefix:
        """The prefixes of some tasks, in that order."""
        index = torch.tensor(list(tasks), device=self.lengths.device)
        layers = [(k.index_select(0, index), v.index_select(0, index)) for k, v in self.layers]
        return Prefix(layers, self.lengths[index])


@dataclass
class Rows:
    """A right-padded batch of rows.

    Attributes:
        ids: [B, L] token ids.
        lengths: [B] real length of each row.
        task: [B] index of each row's prefix.
        segments: [B, L], optional: segment 0 is seen by all, any other only by itself.
        offsets: [B, L], optional: positions relative to the prefix where they are not 0, 1, 2, ...
    """

    ids: Tensor
    lengths: Tensor
    task: Tensor
    segments: Tensor | None = None
    offsets: Tensor | None = None

    @classmethod
    def of(cls, rows: Sequence[Sequence[int]], task: Sequence[int], device: torch.device) -> Rows:
        """Pad lists of token ids on the right."""
        ids = pad_sequence([torch.tensor(row) for row in rows], batch_first=True)
        lengths = torch.tensor([len(row) for row in rows])
        return cls(ids.to(device), lengths.to(device), torch.tensor(list(task)).to(device))


def prefix(
    backbone: Backbone, prompts: Sequence[Tensor | None], fixed: Sequence[Sequence[int]]
) -> Prefix:
    """Keys and values of T prefixes.

    Args:
        prompts: T soft prompts [P, H] (P may differ), or None for a bare instruction.
        fixed: T lists of token ids that follow the prompt; prompt and list may not both be empty.
    """
    parts = []
    for prompt, ids in zip(prompts, fixed, strict=True):
        text = backbone.embed(torch.tensor(list(ids), dtype=torch.long, device=backbone.device))
        parts.append(text if prompt is None else torch.cat([prompt.to(text.dtype), text]))
    lengths = torch.tensor([len(part) for part in parts], device=backbone.device)
    embeddings = pad_sequence(parts, batch_first=True)
    columns = torch.arange(embeddings.shape[1], device=backbone.device).expand(len(parts), -1)
    visible, distance = visibility(columns, columns, columns < lengths[:, None])
    mask = backbone.attention.masks(visible, distance, embeddings.dtype)
    cache = PrefixKV(keep=True)
    backbone.run(embeddings, columns, mask, cache)
    return Prefix(cache.layers, lengths)


def hidden(
    backbone: Backbone, before: Prefix, rows: Rows, *, cache: PrefixKV | None = None
) -> Tensor:
    """Last hidden states of rows behind their prefixes.

    Args:
        cache: to keep the rows' keys and values in, for decoding.

    Returns:
        [B, L, H]; padding columns hold nothing of use.
    """
    b, length = rows.ids.shape
    own = torch.arange(length, device=rows.ids.device).expand(b, -1)
    start = before.lengths[rows.task][:, None]
    positions = start + (own if rows.offsets is None else rows.offsets)
    columns = torch.arange(before.layers[0][0].shape[2], device=rows.ids.device).expand(b, -1)
    segments = rows.segments
    visible, distance = visibility(
        positions,
        torch.cat([columns, positions], dim=1),
        torch.cat([columns < start, own < rows.lengths[:, None]], dim=1),
        query_segment=segments,
        key_segment=None
        if segments is None
        else torch.cat([torch.zeros_like(columns), segments], dim=1),
    )
    embeddings = backbone.embed(rows.ids)
    mask = backbone.attention.masks(visible, distance, embeddings.dtype)
    if cache is None:
        cache = PrefixKV(before.layers, rows.task)
    return backbone.run(embeddings, positions, mask, cache)
