"""Updates beside the weights: every row as if its own were in the weights, and it were alone."""

from __future__ import annotations

import pytest
import torch

from clinprompt.backbone import answers, engine, prefill, updates
from clinprompt.backbone.decoding import Ask, Decoder, Settings
from tests.backbone import tiny
from tests.backbone.test_updates import update_of

ROWS = [[5, 9, 33, 2, 71], [8, 8, 40], [17, 3, 90, 12, 4, 66, 21, 50], [61, 7]]
FIXED = [[3, 4, 5], [6, 7, 8, 9], [10], [11, 12]]
OPTIONS = [[7, 3], [7, 4, 9], [60]]
ALL = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


def given(backbone):
    """Three updates of other ranks, strengths and layers, by number; row 2 has none."""
    names = {name.split(".")[-1] for name, _ in backbone.model.named_modules()}
    layers = tuple(name for name in ALL if name in names)
    if len(layers) < 2:
        pytest.skip("no layers of these names")
    return {
        4: update_of(backbone, rank=1, alpha=2.0, layers=layers, seed=1),
        9: update_of(backbone, rank=3, alpha=3.0, layers=layers[:2], seed=2),
        5: update_of(backbone, rank=2, alpha=1.0, layers=layers[-1:], seed=3),
    }


OF = [4, 9, -1, 5]


def alone(backbone, known, number, what):
    """What `what` gives with one update in the weights."""
    with updates.at_work(backbone, known.get(number)):
        return what(None)


def together(backbone, known, what):
    with updates.standing(backbone, updates.beside(backbone, known)):
        return what(OF)


def states(backbone, rows, fixed):
    def run(changes):
        before = engine.prefix(backbone, [None] * len(rows), fixed, changes)
        batch = engine.Rows.of(rows, range(len(rows)), backbone.device)
        found = engine.hidden(backbone, before, batch)
        return [found[i, : len(row)] for i, row in enumerate(rows)]

    return run


@pytest.mark.parametrize("architecture", list(tiny.CONFIGS))
@torch.no_grad()
def test_rows_have_their_own_updates(architecture):
    backbone = tiny.backbone(architecture)
    known = given(backbone)
    bare = states(backbone, ROWS, FIXED)(None)
    mixed = together(backbone, known, states(backbone, ROWS, FIXED))
    for i, number in enumerate(OF):
        (own,) = alone(backbone, known, number, states(backbone, [ROWS[i]], [FIXED[i]]))
        torch.testing.assert_close(mixed[i], own, rtol=1e-3, atol=1e-4)
        assert torch.allclose(mixed[i], bare[i], atol=1e-2) == (number < 0)
    after = states(backbone, ROWS, FIXED)(None)
    assert all(torch.equal(x, y) for x, y in zip(bare, after, strict=True))


