from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest
from tests.inference import world
from typer.testing import CliRunner

from clinprompt.artifacts.prompt_set import PromptSet
from clinprompt.cli.app import app
from clinprompt.documents import formats
from clinprompt.report import Report

CANARY = "Mustermann"
PAIR = {"arguments": {"yes": ("Drug", "Sign")}, "negative_labels": ["no"]}
SHORT = ("--max-new", 6, "--threads", 1)
TEXT = ("--from", "text")  # whatever lies beside the texts


def run(*arguments: Any) -> Any:
    return CliRunner().invoke(app, [str(a) for a in ("predict", *arguments)])


@pytest.fixture(scope="module")
def prompts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Prompts for mentions and pairs; beside them others of the same backbone."""
    folder = tmp_path_factory.mktemp("prompts")
    path = world.saved(folder, world.card("mentions"), world.card("pair", **PAIR))
    name, ready = str(folder / "backbone"), world.prepared()
    two = world.prompt_set(ready, world.card("label"), world.card("summary"), name=name, seed=1)
    two.save(folder / "two")
    world.prompt_set(ready, world.card("label"), name=name, seed=2).save(folder / "again")
    world.prompt_set(world.prepared("qwen3"), world.card("span"), name=name).save(folder / "other")
    return path


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    return many(tmp_path / "notes", 5)


def many(folder: Path, count: int) -> Path:
    """Notes in BRAT format, each with a drug and a sign."""
    folder.mkdir()
    for number in range(count):
        body = f"{world.text(random.Random(number))} aspirin for pain"
        text = f"{CANARY}: {body}\r\n"
        drug = text.rindex("aspirin")
        (folder / f"n{number:03}.txt").write_bytes(text.encode())
        (folder / f"n{number:03}.ann").write_text(
            f"T1\tDrug {drug} {drug + 7}\taspirin\nT2\tSign {drug + 12} {drug + 16}\tpain\n"
        )
    return folder


def tree(folder: Path) -> dict[str, bytes]:
    """All files but those that say when the run was begun."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def report(out: Path) -> dict[str, Any]:
    return json.loads((out / "report.json").read_text(encoding="utf-8"))


