"""The benchmarks of inference run, with a tiny backbone."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.backbone import tiny

from clinprompt.backbone import prefill

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(autouse=True)
def _own_settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Scripts set threads and sizes for their whole process."""
    threads = torch.get_num_threads()
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    monkeypatch.setattr(prefill, "_MOST_SEEN", dict(prefill._MOST_SEEN))
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    place = tmp_path_factory.mktemp("backbone")
    backbone = tiny.backbone("llama")
    backbone.model.save_pretrained(place)
    backbone.tokenizer.save_pretrained(place)
    return str(place)


def measured(script: str, **setting: Any) -> dict[str, dict[str, Any]]:
    """What each contender reports, all in this process."""
    module: Any = importlib.import_module(script)
    whole = module.DEFAULT | {"threads": 1} | setting
    found = {name: module.measure(name, whole) for name in module.CONTENDERS}
    json.dumps(found)
    return found


def test_label_scoring(folder: str) -> None:
    found = measured("label_scoring", backbone=folder, rows=2, tokens=9, steps=1, labels="rqe")
    means = [own["mean_log_probability"] for own in found.values()]
    assert means == pytest.approx([means[0]] * 3, rel=0.02)  # bfloat16
    assert all(own["options"] == 2 for own in found.values())


def test_columns_of_labels(folder: str) -> None:
    found = importlib.import_module("label_scoring").columns(folder)
    assert {"chemprot", "rqe", "medication-change-40"} <= {one["labels"] for one in found}
    for one in found:
        assert one["columns_tree"] <= one["columns_side_by_side"]
        assert one["head_rows_tree"] == one["columns_tree"] + 1


def test_long_inputs(folder: str) -> None:
    found = measured(
        "long_inputs",
        backbone=folder,
        tokens=300,
        short=2,
        short_tokens=5,
        instruction=7,
        new=3,
        seen=40_000,
    )
    for own in found.values():
        assert own["seconds"] > 0
        assert own["memory_over_model_mb"] >= 0


def test_batch_invariance() -> None:
    found = measured(
        "batch_invariance", backbone="tiny", rows=16, tokens=6, virtual=4, new=2, pads=2
    )
    for name, own in found.items():
        assert [one["pads"] for one in own["by_pads"]] == [0, 1, 2]
        if name == "peft-prompt-tuning":
            assert own["next_token_changed"] > 0
        else:
            assert own["next_token_changed"] == own["answers_changed"] == 0


@pytest.mark.parametrize(
    ("script", "more"), [("mixed_tasks", {"virtual": 3}), ("mixed_updates", {"rank": 2})]
)
def test_mixed_tasks(folder: str, script: str, more: dict[str, Any]) -> None:
    found = measured(script, backbone=folder, tasks=3, rows=2, tokens=5, answer=4, **more)
    for own in found.values():
        assert own["new_tokens"] == 3 * 2 * 4
        assert own["answers_per_second"] == pytest.approx(6 / own["seconds"])
