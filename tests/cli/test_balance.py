from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.cli.test_evaluate import card
from tests.inference import world
from typer.testing import CliRunner

from clinprompt.artifacts.prompt_set import PromptSet
from clinprompt.cli.app import app


def run(*arguments: Any) -> Any:
    return CliRunner().invoke(app, [str(a) for a in arguments])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Prompts of the task a and of one without labels, and data for a."""
    folder = tmp_path_factory.mktemp("balance")
    world.saved(folder, card("a"), world.card("summary"))
    (folder / "test.txt").write_text("entailment neutral " * 10)
    (folder / "dev.txt").write_text("neutral " * 24)
    return folder


def balance(folder: Path, out: Path, *options: Any) -> Any:
    return run(
        "balance", folder / "prompts", "-o", out, "--data-root", folder, "--threads", 1, *options
    )


def table(output: str) -> dict[str, list[str]]:
    return {words[0]: words[1:] for words in map(str.split, output.splitlines()) if words}


def test_prompts_are_balanced_over_texts_and_answer_so_from_then_on(
    folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "balanced"
    result = balance(folder, out, "--task", "a", "--limit", 16)
    assert result.exit_code == 0, result.output
    shown = table(result.stdout)
    assert shown["entailment"][-1] == shown["neutral"][-1] == "0.500"
    assert shown["entailment"][2] != "0.500"
    assert int(shown["entailment"][3]) + int(shown["neutral"][3]) == 16
    bias = PromptSet.load(out).meta.label_bias
    assert set(bias) == {"a"}
    assert shown["neutral"][0] == f"{bias['a']['neutral']:+.2f}"

    def probabilities(prompts: Path) -> tuple[list[float], Any]:
        answers, scores = tmp_path / "answers.jsonl", tmp_path / "scores.json"
        common = ("--task", "a", "--data-root", folder, "--threads", 1)
        found = run("evaluate", prompts, *common, "--predictions", answers, "--json", scores)
        assert found.exit_code == 0, found.output
        rows = [json.loads(row) for row in answers.read_text().splitlines()]
        used = json.loads(scores.read_text())["prompt"]
        return [row["answer"]["probabilities"]["neutral"] for row in rows], used

    (before, plain), (after, told) = probabilities(folder / "prompts"), probabilities(out)
    raised = bias["a"]["neutral"] > 0
    assert all((new > old) == raised for old, new in zip(before, after, strict=True))
    assert "label_bias" not in plain
    assert told["label_bias"] == bias["a"]
    assert "balanced labels" in run("show", out).stdout


def test_what_can_not_be_balanced_is_refused(folder: Path, tmp_path: Path) -> None:
    assert "CP-INF-480" in balance(folder, tmp_path / "x", "--task", "summary").stderr
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "file").write_text("")
    result = balance(folder, tmp_path / "there", "--task", "a")
    assert result.exit_code == 2
    assert "CP-CLI-190" in result.stderr


def test_a_card_with_other_labels_is_asked_without_the_biases(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "balanced"
    assert balance(folder, out, "--task", "a").exit_code == 0
    other = world.card("nli", name="a", labels={"entailment": "follows", "other": "else"})
    content = card("a").model_dump(mode="json") | {"labels": other.labels}
    (tmp_path / "a.yaml").write_text(json.dumps(content))
    (tmp_path / "test.txt").write_text("entailment other")
    result = run(
        "evaluate", out, "--task", tmp_path / "a.yaml", "--data-root", tmp_path, "--threads", 1,
        "--as", "a",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "not used" in result.stderr


def test_a_mean_says_that_biases_are_left_out(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "balanced"
    assert balance(folder, out, "--task", "a").exit_code == 0
    result = run("average", out, out, "-o", tmp_path / "mean")
    assert result.exit_code == 0, result.output
    assert "label biases were not averaged" in result.stderr
