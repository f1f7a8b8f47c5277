from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.inference import world
from typer.testing import CliRunner

from clinprompt.backbone.fetch import cached
from clinprompt.cli.app import app
from clinprompt.corpora import registry
from clinprompt.corpora.registry import Options, Source
from clinprompt.examples import Example, LabelAnswer, PremiseInput
from clinprompt.tasks.card import DataSpec

READER, COUNT = "evaluate-test-pairs", 40


def _read(source: Source, options: Options) -> list[Example]:
    return [
        Example(
            f"{file.stem}-{i}", f"d{i // 2}", PremiseInput(f"note {i}", "so"), LabelAnswer(label)
        )
        for file in source.files
        for i, label in enumerate(file.read_text().split())
    ]


if READER not in registry.names():
    registry.reader(READER, Options)(_read)


def run(*arguments: Any) -> Any:
    return CliRunner().invoke(app, [str(a) for a in ("evaluate", *arguments)])


def card(name: str) -> Any:
    data = DataSpec(reader=READER, files={"test": ["test.txt"], "dev": ["dev.txt"]})
    return world.card("nli", name=name, data=data)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Prompts of the tasks a and b, a card of the task c, and data for all of them."""
    folder = tmp_path_factory.mktemp("evaluate")
    world.saved(folder, card("a"), card("b"))
    (folder / "c.yaml").write_text(yaml.safe_dump(card("c").model_dump(mode="json")))
    (folder / "test.txt").write_text("entailment neutral " * (COUNT // 2))
    (folder / "dev.txt").write_text("neutral " * 10)
    return folder


def evaluate(folder: Path, *arguments: Any) -> Any:
    return run(folder / "prompts", "--data-root", folder, "--threads", 1, *arguments)


def test_scores_are_printed_and_written(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["/usr/bin/clinprompt", "evaluate", "a folder"])
    scores, answers = tmp_path / "scores.json", tmp_path / "answers.jsonl"
    result = evaluate(folder, "--task", "a", "--json", scores, "--predictions", answers)
    assert result.exit_code == 0, result.output
    content = json.loads(scores.read_text())
    assert (content["task"], content["split"], content["n"]) == ("a", "test", COUNT)
    assert content["prompt"]["task"] == "a"
    assert content["prompt"]["kind"] == "prompt-tuning"
    assert content["backbone"]["model_type"] == "llama"
    assert content["command"] == "clinprompt evaluate 'a folder'"
    rows = [json.loads(row) for row in answers.read_text().splitlines()]
    right = sum(row["gold"]["label"] == row["answer"]["label"] for row in rows)
    accuracy = content["scores"]["metrics"]["accuracy"]
    assert accuracy["value"] == pytest.approx(100 * right / COUNT)
    assert accuracy["low"] <= accuracy["value"] <= accuracy["high"]
    shown = {words[0]: words[1:] for words in map(str.split, result.stdout.splitlines()) if words}
    assert shown["accuracy"][0] == f"{accuracy['value']:.1f}"
    assert shown["entailment"][3] == str(COUNT // 2)
    assert shown["unparsable"] == ["0"]
    assert "examples/s" in result.stdout
    assert result.stdout.index("macro_f1") < result.stdout.index("accuracy")  # the main one first
    assert "holds text of the data" in result.stderr


def test_a_limit_takes_the_same_seeded_sample(folder: Path, tmp_path: Path) -> None:
    def ids(*options: Any) -> list[str]:
        answers = tmp_path / "answers.jsonl"
        arguments = ("--task", "a", "--limit", 8, "--predictions", answers, *options)
        assert evaluate(folder, *arguments).exit_code == 0
        return [json.loads(row)["id"] for row in answers.read_text().splitlines()]

    first = ids()
    assert len(first) == 8
    assert first != [f"test-{i}" for i in range(8)]
    assert first == ids() != ids("--seed", 1)
    assert ids("--task", folder / "c.yaml", "--as", "a") == first


def test_tasks_that_were_not_trained_on_need_a_flag(folder: Path) -> None:
    other = ("--task", folder / "c.yaml")
    result = evaluate(folder, *other)
    assert result.exit_code == 2
    assert "[CP-INF-022]" in result.stderr
    assert "'c', but on a, b" in result.stderr
    result = evaluate(folder, *other, "--as", "b")
    assert result.exit_code == 0
    assert "(prompt of b)" in result.stdout
    result = evaluate(folder)
    assert result.exit_code == 2
    assert "CP-INF-021" in result.stderr


def test_the_bare_backbone(folder: Path, tmp_path: Path) -> None:
    backbone = folder / "backbone"
    scores = [tmp_path / "1.json", tmp_path / "2.json", tmp_path / "3.json"]
    common = ("--task", folder / "c.yaml", "--bare", "--json")
    assert evaluate(folder, *common, scores[0]).exit_code == 0
    result = run(*common, scores[1], "--backbone", backbone)
    assert result.exit_code == 0, result.output
    assert "bare backbone" in result.stdout
    assert evaluate(folder, "--task", "a", "--json", scores[2]).exit_code == 0
    with_folder, without, prompted = (json.loads(path.read_text()) for path in scores)
    assert with_folder["prompt"] is without["prompt"] is None
    assert prompted["prompt"] is not None
    assert with_folder["scores"] == without["scores"]
    result = run("--task", folder / "c.yaml", "--backbone", backbone)
    assert result.exit_code == 2
    assert "CP-CLI-031" in result.stderr


def test_splits(folder: Path) -> None:
    result = evaluate(folder, "--task", "b", "--split", "dev")
    assert "b dev: 10 examples" in result.stdout
    result = evaluate(folder, "--task", "b", "--split", "train")
    assert result.exit_code == 2
    assert "CP-TASK-062" in result.stderr


def test_mistakes_are_found_before_the_backbone_is_loaded(folder: Path, tmp_path: Path) -> None:
    for arguments, code in (
        (("--task", "a", "--json", tmp_path), "CP-CLI-030"),
        (("--task", "a", "--predictions", tmp_path / "no" / "file"), "CP-CLI-030"),
        (("--task", "d"), "CP-TASK-012"),
    ):
        result = evaluate(folder, *arguments)
        assert result.exit_code == 2
        assert code in result.stderr
        assert "loading backbone" not in result.stderr


def test_another_backbone_is_refused(folder: Path, tmp_path: Path) -> None:
    other = world.prepared("qwen3").backbone
    other.model.save_pretrained(tmp_path / "other")
    other.tokenizer.save_pretrained(tmp_path / "other")
    for extra in ((), ("--bare",)):
        result = evaluate(folder, "--task", "a", "--backbone", tmp_path / "other", *extra)
        assert result.exit_code == 2
        assert "CP-ART-020" in result.stderr


@pytest.mark.real
@pytest.mark.skipif(cached("smollm2") is None, reason="run: clinprompt backbone fetch smollm2")
def test_smollm2_answers_questions_of_the_synthetic_corpus(tmp_path: Path) -> None:
    scores = tmp_path / "scores.json"
    result = run("--bare", "--task", "syn-choices", "--limit", 6, "--json", scores)
    assert result.exit_code == 0, result.output
    content = json.loads(scores.read_text())
    assert content["backbone"]["parameters"] == 134_515_008
    assert content["counts"]["unparsable"] == 0
    assert 0 <= content["scores"]["value"] <= 100
