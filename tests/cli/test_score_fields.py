from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from clinprompt.cli.app import app
from clinprompt.documents import formats
from clinprompt.documents.model import Document
from clinprompt.report import Report

TEXT = "He smokes."


def run(*arguments: Any) -> Any:
    options = ("--format", "jsonl", "--resamples", 20)
    return CliRunner().invoke(app, [str(one) for one in ("score", *arguments, *options)])


def note(name: str, **facts: str) -> Document:
    return Document(name, TEXT, metadata=tuple(facts.items()))


@pytest.fixture
def sides(tmp_path: Path) -> tuple[Path, Path]:
    """Of three notes one is not predicted, and one has a wrong status and half a summary."""
    gold = [note(name, status="current", summary="smokes daily", day="1") for name in "abc"]
    predicted = [
        note("a", status="current", summary="Smokes daily.", day="1"),
        note("b", status="past", summary="smokes", day="1"),
    ]
    for name, documents in (("gold", gold), ("pred", predicted)):
        formats.write("jsonl", tmp_path / f"{name}.jsonl", documents, Report())
    return tmp_path / "gold.jsonl", tmp_path / "pred.jsonl"


def test_tables_for_people(sides: tuple[Path, Path]) -> None:
    result = run(*sides, "--fields", "status=label,summary=text", "--per-document")
    assert result.exit_code == 0, result.output
    rows = [row.split() for row in result.stdout.splitlines() if row]
    assert ["status", "accuracy", "33.3"] in [row[:3] for row in rows]
    assert ["summary", "exact_match", "33.3"] in [row[:3] for row in rows]
    assert ["summary", "token_f1", "55.6"] in [row[:3] for row in rows]  # (1 + 2/3 + 0) / 3
    assert ["current", "100.0", "33.3", "50.0", "3", "1", "1"] in rows
    assert ["b", "0.0"] in rows
    assert "summary: 3 documents; 1 documents not predicted: wrong" in result.stdout
    assert "entities" not in result.stdout
    assert "smokes daily" not in result.output


def test_everything_in_json(sides: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "scores.json"
    result = run(*sides, "--fields", "status=label", "--fields", "summary=text", "--json", out)
    assert result.exit_code == 0, result.output
    content = json.loads(out.read_text(encoding="utf-8"))
    status, summary = content["fields"]["status"], content["fields"]["summary"]
    assert status["metrics"]["macro_f1"]["value"] == pytest.approx(25)
    assert status["confusion"]["current"] == {"current": 1, "past": 1, "(no answer)": 1}
    assert status["labels"]["current"]["recall"] == pytest.approx(100 / 3)
    assert summary["metrics"]["rougeL"]["value"] == pytest.approx(100 * (1 + 2 / 3) / 3)
    assert summary["counts"]["not_predicted"] == 1
    assert content["settings"]["fields"] == {"status": "label", "summary": "text"}
    assert "documents" not in summary


def test_negative_labels_are_not_in_micro_f1(sides: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "scores.json"
    chosen = ("--fields", "status=label", "--negative-labels", "past", "--json", out)
    assert run(*sides, *chosen).exit_code == 0
    metrics = json.loads(out.read_text(encoding="utf-8"))["fields"]["status"]["metrics"]
    assert metrics["micro_f1"]["value"] == pytest.approx(50)  # 1 right, 2 missed, none wrong
    assert metrics["accuracy"]["value"] == pytest.approx(100 / 3)


def test_what_is_not_asked_for_is_pointed_out(sides: tuple[Path, Path]) -> None:
    result = run(*sides, "--fields", "status=label")
    assert "not scored unless asked for: summary" in result.stderr
    assert "not scored unless asked for: status, summary" in run(*sides).stderr


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("--fields", "summary"), "CP-CLI-171"),
        (("--fields", "summary=words"), "CP-CLI-171"),
        (("--fields", "=text"), "CP-CLI-171"),
        (("--fields", "summary=text,summary=label"), "CP-CLI-171"),
        (("--fields", "sumary=text"), "CP-EVAL-170"),
        (("--fields", "summary=text", "--mode", "n2c2"), "CP-CLI-140"),
    ],
)
def test_mistakes(options: tuple[str, ...], code: str, sides: tuple[Path, Path]) -> None:
    result = run(*sides, *options)
    assert result.exit_code == 2 and f"[{code}]" in result.stderr, result.output
    assert len(result.stderr.strip().splitlines()) <= 3
