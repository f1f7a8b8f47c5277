from __future__ import annotations

from collections import Counter, defaultdict
from math import gcd
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinprompt.errors import ClinpromptError
from clinprompt.training.sampler import Sampler, mixing_weights

SIZES = st.lists(st.integers(1, 9), min_size=2, max_size=6)


@st.composite
def arguments(draw: st.DrawFn, stochastic: bool | None = None) -> dict[str, Any]:
    sizes = draw(SIZES)
    chosen: dict[str, Any] = {
        "sizes": sizes,
        "steps": draw(st.integers(1, 12)),
        "rows": draw(st.integers(1, 12)),
        "seed": draw(st.integers(0, 2**40)),
    }
    if draw(st.booleans()) if stochastic is None else stochastic:
        chosen["kappa"] = draw(st.integers(2, 8))
        rule = draw(st.sampled_from(["equal", "proportional", "sqrt", "log", "temperature"]))
        chosen["weights"] = mixing_weights(sizes, rule)
    else:
        chosen["per_step"] = draw(st.none() | st.integers(1, 8))
    return chosen


def steps_of(sampler: Sampler) -> list[list[Any]]:
    return [sampler[step] for step in range(sampler.steps)]


@given(arguments(), st.randoms(use_true_random=False))
def test_a_pure_function_of_seed_and_step(chosen: dict[str, Any], random_: Any) -> None:
    forward = steps_of(Sampler(**chosen))
    other = Sampler(**chosen)
    order = list(range(chosen["steps"]))
    random_.shuffle(order)
    assert {step: other[step] for step in order} == dict(enumerate(forward))


def test_another_seed_gives_other_batches_and_a_longer_stage_the_same() -> None:
    def make(**changes: Any) -> list[list[Any]]:
        return steps_of(
            Sampler([50, 60, 70], **({"steps": 5, "rows": 8, "seed": 1, "kappa": 3} | changes))
        )

    assert make() != make(seed=2)
    assert make(steps=9)[:5] == make()


@given(arguments())
def test_every_example_of_a_task_once_before_any_again(chosen: dict[str, Any]) -> None:
    sampler = Sampler(**chosen)
    seen: dict[int, list[int]] = defaultdict(list)
    for draws in steps_of(sampler):
        for draw in draws:
            seen[draw.task] += draw.examples
    for task, order in seen.items():
        size = chosen["sizes"][task]
        assert int(sampler.drawn[task]) == len(order)
        for begin in range(0, len(order), size):
            epoch = order[begin : begin + size]
            assert len(set(epoch)) == len(epoch)
            assert set(epoch) <= set(range(size))


def test_epochs_have_orders_of_their_own() -> None:
    sampler = Sampler([20, 20], steps=6, rows=20, seed=0, per_step=1)
    orders = [draws[0].examples for draws in steps_of(sampler) if draws[0].task == 0]
    assert len(orders) == len(set(orders)) == 3


@given(arguments())
def test_rows_are_filled_evenly_and_no_task_stands_twice(chosen: dict[str, Any]) -> None:
    for draws in steps_of(Sampler(**chosen)):
        shares = [len(draw.examples) for draw in draws]
        assert sum(shares) == chosen["rows"]
        assert max(shares) - min(shares) <= 1
        assert min(shares) >= 1
        tasks = [draw.task for draw in draws]
        assert len(set(tasks)) == len(tasks)


@given(arguments(stochastic=True))
def test_between_two_and_kappa_tasks(chosen: dict[str, Any]) -> None:
    most = min(chosen["kappa"], len(chosen["sizes"]), chosen["rows"])
    for draws in steps_of(Sampler(**chosen)):
        assert min(2, most) <= len(draws) <= most


def test_the_number_of_tasks_is_uniform_on_two_to_kappa() -> None:
    sampler = Sampler([5] * 6, steps=2000, rows=6, seed=0, kappa=5)
    counts = Counter(len(draws) for draws in steps_of(sampler))
    assert sorted(counts) == [2, 3, 4, 5]
    for count in counts.values():  # 500 expected; five standard deviations are 97
        assert abs(count - 500) < 97


@settings(max_examples=50)
@given(arguments(stochastic=False))
def test_turns_take_every_task_equally_often(chosen: dict[str, Any]) -> None:
    count = len(chosen["sizes"])
    per_step = min(chosen["per_step"] or count, count, chosen["rows"])
    cycle = count // gcd(count, per_step)
    sampler = Sampler(**{**chosen, "steps": 3 * cycle})
    taken = Counter(draw.task for draws in steps_of(sampler) for draw in draws)
    assert set(taken.values()) == {3 * per_step * cycle // count}
    assert set(taken) == set(range(count))


def test_first_tasks_follow_the_mixing_weights() -> None:
    sizes = [10, 1000, 100]
    weights = mixing_weights(sizes, "sqrt")
    sampler = Sampler(sizes, steps=3000, rows=2, seed=5, kappa=2, weights=weights)
    first = Counter(draws[0].task for draws in steps_of(sampler))
    for task, weight in enumerate(weights):
        expected = 3000 * weight
        assert abs(first[task] - expected) < 5 * (expected * (1 - weight)) ** 0.5


def test_mixing_weights_are_the_formulas() -> None:
    sizes = [8, 64, 1000]
    capped = [8.0, 64.0, 500.0]
    formulas = {
        "equal": [1.0, 1.0, 1.0],
        "proportional": capped,
        "sqrt": [n**0.5 for n in capped],
        "log": [float(np.log(1 + n)) for n in capped],
        "temperature": [n ** (1 / 3) for n in capped],
    }
    for rule, raw in formulas.items():
        found = mixing_weights(sizes, rule, cap=500, temperature=3.0)  # type: ignore[arg-type]
        np.testing.assert_allclose(found, np.array(raw) / sum(raw), rtol=1e-12)
    assert mixing_weights([2**18, 2**20], "proportional").tolist() == [0.5, 0.5]
    np.testing.assert_allclose(
        mixing_weights(sizes, "temperature", temperature=1.0), mixing_weights(sizes, "proportional")
    )


def test_a_task_without_examples_is_refused() -> None:
    with pytest.raises(ClinpromptError, match="CP-TRAIN-001"):
        Sampler([3, 0], steps=1, rows=2, seed=0)
    with pytest.raises(ClinpromptError, match="CP-TRAIN-001"):
        Sampler([], steps=1, rows=2, seed=0)


@pytest.mark.parametrize(("count", "rows", "per_step"), [(21, 28, 6), (6, 8, 3), (5, 7, 5)])
def test_rows_left_over_do_not_always_go_to_the_same_tasks(
    count: int, rows: int, per_step: int
) -> None:
    """Turns give every task the same number of examples, up to a few, in the long run."""
    sampler = Sampler([1000] * count, steps=count * 6, rows=rows, seed=3, per_step=per_step)
    assert sampler.drawn.max() - sampler.drawn.min() <= 0.1 * sampler.drawn.mean()
