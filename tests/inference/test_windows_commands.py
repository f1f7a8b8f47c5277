from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.inference import world
from typer.testing import CliRunner

from clinprompt.cli.app import app

NOTE = "PLAN:\n" + "He slept well and ate his lunch. " * 25


@pytest.fixture(scope="module")
def prompts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return world.saved(tmp_path_factory.mktemp("prompts"), *world.cards())


def run(prompts: Path, folder: Path, *arguments: Any) -> Any:
    source = folder / "in.jsonl"
    records = [
        {"id": "a", "task": "mentions", "text": NOTE},
        {"id": "b", "task": "nli", "premise": NOTE, "hypothesis": "He is well."},
        {"id": "c", "task": "summary", "text": "Denies cough."},
    ]
    source.write_text("".join(json.dumps(record) + "\n" for record in records))
    common = ["predict", prompts, "-i", source, "-o", folder / "out.jsonl", "--max-new", 5]
    return CliRunner().invoke(app, [str(a) for a in (*common, *arguments)])


def test_long_notes_are_answered_from_the_command_line(prompts: Path, tmp_path: Path) -> None:
    result = run(prompts, tmp_path)
    assert result.exit_code == 1
    assert "--long-inputs window" in result.stderr
    windows = ("--long-inputs", "window", "--window", 200, "--overlap", 40, "--overwrite")
    result = run(prompts, tmp_path, *windows)
    assert result.exit_code == 0, result.output
    assert "2 texts read in windows" in result.stderr
    rows = [json.loads(row) for row in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [row["windows"] > 1 for row in rows] == [True, True, False]
    assert [row.get("merged") for row in rows] == ["union", "best-window", None]
    assert rows[0]["made_by"]["settings"].endswith("window=200 overlap=40")


def test_sizes_without_windows_are_refused(prompts: Path, tmp_path: Path) -> None:
    for arguments in (("--window", 200), ("--overlap", 0, "--long-inputs", "truncate")):
        result = run(prompts, tmp_path, *arguments)
        assert result.exit_code == 2
        assert "CP-INF-104" in result.stderr
    senseless = ("--long-inputs", "window", "--window", 10, "--overlap", 6)
    result = run(prompts, tmp_path, *senseless)
    assert result.exit_code == 2
    assert "CP-INF-100" in result.stderr
