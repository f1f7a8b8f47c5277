from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from tests.inference import world
from typer.testing import CliRunner

from clinprompt.cli.app import app
from clinprompt.inference.records import input_record

COUNT, CHUNK = 600, 8


def run(*arguments: Any, data: bytes | None = None) -> Any:
    return CliRunner().invoke(app, [str(a) for a in ("predict", *arguments)], input=data)


@pytest.fixture(scope="module")
def prompts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return world.saved(tmp_path_factory.mktemp("prompts"), *world.cards())


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Prompts of one task only."""
    return world.saved(tmp_path_factory.mktemp("one"), world.card("nli"))


def line(name: str, number: int) -> str:
    record = {"id": f"{name}-{number}"} | input_record(world.an_input(world.card(name), number))
    return json.dumps(record | {"task": name}, ensure_ascii=False) + "\n"


def many(folder: Path) -> Path:
    """Lines of all tasks, with a few bad ones in between."""
    path, names = folder / "in.jsonl", [card.name for card in world.cards()]
    lines = [line(names[i % len(names)], i) for i in range(COUNT)]
    for place in range(10, COUNT, 97):
        lines[place] = '{"id": "Mustermann\n'
    path.write_text("".join(lines), encoding="utf-8")
    return path


def test_a_file_of_inputs_becomes_a_file_of_answers(prompts: Path, tmp_path: Path) -> None:
    source, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text(line("nli", 1) + line("mentions", 2) + line("choice", 3), encoding="utf-8")
    result = run(prompts, "-i", source, "-o", out, "--max-new", 5)
    assert result.exit_code == 0, result.output
    records = [json.loads(row) for row in out.read_text(encoding="utf-8").splitlines()]
    assert [record["id"] for record in records] == ["nli-1", "mentions-2", "choice-3"]
    assert sum(records[0]["answer"]["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    assert "entities" in records[1]["answer"]
    assert result.stdout == ""
    assert "3 documents answered" in result.stderr
    assert not (tmp_path / "out.errors.jsonl").exists()

    again = run(prompts, "-i", source, "-o", out, "--max-new", 5)
    assert again.exit_code == 0
    assert "3 documents had been answered before" in again.stderr
    assert [json.loads(row) for row in out.read_text(encoding="utf-8").splitlines()] == records


def test_bad_lines_are_reported_and_the_exit_code_says_so(prompts: Path, tmp_path: Path) -> None:
    source, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    bad = '{"id": "b", "task": "nli", "premise": "Mustermann"}\n'
    source.write_text(line("nli", 1) + bad + line("nli", 2), encoding="utf-8")
    for _ in range(2):  # the second run finds everything done and says the same
        result = run(prompts, "-i", source, "-o", out)
        assert result.exit_code == 1
        assert f"[CP-INF-031] {source}:2: " in result.stderr
        assert "'hypothesis' is missing" in result.stderr
        assert "1 lines could not be answered" in result.stderr
        assert "Mustermann" not in result.output
        assert len(out.read_text().splitlines()) == 2
        errors = (tmp_path / "out.errors.jsonl").read_text()
        assert json.loads(errors)["line"] == 2
        assert "Mustermann" not in errors


def test_standard_input_and_output(one: Path) -> None:
    data = (line("nli", 1).replace('"task": "nli"', '"task": null') + line("nli", 2)).encode()
    result = run(one, "-i", "-", "-o", "-", data=data)
    assert result.exit_code == 0, result.output
    assert [json.loads(row)["id"] for row in result.stdout.splitlines()] == ["nli-1", "nli-2"]


def test_a_default_task(prompts: Path, tmp_path: Path) -> None:
    source, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text('{"id": "a", "text": "cough"}\n')
    assert run(prompts, "-i", source, "-o", out).exit_code == 1
    assert "CP-INF-043" in (tmp_path / "out.errors.jsonl").read_text()
    result = run(prompts, "-i", source, "-o", out, "--task", "mentions", "--max-new", 4)
    assert result.exit_code == 0
    assert json.loads(out.read_text())["task"] == "mentions"
    result = run(prompts, "-i", source, "-o", out, "--task", "mention")
    assert result.exit_code == 2
    assert "[CP-CLI-033]" in result.stderr
    assert "did you mean 'mentions'?" in result.stderr


def test_paths_are_checked_first(one: Path, tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    result = run(one, "-i", source, "-o", tmp_path / "out.jsonl")
    assert result.exit_code == 2
    assert "CP-CLI-034" in result.stderr
    source.write_text(line("nli", 1))
    for out in (source, tmp_path / "." / "in.jsonl"):
        result = run(one, "-i", source, "-o", out, "--overwrite")
        assert result.exit_code == 2
        assert "CP-CLI-032" in result.stderr
    for out in (tmp_path, tmp_path / "none" / "out.jsonl"):
        result = run(one, "-i", source, "-o", out)
        assert result.exit_code == 2
        assert "CP-CLI-030" in result.stderr
    assert source.read_text() == line("nli", 1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl"]


def test_answers_of_other_prompts_are_refused(one: Path, prompts: Path, tmp_path: Path) -> None:
    source, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text(line("nli", 1))
    assert run(one, "-i", source, "-o", out).exit_code == 0
    before = out.read_bytes()
    result = run(prompts, "-i", source, "-o", out)
    assert result.exit_code == 2
    assert "CP-INF-046" in result.stderr
    assert out.read_bytes() == before
    assert run(prompts, "-i", source, "-o", out, "--overwrite").exit_code == 0
    assert out.read_bytes() != before


@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
def test_a_killed_run_goes_on_to_the_same_file(prompts: Path, tmp_path: Path) -> None:
    source, out, whole = many(tmp_path), tmp_path / "out.jsonl", tmp_path / "whole.jsonl"
    options = [prompts, "-i", source, "--chunk", CHUNK, "--max-new", 12, "--threads", 1]
    assert run(*options, "-o", whole).exit_code == 1
    command = [sys.executable, "-m", "clinprompt", "predict", *options, "-o", out]
    sizes = [0]
    for share in (0.1, 0.4):
        process = subprocess.Popen([str(part) for part in command], stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 120
        while not out.exists() or out.stat().st_size < share * whole.stat().st_size:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        sizes.append(out.stat().st_size)
    assert sizes[0] < sizes[1] < sizes[2] < whole.stat().st_size
    with out.open("ab") as file:  # the worst moment to be killed at
        file.write(b'{"id": "nli-')
    assert run(*options, "-o", out).exit_code == 1
    assert out.read_bytes() == whole.read_bytes()
    errors = [path.with_suffix(".errors.jsonl").read_bytes() for path in (out, whole)]
    assert errors[0] == errors[1]
    assert errors[0].count(b"\n") == len(range(10, COUNT, 97))
    answered = [json.loads(row)["id"] for row in out.read_bytes().splitlines()]
    assert answered == [
        f"{world.cards()[i % len(world.cards())].name}-{i}"
        for i in range(COUNT)
        if i not in range(10, COUNT, 97)
    ]


def test_lists_that_are_seldom_left_empty(prompts: Path, tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text("".join(line("list", i) for i in range(8)), encoding="utf-8")
    texts = []
    for name, more in (("plain", ()), ("named", ("--empty-above", 0.8))):
        out = tmp_path / f"{name}.jsonl"
        result = run(prompts, "-i", source, "-o", out, "--max-new", 40, "--grounded", *more)
        assert result.exit_code == 0, result.output
        found = [json.loads(row) for row in out.read_text(encoding="utf-8").splitlines()]
        told = "empty_above=0.8" in found[0]["made_by"]["settings"]
        assert told is (name == "named")
        texts.append([one["answer"] for one in found])
    nothing = {"relations": []}
    assert texts[1].count(nothing) < texts[0].count(nothing)  # some end unfinished, without a line
    refused = run(prompts, "-i", source, "-o", tmp_path / "no", "--empty-above", 0.2)
    assert refused.exit_code == 2
    assert "--empty-above" in refused.output


def test_free_texts_that_repeat_no_run(prompts: Path, tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text(line("answer", 1) + line("answer", 2), encoding="utf-8")
    found = []
    for name, more in (("free", ()), ("held", ("--no-repeat-ngram", 2))):
        out = tmp_path / f"{name}.jsonl"
        result = run(prompts, "-i", source, "-o", out, "--max-new", 80, *more)
        assert result.exit_code == 0, result.output
        found.append([json.loads(row) for row in out.read_text(encoding="utf-8").splitlines()])
    free, held = found
    assert "no_repeat_ngram=2" in held[0]["made_by"]["settings"]
    assert "no_repeat_ngram" not in free[0]["made_by"]["settings"]
    assert [one["answer"] for one in held] != [one["answer"] for one in free]
    refused = run(prompts, "-i", source, "-o", tmp_path / "no", "--no-repeat-ngram", 1)
    assert refused.exit_code == 2
    assert "--no-repeat-ngram" in refused.output
