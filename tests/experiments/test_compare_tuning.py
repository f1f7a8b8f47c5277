"""How rates are chosen, and what becomes of those that diverge."""

from __future__ import annotations

import json

import pytest
from tests.experiments import compare_world as cw

from clinprompt.errors import ClinpromptError
from clinprompt.experiments.compare.methods import METHODS


@pytest.fixture(scope="module")
def fields(tmp_path_factory):
    return cw.write_world(tmp_path_factory.mktemp("world"))


def test_rates_that_diverge_are_never_chosen(fields, tmp_path):
    grid = [{"shared": 1e6}, {"shared": 0.5}]
    changes = {"shots": ["full"], "training": {"clip": 1e6, "steps": {"full": 10}}}
    pt = {"name": "pt", "rates": grid}
    cell = cw.compared(fields, tmp_path, methods=[pt], only=("tiny/asked/*",), **changes)[
        "tiny/asked/pt-full-s0"
    ]
    assert cell.status == "done"
    assert cell.chosen == {"shared": 0.5}
    first, second = cell.tuning
    assert first.failed is not None or first.dev_loss > second.dev_loss


def test_when_every_rate_diverges_the_cell_fails(fields, tmp_path, monkeypatch):
    def failing(self, job, rates, out):
        raise ClinpromptError("CP-TRAIN-040", f"loss nan at {rates['shared']}")

    monkeypatch.setattr(type(METHODS["pt"]), "fit", failing, raising=False)
    pt = {"name": "pt", "rates": [{"shared": 1.0}, {"shared": 2.0}]}
    cells = cw.compared(fields, tmp_path, methods=[pt], shots=[4], only=("tiny/asked/*",))
    (cell,) = cells.values()
    assert cell.reason.code == "CP-EXP-124"
    assert "nan at 1.0" in cell.reason.message


def tuned(fields, out, **tuning):
    """Cells of prompt tuning at two seeds."""
    methods = [one for one in cw.METHODS if one != "bare" and one["name"] == "pt"]
    return cw.compared(fields, out, methods=methods, shots=[4], seeds=[0, 1], tuning=tuning)


def tries_at(out):
    return sorted(str(p.parent.relative_to(out / "tuning")) for p in out.rglob("try.json"))


def test_the_first_seed_tunes_for_the_others(fields, tmp_path):
    cells = tuned(fields, tmp_path)
    own, later = cells["tiny/asked/pt-4-s0"], cells["tiny/asked/pt-4-s1"]
    assert own.tuned_on == later.tuned_on == [own.id]
    assert own.chosen == later.chosen
    assert own.tuning == later.tuning
    assert own.cost.tuning_seconds > 0 == later.cost.tuning_seconds
    number = [one.rates for one in own.tuning].index(own.chosen)
    expected = [f"tiny/pt-4/asked-s0/try-{i}" for i in (0, 1)]
    expected.append(f"tiny/pt-4/asked-s1/try-{number}")
    assert [one for one in tries_at(tmp_path) if "asked" in one] == expected


def test_tuning_per_cell_and_not_at_all(fields, tmp_path):
    each = tuned(fields, tmp_path / "a", when="per-cell")
    assert all(cell.tuned_on == [cell.id] for cell in each.values())
    assert len(tries_at(tmp_path / "a")) == 2 * 2 * 2
    none = tuned(fields, tmp_path / "b", when="off")
    assert all(cell.chosen == {"shared": 0.05} for cell in none.values())
    assert all(cell.tuned_on == [] for cell in none.values())
    assert len(tries_at(tmp_path / "b")) == 2 * 2


def test_named_targets_tune_for_all(fields, tmp_path):
    cells = tuned(fields, tmp_path, targets=["marked"])
    assert {tuple(cell.tuned_on) for cell in cells.values()} == {("tiny/marked/pt-4-s0",)}
    assert len({json.dumps(cell.chosen) for cell in cells.values()}) == 1
    paid = [cell.id for cell in cells.values() if cell.cost.tuning_examples_seen]
    assert paid == ["tiny/marked/pt-4-s0"]
    assert len(tries_at(tmp_path)) == 2 + 3
