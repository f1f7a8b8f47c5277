"""Which key each query may see, written out in full.

Everything the engine promises about padding rests on this file: positions and visibility are
explicit, so what lies between two tokens in memory (padding, another row's slot) can't matter.

Shapes: B rows, Q query columns, K key columns.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from clinprompt.errors import ClinpromptError


@dataclass(frozen=True)
class Distance:
    """Query position minus key position; worked out only where a window asks for it, since as
    numbers it would take eight times the memory of the mask.

    Attributes:
        query: [B, Q] positions of the queries.
        key: [B, K] positions of the keys.
    """

    query: Tensor
    key: Tensor

    def below(self, window: int) -> Tensor:
        """[B, Q, K], true where a key lies less than `window` positions before the query."""
        return self.key[:, None, :] > (self.query - window)[:, :, None]


@dataclass(frozen=True)
class Attention:
    """How a backbone's layers attend.

    Attributes:
        window: sliding window length (a key is seen if ``0 <= query - key < window``), or None.
        mixed: whether some layers are sliding and some full; then the backbone takes both masks.
        additive: whether masks are added to the scores (eager) or boolean (SDPA).
    """

    window: int | None
    mixed: bool
    additive: bool

    @classmethod
    def of(cls, config: object, implementation: str) -> Attention:
        """Read it off a Hugging Face configuration.

        Raises:
            ClinpromptError: CP-BACK-010 for layers that are neither full nor sliding attention.
        """
        window = getattr(config, "sliding_window", None)
        types = set(getattr(config, "layer_types", None) or [])
        unknown = types - {"full_attention", "sliding_attention"}
        if unknown:
            raise ClinpromptError(
                "CP-BACK-010",
                f"backbone has layers of type {', '.join(sorted(unknown))}",
                hint="only full and sliding-window attention can be prompted exactly",
            )
        if types == {"full_attention"}:
            window = None
        return cls(window, len(types) == 2, implementation == "eager")

    def masks(self, visible: Tensor, distance: Distance, dtype: torch.dtype) -> Tensor | dict:
        """What the backbone is given: one mask [B, 1, Q, K], or one per layer type.

        Args:
            visible: [B, Q, K], who sees whom before windows.
            distance: between queries and keys.
            dtype: of the backbone, for additive masks.
        """
        if self.window is None:
            return self._finish(visible, dtype)
        near = self._finish(visible & distance.below(self.window), dtype)
        if not self.mixed:
            return near
        return {"full_attention": self._finish(visible, dtype), "sliding_attention": near}

    def _finish(self, visible: Tensor, dtype: torch.dtype) -> Tensor:
        visible = visible[:, None]
        if not self.additive:
            return visible
        hidden = torch.finfo(dtype).min
        return torch.zeros(visible.shape, dtype=dtype, device=visible.device).masked_fill(
            ~visible, hidden
        )


def visibility(
    query: Tensor, key: Tensor, key_valid: Tensor, *, until: Tensor | None = None
) -> tuple[Tensor, Distance]:
    """Causal visibility by position.

    The last Q key columns are the queries themselves. A padding query sees itself, so that no
    softmax is empty; what it computes is never read.

    Branches: columns that continue one text in different ways stand in one row, depth first, so
    that what stands under a column is a run of columns behind it. `until` says where that run
    ends. A query sees a column if it is that column, or stands in its run.

    Args:
        query: [B, Q] positions of the queries.
        key: [B, K] positions of the keys.
        key_valid: [B, K] False for padding.
        until: [B, K] key column at which the run of each key ends; None if nothing branches.

    Returns:
        visible [B, Q, K], and the distances for `Attention.masks`.
    """
    visible = key[:, None, :] <= query[:, :, None]
    visible &= key_valid[:, None, :]
    count, columns = query.shape[1], key.shape[1]
    if until is not None:
        every = torch.arange(columns, device=key.device)
        own = every[columns - count :, None]
        visible &= every <= own
        visible &= own < until[:, None, :]
    itself = visible[:, :, columns - count :].diagonal(dim1=1, dim2=2)
    itself |= ~key_valid[:, columns - count :]
    return visible, Distance(query, key)
