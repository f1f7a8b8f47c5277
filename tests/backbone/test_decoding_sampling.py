"""Draws: by their shares, the same again, and the same in any company."""

from __future__ import annotations

import math
from collections import Counter
from random import Random
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from clinprompt.backbone.decoding import Ask, Decoder, Generated, Sampling, Settings, generate
from clinprompt.backbone.decoding.sampling import choose, draw
from clinprompt.errors import ClinpromptError
from tests.backbone.test_decode import Among
from tests.backbone.test_decoding_scheduler import STOPS, asks_of, ready, some

LOGITS = torch.tensor([[2.0, 0.5, -1.0, 1.0, -3.0]])


def reference(logits: list[float], sampling: Sampling) -> list[float]:
    """Shares of the candidates, step by step, in plain numbers."""
    weights = [math.exp(value / sampling.temperature) for value in logits]
    order = sorted(range(len(logits)), key=lambda i: -weights[i])
    kept = order[: sampling.top_k]
    total, reached, candidates = sum(weights[i] for i in kept), 0.0, []
    for i in kept:
        if reached >= sampling.top_p:
            break
        candidates.append(i)
        reached += weights[i] / total
    total = sum(weights[i] for i in candidates)
    return [weights[i] / total if i in candidates else 0.0 for i in range(len(logits))]


@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(),
        Sampling(0.5),
        Sampling(3.0),
        Sampling(top_k=1),
        Sampling(top_k=3),
        Sampling(top_p=0.9),
        Sampling(top_p=0.01),
        Sampling(1.3, top_k=4, top_p=0.8),
        Sampling(top_k=100),
    ],
)
def test_tokens_are_drawn_by_their_shares(sampling: Sampling) -> None:
    expected = reference(LOGITS[0].tolist(), sampling)
    count = 4000
    chances = [(i + 0.5) / count for i in range(count)]  # each part of [0, 1) alike
    found = Counter(draw(LOGITS.expand(count, -1), sampling, chances).tolist())
    for token, share in enumerate(expected):
        assert found[token] / count == pytest.approx(share, abs=2 / count)


@given(
    st.lists(st.floats(-20, 20), min_size=1, max_size=600),
    st.floats(0, 1, exclude_max=True),
    st.floats(0.05, 5),
    st.floats(0.01, 1),
    st.none() | st.integers(1, 700),
)
def test_what_is_drawn_is_a_candidate(
    logits: list[float], chance: float, temperature: float, top_p: float, top_k: int | None
) -> None:
    sampling = Sampling(temperature, top_k, top_p)
    values = torch.tensor([logits])
    token = int(draw(values, sampling, [chance])[0])
    above = int((values[0] > values[0, token]).sum())
    assert above < (top_k or len(logits))
    weights = torch.softmax(values[0].double() / temperature, 0)
    if top_k is None:  # all that is better adds up to less than top_p
        assert float(weights[values[0] > values[0, token]].sum()) < top_p + 1e-5


def test_a_wide_choice_is_drawn_from_whole() -> None:
    """More candidates than are looked at first."""
    logits = torch.zeros(1, 2000)
    found = [int(draw(logits, Sampling(top_p=0.9), [i / 100])[0]) for i in range(100)]
    assert len(set(found)) == 100
    draws = draw(logits.expand(1900, -1), Sampling(top_p=0.9), [i / 1900 for i in range(1900)])
    # 1800 of equal chance add up to 0.9; rounding decides about the one at the border.
    assert len(set(draws.tolist())) in (1800, 1801)


def test_the_last_bit_of_chance_is_no_token_beyond_the_end() -> None:
    logits = torch.tensor([[0.0, 0.0, -math.inf]])
    assert int(draw(logits, Sampling(), [math.nextafter(1, 0)])[0]) == 1
    assert int(draw(logits, Sampling(), [0.0])[0]) == 0


