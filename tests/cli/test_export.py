from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from clinprompt.cli.app import app
from clinprompt.documents import formats
from clinprompt.inference.evaluate import sample
from clinprompt.report import Report
from clinprompt.tasks import catalogue
from clinprompt.tasks.loading import load


def run(*arguments: Any) -> Any:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def export(*arguments: Any) -> Any:
    return run("tasks", "export", *arguments)


def test_the_sample_is_that_of_evaluate(tmp_path: Path) -> None:
    result = export("syn-problems", "--limit", 5, "--seed", 3, "-o", tmp_path / "gold")
    assert result.exit_code == 0, result.output
    assert "gold: 5 documents as brat" in result.stdout
    examples = load(catalogue.find("syn-problems"), None, splits=("test",)).splits["test"]
    wanted = {one.input.text for one in sample(examples, 5, 3)}  # type: ignore[union-attr]
    found = list(formats.read("brat", tmp_path / "gold", Report()))
    assert {one.text for one in found} == wanted
    assert any(one.mentions for one in found)


@pytest.mark.parametrize(
    ("task", "form", "place", "options"),
    [
        ("syn-problems", "brat", "gold", ()),
        ("syn-drug-effects", "bioc-xml", "gold.xml", ()),
        ("syn-dialogue-summary", "jsonl", "gold.jsonl", ("--fields", "syn-dialogue-summary=text")),
    ],
)
def test_gold_against_itself_is_right(
    task: str, form: str, place: str, options: tuple[str, ...], tmp_path: Path
) -> None:
    gold, scores = tmp_path / place, tmp_path / "scores.json"
    result = export(task, "--split", "dev", "--limit", 4, "--to", form, "-o", gold)
    assert result.exit_code == 0, result.output
    side = ("--format", form, "--resamples", 10, "--json", scores)
    result = run("score", gold, gold, *side, *options)
    assert result.exit_code == 0, result.output
    content = json.loads(scores.read_text(encoding="utf-8"))
    assert content["documents"]["scored"] == 4
    assert all(one["micro"]["f1"]["value"] == 100 for one in content["sections"].values())
    for one in content["fields"].values():
        assert one["metrics"]["rougeL"]["value"] == 100
    assert bool(content["sections"]) != bool(content["fields"])


@pytest.mark.data
def test_concepts_name_their_vocabulary(data_root: Path, tmp_path: Path) -> None:
    gold = tmp_path / "gold.pubtator"
    options = ("--limit", 2, "--to", "pubtator", "--data-root", data_root)
    result = export("bc5cdr-cid", *options, "--concepts", "MeSH", "-o", gold)
    assert result.exit_code == 0, result.output
    assert "2 metadata (PubTator can't hold them)" in result.stderr
    assert "\tCID\t" in gold.read_text(encoding="utf-8")


def test_what_a_format_can_not_hold_is_counted(tmp_path: Path) -> None:
    result = export("syn-dialogue-summary", "--limit", 3, "-o", tmp_path / "gold")
    assert result.exit_code == 0
    assert "metadata that BRAT can't hold" in result.stderr


@pytest.mark.parametrize(
    ("task", "options", "code"),
    [
        ("syn-choices", (), "CP-INF-360"),
        ("syn-inference", (), "CP-INF-360"),
        ("syn-med-reasons", (), "CP-INF-360"),
        ("syn-problms", (), "CP-TASK"),
        ("syn-problems", ("--split", "tset"), "CP-TASK"),
        ("syn-problems", ("--to", "bratt"), "CP-DOC-010"),
    ],
)
def test_what_can_not_be_exported(
    task: str, options: tuple[str, ...], code: str, tmp_path: Path
) -> None:
    result = export(task, "-o", tmp_path / "gold", *options)
    assert result.exit_code == 2 and f"[{code}" in result.stderr, result.output
    assert not list(tmp_path.iterdir())


def test_nothing_is_written_over(tmp_path: Path) -> None:
    (tmp_path / "gold").mkdir()
    (tmp_path / "gold.jsonl").write_text("mine")
    for place, form in (("gold", "brat"), ("gold.jsonl", "jsonl")):
        result = export("syn-problems", "-o", tmp_path / place, "--to", form)
        assert result.exit_code == 2 and "[CP-CLI-170]" in result.stderr
    assert (tmp_path / "gold.jsonl").read_text() == "mine"
    assert not list((tmp_path / "gold").iterdir())
