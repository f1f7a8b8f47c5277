"""Rules and tables of blocks against the matrix that `masks.visibility` writes out."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from clinprompt.backbone import sight
from clinprompt.backbone.layout import Layout
from clinprompt.backbone.masks import visibility
from clinprompt.backbone.option_tree import tree_of
from clinprompt.backbone.packed import Packing
from clinprompt.backbone.sight import Sight, Unwritten

# Tables are made for small blocks here, so that small batches have many of them.
SMALL = 4


@st.composite
def batches(draw: st.DrawFn) -> tuple[Layout, Tensor, int]:
    """Rows behind prefixes, some of them branching; the index of each row's prefix; T."""
    prefixes = draw(st.lists(st.integers(0, 9), min_size=1, max_size=4))
    texts = draw(st.lists(st.integers(1, 13), min_size=1, max_size=6))
    group = torch.tensor([draw(st.integers(0, len(prefixes) - 1)) for _ in texts])
    branching = draw(st.booleans())
    rows = []
    for text in texts:
        options = draw(
            st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=4), min_size=1, max_size=5)
        )
        tree = tree_of(options if branching else [[0]])
        rows.append(
            (
                [*range(text), *(text + depth for depth in tree.depth)],
                [None] * text + [text + node for node in tree.until],
            )
        )
    s, length = max(prefixes), max(len(row) for row, _ in rows)
    b = len(rows)
    positions, valid = torch.zeros(b, s + length, dtype=torch.long), torch.zeros(b, s + length)
    until = torch.full((b, s + length), s + length)
    until[:, s:] = s  # as `Rows.until` is padded with zeros
    for number, (own, ends) in enumerate(rows):
        k = prefixes[group[number]]
        positions[number, :s] = torch.arange(s)
        positions[number, s : s + len(own)] = k + torch.tensor(own)
        valid[number, :k] = valid[number, s : s + len(own)] = 1
        until[number, s : s + len(own)] = torch.tensor(
            [s + (length if end is None else end) for end in ends]
        )
    tokens = sum(len(own) for own, _ in rows)
    laid = Layout(s, positions, valid.bool(), until if branching else None, tokens)
    return laid, group, len(prefixes)


windows = st.sampled_from([None, 1, 3, 7])


def written(laid: Layout, window: int | None) -> Tensor:
    """[B, Q, K] as the other paths have it."""
    queries = laid.positions[:, laid.prefix :]
    visible, distance = visibility(queries, laid.positions, laid.valid, until=laid.until)
    return visible if window is None else visible & distance.below(window)


def entries(found: Sight, window: int | None) -> Tensor:
    """[B, Q, K] of a rule, asked entry by entry."""
    b, q, k = len(found.position), found.position.shape[1], found.owner.shape[1]
    at = torch.arange(b)[:, None, None], torch.tensor(0), torch.arange(q)[None, :, None]
    return found.rule(window)(*at, torch.arange(k)[None, None]).expand(b, q, k)


def unwritten(laid: Layout) -> Unwritten:
    own = laid.positions[:, laid.prefix :]
    return Unwritten(own, laid.positions, laid.valid, laid.until, laid.tokens)


@settings(max_examples=150, deadline=None)
@given(batches(), windows)
def test_rule_of_rows_that_are_lined_up(
    batch: tuple[Layout, Tensor, int], window: int | None
) -> None:
    laid, _, _ = batch
    ours, known = entries(unwritten(laid).lined_up(), window), written(laid, window)
    real = laid.valid[:, laid.prefix :]
    assert torch.equal(ours[real], known[real])
    assert ours.any(-1).all()  # no softmax is empty


@settings(max_examples=150, deadline=None)
@given(batches(), windows, st.booleans())
def test_rule_of_packed_rows(
    batch: tuple[Layout, Tensor, int], window: int | None, counted: bool
) -> None:
    laid, group, prefixes = batch
    seen = unwritten(laid)
    if not counted:
        seen = Unwritten(seen.query, seen.key, seen.valid, seen.until)
    packing = Packing.of(seen, group, prefixes)
    known, q, s = written(laid, window), packing.shape[1], laid.prefix
    count = int(laid.valid[:, s:].sum())
    assert packing.count == count
    places = packing.places[:count]
    assert sorted(places.tolist()) == laid.valid[:, s:].flatten().nonzero()[:, 0].tolist()
    assert packing.positions.shape[1] % sight.BLOCK == 0
    assert packing.sight.owner.shape[1] % sight.BLOCK == 0
    expected = torch.zeros(count, packing.sight.owner.shape[1], dtype=torch.bool)
    for n, place in enumerate(places.tolist()):
        row, column = divmod(place, q)
        task = int(group[row])
        expected[n, task * s : (task + 1) * s] = known[row, column, :s]
        mine = places // q == row
        own = known[row, column, s:][places % q]
        expected[n, packing.room : packing.room + count] = mine & own
    found = entries(packing.sight, window)[0]
    assert torch.equal(found[:count], expected)
    assert found.any(-1).all()
    assert torch.equal(packing.positions[0, :count], laid.positions[:, s:].flatten()[places])


