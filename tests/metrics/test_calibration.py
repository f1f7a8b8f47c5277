from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinprompt.errors import ClinpromptError
from clinprompt.metrics.calibration import Judged, best_threshold, calibration

SHARES = st.one_of(st.floats(0, 1), st.integers(0, 20).map(lambda n: n / 20))
ITEMS = st.lists(st.builds(Judged, SHARES, st.booleans()), min_size=1, max_size=60)


def naive_ece(items: list[Judged], bins: int) -> float:
    """Bin by bin, with one loop over all items for each."""
    error = 0.0
    for m in range(1, bins + 1):
        inside = [
            i
            for i in items
            if (m - 1) / bins < i.confidence <= m / bins or (m == 1 and i.confidence == 0)
        ]
        if inside:
            right = sum(i.right for i in inside) / len(inside)
            sure = sum(i.confidence for i in inside) / len(inside)
            error += len(inside) / len(items) * abs(right - sure)
    return error


@given(ITEMS, st.integers(1, 20))
def test_ece_is_the_papers_formula(items: list[Judged], bins: int) -> None:
    found = calibration(items, bins=bins)
    assert found.ece == pytest.approx(naive_ece(items, bins))
    assert sum(one.count for one in found.bins) == len(items) == found.count
    assert len(found.bins) == bins and 0 <= found.ece <= 1


def test_a_case_by_hand() -> None:
    items = [Judged(0.9, True), Judged(0.9, False), Judged(0.3, False), Judged(0.25, True)]
    found = calibration(items, bins=2)
    assert [(one.count, one.accuracy) for one in found.bins] == [(2, 0.5), (2, 0.5)]
    assert found.bins[0].confidence == pytest.approx(0.275)
    assert found.ece == pytest.approx(0.5 * 0.225 + 0.5 * 0.4)
    assert found.best is None


def test_borders_belong_to_the_bin_below() -> None:
    found = calibration([Judged(n / 10, True) for n in range(11)], bins=10)
    assert [one.count for one in found.bins] == [2] + [1] * 9


def test_sure_and_right_is_perfect() -> None:
    assert calibration([Judged(1.0, True), Judged(0.0, False)]).ece == 0
    assert calibration([Judged(1.0, False)]).ece == 1


@given(ITEMS, st.integers(0, 10), st.integers(0, 5))
def test_no_threshold_is_better(items: list[Judged], missed: int, unknown: int) -> None:
    gold = sum(item.right for item in items) + missed
    best = best_threshold(items, gold, unknown)
    scores = {}
    for value in {item.confidence for item in items}:
        kept = [item for item in items if item.confidence >= value]
        right = sum(item.right for item in kept)
        scores[value] = 200 * right / (len(kept) + unknown + gold)
    assert best.f1 == pytest.approx(max(scores.values()))
    assert best.f1 == pytest.approx(scores[best.value])
    assert best.value == min(v for v, f1 in scores.items() if f1 == pytest.approx(best.f1, abs=0))
    assert best.kept == sum(item.confidence >= best.value for item in items)


def test_nothing_and_nonsense_are_refused() -> None:
    with pytest.raises(ClinpromptError, match="CP-EVAL-200"):
        calibration([])
    with pytest.raises(ClinpromptError, match="CP-EVAL-201"):
        calibration([Judged(1.5, True)])


def test_everything_is_written_as_plain_values() -> None:
    found = calibration([Judged(0.5, True), Judged(0.2, False)], gold=2, bins=2).to_json()
    assert found["best"] == {
        "threshold": 0.5,
        "kept": 1,
        "precision": 100.0,
        "recall": 50.0,
        "f1": pytest.approx(66.6667, abs=1e-3),
    }
    assert found["bins"][1] == {
        "low": 0.5,
        "high": 1.0,
        "count": 0,
        "confidence": None,
        "accuracy": None,
    }
