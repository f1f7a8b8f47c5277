"""Constrained rows beside free ones."""

from __future__ import annotations

import math
from collections.abc import Collection

import pytest
import torch
from torch import Tensor

from clinprompt.backbone import decode, engine
from clinprompt.backbone.decode import Generated
from tests.backbone import tiny

END = 257
STOPS = frozenset({END})
INPUTS = [[5, 9, 200, 31], [77], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11], [40, 41]]
TASK = [0, 1, 1, 0]


class Among:
    """Only some tokens, and none twice."""

    def __init__(self, allowed: Collection[int], masked: bool = True) -> None:
        self.allowed, self.masked, self.taken = set(allowed), masked, set[int]()

    def mask(self) -> Tensor | None:
        if not self.masked:
            return None
        mask = torch.zeros(tiny.VOCABULARY, dtype=torch.bool)
        mask[list(self.allowed)] = True
        return mask

    def advance(self, token: int) -> bool:
        if token not in self.allowed or token in self.taken:
            return False
        self.taken.add(token)
        return True


def run(backbone, rows, constraints, most=8) -> list[Generated]:
    soft = list(torch.randn(2, 5, 32, generator=torch.Generator().manual_seed(3)))
    before = engine.prefix(backbone, soft, [[3, 4], [7, 8, 9]])
    return decode.greedy(
        backbone,
        before,
        [INPUTS[i] for i in rows],
        [TASK[i] for i in rows],
        stops=STOPS,
        max_new=[most] * len(rows),
        constraints=constraints,
    )


ALLOWED = [range(10, 40), None, (60, 61, 62), range(250)]


def held(rows, **options) -> list[Among | None]:
    return [None if ALLOWED[i] is None else Among(ALLOWED[i], **options) for i in rows]


@pytest.mark.parametrize("architecture", sorted(tiny.CONFIGS))
def test_a_held_row_is_the_same_alone_and_in_any_batch(architecture: str) -> None:
    backbone = tiny.backbone(architecture)
    every = list(range(len(INPUTS)))
    together = run(backbone, every, held(every))
    for order in ([3, 2, 1, 0], [2, 0], [0], [1], [2], [3]):
        for row, found in zip(order, run(backbone, order, held(order)), strict=True):
            assert found.ids == together[row].ids
            assert found.logprobs == pytest.approx(together[row].logprobs, abs=1e-3)
    assert together[1].ids == run(backbone, [1], None)[0].ids
    for row in (0, 2, 3):
        assert set(together[row].ids) <= set(ALLOWED[row])
        assert len(set(together[row].ids)) == len(together[row].ids)


def test_what_is_refused_gives_way_to_the_next_best_token() -> None:
    backbone = tiny.backbone("llama")
    masked, refused = (run(backbone, [0], held([0], masked=m))[0] for m in (True, False))
    assert masked.ids == refused.ids
    assert masked.logprobs == pytest.approx(refused.logprobs)


def test_a_row_that_nothing_can_follow_ends_there() -> None:
    backbone = tiny.backbone("llama")
    short, other = run(backbone, [2, 1], [Among((60, 61)), None])
    assert sorted(short.ids) == [60, 61]
    assert other.ids == run(backbone, [1], None)[0].ids
    assert run(backbone, [2], [Among(())])[0] == Generated()


def test_probabilities_are_the_backbones_own() -> None:
    backbone = tiny.backbone("llama")
    free = run(backbone, [0], None, most=1)[0]
    among = run(backbone, [0], [Among(free.ids)], most=1)[0]
    assert among.ids == free.ids
    assert among.logprobs == pytest.approx(free.logprobs)  # not 0: others were probable too
    soft = torch.randn(2, 5, 32, generator=torch.Generator().manual_seed(3))[0]
    logits = tiny.naive_logits(backbone, soft, [3, 4, *INPUTS[0]])[-1]
    expected = float(logits.detach().log_softmax(-1)[free.ids[0]])
    assert free.logprobs == [pytest.approx(expected, abs=1e-4)]
    assert math.exp(expected) < 1


def test_nan_ends_a_row_and_is_seen() -> None:
    backbone = tiny.backbone("llama")
    with torch.no_grad():
        backbone.model.get_output_embeddings().weight[7] = math.nan
    for constraints in (None, [Among(range(250))]):
        found = run(backbone, [0], constraints)[0]
        assert len(found.ids) == 1 and math.isnan(found.logprobs[0])