@pytest.mark.parametrize("architecture", ["llama", "gpt_oss"])
@pytest.mark.parametrize("sampling", [Sampling(1.0), Sampling(0.8, top_k=20, top_p=0.9)])
def test_a_rows_draws_do_not_depend_on_its_batch(architecture: str, sampling: Sampling) -> None:
    backbone, before = ready(architecture)
    rows = some(7, 21)
    asks = [
        Ask(i, before, 12, task=t, seed=n) for n, (i, t, _) in enumerate(zip(*rows, strict=True))
    ]
    settings: dict[str, Any] = {"stops": STOPS, "sampling": sampling}
    together = generate(backbone, asks, Settings(**settings))
    assert generate(backbone, asks, Settings(**settings)) == together
    for slots in (1, 3):
        found = generate(backbone, asks[::-1], Settings(**settings, slots=slots))[::-1]
        assert [one.ids for one in found] == [one.ids for one in together]
    other = [Ask(a.ids, before, 12, task=a.task, seed=a.seed + 100) for a in asks]
    assert [one.ids for one in generate(backbone, other, Settings(**settings))] != [
        one.ids for one in together
    ]


def test_probabilities_are_the_backbones_own_at_any_temperature() -> None:
    logits = LOGITS.clone()
    ((token, logprob),) = choose(logits, [None], Sampling(5.0, top_k=2), [Random(3)])
    assert token is not None
    assert logprob == pytest.approx(float(LOGITS.log_softmax(-1)[0, token]))


def test_the_best_token_is_drawn_when_it_is_cold() -> None:
    backbone, before = ready("qwen3")
    asks = asks_of(before, some(5, 8))
    cold = generate(backbone, asks, Settings(STOPS, Sampling(1e-4)))
    assert [one.ids for one in cold] == [
        one.ids for one in generate(backbone, asks, Settings(STOPS))
    ]


@pytest.mark.parametrize("masked", [True, False])
def test_held_rows_draw_from_what_is_left_by_their_shares(masked: bool) -> None:
    """By a mask, or by refusing: the same distribution."""
    count = 3000
    logits = LOGITS.expand(count, -1).clone()
    found = Counter()
    for row in range(count):
        held = Small((1, 2, 3), masked)
        ((token, _),) = choose(logits[row : row + 1], [held], Sampling(), [Random(row)])
        found[token] += 1
    weights = LOGITS[0, 1:4].softmax(-1).tolist()
    for token, share in zip((1, 2, 3), weights, strict=True):
        assert found[token] / count == pytest.approx(share, abs=0.03)
    assert choose(LOGITS.clone(), [Small((), masked)], Sampling(), [Random(0)])[0][0] is None


class Small(Among):
    """For the five tokens here."""

    def mask(self) -> torch.Tensor | None:
        if not self.masked:
            return None
        return torch.tensor([token in self.allowed for token in range(5)])


def test_nan_is_seen_when_drawing() -> None:
    ((_, logprob),) = choose(torch.full((1, 5), math.nan), [None], Sampling(), [Random(0)])
    assert math.isnan(logprob)


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"temperature": 0.0}, "CP-BACK-100"),
        ({"temperature": -1.0}, "CP-BACK-100"),
        ({"temperature": math.nan}, "CP-BACK-100"),
        ({"temperature": math.inf}, "CP-BACK-100"),
        ({"top_k": 0}, "CP-BACK-101"),
        ({"top_p": 0.0}, "CP-BACK-102"),
        ({"top_p": 1.1}, "CP-BACK-102"),
    ],
)
def test_what_can_not_be_drawn_with_is_refused(values: dict[str, Any], code: str) -> None:
    with pytest.raises(ClinpromptError, match=code):
        Sampling(**values)


def test_decoders_share_nothing() -> None:
    backbone, before = ready("llama")
    one, other = (Decoder(backbone, Settings(STOPS, Sampling())) for _ in range(2))
    asks = asks_of(before, some(4, 4), seed=5)
    first: list[Generated] = one.generate(asks)
    one.generate(asks)
    assert other.generate(asks) == first
