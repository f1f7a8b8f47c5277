"""The benchmarks of training run, with a tiny backbone, and the harness says what it should."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.benchmarks import test_inference_benchmarks as others

folder = others.folder
_own_settings = others._own_settings
SMALL = {"rows": 4, "tokens": 12, "answer": 3, "virtual": 5, "steps": 1}


def test_every_contender_of_a_step_is_measured(folder: str) -> None:
    found = others.measured("training", backbone=folder, tasks=2, **SMALL)
    peers = {"peft-prompt-tuning", "peft-multitask", "peft-lora"}
    assert set(found) == {"clinprompt", "clinprompt-lora"} | peers
    for one in found.values():
        assert one["examples_per_second"] == pytest.approx(4 / one["seconds_per_step"])
        assert one["share_of_peak"] > 0


def test_the_step_of_distillation_is_measured(folder: str) -> None:
    found = others.measured("distillation", backbone=folder, tasks=2, reuse=2, **SMALL)
    cached = found["cached"]
    assert cached["per_example_ms"] > cached["per_example_ms_without_filling"]
    for name in ("plain", "same-pass", "naive"):
        assert found[name]["per_example_ms"] == found[name]["per_example_ms_without_filling"]


def test_ratios_say_how_many_times_better() -> None:
    harness: Any = importlib.import_module("harness")
    found = {"a": {"s": 2.0}, "b": {"s": 6.0}, "c": {"failed": "no memory"}}
    assert harness.ratios(found, "a", "s", more_is_better=False) == {"b": 3.0}
    assert harness.ratios(found, "a", "s", more_is_better=True) == {"b": 0.333}
    assert harness.ratios(found, "c", "s", more_is_better=True) == {}
    assert harness.ratios(found, "d", "s", more_is_better=True) == {}


def test_a_script_runs_its_contenders_in_processes_of_their_own(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script: Any = importlib.import_module("training")
    setting = json.dumps({**SMALL, "backbone": folder, "threads": 1})
    out = tmp_path / "deep" / "found.json"
    given = ["--setting", setting, "--rounds", "2", "--only", "clinprompt", "peft-lora"]
    monkeypatch.setattr(sys, "argv", ["training.py", *given, "-o", str(out)])
    script.main()
    found = json.loads(out.read_text(encoding="utf-8"))
    assert set(found["contenders"]) == {"clinprompt", "peft-lora"}
    assert set(found["times_as_fast_as"]) == {"peft-lora"}
    low, high = found["contenders"]["clinprompt"]["seconds_per_step_range"]
    assert low <= found["contenders"]["clinprompt"]["seconds_per_step"] <= high
    assert found["machine"]["cores"] >= 1


def test_growth_is_measured_along_its_axes() -> None:
    scaling: Any = importlib.import_module("scaling")
    every = scaling.points(list(scaling.AXES))
    assert len(every) == sum(map(len, scaling.AXES.values()))
    assert all(setting["rows"] >= setting["tasks"] for _, setting in every)
    assert {setting["virtual"] for axis, setting in every if axis != "virtual"} == {100}
