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

    def masks(self, visible: Tensor, distance: Tensor, dtype: torch.dtype) -> Tensor | dict:
        """What the backbone is given: one mask [B, 1, Q, K], or one per layer type.

        Args:
            visible: [B, Q, K], who sees whom before windows.
            distance: [B, Q, K], query position minus key position.
            dtype: of the backbone, for additive masks.
        """
        full = self._finish(visible, dtype)
        if self.window is None:
            return full
        near = self._finish(visible & (distance < self.window), dtype)
        return {"full_attention": full, "sliding_attention": near} if self.mixed else near

    def _finish(self, visible: Tensor, dtype: torch.dtype) -> Tensor:
        visible = visible[:, None]
        if not self.additive:
            return visible
        hidden = torch.finfo(dtype).min
        return torch.zeros(visible.shape, dtype=dtype, device=visible.device).masked_fill(
            ~visible, hidden
        )


def visibility(
    query: Tensor,
    key: Tensor,
    key_valid: Tensor,
    *,
    query_segment: Tensor | None = None,
    key_segment: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Causal visibility by position.

    The last Q key columns are the queries themselves. A padding query sees itself, so that no
    softmax is empty; what it computes is never read.

    Args:
        query: [B, Q] positions of the queries.
        key: [B, K] positions of the keys.
        key_valid: [B, K] False for padding.
        query_segment: [B, Q]; segment 0 is common text, others see it and themselves only.
        key_segment: [B, K].

    Returns:
        visible [B, Q, K] and distance [B, Q, K].
    """
    distance = query[:, :, None] - key[:, None, :]
    visible = (distance >= 0) & key_valid[:, None, :]
    if query_segment is not None and key_segment is not None:
        same = query_segment[:, :, None] == key_segment[:, None, :]
        visible &= same | (key_segment == 0)[:, None, :]
    count = query.shape[1]
    own = visible[:, :, -count:].diagonal(dim1=1, dim2=2)
    own |= ~key_valid[:, -count:]
    return visible, torch.where(visible, distance.clamp_min(0), 0)
