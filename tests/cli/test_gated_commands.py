"""Tasks whose data each user has to get: listed, explained, and no error of other tasks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.tasks.gated_world import inference
from typer.testing import CliRunner, Result

from clinprompt.cli.app import app


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CLINPROMPT_DATA", str(tmp_path))
    monkeypatch.setenv("CLINPROMPT_CACHE", str(tmp_path / "cache"))
    return tmp_path


def run(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def states(root: Path) -> dict[str, str]:
    return {row["name"]: row["data"] for row in json.loads(run("tasks", "list", "--json").stdout)}


def test_the_list_says_which_need_a_local_copy(root: Path) -> None:
    before = states(root)
    assert before["radnli"] == before["mednli"] == "needs a local copy"
    assert before["headqa"] == "missing" and before["syn-findings"] == "built in"
    inference(root)
    after = states(root)
    assert after["radnli"] == after["mediqa-rqe"] == "found"
    assert after["medqa-4"] == "needs a local copy"


def test_show_says_how_to_get_it(root: Path) -> None:
    result = run("tasks", "show", "mednli")
    assert result.exit_code == 0
    assert "needs a local copy" in result.stdout and "how to get it" in result.stdout
    assert "https://physionet.org/content/mednli/1.0.0/" in result.stdout


def test_check_of_a_missing_task_says_how_to_get_it(root: Path) -> None:
    result = run("tasks", "check", "radnli")
    assert result.exit_code == 2 and result.stdout == ""
    assert result.stderr.startswith("clinprompt: [CP-TASK-400] task 'radnli' needs a local copy")
    assert "PhysioNet" in result.stderr and "below radnli/" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_without_a_data_root_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CLINPROMPT_DATA", raising=False)
    result = run("tasks", "check", "n2c2-2022-sdoh-uw-ner")
    assert result.exit_code == 2 and "CP-TASK-400" in result.stderr


def test_check_of_a_task_that_is_there(root: Path) -> None:
    inference(root)
    result = run("tasks", "check", "radnli")
    assert result.exit_code == 0, result.output
    assert "1 of 1 tasks are fine" in result.stdout


@pytest.fixture
def suite(root: Path) -> Path:
    path = root / "mine.yaml"
    path.write_text("name: mine\nsources: [mednli]\ntargets: [radnli, medqa-4]\n")
    return path


def test_a_suite_lists_what_is_missing_and_reads_the_rest(root: Path, suite: Path) -> None:
    inference(root)
    result = run("tasks", "check", str(suite))
    assert result.exit_code == 2
    assert "needs a local copy of its data" in result.stdout and "data_clean.zip" in result.stdout
    assert "2 of 3 tasks are fine" in result.stdout and "is refused" not in result.stdout
    found = json.loads(run("tasks", "check", str(suite), "--json").stdout)
    assert found["refused"] == 0 and list(found["need a local copy"]) == ["medqa-4"]
    assert [task["task"] for task in found["tasks"]] == ["mednli", "radnli"]


def test_a_suite_without_any_of_its_data(root: Path, suite: Path) -> None:
    result = run("tasks", "check", str(suite))
    assert result.exit_code == 2 and "0 of 3 tasks are fine" in result.stdout


def test_a_suite_that_does_not_use_it_is_not_touched(root: Path) -> None:
    result = run("tasks", "check", "synthetic")
    assert result.exit_code == 0 and "local copy" not in result.output


def test_the_paper_suite(root: Path) -> None:
    rows = json.loads(run("tasks", "list", "--suite", "paper", "--json").stdout)
    targets = {row["name"]: row["data"] for row in rows if row["role"] == "target"}
    assert set(targets) == {
        "n2c2-2022-sdoh-uw-ner",
        "n2c2-2022-sdoh-uw-re",
        "medbullets-4",
        "medbullets-5",
        "headqa",
        "scinli",
        "radnli",
    }
    assert targets["radnli"] == "needs a local copy"
    assert not {row["name"] for row in rows if row["role"] == "source"} & set(targets)
