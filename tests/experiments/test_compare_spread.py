"""Cells side by side through Ray: the same results as one after another."""

from __future__ import annotations

import os

import pytest
from tests.experiments import compare_world as cw
from tests.training import toy

from clinprompt.errors import ClinpromptError
from clinprompt.experiments.compare import run, spread
from clinprompt.training.loop import Interrupted

ray = pytest.importorskip("ray")
METHODS = ["bare", {"name": "pt", "rates": [{"shared": 0.5}, {"shared": 0.05}]}]


@pytest.fixture(scope="module")
def fields(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    fields = cw.write_world(folder)
    backbone = toy.save_backbone(folder / "backbone")
    fields["backbones"] = [{"name": str(backbone), "id": "tiny", "dtype": "float32"}]
    return fields | {"methods": METHODS, "shots": [4]}


def world_of(fields, out):
    lines: list[str] = []
    return run.planned(cw.recipe_of(fields), out, None, lines.append), lines


@pytest.fixture(scope="module", autouse=True)
def _small_cluster():
    """A cluster of one core, the same for all tests of this file."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray.init(num_cpus=1, include_dashboard=False, logging_level="ERROR")
    yield
    ray.shutdown()


@pytest.fixture
def _kept(monkeypatch):
    """Leave the cluster running between calls."""
    monkeypatch.setattr(spread, "_connect", lambda address: ray)
    monkeypatch.setattr(ray, "shutdown", lambda: None)


@pytest.mark.usefixtures("_kept")
def test_workers_write_what_one_process_writes(fields, tmp_path):
    world, lines = world_of(fields, tmp_path / "ray")
    cells = {cell.id: cell for cell in spread.spread(world)}
    alone, _ = world_of(fields, tmp_path / "alone")
    expected = {cell.id: cell for cell in run.compare(alone)}
    assert cells.keys() == expected.keys()
    for name, cell in expected.items():
        assert cells[name].status == "done"
        assert cells[name].identity == cell.identity
        assert cells[name].chosen == cell.chosen
        assert cells[name].main == cell.main
        assert cells[name].history == cell.history
    assert "4 of 4: cell tiny/" in "\n".join(lines)
    again, said = world_of(fields, tmp_path / "ray")
    assert len(spread.spread(again)) == 4
    assert said == ["4 cells are done already"]


@pytest.mark.usefixtures("_kept")
def test_a_stopped_cluster_goes_on(fields, tmp_path):
    world, _ = world_of(fields, tmp_path)
    world.should_stop = lambda: True
    with pytest.raises(Interrupted):
        spread.spread(world)
    later, _ = world_of(fields, tmp_path)
    assert {cell.status for cell in spread.spread(later, only=("*/asked/bare*",))} == {"done"}


def test_a_cell_whose_worker_died_is_marked(fields, tmp_path):
    from clinprompt.experiments.compare.cell import Reason

    world, lines = world_of(fields, tmp_path)
    plans = {one.key.id: one for one in world.plan.cells}
    name = next(iter(plans))
    reason = Reason(code="", message="its worker failed (WorkerCrashedError)")
    spread._report(world, spread.Work("cell", name), reason, plans, "1 of 1")
    (cell,) = run.finished(world.plan, tmp_path)
    assert (cell.id, cell.status, cell.reason) == (name, "failed", reason)
    assert "WorkerCrashedError" in lines[-1]
    with pytest.raises(ClinpromptError) as caught:
        spread._report(world, spread.Work("source", "tiny"), reason, plans, "1 of 1")
    assert caught.value.code == "CP-EXP-132"


def test_no_cluster_at_an_address_is_told(fields, tmp_path):
    ray.shutdown()
    with pytest.raises(ClinpromptError) as caught:
        spread._connect("127.0.0.1:1")
    assert caught.value.code == "CP-EXP-131"


def test_ray_missing_is_told(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ClinpromptError) as caught:
        spread._connect(None)
    assert caught.value.code == "CP-EXP-130"