def test_a_packed_prefix_pass_has_no_keys_in_front() -> None:
    columns = torch.arange(6).expand(3, -1)
    valid = columns < torch.tensor([6, 2, 4])[:, None]
    packing = Packing.of(Unwritten(columns, columns, valid), None, 0)
    assert packing.room == 0
    assert packing.count == 12
    found = entries(packing.sight, None)[0, :12, :12]
    same = packing.places[:12] // 6 == (packing.places[:12] // 6)[:, None]
    assert torch.equal(found, same & torch.ones(12, 12, dtype=torch.bool).tril())


@settings(max_examples=200, deadline=None)
@given(batches(), windows, st.booleans())
def test_table_of_blocks_leaves_nothing_out(
    batch: tuple[Layout, Tensor, int], window: int | None, pack: bool
) -> None:
    laid, group, prefixes = batch
    seen, side = unwritten(laid), sight.BLOCK
    try:
        sight.BLOCK = SMALL
        found = Packing.of(seen, group, prefixes).sight if pack else seen.lined_up()
        some, every = found.table(window)
        mask = found.blocks(window)
    finally:
        sight.BLOCK = side
    visible = entries(found, window)
    q, k = visible.shape[1:]
    whole = torch.nn.functional.pad(visible, (0, -k % SMALL, 0, -q % SMALL))
    cut = whole.unflatten(2, (-1, SMALL)).unflatten(1, (-1, SMALL))
    assert not (cut.any(-1).any(2) & ~some).any()
    assert not (every & ~cut.all(-1).all(2)).any()
    assert not (every & ~some).any()
    assert torch.equal(mask.to_dense()[:, 0].bool(), some)
    assert mask.seq_lengths == (q, k)


def test_table_of_blocks_skips_other_rows_and_what_comes_later() -> None:
    side = sight.BLOCK
    length = 3 * side
    columns = torch.arange(length).expand(4, -1)
    valid = torch.ones(4, length, dtype=torch.bool)
    found = Packing.of(Unwritten(columns, columns, valid, tokens=4 * length), None, 0).sight
    some, every = found.table()
    lower = torch.ones(3, 3, dtype=torch.bool).tril()
    assert torch.equal(some[0], torch.block_diag(*[lower] * 4).bool())
    assert torch.equal(every[0], torch.block_diag(*[lower.tril(-1)] * 4).bool())
    some, every = found.table(side)
    assert int(some.sum()) == 4 * 5  # own block and the one before it
    assert not every.any()


def test_a_prefix_is_whole_blocks_for_all_rows_of_its_task() -> None:
    side = sight.BLOCK
    s, rows = 2 * side, 6
    own = torch.arange(32).expand(rows, -1)
    positions = torch.cat([torch.arange(s).expand(rows, -1), s + own], dim=1)
    seen = Unwritten(positions[:, s:], positions, torch.ones_like(positions, dtype=torch.bool))
    group = torch.tensor([0, 1, 0, 1, 0, 0])
    found = Packing.of(seen, group, 2).sight
    _, every = found.table()
    assert torch.equal(every[0, :, :4], torch.tensor([[True, True, False, False], [False] * 4]))


def test_rows_of_one_task_lie_side_by_side() -> None:
    columns = torch.arange(3).expand(4, -1)
    positions = torch.cat([columns[:, :1], columns + 1], dim=1)
    seen = Unwritten(columns + 1, positions, torch.ones(4, 4, dtype=torch.bool), tokens=12)
    packing = Packing.of(seen, torch.tensor([1, 0, 1, 0]), 2)
    assert packing.places[:12].tolist() == [3, 4, 5, 9, 10, 11, 0, 1, 2, 6, 7, 8]
