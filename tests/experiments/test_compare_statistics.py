"""Means, spreads, paired differences and wins of a comparison's cells."""

from __future__ import annotations

import json
from statistics import fmean, stdev

import pytest
from tests.experiments import compare_world as cw

from clinprompt.experiments.compare.statistics import paired, summary
from clinprompt.metrics import paired_bootstrap
from clinprompt.tasks import catalogue

METHODS = [
    "bare",
    {"name": "pt", "rates": [{"shared": 0.5}]},
    {"name": "lora", "rank": 2, "alpha": 4, "rates": [{"weights": 0.02}]},
]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Three seeds of two methods, one cell of them missing."""
    folder = tmp_path_factory.mktemp("world")
    fields = cw.write_world(folder)
    out = folder / "out"
    changes = {"methods": METHODS, "shots": [4], "seeds": [0, 1, 2], "evaluation": {"examples": 6}}
    cells = cw.compared(fields, out, **changes)
    (out / "cells/tiny/marked/lora-4-s2/cell.json").unlink()
    return fields, out, cells


def place(found, target, method):
    return next(one for one in found.places if (one.target, one.method) == (target, method))


def test_means_and_spreads_are_those_of_the_seeds(world):
    _, out, cells = world
    found = summary(out)
    values = [cells[f"tiny/asked/pt-4-s{seed}"].main.value for seed in (0, 1, 2)]
    one = place(found, "asked", "pt")
    assert one.mean == pytest.approx(fmean(values))
    assert one.spread == pytest.approx(stdev(values))
    assert (one.done, one.planned) == (3, 3)
    own = [
        fmean(cells[f"tiny/{target}/pt-4-s{seed}"].main.value for target in ("asked", "marked"))
        for seed in (0, 1, 2)
    ]
    assert place(found, None, "pt").spread == pytest.approx(stdev(own))


def test_a_missing_cell_is_missing_and_averaged_away_nowhere(world):
    _, out, cells = world
    found = summary(out)
    assert found.missing == ["tiny/marked/lora-4-s2"]
    assert place(found, None, "lora").mean is None
    assert place(found, None, "pt").mean is not None
    one = place(found, "marked", "lora")
    assert (one.done, one.planned) == (2, 3)
    versus = next(v for v in found.versus if (v.method, v.reference) == ("pt", "lora"))
    # The difference is that of the seeds that both have on both targets, and says so.
    kept = [
        fmean(cells[f"tiny/{t}/{m}-4-s{s}"].main.value for t in versus.targets for s in (0, 1))
        for m in ("pt", "lora")
    ]
    assert versus.average.value == pytest.approx(kept[0] - kept[1])
    assert (versus.average.seeds, versus.average.planned) == (2, 3)
    assert (versus.targets["asked"].seeds, versus.targets["marked"].seeds) == (3, 2)
    assert set(versus.targets) == {"asked", "marked"}
    assert sum(versus.outcomes.values()) == 2


def test_differences_turn_around_with_their_sides(world):
    _, out, _ = world
    there = paired(out, "tiny", "asked", "pt", "lora", 4)
    back = paired(out, "tiny", "asked", "lora", "pt", 4)
    assert there.value == -back.value
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low))
    assert there.low <= there.value <= there.high
    assert paired(out, "tiny", "asked", "pt", "mpt", 4) is None


def test_the_paired_interval_is_that_of_the_metrics(world, tmp_path):
    """One seed: the same draws as `metrics.paired_bootstrap` over the cells' own answers."""
    from clinprompt.experiments.report.rebuilt import rebuilt

    fields, _, _ = world
    changes = {"methods": METHODS[1:], "shots": [4], "evaluation": {"examples": 6}}
    cells = cw.compared(fields, tmp_path, only=("*/asked/*",), **changes)
    card = catalogue.find(fields["targets"][0])
    sides = [
        rebuilt(card, cells[f"tiny/asked/{name}-4-s0"].key.folder(tmp_path) / "predictions.jsonl")
        for name in ("pt", "lora")
    ]
    direct = paired_bootstrap(card, *sides, resamples=50, seed=1)
    found = paired(tmp_path, "tiny", "asked", "pt", "lora", 4)
    assert found.value == pytest.approx(direct.difference)
    assert (found.low, found.high) == pytest.approx((direct.low, direct.high))


def test_a_summary_is_plain_values(world):
    _, out, _ = world
    found = summary(out)
    assert json.loads(json.dumps(found.to_json()))["missing"] == found.missing
