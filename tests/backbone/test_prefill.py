"""Rows read in pieces against rows read in one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from clinprompt.backbone import decode, engine, prefill
from clinprompt.backbone.engine import Prefix, Rows, Soft
from clinprompt.backbone.keyvalues import PrefixKV
from clinprompt.backbone.layout import Layout
from clinprompt.backbone.lean import attention as lean
from clinprompt.backbone.model import Backbone
from tests.backbone import tiny

ARCHITECTURES = sorted(tiny.CONFIGS)
FIXED = [[1, 2, 3], [4, 5, 6, 7, 8, 9, 10], [11]]
TEXT = st.lists(st.integers(0, 255), min_size=1, max_size=40)
ROWS = st.lists(st.tuples(TEXT, st.integers(0, 2)), min_size=1, max_size=5)


@cache
def backbone_of(architecture: str) -> Backbone:
    return tiny.backbone(architecture)


def prompts() -> torch.Tensor:
    return torch.randn(3, 5, 32, generator=torch.Generator().manual_seed(1)) * 0.4


@cache
@torch.no_grad()
def prefix_of(architecture: str) -> Prefix:
    return engine.prefix(backbone_of(architecture), list(prompts()), FIXED)


@contextmanager
def pieces(columns: int, seen: int = 1) -> Iterator[None]:
    """Pieces of so many columns, or as many as a mask of `seen` entries has room for; attention in
    parts of 16 queries."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lean, "MOST_KEPT", 0)
        patch.setattr(lean, "_PART", 1)
        patch.setattr(prefill, "_MOST_SEEN", {"cpu": seen})
        patch.setattr(prefill, "_FEWEST", columns)
        yield


def close(found: torch.Tensor, expected: torch.Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@settings(max_examples=12)
@given(ROWS, st.integers(1, 40), st.sampled_from([1, 400, 4000]), st.booleans())
@torch.no_grad()
def test_states_keys_and_values_are_those_of_one_piece(
    architecture: str, asked: list[Any], columns: int, seen: int, soft: bool
) -> None:
    backbone, before = backbone_of(architecture), prefix_of(architecture)
    rows = Rows.of([text for text, _ in asked], [task for _, task in asked], backbone.device)
    if soft:
        lengths = torch.tensor([3, 1])
        of = torch.arange(len(asked)) % 2
        own = prompts()[:2, :3]
        rows.soft = Soft(own, torch.minimum(lengths, rows.lengths.min()), of)
    caches = [PrefixKV(before.layers, rows.task, keep=True) for _ in range(2)]
    expected = engine.hidden(backbone, before, rows, cache=caches[0])
    places = torch.tensor([(b, k) for b, (text, _) in enumerate(asked) for k in range(len(text))])
    order = torch.randperm(len(places), generator=torch.Generator().manual_seed(0))
    read = places[order, 0], places[order, 1]
    with pieces(columns, seen):
        whole = engine.hidden(backbone, before, rows, cache=caches[1])
        some = engine.hidden(backbone, before, rows, read=read)
    close(whole[read], expected[read])
    close(some, expected[read])
    assert len(caches[1].layers) == len(caches[0].layers)
    for ours, theirs in zip(caches[1].layers, caches[0].layers, strict=True):
        for mine, other in zip(ours, theirs, strict=True):
            assert mine.shape == other.shape
            assert torch.isfinite(mine).all()
            close(mine.transpose(1, 2)[read], other.transpose(1, 2)[read])


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@torch.no_grad()
def test_prefixes_are_those_of_one_piece(architecture: str) -> None:
    backbone, whole = backbone_of(architecture), prefix_of(architecture)
    with pieces(4):
        found = engine.prefix(backbone, list(prompts()), FIXED)
    assert torch.equal(found.lengths, whole.lengths)
    for ours, theirs in zip(found.layers, whole.layers, strict=True):
        for mine, other in zip(ours, theirs, strict=True):
            assert mine.shape == other.shape
            for task, length in enumerate(whole.lengths.tolist()):
                close(mine[task, :, :length], other[task, :, :length])


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_decoding_goes_on_behind_pieces(architecture: str) -> None:
    backbone, before = backbone_of(architecture), prefix_of(architecture)
    inputs = [list(range(30, 53)), [5], list(range(100, 111))]
    arguments: Any = {"stops": frozenset({257}), "max_new": [9, 9, 9]}
    expected = decode.greedy(backbone, before, inputs, [0, 1, 2], **arguments)
    with pieces(5):
        found = decode.greedy(backbone, before, inputs, [0, 1, 2], **arguments)
    assert [one.ids for one in found] == [one.ids for one in expected]


class Seen:
    """`Backbone.run`, noting the shape of what goes through it."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.shapes: list[tuple[int, int]] = []
        inner = Backbone.run

        def run(backbone: Backbone, embeddings: torch.Tensor, *rest: Any, **more: Any) -> Any:
            self.shapes.append((embeddings.shape[0], embeddings.shape[1]))
            return inner(backbone, embeddings, *rest, **more)

        patch.setattr(Backbone, "run", run)


@torch.no_grad()
def test_rows_that_have_ended_are_not_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    backbone, before = backbone_of("llama"), prefix_of("llama")
    rows = Rows.of([[1] * 3, [2] * 30, [3] * 9], [0, 1, 2], backbone.device)
    seen = Seen(monkeypatch)
    with pieces(4):
        engine.hidden(backbone, before, rows)
    assert seen.shapes == [(3, 4), (2, 4), (2, 4), *[(1, 4)] * 4, (1, 2)]


@torch.no_grad()
def test_pieces_grow_as_rows_end(monkeypatch: pytest.MonkeyPatch) -> None:
    backbone, before = backbone_of("llama"), prefix_of("llama")
    rows = Rows.of([[1] * 3, [2] * 300, [3] * 9], [0, 1, 2], backbone.device)
    seen, keys = Seen(monkeypatch), 300 + before.layers[0][0].shape[2]
    with pieces(4, seen=60 * keys):
        engine.hidden(backbone, before, rows)
    assert seen.shapes == [(3, 20), *[(1, 60)] * 4, (1, 40)]


def test_short_rows_and_rows_with_gradients_go_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    backbone, before = backbone_of("llama"), prefix_of("llama")
    rows = Rows.of([[1] * 30, [2] * 20], [0, 1], backbone.device)
    seen = Seen(monkeypatch)
    with torch.no_grad():
        engine.hidden(backbone, before, rows)
    with pieces(4):
        engine.hidden(backbone, before, rows)
    assert seen.shapes == [(2, 30), (2, 30)]


def test_a_long_note_is_cut_so_that_its_mask_stays_small() -> None:
    backbone = backbone_of("llama")
    positions = torch.arange(8000)[None]
    laid = Layout(100, positions, positions >= 0)
    with torch.no_grad():
        assert prefill.needed(backbone, laid)
    assert not prefill.needed(backbone, laid)  # with gradients
    columns = prefill.piece_length(backbone, 1, 8000)
    assert 256 <= columns <= 1024
    assert laid.mask(backbone, 0, columns).numel() <= 2**22
