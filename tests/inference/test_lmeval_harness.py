"""The real harness on local tasks: its metrics against plain computations, and its command line."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.inference import lmeval_world, world
from tests.inference.lmeval_world import CARD, around, greedy, naive
from typer.testing import CliRunner

from clinprompt.artifacts.prompt_set import PromptSet
from clinprompt.cli.app import app

pytest.importorskip("lm_eval")


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", str(tmp_path / "datasets"))


@pytest.fixture(autouse=True)
def _logging() -> Iterator[None]:
    """The harness's command line sets up logging for its whole process."""
    before = list(logging.getLogger().handlers), logging.getLogger().level
    yield
    logging.getLogger().handlers[:], logging.getLogger().level = before


def evaluate(folder: Path, tasks: Path, batch_size: int, **given: Any) -> dict[str, Any]:
    from lm_eval import simple_evaluate
    from lm_eval.tasks import TaskManager

    from clinprompt.inference.lmeval import register

    register()
    found: dict[str, Any] = simple_evaluate(
        model="clinprompt",
        model_args={"prompts": str(folder), **given},
        tasks=["local_choice", "local_answer", "local_text"],
        task_manager=TaskManager(include_path=str(tasks), include_defaults=False),
        batch_size=batch_size,
        device="cpu",
        bootstrap_iters=0,
    )
    return found


def questions(tasks: Path) -> list[dict[str, Any]]:
    lines = (tasks / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_the_harness_measures_what_a_plain_loop_measures(tmp_path):
    """Accuracy, exact match and perplexity; with a prompt that gets some right and some wrong."""
    folder, tasks = lmeval_world.saved(tmp_path), lmeval_world.task_folder(tmp_path / "tasks")
    ready = world.prepared()
    prompt = PromptSet.load(folder).task_prompt(CARD.name)
    found = {size: evaluate(folder, tasks, size) for size in (1, 8)}
    right = normed = exact = 0
    nats = size = 0.0
    for question in questions(tasks):
        fixed, row = around(ready, CARD, f"{question['q']}\nAnswer:")
        options = question["options"]
        scores = [
            naive(ready, [prompt, fixed, row], ready.codec.text(option))[0] for option in options
        ]
        right += scores.index(max(scores)) == question["gold"]
        by_length = [s / len(o) for s, o in zip(scores, options, strict=True)]
        normed += by_length.index(max(by_length)) == question["gold"]
        fixed, row = around(ready, CARD, question["q"])
        text = ready.codec.decode(greedy(ready, [prompt, fixed, row], 6)).split("\n")[0]
        exact += text == options[question["gold"]]
        # The harness's own model of a text: it stands behind the prompt, with nothing around it.
        ids = ready.backbone.tokenizer(question["q"]).input_ids
        nats += naive(ready, [prompt, [ready.backbone.tokenizer.bos_token_id]], ids)[0]
        size += len(question["q"].encode())
    count = len(questions(tasks))
    assert 0 < right < count
    for results in (one["results"] for one in found.values()):
        assert results["local_choice"]["acc,none"] == pytest.approx(right / count)
        assert results["local_choice"]["acc_norm,none"] == pytest.approx(normed / count)
        assert results["local_answer"]["exact_match,none"] == pytest.approx(exact / count)
        perplexity = results["local_text"]["byte_perplexity,none"]
        assert perplexity == pytest.approx(2.718281828459045 ** (-nats / size), rel=1e-5)


def test_batches_change_no_sample(tmp_path):
    folder, tasks = lmeval_world.saved(tmp_path), lmeval_world.task_folder(tmp_path / "tasks")
    one, eight = (evaluate(folder, tasks, size)["samples"] for size in (1, 8))
    for name in one:
        for alone, together in zip(one[name], eight[name], strict=True):
            assert alone["doc_id"] == together["doc_id"]
            if name == "local_answer":
                assert alone["resps"] == together["resps"]
                continue
            for mine, other in zip(alone["resps"], together["resps"], strict=True):
                assert mine[0] == pytest.approx(other[0], abs=2e-4)


def test_results_say_which_prompt_it_was(tmp_path):
    folder, tasks = lmeval_world.saved(tmp_path), lmeval_world.task_folder(tmp_path / "tasks")
    prompts = PromptSet.load(folder)
    config = evaluate(folder, tasks, 8)["config"]["clinprompt"]
    assert config["prompts"] == prompts.digest
    assert config["fingerprint"] == prompts.meta.fingerprint.model_dump()
    assert (config["prompt"], config["instruction_of"]) == (CARD.name, CARD.name)


def test_the_command_runs_the_harness(tmp_path):
    folder, tasks = lmeval_world.saved(tmp_path), lmeval_world.task_folder(tmp_path / "tasks")
    out = tmp_path / "results"
    words = ["lm-eval", "run", "--model", "clinprompt", "--model_args", f"prompts={folder}"]
    words += ["--tasks", "local_choice", "--include_path", str(tasks), "--batch_size", "4"]
    words += ["--output_path", str(out)]  # without --device the harness asks for cuda:0
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, (result.output, result.exception)
    assert "local_choice" in result.output
    (file,) = out.rglob("results_*.json")
    written = json.loads(file.read_text())["results"]["local_choice"]["acc,none"]
    assert written == evaluate(folder, tasks, 1)["results"]["local_choice"]["acc,none"]


def test_without_the_harness_it_is_said_how_to_get_it(monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "lm_eval"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "lm_eval", None)
    result = CliRunner().invoke(app, ["lm-eval", "run"])
    assert result.exit_code == 2
    assert "CP-INF-400" in result.output
    assert "clinprompt[lm-eval]" in result.output
