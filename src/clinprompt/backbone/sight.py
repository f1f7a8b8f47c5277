"""Who sees whom, kept as the few numbers it follows from instead of a matrix.

`masks.visibility` writes a matrix [B, Q, K] out. Here the same rule stays a rule: a function of a
query's and a key's index, and a table of which blocks of 128 x 128 entries need looking at. Kernels
of torch's FlexAttention skip all other blocks, so rows that share a batch cost nothing for each
other, and a batch can be one packed row of all tokens.

A key is seen if it has the query's owner (its row, or its row's prefix), stands at a position up to
the query's, lies in the window, and, where rows branch, has the query in its run.

Shapes: B rows, Q query columns, K key columns; m, n blocks of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

if TYPE_CHECKING:
    from torch.nn.attention.flex_attention import BlockMask

BLOCK = 128  # entries of a block's side; what the kernels take by default
NOBODY = -1  # owner of keys that no query sees
PADDING = -2  # owner of padding, which sees itself, so that no softmax is empty

MaskMod = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Branches:
    """Columns of rows that continue one text in several ways (`masks.visibility`).

    Attributes:
        query: [B, Q] column of each query in its row.
        key: [B, K] column of each key.
        until: [B, K] column at which the run of each key ends.
    """

    query: Tensor
    key: Tensor
    until: Tensor


@dataclass(frozen=True)
class Sight:
    """What the rule is applied to; all are int32.

    Attributes:
        position: [B, Q] of the queries.
        row: [B, Q] an owner whose keys each query may see.
        task: [B, Q] another one.
        key_position: [B, K] of the keys.
        owner: [B, K] of the keys; `NOBODY` for keys that are never seen.
        branches: where rows branch.
    """

    position: Tensor
    row: Tensor
    task: Tensor
    key_position: Tensor
    owner: Tensor
    branches: Branches | None = None

    def rule(self, window: int | None = None) -> MaskMod:
        """Whether query q of row b sees key k, as a function of indices (b, head, q, k)."""
        position, row, task = self.position, self.row, self.task
        key_position, owner = self.key_position, self.owner

        def causal(b: Tensor, _: Tensor, q: Tensor, k: Tensor) -> Tensor:
            mine = (owner[b, k] == row[b, q]) | (owner[b, k] == task[b, q])
            return mine & (key_position[b, k] <= position[b, q])

        def near(b: Tensor, h: Tensor, q: Tensor, k: Tensor) -> Tensor:
            assert window is not None
            return causal(b, h, q, k) & (key_position[b, k] > position[b, q] - window)

        inner = causal if window is None else near
        if self.branches is None:
            return inner
        column, key_column = self.branches.query, self.branches.key
        until = self.branches.until

        def branching(b: Tensor, h: Tensor, q: Tensor, k: Tensor) -> Tensor:
            here = column[b, q]
            return inner(b, h, q, k) & (key_column[b, k] <= here) & (here < until[b, k])

        return branching

    def blocks(self, window: int | None = None) -> BlockMask:
        """The rule with its table of blocks, as FlexAttention takes it.

        The table is worked out from the least and largest value of each block, without a matrix of
        entries and without waiting for the device. A block that may hold a visible entry is looked
        at; one that is certainly visible throughout is not even asked for.
        """
        from torch.nn.attention.flex_attention import BlockMask

        some, every = self.table(window)
        lengths = self.position.shape[1], self.owner.shape[1]
        return BlockMask.from_kv_blocks(
            *_listed((some & ~every)[:, None]),
            *_listed(every[:, None]),
            BLOCK_SIZE=BLOCK,
            mask_mod=self.rule(window),
            seq_lengths=lengths,
        )

    def masks(self, window: int | None, mixed: bool) -> BlockMask | dict[str, BlockMask]:
        """What the library's decoder takes: one mask, or one by kind of layer.

        Args:
            window: of the layers that have one.
            mixed: whether others have none.
        """
        near = self.blocks(window)
        return {"full_attention": self.blocks(), "sliding_attention": near} if mixed else near

    def table(self, window: int | None = None) -> tuple[Tensor, Tensor]:
        """Blocks [B, m, n] that may hold a visible entry, and those with no hidden one."""
        position, row, task = (_Range.of(x, 2) for x in (self.position, self.row, self.task))
        where, owner = (_Range.of(x, 1) for x in (self.key_position, self.owner))
        some = (owner.high != NOBODY) | (owner.low != NOBODY)
        some = some & (owner.meets(row) | owner.meets(task)) & (where.low <= position.high)
        every = (owner.only(row) | owner.only(task)) & (where.high <= position.low)
        if window is not None:
            some &= where.high > position.low - window
            every &= where.low > position.high - window
        if self.branches is not None:
            column = _Range.of(self.branches.query, 2)
            key, until = (_Range.of(x, 1) for x in (self.branches.key, self.branches.until))
            some &= (key.low <= column.high) & (column.low < until.high)
            every &= (key.high <= column.low) & (column.high < until.low)
        # A block that is cut off at the end is looked at entry by entry.
        whole_q = _whole(self.position.shape[1], some.shape[1], some.device)
        whole_k = _whole(self.owner.shape[1], some.shape[2], some.device)
        return some, every & whole_q[:, None] & whole_k


@dataclass(frozen=True)
class _Range:
    """Least and largest value of each block: [B, m, 1] of queries, [B, 1, n] of keys."""

    low: Tensor
    high: Tensor

    @classmethod
    def of(cls, values: Tensor, dim: int) -> _Range:
        b, length = values.shape
        missing = -length % BLOCK
        if missing:  # the last value again: it changes neither the least nor the largest
            values = torch.cat([values, values[:, -1:].expand(b, missing)], dim=1)
        low, high = values.view(b, -1, BLOCK).aminmax(dim=-1)
        return cls(low.unsqueeze(dim), high.unsqueeze(dim))

    def meets(self, other: _Range) -> Tensor:
        return (self.low <= other.high) & (other.low <= self.high)

    def only(self, other: _Range) -> Tensor:
        one = (self.low == self.high) & (other.low == other.high)
        return one & (self.low == other.low) & (self.low != NOBODY)


def _whole(length: int, blocks: int, device: torch.device) -> Tensor:
    return (torch.arange(blocks, device=device) + 1) * BLOCK <= length


def _listed(blocks: Tensor) -> tuple[Tensor, Tensor]:
    """How many blocks each block of queries looks at, and which, those first."""
    order = torch.argsort(blocks.int(), dim=-1, descending=True, stable=True)
    return blocks.sum(-1, dtype=torch.int32), order.int()


@dataclass(frozen=True)
class Unwritten:
    """What `masks.visibility` is given, not written out yet.

    Attributes:
        query: [B, Q] positions of the queries.
        key: [B, K] positions of the keys; the last Q columns are the queries themselves.
        valid: [B, K] False for padding.
        until: [B, K] or None.
        tokens: how many queries are no padding, where that is known without asking the device.
    """

    query: Tensor
    key: Tensor
    valid: Tensor
    until: Tensor | None = None
    tokens: int | None = None

    @property
    def before(self) -> int:
        """Key columns in front of the queries' own."""
        return self.key.shape[1] - self.query.shape[1]

    def lined_up(self) -> Sight:
        """The rule for queries and keys as they lie: [B, Q, K]."""
        s, columns = self.before, self.key.shape[1]
        own = self.valid[:, s:]
        group = torch.where(own, 0, PADDING).int()
        owner = torch.cat([torch.where(self.valid[:, :s], 0, NOBODY).int(), group], dim=1)
        branches = None
        if self.until is not None:
            every = torch.arange(columns, device=self.key.device, dtype=torch.int32)
            every = every.expand(len(self.key), -1)
            # Padding has no run of its own.
            until = torch.where(self.valid, self.until, columns).int()
            branches = Branches(every[:, s:].contiguous(), every.contiguous(), until)
        return Sight(self.query.int(), group, group, self.key.int(), owner, branches)


def rounded(count: int) -> int:
    """The next whole number of blocks."""
    return count + -count % BLOCK


def filled(values: Tensor, length: int, value: int) -> Tensor:
    """[n] with a value behind it, up to `length`."""
    return F.pad(values, (0, length - values.shape[0]), value=value)
