from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinprompt.experiments.report import scales
from clinprompt.experiments.report.scales import Linear, Log

NUMBERS = st.floats(-1e9, 1e9, allow_nan=False)
SIZES = st.floats(1e-3, 1e12)


@given(NUMBERS, st.floats(1e-3, 1e9), st.integers(2, 10))
def test_ticks_are_round_inside_and_evenly_spaced(low, width, about):
    high = low + width
    step = scales.step_of(low, high, about)
    found = scales.ticks(low, high, about)
    slack = 1e-6 * step
    assert len(found) <= about + 1
    assert all(low - slack <= one <= high + slack for one in found)
    assert all(abs(b - a - step) <= 1e-6 * max(step, abs(b)) for a, b in pairwise(found))
    leading = step / 10 ** math.floor(math.log10(step) + 1e-9)
    assert min(abs(leading - one) for one in (1, 2, 2.5, 5)) < 1e-6
    if low <= 0 <= high:
        assert any(abs(one) < slack for one in found)


@given(st.lists(st.floats(0, 100), min_size=1), st.integers(3, 8))
def test_a_scale_of_scores_holds_all_and_stays_in_bounds(values, about):
    low, high = scales.covering(values, about=about, floor=0, ceiling=100)
    assert low <= min(values)
    assert high >= max(values)
    assert low < high
    assert low >= 0


@given(st.lists(NUMBERS, min_size=1))
def test_any_scale_holds_all(values):
    low, high = scales.covering(values)
    slack = 1e-6 * max(1, *(abs(one) for one in values))
    assert low < high
    assert low <= min(values) + slack
    assert high >= max(values) - slack


@given(st.lists(SIZES, min_size=1))
def test_a_logarithmic_scale_has_air_around_all(values):
    low, high = scales.covering_log(values)
    assert 0 < low < min(values)
    assert high > max(values)
    scale = Log(low, high, 10, 300)
    assert all(10 < scale(one) < 300 for one in values)


@given(SIZES, st.floats(1.5, 1e9))
def test_logarithmic_ticks_are_inside_and_round(low, factor):
    high = low * factor
    found = scales.log_ticks(low, high)
    assert found == sorted(found)
    for one in found:
        assert low * (1 - 1e-6) <= one <= high * (1 + 1e-6)
        leading = one / 10 ** math.floor(math.log10(one) + 1e-9)
        assert min(abs(leading - value) for value in (1, 2, 5)) < 1e-6
    if factor >= 1000:
        assert len(found) >= 3


@given(st.floats(-100, 100), st.floats(0.01, 100), st.floats(0, 1))
def test_places_are_proportional_and_may_run_backwards(low, width, part):
    scale = Linear(low, low + width, 200, 50)
    assert scale(low) == 200
    assert scale(low + width) == pytest.approx(50)
    assert scale(low + part * width) == pytest.approx(200 - 150 * part, abs=1e-6)


def test_a_decade_is_as_wide_as_the_next():
    scale = Log(1, 1e4, 0, 400)
    assert [scale(10**power) for power in range(5)] == pytest.approx([0, 100, 200, 300, 400])


@given(st.floats(-1e6, 1e6), st.floats(1e-2, 1e6), st.integers(2, 8))
def test_labels_of_ticks_differ(low, width, about):
    found = scales.ticks(low, low + width, about)
    written = scales.labels(found)
    assert len(set(written)) == len(written)
    for label, value in zip(written, found, strict=True):
        assert float(label.replace("−", "-")) == pytest.approx(value, abs=1e-6 * max(1, abs(value)))


@pytest.mark.parametrize(
    ("values", "written"),
    [
        ([0.0, 0.25, 0.5], ["0.00", "0.25", "0.50"]),
        ([-10.0, 0.0, 10.0], ["−10", "0", "10"]),
        ([-0.0, 0.1], ["0.0", "0.1"]),
        ([], []),
    ],
)
def test_labels(values, written):
    assert scales.labels(values) == written


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0, "0"),
        (7, "7"),
        (676, "676"),
        (999.6, "1k"),
        (58_276, "58.3k"),
        (999_960, "1M"),
        (134_515_008, "135M"),
        (8_030_261_248, "8.03B"),
        (0.00123, "0.00123"),
        (-1500, "−1.5k"),
    ],
)
def test_short_numbers(value, written):
    assert scales.short(value) == written


def test_nothing_to_show_still_has_a_scale():
    assert scales.covering([]) == (0.0, 1.0)
    assert scales.covering_log([]) == (1.0, 10.0)
    low, high = scales.covering([0.0, 0.0], floor=0)
    assert low == 0 < high
