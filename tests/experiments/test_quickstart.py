"""The quickstart from start to table, on a tiny random backbone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.backbone import tiny
from typer.testing import CliRunner

from clinprompt.artifacts.prompt_set import PromptSet
from clinprompt.cli.app import app
from clinprompt.experiments.quickstart import METHODS, TARGETS, Cell
from clinprompt.experiments.verdict import verdict


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A tiny Llama with room for the synthetic corpus in bytes."""
    place = tmp_path_factory.mktemp("backbone")
    backbone = tiny.backbone("llama")
    backbone.model.config.max_position_embeddings = 4096
    backbone.model.save_pretrained(place)
    backbone.tokenizer.save_pretrained(place)
    return place


def test_every_method_is_scored_on_every_target(folder, tmp_path):
    arguments = [
        "quickstart",
        f"backbone.name={folder}",
        "backbone.dtype=float32",
        "data.max_tokens=3000",
        "data.dev_examples=2",
        "teachers.steps=2",
        "teachers.rows=5",
        "distil.steps=2",
        "distil.rows=4",
        *("--shots", "8", "--steps", "1", "--limit", "2", "-o", str(tmp_path / "out")),
    ]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    content = json.loads((tmp_path / "out" / "results.json").read_text())
    found = {(cell["target"], cell["method"]): cell for cell in content["cells"]}
    assert set(found) == {(target, method) for target in TARGETS for method in METHODS}
    tuned = found[TARGETS[0], "prompt tuning"]
    adapted = found[TARGETS[0], "metaprompt"]
    width = 2 * 4 * 2 * 8  # keys and values of four layers with two heads of eight numbers
    assert tuned["trainable"] == 4 * width
    assert adapted["trainable"] == 4 * width + 4 + width
    assert found[TARGETS[0], "bare backbone"]["trainable"] == 0
    assert len(PromptSet.load(tmp_path / "out" / "metaprompt").meta.tasks) == 5
    for method in METHODS:
        assert method in result.output


def cell(method: str, value: float, low: float, high: float) -> Cell:
    return Cell("t", method, "accuracy", value, low, high, 8, 1, 0.0, 1.0, {})


def test_the_verdict_names_winner_and_doubt():
    clear = verdict([cell("a", 80, 70, 90), cell("b", 40, 30, 50)])
    assert clear == ["t: a wins, 40.0 points above b"]
    doubtful = verdict([cell("a", 45, 30, 60), cell("b", 50, 35, 65)])
    assert doubtful[0].startswith("t: b wins, 5.0 points above a; the intervals overlap")
    assert "tie at 50.0" in verdict([cell("a", 50, 1, 99), cell("b", 50, 1, 99)])[0]