@pytest.mark.parametrize("architecture", ["llama", "qwen3", "gpt_oss"])
@torch.no_grad()
def test_options_are_scored_with_them(architecture):
    backbone = tiny.backbone(architecture)
    known = given(backbone)

    def score(rows, fixed):
        def run(changes):
            before = engine.prefix(backbone, [None] * len(rows), fixed, changes)
            options = [OPTIONS] * len(rows)
            return answers.score_options(backbone, before, rows, options, range(len(rows)))

        return run

    mixed = together(backbone, known, score(ROWS, FIXED))
    for i, number in enumerate(OF):
        (own,) = alone(backbone, known, number, score([ROWS[i]], [FIXED[i]]))
        torch.testing.assert_close(mixed[i], own, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("architecture", ["llama", "qwen3", "gpt_oss"])
@torch.no_grad()
def test_rows_are_decoded_with_them(architecture):
    """Rows enter and leave at their own times, so that the live ones' updates change."""
    backbone = tiny.backbone(architecture)
    known = given(backbone)

    def decode(rows, fixed, most):
        def run(changes):
            before = engine.prefix(backbone, [None] * len(rows), fixed, changes)
            asks = [Ask(row, before, most[i], i) for i, row in enumerate(rows)]
            settings = Settings(frozenset(), slots=2)
            return [new.ids for new in Decoder(backbone, settings).generate(asks)]

        return run

    most = [9, 4, 7, 12]
    mixed = together(backbone, known, decode(ROWS, FIXED, most))
    for i, number in enumerate(OF):
        (own,) = alone(backbone, known, number, decode([ROWS[i]], [FIXED[i]], [most[i]]))
        assert mixed[i] == own


@torch.no_grad()
def test_long_rows_are_read_in_pieces_with_them(monkeypatch):
    backbone = tiny.backbone("llama")
    known = given(backbone)
    whole = together(backbone, known, states(backbone, ROWS, FIXED))
    monkeypatch.setattr(prefill, "piece_length", lambda *_: 2)
    pieces = together(backbone, known, states(backbone, ROWS, FIXED))
    for one, other in zip(whole, pieces, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_prefixes_keep_their_updates_whatever_becomes_of_them():
    backbone = tiny.backbone("llama")
    known = given(backbone)
    with updates.standing(backbone, updates.beside(backbone, known)):
        single = [
            engine.prefix(backbone, [None], [fixed], None if number < 0 else [number])
            for fixed, number in zip(FIXED, OF, strict=True)
        ]
        joined = engine.joined(single)
    assert joined.changes == tuple(OF)
    assert joined.select([3, 0, 3]).changes == (5, 4, 5)
    assert [one.changes for one in joined.apart()] == [(4,), (9,), (-1,), (5,)]
    assert engine.joined([single[2], single[2]]).changes is None
    assert single[0].followed(single[0]).changes == (4,)


@torch.no_grad()
def test_a_prefix_is_not_read_without_its_update():
    backbone = tiny.backbone("llama")
    with updates.standing(backbone, updates.beside(backbone, given(backbone))):
        before = engine.prefix(backbone, [None], [FIXED[0]], [4])
    with pytest.raises(ValueError, match="updates"):
        engine.hidden(backbone, before, engine.Rows.of([ROWS[0]], [0], backbone.device))


def test_small_changes_are_not_lost_in_few_bits():
    """In the weights, what is far smaller than a weight is rounded away."""
    backbone = tiny.backbone("llama")
    backbone.model.to(torch.bfloat16)
    linear = next(iter(updates.sites(backbone.model, ("o_proj",)).values()))
    update = update_of(backbone, rank=1, alpha=1.0, layers=("o_proj",))
    update.values.mul_(0.03)
    x = torch.randn(4, linear.in_features, generator=torch.Generator().manual_seed(0))
    a, b = next(iter(updates.factors(backbone, update).values()))
    exact = x @ a.T @ b.T
    pair = updates.beside(backbone, {0: update}).pairs(torch.zeros(4, dtype=torch.long))[linear]
    beside = (x @ pair.a.T * pair.scale) @ pair.b.T
    before = linear.weight.float()
    with updates.at_work(backbone, update):
        merged = x @ (linear.weight.float() - before).T
    torch.testing.assert_close(beside, exact)
    assert float((merged - exact).norm() / exact.norm()) > 0.1


def test_only_updates_that_occur_are_computed():
    backbone = tiny.backbone("llama")
    known = given(backbone)
    own = updates.beside(backbone, known)
    q_proj, down_proj = (updates.sites(backbone.model, (name,)) for name in ("q_proj", "down_proj"))
    first = own.pairs(torch.tensor([9, -1, 9]))
    assert {len(first[linear].a) for linear in q_proj.values()} == {3}
    assert not any(linear in first for linear in down_proj.values())
    assert next(iter(first.values())).scale.tolist() == [[1.0] * 3, [0.0] * 3, [1.0] * 3]
    both = own.pairs(torch.tensor([4, 5]))
    assert {tuple(both[linear].scale.flatten().tolist()) for linear in down_proj.values()} == {
        (1.0, 0.0, 0.0, 0.0, 1.0, 1.0)
    }
    assert own.pairs(torch.tensor([-1])) == {}
