"""Tries that are averaged, and none chosen: against means taken by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from tests.experiments import compare_world as cw
from torch import Tensor

from clinprompt.artifacts.prompt_set import PromptSet
from clinprompt.errors import ClinpromptError
from clinprompt.experiments.compare import run
from clinprompt.experiments.compare.cell import WEIGHTS
from clinprompt.experiments.compare.methods import METHODS


@pytest.fixture(scope="module")
def fields(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return cw.write_world(tmp_path_factory.mktemp("world"))


def entry(name: str) -> dict[str, Any]:
    """The method as the world has it, its tries averaged."""
    (found,) = [one for one in cw.METHODS if one != "bare" and one["name"] == name]
    kept = {"keep": True} if name == "fine-tuning" else {}
    return {**found, **kept, "id": f"{name}-average", "tries": "average"}


def learned(folder: Path) -> dict[str, Tensor]:
    """The prompts, or the trained weights, that lie in a folder."""
    if (folder / "manifest.json").exists():
        prompts = PromptSet.load(folder)
        found = {name: prompts.task_prompt(name) for name in prompts.meta.names}
        return found if prompts.update is None else found | {"update": prompts.update.values}
    (file,) = folder.glob("*.safetensors")
    return safetensors.torch.load_file(file)


@pytest.mark.parametrize(
    "name", ["pt", "mpt", "mpt-vectors", "mpt-grouped", "mpt-lora", "lora", "fine-tuning"]
)
def test_a_cell_answers_with_the_mean_of_its_tries(
    fields: dict[str, Any], tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind, tries = type(METHODS[name]), []
    original = kind.average

    def watched(self: Any, folders: Any, out: Path) -> int:
        tries.append([learned(one / WEIGHTS) for one in folders])
        return original(self, folders, out)

    monkeypatch.setattr(kind, "average", watched)
    cells = cw.compared(
        fields, tmp_path, methods=[entry(name)], shots=[4], seeds=[0, 1], tuning={"when": "off"}
    )
    grouped = name == "mpt-grouped"
    assert len(cells) == 4 and all(cell.status == "done" for cell in cells.values())
    assert len(tries) == (2 if grouped else 4)  # each seed tries for itself
    means = [
        {key: (a[key].float() + b[key].float()) / 2 for key in a}
        for a, b in (pair for pair in tries)
    ]
    for cell in cells.values():
        assert cell.chosen is None and len(cell.tuning) == 2
        assert cell.tuned_on == [one for one in cells if _together(one, cell.id, grouped)]
        assert cell.cost.examples_seen == 2 * 2 * 2  # tries, steps, rows
        assert cell.cost.train_seconds == pytest.approx(sum(one.seconds for one in cell.tuning))
        assert cell.details["averaged"] == [one.rates for one in cell.tuning]
        assert cell.parameters.stored_bytes > 0
        found = learned(
            cw.cell_at(tmp_path, cell.id.split("/", 1)[1]).key.folder(tmp_path) / WEIGHTS
        )
        assert any(
            set(mean) == set(found)
            and all(torch.allclose(found[k].float(), mean[k], atol=1e-2) for k in mean)
            for mean in means
        )
    assert not list((tmp_path / "tuning").rglob("*.safetensors")) or grouped


def _together(one: str, other: str, grouped: bool) -> bool:
    return one == other or (grouped and one[-1] == other[-1])


def test_nothing_is_averaged_at_zero_shots(fields: dict[str, Any], tmp_path: Path) -> None:
    plain = {key: value for key, value in entry("mpt").items() if key not in ("tries", "id")}
    world = cw.planned(fields, tmp_path, methods=[plain, entry("mpt")], shots=[0, 4])
    found = {(cell.unit.entry.id, cell.unit.shots) for cell in world.plan.cells}
    assert found == {("mpt", 0), ("mpt", 4), ("mpt-average", 4)}


def test_finished_cells_are_not_averaged_again(fields: dict[str, Any], tmp_path: Path) -> None:
    changes: dict[str, Any] = {"methods": [entry("mpt")], "shots": [4], "only": ("*/asked/*",)}
    (first,) = cw.compared(fields, tmp_path, **changes).values()
    (second,) = cw.compared(fields, tmp_path, **changes).values()
    assert first == second
    plain = {key: value for key, value in entry("mpt").items() if key != "tries"}
    with pytest.raises(run.Unfit, match="CP-EXP-113"):  # another configuration made it
        cw.compared(fields, tmp_path, methods=[plain], shots=[4], only=("*/asked/*",))


def test_a_try_that_failed_is_left_out_of_the_mean(
    fields: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = type(METHODS["pt"])
    original = kind.fit

    def failing(self: Any, job: Any, rates: Any, out: Path) -> Any:
        if rates["shared"] > 0.1:
            raise ClinpromptError("CP-TRAIN-040", "loss nan")
        return original(self, job, rates, out)

    monkeypatch.setattr(kind, "fit", failing)
    cells = cw.compared(fields, tmp_path, methods=[entry("pt")], shots=[4], only=("*/asked/*",))
    (cell,) = cells.values()
    assert cell.status == "done" and cell.details["averaged"] == [{"shared": 0.05}]
    assert [one.failed is None for one in cell.tuning] == [True, False]


def test_where_all_tries_fail_so_does_the_cell(
    fields: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(self: Any, job: Any, rates: Any, out: Path) -> Any:
        raise ClinpromptError("CP-TRAIN-040", "loss nan")

    monkeypatch.setattr(type(METHODS["pt"]), "fit", failing)
    cells = cw.compared(fields, tmp_path, methods=[entry("pt")], shots=[4], only=("*/asked/*",))
    (cell,) = cells.values()
    assert cell.reason is not None and cell.reason.code == "CP-EXP-124"
