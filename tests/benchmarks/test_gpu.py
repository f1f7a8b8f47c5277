"""The GPU benchmark runs from end to end on a CPU, with a tiny model."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def ran(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(BENCHMARKS / "gpu.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


@pytest.fixture(scope="module")
def module() -> Any:
    sys.path.insert(0, str(BENCHMARKS))
    try:
        spec = importlib.util.spec_from_file_location("gpu_model", BENCHMARKS / "gpu_model.py")
        assert spec is not None
        assert spec.loader is not None
        found = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(found)
    finally:
        sys.path.remove(str(BENCHMARKS))
    return found


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    out = tmp_path_factory.mktemp("gpu") / "tiny.json"
    done = ran("--model", "tiny", "--device", "cpu", "--steps", "1", "-o", str(out))
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    assert found == json.loads(done.stdout)
    return found


def test_every_contender_gives_every_figure(result: dict[str, Any]) -> None:
    contenders = result["contenders"]
    assert list(contenders) == [
        "clinprompt",
        "clinprompt-standard",
        "peft-prompt-tuning",
        "peft-lora",
    ]
    for name, own in contenders.items():
        assert "failed" not in own
        assert [(one["tasks"], one["length"]) for one in own["training"]] == [
            (1, 24),
            (21, 24),
            (1, 48),
            (21, 48),
        ]
        assert [one["tasks"] for one in own["decoding"]] == [1, 21]
        for one in own["training"] + own["decoding"]:
            if "peft" in name and one["tasks"] > 1:
                assert "one prompt" in one["not_run"]
                continue
            assert "failed" not in one, one
            rate = one.get("tokens_per_second") or one["new_tokens_per_second"]
            assert rate > 0
        for one in own["training"]:
            if "loss" in one:  # random answers of 512 tokens: about ln 512 nats each
                assert 5.5 < one["loss"] < 7.5
                assert 0 < one["mfu_layers"] < one["mfu"]


def test_our_two_ways_agree(result: dict[str, Any]) -> None:
    own = result["contenders"]
    assert own["clinprompt"]["states_off_by"] == 0
    assert 0 < own["clinprompt-standard"]["states_off_by"] < 0.05
    assert own["clinprompt"]["why_standard"] is None
    losses = [[one["loss"] for one in own[name]["training"]] for name in list(own)[:2]]
    assert losses[0] == pytest.approx(losses[1], rel=0.01)


def test_nothing_is_measured_after_the_limit(tmp_path: Path) -> None:
    out = tmp_path / "late.json"
    arguments = ("--model", "tiny", "--device", "cpu", "--limit", "0", "--only", "clinprompt")
    assert ran(*arguments, "-o", str(out)).returncode == 0
    own = json.loads(out.read_text(encoding="utf-8"))["contenders"]["clinprompt"]
    assert [one["not_run"] for one in own["training"] + own["decoding"]] == ["out of time"] * 6


def test_without_a_device_it_says_so() -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device: the benchmark would run for minutes")
    done = ran("--model", "llama-8b")
    assert done.returncode == 2
    assert "no CUDA device" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("name", "total", "working"), [("llama-8b", 8.03e9, 8.03e9), ("gpt-oss-20b", 20.9e9, 4.2e9)]
)
def test_shapes_have_the_size_they_are_named_for(
    module: Any, name: str, total: float, working: float
) -> None:
    model = module.built(name, "meta")
    works = module.working(model)
    assert sum(p.numel() for p in model.parameters()) == pytest.approx(total, rel=0.01)
    assert works["all"] == pytest.approx(working, rel=0.02)
    assert works["layers"] < works["all"]
    assert works["head"] == model.config.vocab_size * model.config.hidden_size
