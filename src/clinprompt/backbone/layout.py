"""Where the columns of a batch stand: positions, padding, branches.

Shapes: B rows, S columns of the prefix, L of the longest row.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from clinprompt.backbone.masks import visibility
from clinprompt.backbone.model import Backbone
from clinprompt.backbone.sight import Unwritten


@dataclass
class Layout:
    """The columns ``[prefix | row]`` of a batch, as masks are made from them.

    Attributes:
        prefix: S.
        positions: [B, S + L].
        valid: [B, S + L], False for padding.
        until: [B, S + L] or None, as `visibility` takes it.
        tokens: how many of the rows' own columns are no padding, if that is known without asking
            the device.
    """

    prefix: int
    positions: Tensor
    valid: Tensor
    until: Tensor | None = None
    tokens: int | None = None

    @property
    def length(self) -> int:
        """L."""
        return self.positions.shape[1] - self.prefix

    @property
    def own(self) -> tuple[Tensor, Tensor]:
        """Positions and validity [B, L] of the rows' own columns."""
        return self.positions[:, self.prefix :], self.valid[:, self.prefix :]

    def mask(
        self,
        backbone: Backbone,
        first: int = 0,
        last: int | None = None,
        rows: Tensor | None = None,
    ) -> Tensor | dict | Unwritten:
        """The mask of the rows' own columns first to last, for them and all that stands before.

        Args:
            last: None is L.
            rows: only these rows of the batch.
        """
        end = self.prefix + (self.length if last is None else last)
        positions, valid = self.positions[:, :end], self.valid[:, :end]
        until = None if self.until is None else self.until[:, :end]
        if rows is not None:
            positions, valid = positions[rows], valid[rows]
            until = None if until is None else until[rows]
        queries = positions[:, self.prefix + first :]
        if backbone.unwritten:
            whole = first == 0 and end == self.positions.shape[1] and rows is None
            return Unwritten(queries, positions, valid, until, self.tokens if whole else None)
        visible, distance = visibility(queries, positions, valid, until=until)
        return backbone.attention.masks(visible, distance, backbone.dtype)
