"""What the documentation shows must work: commands parse, the cheap ones run, cards are read."""

from __future__ import annotations

import csv
import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from clinprompt.cli.app import app
from clinprompt.documents.record import from_record, to_record
from clinprompt.tasks.card import parse_card
from clinprompt.tasks.loading import load

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "ARCHITECTURE.md", *sorted((ROOT / "docs").glob("*.md"))]
_FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def commands() -> list[tuple[str, str]]:
    """(page, command) for every clinprompt command in a fenced block."""
    found = []
    for page in PAGES:
        for language, block in _FENCE.findall(page.read_text(encoding="utf-8")):
            if language == "bash":
                rows = block.replace("\\\n", " ").splitlines()
                found += [(page.name, row) for row in rows if row.startswith("clinprompt ")]
    return found


def test_there_are_commands_to_check():
    assert len(commands()) > 15


@pytest.mark.parametrize(("page", "command"), commands())
def test_documented_commands_parse(page, command):
    """Sub-command, arguments and options exist as written."""
    words = shlex.split(command.split(" #")[0])[1:]
    current: Any = typer.main.get_command(app)
    context = current.make_context("clinprompt", [], resilient_parsing=True)
    while hasattr(current, "commands"):
        name, *words = words
        assert name in current.commands, f"{page}: {command}"
        current = current.commands[name]
        group = hasattr(current, "commands")
        context = current.make_context(
            name, [] if group else list(words), parent=context, resilient_parsing=group
        )


@pytest.mark.parametrize(
    "command",
    sorted({c for _, c in commands() if " tasks " in c and ("synthetic" in c or "syn-" in c)}),
)
def test_cheap_commands_run(command):
    result = CliRunner().invoke(app, shlex.split(command)[1:])
    assert result.exit_code == 0, result.output


def test_the_commands_on_documents_run(tmp_path, monkeypatch):
    """Those of the guide to documents, one after the other, on a folder as it describes."""
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "17.txt").write_text("Denies fever on aspirin.")
    (tmp_path / "notes" / "17.ann").write_text(
        "T1\tProblem 7 12\tfever\nA1\tNegated T1\nT2\tDrug 16 23\taspirin\n"
    )
    monkeypatch.chdir(tmp_path)
    found = [command for page, command in commands() if page == "documents.md"]
    assert len(found) > 5
    for command in found:
        result = CliRunner().invoke(app, shlex.split(command)[1:])
        assert result.exit_code == 0, f"{command}: {result.output}"
    for written in ("notes.jsonl", "pages/index.html", "table.csv", "bundles/17.json"):
        assert (tmp_path / written).is_file()


def test_the_native_record_in_the_guide_is_one():
    text = (ROOT / "docs" / "documents.md").read_text(encoding="utf-8")
    block = next(block for language, block in _FENCE.findall(text) if language == "json")
    document = from_record(json.loads(block), "documents.md")
    assert document.mentions[0].surface(document.text) == "fever"
    assert to_record(document) == json.loads(block)


def test_relative_links_lead_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_card_in_the_guide_reads_a_users_table(tmp_path):
    text = (ROOT / "docs" / "tasks.md").read_text(encoding="utf-8")
    yaml = next(block for language, block in _FENCE.findall(text) if language == "yaml")
    (tmp_path / "card.yaml").write_text(yaml)
    for name, count in (("letters-train.csv", 20), ("letters-test.csv", 6)):
        with (tmp_path / name).open("w", newline="") as handle:
            rows = csv.writer(handle)
            rows.writerow(["letter_id", "text", "status"])
            for i in range(count):
                rows.writerow([f"{name}-{i}", f'Letter {i}, line one.\n"Line two"', "NEVER"])
    data = load(parse_card(yaml), tmp_path)
    assert {split: len(examples) for split, examples in data.splits.items()} == {
        "train": 18,
        "dev": 2,
        "test": 6,
    }