def test_a_folder_of_texts(prompts: Path, notes: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = run(prompts, "-i", notes, "-o", out, "--to", "jsonl,brat", *TEXT, *SHORT)
    assert result.exit_code == 0, result.output
    assert result.stdout == ""
    assert "5 notes answered in" in result.stderr
    assert "/s)" in result.stderr
    documents = list(formats.read("jsonl", out / "jsonl" / "notes.jsonl", Report()))
    assert [one.id for one in documents] == [f"n{i:03}" for i in range(5)]
    for one in documents:
        assert (out / "brat" / f"{one.id}.txt").read_bytes() == one.text.encode()
        assert (notes / f"{one.id}.txt").read_bytes() == one.text.encode()
    found = report(out)
    assert (found["notes"], found["answered"], found["errors"]) == (5, 5, 0)
    assert found["tasks"]["mentions"]["answers"] == 5
    digest = PromptSet.load(prompts).digest
    assert found["made_by"]["artefact"] == digest
    assert found["made_by"]["prompts"] == {"mentions": digest, "pair": digest}
    assert CANARY not in (out / "report.json").read_text()
    assert CANARY not in result.stderr


def test_folders_of_prompts_together_and_own_annotations(
    prompts: Path, notes: Path, tmp_path: Path
) -> None:
    out, two = tmp_path / "out", prompts.parent / "two"
    command = [prompts, two, "-i", notes, "-o", out, "--from", "brat", "--to", "jsonl", *SHORT]
    result = run(*command)
    assert result.exit_code == 2
    assert "CP-INF-330" in result.stderr
    command += ["--existing", "keep"]
    result = run(*command)
    assert result.exit_code == 0, result.output
    assert "task 'label' is not asked: its question is not known" in result.stderr
    assert "label" in report(out)["not_asked"]
    result = run(*command, "--question", "label=Is it bad?")
    assert result.exit_code == 2
    assert "CP-INF-321" in result.stderr  # with the question nothing is the same
    result = run(*command, "--question", "Is it bad?", "--overwrite")
    assert result.exit_code == 0, result.output
    assert result.stderr.count("loading backbone") == 1
    documents = list(formats.read("jsonl", out / "jsonl", Report()))
    found = report(out)["tasks"]
    assert found["pair"]["pairs_asked"] >= 5
    assert {name: found[name]["answers"] for name in ("mentions", "label", "summary")} == {
        "mentions": 5,
        "label": 5,
        "summary": 5,
    }
    for one in documents:
        assert [mention.id for mention in one.mentions][:2] == ["T1", "T2"]
        assert {"label", "label.confidence", "summary"} <= dict(one.metadata).keys()


def test_the_same_command_again_asks_nothing(prompts: Path, notes: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = [prompts, "-i", notes, "-o", out, "--to", "brat,fhir,csv", *TEXT, *SHORT]
    assert run(*command).exit_code == 0
    first = tree(out)
    result = run(*command)
    assert result.exit_code == 0
    assert "5 notes had been answered before" in result.stderr
    assert "0 notes answered" in result.stderr
    assert tree(out) == first
    (notes / "n001.txt").write_text("cough")
    (notes / "n004.txt").unlink()
    result = run(*command)
    assert "1 notes were changed since, and asked again" in result.stderr
    assert "1 notes answered before are not there any more" in result.stderr
    assert not (out / "brat" / "n004.txt").exists()


def test_errors_go_into_the_report_and_the_rest_is_done(
    prompts: Path, notes: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    (notes / "a bad.txt").write_bytes(CANARY.encode() + b" \xe9")
    (notes / "empty.txt").touch()
    (notes / "long.txt").write_text(f"{CANARY} " * 300)
    for _ in range(2):
        result = run(prompts, "-i", notes, "-o", out, *TEXT, *SHORT)
        assert result.exit_code == 1, result.output
        assert "3 notes could not be read, or not asked everything" in result.stderr
        found = report(out)
        assert (found["notes"], found["answered"]) == (8, 5)
        assert [error["code"] for error in found["error_list"]] == [
            "CP-DATA-004",
            "CP-INF-302",
            "CP-INF-006",
        ]
        assert found["error_list"][0]["file"].endswith("a bad.txt")
        assert found["error_list"][2]["task"] == "mentions"
        assert CANARY not in result.output + (out / "report.json").read_text()
    truncated = run(
        prompts, "-i", notes, "-o", out, "--long-inputs", "truncate", "--overwrite", *TEXT, *SHORT
    )
    assert "1 texts with their end left out" in truncated.stderr
    documents = {one.id: one for one in formats.read("jsonl", out / "jsonl", Report())}
    assert dict(documents["long"].metadata)["clinprompt.truncated"] == "mentions"
    windowed = run(
        prompts, "-i", notes, "-o", tmp_path / "w", "--long-inputs", "window", *TEXT, *SHORT
    )
    assert "CP-INF-006" not in windowed.stderr
    assert report(tmp_path / "w")["tasks"]["mentions"]["windowed"] == 1


def test_a_format_that_can_not_be_written_does_not_stop_the_others(
    prompts: Path, notes: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    command = [prompts, "-i", notes, "-o", out, "--to", "omop,jsonl", "--from", "brat"]
    command += ["--existing", "keep", *SHORT]
    result = run(*command)
    assert result.exit_code == 1
    assert "5 notes could not be written as omop" in result.stderr
    assert len(report(out)["formats"]["omop"]["errors"]) == 5
    assert (out / "jsonl" / "notes.jsonl").exists()
    result = run(*command, "--note-ids", "number")
    assert result.exit_code == 0, result.output
    assert "5 notes had been answered before" in result.stderr
    assert (out / "omop" / "notes.csv").exists()


def test_an_archive(prompts: Path, notes: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "notes.zip", "w") as archive:
        for path in sorted(notes.glob("*.txt")):
            archive.write(path, f"ward/{path.name}")
    result = run(prompts, "-i", tmp_path / "notes.zip", "-o", tmp_path / "out", *SHORT)
    assert result.exit_code == 0, result.output
    found = [one.id for one in formats.read("jsonl", tmp_path / "out" / "jsonl", Report())]
    assert found == [f"ward/n{i:03}" for i in range(5)]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["-i", "NOTES", "-o", "OUT", "--to", "brta"], "CP-INF-340"),
        (["-i", "NOTES", "-o", "OUT", "--encoding", "utf-9"], "CP-CLI-100"),
        (["-i", "NOTES", "-o", "OUT", "--from", "omop"], "CP-DOC-011"),
        (["-i", "NOTES", "-o", "OUT", "--task", "mention"], "CP-INF-353"),
        (["-i", "NOTES", "-o", "OUT", "--question", "Why?"], "CP-CLI-165"),
        (["-i", "NOTES", "-o", "OUT", "--question", "mentions=Why?"], "CP-INF-310"),
        (["-i", "NOTES", "-o", "OUT", "--pairs", "pair=Drug"], "CP-CLI-166"),
        (["-i", "NOTES", "-o", "OUT", "--pairs", "mentions=Drug:Sign"], "CP-INF-311"),
        (["-i", "NOTES", "-o", "NOTES"], "CP-CLI-163"),
        (["-i", "NOTES", "-o", "NOTES/out"], "CP-CLI-163"),
        (["-i", "NOTES", "-o", "-"], "CP-CLI-162"),
        (["-i", "-", "-o", "OUT", "--to", "brat"], "CP-CLI-162"),
        (["-i", "NOTES/n001.txt", "-o", "OUT", "--existing", "keep"], "CP-CLI-161"),
        (["-i", "NONE", "-o", "OUT", "--to", "brat"], "CP-DOC-001"),
        (["OTHER", "-i", "NOTES", "-o", "OUT"], "CP-INF-350"),
        (["AGAIN", "TWO", "-i", "NOTES", "-o", "OUT"], "CP-INF-352"),
    ],
)
def test_mistakes_are_told_before_anything_is_done(
    prompts: Path, notes: Path, tmp_path: Path, arguments: list[str], code: str
) -> None:
    places = {
        "NOTES": str(notes),
        "OUT": str(tmp_path / "out"),
        "NONE": str(tmp_path / "none"),
        **{name.upper(): str(prompts.parent / name) for name in ("other", "again", "two")},
    }
    for name, place in places.items():
        arguments = [word.replace(name, place) for word in arguments]
    before = tree(tmp_path)
    result = run(prompts, *arguments)
    assert result.exit_code == 2, result.output
    assert f"[{code}]" in result.stderr
    assert tree(tmp_path) == before
    assert not (tmp_path / "out").exists()


def test_foreign_files_are_not_written_over(prompts: Path, notes: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / "brat").mkdir(parents=True)
    (out / "brat" / "mine.ann").touch()
    command = [prompts, "-i", notes, "-o", out, "--to", "brat", *TEXT, *SHORT]
    result = run(*command)
    assert result.exit_code == 2
    assert "CP-CLI-164" in result.stderr
    assert tree(out) == {"brat/mine.ann": b""}
    (out / "brat" / "mine.ann").unlink()
    (out / "brat").rmdir()
    (out / "mine.txt").touch()  # not in the way
    assert run(*command).exit_code == 0
    assert (out / "mine.txt").exists()


@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
def test_a_killed_run_goes_on_to_the_same_output(prompts: Path, tmp_path: Path) -> None:
    source, out, whole = many(tmp_path / "notes", 60), tmp_path / "out", tmp_path / "whole"
    (source / "n050.txt").write_bytes(b"\xff")
    options = [prompts, prompts.parent / "two", "-i", source, "--from", "brat", "--to"]
    options += ["brat,jsonl", "--existing", "keep", "--question", "label=Is it bad?"]
    options += ["--chunk", 2, "--max-new", 12, "--threads", 1]
    assert run(*options, "-o", whole).exit_code == 1
    journal, size = out / "journal.jsonl", (whole / "journal.jsonl").stat().st_size
    command = [sys.executable, "-m", "clinprompt", "predict", *options, "-o", out]
    process = subprocess.Popen([str(part) for part in command], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not journal.exists() or journal.stat().st_size < 0.2 * size:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert 0 < journal.stat().st_size < size
    assert not (out / "report.json").exists()
    with journal.open("ab") as file:  # the worst moment to be killed at
        file.write(b'{"notes": [{"id": "n0')
    result = run(*options, "-o", out)
    assert result.exit_code == 1
    before = int(result.stderr.split(" notes had been answered before")[0].rsplit("\n")[-1])
    assert before > 0
    assert f"{59 - before} notes answered in" in result.stderr
    ours, theirs = tree(out), tree(whole)
    for files in (ours, theirs):  # the journal's head says when the run was begun
        files["journal.jsonl"] = files["journal.jsonl"].partition(b"\n")[2]
    assert ours == theirs
