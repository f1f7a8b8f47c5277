"""``clinprompt compare``, ``plan`` and ``report``: from a recipe to a page, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.experiments import compare_world as cw
from tests.training import toy
from typer.testing import CliRunner

from clinprompt.cli.app import app

METHODS = ["bare", "mpt", "pt", "lora"]


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def run(*arguments: Any) -> Any:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def fields(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("world")
    fields = cw.write_world(folder)
    backbone = toy.save_backbone(folder / "backbone")
    methods = [
        one for one in cw.METHODS if (one if isinstance(one, str) else one["name"]) in METHODS
    ]
    return fields | {
        "backbones": [{"name": str(backbone), "id": "tiny", "dtype": "float32"}],
        "methods": methods,
        "shots": [0, 4],
    }


def written(folder: Path, fields: dict[str, Any]) -> Path:
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(fields), encoding="utf-8")
    return path


def test_cells_are_listed_run_once_and_reported(fields: dict[str, Any], tmp_path: Path) -> None:
    recipe, out = written(tmp_path, fields), tmp_path / "out"
    listed = run("compare", recipe, "-o", out, "--dry-run")
    assert listed.exit_code == 0, listed.output
    assert "10 cells, 10 to run" in listed.stdout
    assert not (out / "cells").exists()
    part = run("compare", recipe, "-o", out, "--only", "*/asked/*")
    assert part.exit_code == 0, part.output
    assert "5 planned cells have no result" in part.stderr
    assert "no average, since they have no seed on every target" in part.stdout
    assert "5 to run" in run("compare", recipe, "-o", out, "--dry-run").stdout
    whole = run("compare", recipe, "-o", out)
    assert whole.exit_code == 0, whole.output
    assert "mpt against pt:" in whole.stdout
    assert "mpt against lora:" in whole.stdout
    assert "no average" not in whole.stdout
    found = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    assert found["missing"] == []
    assert {one["done"] for one in found["places"] if one["target"]} == {1}
    before = {p: p.stat().st_mtime_ns for p in out.rglob("cell.json")}
    assert len(before) == 10
    again = run("compare", recipe, "-o", out)
    assert again.exit_code == 0
    assert {p: p.stat().st_mtime_ns for p in out.rglob("cell.json")} == before

    told = run("report", out)
    assert told.exit_code == 0, told.output
    assert "10 of 10 cells are finished" in told.stderr
    page = Path(told.stdout.strip())
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert (page.parent / "report.md").is_file()


def test_everything_that_cant_run_is_said_at_once(fields: dict[str, Any], tmp_path: Path) -> None:
    wrong = fields | {
        "methods": [
            "bare",
            "promt",
            {"name": "lora", "layers": ["w_q"], "rates": [{"weights": 1}]},
        ],
        "targets": [*fields["targets"], "ncbi-diseese"],
        "shots": [0, 100000],
    }
    result = run("compare", written(tmp_path, wrong), "-o", tmp_path / "out")
    assert result.exit_code == 2
    lines = [line for line in result.stderr.splitlines() if line.startswith("clinprompt: ")]
    assert any("promt" in line for line in lines)
    assert any("ncbi-diseese" in line for line in lines)
    assert len(lines) >= 2
    assert not (tmp_path / "out" / "cells").exists()


def test_a_failed_cell_is_told_and_the_others_run(
    fields: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from clinprompt.experiments.compare.methods import METHODS as KNOWN

    def failing(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(KNOWN["lora"]), "fit", failing)
    result = run(
        "compare", written(tmp_path, fields), "-o", tmp_path / "out", "--only", "*/asked/*"
    )
    assert result.exit_code == 1
    told = [line for line in result.stderr.splitlines() if "failed: " in line]
    assert told
    assert all("lora" in line and "No space left" in line for line in told if "clinprompt" in line)
    assert len(list((tmp_path / "out").rglob("predictions.jsonl"))) == 4


def test_a_comparison_is_planned(fields: dict[str, Any], tmp_path: Path) -> None:
    recipe = written(tmp_path, fields)
    told = run("plan", recipe, "--no-measure", "--json")
    assert told.exit_code == 0, told.output
    found = json.loads(told.stdout)
    assert [one["backbone"] for one in found["backbones"]] == ["tiny"]
    for_people = run("plan", recipe, "--gpu", "H100")
    assert for_people.exit_code == 0, for_people.output
    assert "H100" in for_people.stdout
    refused = run("plan", recipe, "--gpu", "H1000")
    assert refused.exit_code == 2
    assert "H1000" in refused.stderr


def test_no_comparison_no_report(tmp_path: Path) -> None:
    result = run("report", tmp_path)
    assert result.exit_code == 2
    assert "CP-EXP-20" in result.stderr
