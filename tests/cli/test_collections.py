"""The commands convert, stats and view, as a user runs them."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from clinprompt.cli.app import app
from clinprompt.documents import formats
from clinprompt.documents.formats import ReadOptions
from clinprompt.report import Report


def run(*arguments: Any) -> Any:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / "1.txt").write_text("Denies fever. Dry cough on aspirin.\n", encoding="utf-8")
    (folder / "1.ann").write_text(
        "T1\tProblem 7 12\tfever\nA1\tNegated T1\nT2\tProblem 14 23\tDry cough\n"
        "T3\tProblem 18 23\tcough\nT4\tDrug 27 34\taspirin\nR1\tTreats Arg1:T4 Arg2:T2\n",
        encoding="utf-8",
    )
    (folder / "2.txt").write_text("Nothing.\n", encoding="utf-8")
    (folder / "2.ann").write_text("", encoding="utf-8")
    return folder


@pytest.fixture
def broken(notes: Path) -> Path:
    (notes / "1b.txt").write_text("a cough", encoding="utf-8")
    (notes / "1b.ann").write_text("T1\tProblem 2 7\tfever\n", encoding="utf-8")
    return notes


# ---- convert -----------------------------------------------------------------------------------


def test_convert_there_and_back(notes, tmp_path):
    file, back = tmp_path / "d.jsonl", tmp_path / "back"
    assert run("convert", notes, file, "--from", "brat", "--to", "jsonl").exit_code == 0
    assert run("convert", file, back, "--from", "jsonl", "--to", "brat").exit_code == 0
    files = {path.name: path.read_bytes() for path in notes.iterdir()}
    assert {path.name: path.read_bytes() for path in back.iterdir()} == files


def test_convert_says_what_it_did_and_what_was_lost(notes, tmp_path):
    result = run("convert", notes, tmp_path / "o.csv", "--to", "omop", "--made", "2024-05-01")
    assert result.exit_code == 0, result.output
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    for line in ("documents 2", "mentions 4", "relations 1", "attributes 1"):
        assert line in lines
    assert "1 relations that NOTE_NLP can't hold" in lines
    assert f"{tmp_path / 'o.csv'} (document '1')" in lines
    assert "reading" in result.stderr and "as brat" in result.stderr
    with (tmp_path / "o.csv").open(newline="") as rows:
        found = list(csv.DictReader(rows))
    assert [row["term_exists"] for row in found] == ["N", "Y", "Y", "Y"]
    assert {row["nlp_date"] for row in found} == {"2024-05-01"}


def test_convert_as_json(notes, tmp_path):
    result = run("convert", notes, tmp_path / "o.csv", "--to", "omop", "--json", "--places", 0)
    found = json.loads(result.stdout)
    assert (found["from"], found["to"], found["documents"]) == ("brat", "omop", 2)
    assert {"reason": "relations that NOTE_NLP can't hold", "count": 1, "places": []} in found[
        "report"
    ]
    assert found["failed"] == []


def test_convert_reads_an_archive(notes, tmp_path):
    with zipfile.ZipFile(tmp_path / "n.zip", "w") as archive:
        for file in sorted(notes.iterdir()):
            archive.write(file, file.name)
    assert run("convert", tmp_path / "n.zip", tmp_path / "o.jsonl", "--to", "jsonl").exit_code == 0
    found = formats.read("jsonl", tmp_path / "o.jsonl", Report(), ReadOptions())
    assert [document.id for document in found] == ["1", "2"]


def test_the_first_error_stops_it(broken, tmp_path):
    result = run("convert", broken, tmp_path / "o", "--from", "brat", "--to", "fhir")
    assert result.exit_code == 2
    assert "1b.ann:1" in result.stderr and "Traceback" not in result.output
    assert not (tmp_path / "o").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes"]


def test_keep_going_converts_the_rest(broken, tmp_path):
    arguments = ["convert", broken, tmp_path / "o", "--from", "brat", "--to", "fhir"]
    result = run(*arguments, "--keep-going")
    assert result.exit_code == 1
    assert "1b.ann:1" in result.stderr and "1 could not be converted" in result.stderr
    assert sorted(path.name for path in (tmp_path / "o").iterdir()) == ["1.json", "2.json"]
    again = run(*arguments, "--keep-going", "--force", "--json")
    assert [("1b.ann:1" in error) for error in json.loads(again.stdout)["failed"]] == [True]


def test_keep_going_passes_what_a_format_can_not_write(tmp_path):
    lines = [{"id": name, "text": "x"} for name in ("7", "note", "8")]
    (tmp_path / "d.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    arguments = ["convert", tmp_path / "d.jsonl", tmp_path / "o.csv", "--from", "jsonl"]
    assert run(*arguments, "--to", "omop").exit_code == 2
    result = run(*arguments, "--to", "omop", "--keep-going")
    assert result.exit_code == 1 and "CP-DOC-311" in result.stderr
    assert "documents 2" in " ".join(result.stdout.split())


def test_two_documents_of_one_id(tmp_path):
    (tmp_path / "d.jsonl").write_text('{"id": "a", "text": "x"}\n{"id": "a", "text": "y"}\n')
    arguments = ["convert", tmp_path / "d.jsonl", tmp_path / "o", "--from", "jsonl", "--to", "text"]
    result = run(*arguments)
    assert result.exit_code == 2 and "CP-DOC-350" in result.stderr
    assert run(*arguments, "--keep-going").exit_code == 1
    assert (tmp_path / "o" / "a.txt").read_text() == "x"


def test_nothing_is_written_over(notes, tmp_path):
    arguments = ["convert", notes, tmp_path / "d.jsonl", "--from", "brat", "--to", "jsonl"]
    assert run(*arguments).exit_code == 0
    (tmp_path / "d.jsonl").write_text("mine")
    result = run(*arguments)
    assert result.exit_code == 2 and "--force" in result.stderr
    assert (tmp_path / "d.jsonl").read_text() == "mine"
    assert run(*arguments, "--force").exit_code == 0
    assert (tmp_path / "d.jsonl").read_text() != "mine"


def test_fhir_takes_its_options(notes, tmp_path):
    options = ["--resource", "Drug=none", "--artefact", "ab12", "--made", "2024-05-01T12:00:00Z"]
    options += ["--validate", "--to", "fhir"]
    assert run("convert", notes, tmp_path / "o", *options).exit_code == 0
    raw = (tmp_path / "o" / "1.json").read_text()
    assert "ab12" in raw and "aspirin" not in raw and "2024-05-01T12:00:00+00:00" in raw
    first = {file.name: file.read_bytes() for file in (tmp_path / "o").iterdir()}
    assert run("convert", notes, tmp_path / "p", *options).exit_code == 0
    assert {file.name: file.read_bytes() for file in (tmp_path / "p").iterdir()} == first


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--to", "brut"], "did you mean 'brat'?"),
        (["--to", "i2b2-2010"], "can't be written"),
        (["--from", "fhir", "--to", "jsonl"], "can't be read"),
        (["--from", "brot", "--to", "jsonl"], "did you mean 'brat'?"),
        (["--to", "jsonl", "--encoding", "utf-88"], "CP-CLI-100"),
        (["--to", "jsonl", "--encoding", "base64"], "CP-CLI-100"),
        (["--to", "jsonl", "--made", "yesterday"], "CP-CLI-102"),
        (["--to", "fhir", "--resource", "Drug"], "CP-CLI-103"),
        (["--to", "fhir", "--resource", "Drug=Medication"], "CP-DOC-323"),
        ([], "CP-DOC-340"),
    ],
)
def test_a_wrong_option_is_named(notes, tmp_path, arguments, words):
    result = run("convert", notes, tmp_path / "out", *arguments)
    assert result.exit_code == 2, result.output
    assert words in result.stderr
    assert not (tmp_path / "out").exists()


def test_a_source_that_is_not_there(tmp_path):
    for command in (["convert", "no", "o.csv"], ["stats", "no"], ["view", "no", "-o", "o"]):
        result = run(*command)
        assert result.exit_code == 2 and "CP-DOC-001" in result.stderr


# ---- stats -------------------------------------------------------------------------------------


def test_stats_counts(notes):
    result = run("stats", notes)
    assert result.exit_code == 0, result.output
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert "documents 2" in lines and "with annotations 1" in lines
    assert "Problem 3 1 0 1 0 0 5, 5, 6.3, 9" in lines
    assert "Treats 1" in lines and "Negated 1" in lines


def test_stats_as_json(notes):
    found = json.loads(run("stats", notes, "--from", "brat", "--json").stdout)
    assert found["format"] == "brat" and found["documents"] == 2
    assert found["mentions"]["mentions"] == 4 and found["labels"]["Problem"]["nested"] == 1
    assert found["report"] == []


def test_stats_names_the_file_of_an_error(broken):
    result = run("stats", broken, "--from", "brat")
    assert result.exit_code == 2 and "1b.ann:1" in result.stderr


@pytest.mark.data
def test_stats_of_a_real_set(data_root):
    """BC5CDR's test set as its paper counts it: 500 abstracts, 5,385 and 4,424 mentions."""
    path = data_root / "RE" / "bc5cdr-cid" / "CDR_TestSet.PubTator.txt.xz"
    result = run("stats", path, "--from", "pubtator", "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["documents"] == 500
    assert found["labels"]["Chemical"]["mentions"] == 5385
    assert found["labels"]["Disease"]["mentions"] == 4424
    assert found["relations"] == {"CID": 1066}


# ---- view --------------------------------------------------------------------------------------


def test_view_writes_pages(notes, tmp_path):
    result = run("view", notes, "-o", tmp_path / "pages")
    assert result.exit_code == 0 and "2 documents" in result.stderr
    files = sorted(str(f.relative_to(tmp_path)) for f in (tmp_path / "pages").rglob("*.html"))
    assert files == ["pages/index.html", "pages/notes/1.html", "pages/notes/2.html"]
    assert run("view", notes, "-o", tmp_path / "pages").exit_code == 2
    assert run("view", notes, "-o", tmp_path / "pages", "--force").exit_code == 0


def test_view_stops_at_an_error(broken, tmp_path):
    result = run("view", broken, "-o", tmp_path / "pages")
    assert result.exit_code == 2 and "1b.ann:1" in result.stderr
    assert not (tmp_path / "pages").exists()


def test_a_full_disk_is_one_line(notes, tmp_path):
    """What a user sees in a shell: no traceback."""
    target = Path("/dev/full") if Path("/dev/full").exists() else tmp_path
    command = [sys.executable, "-m", "clinprompt", "stats", str(notes)]
    with target.open("w") as full:
        found = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert found.returncode == 2
    assert "Traceback" not in found.stderr and "CP-CLI-001" in found.stderr


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written(notes, tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    result = run("convert", notes, tmp_path / "locked" / "o.csv", "--to", "csv")
    assert result.exit_code == 2 and "CP-DOC-004" in result.stderr


@pytest.mark.skipif(os.name == "nt", reason="names are Unicode there")
def test_names_that_are_no_utf8_are_printed(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text("x")
    (tmp_path / "in" / os.fsdecode(b"caf\xe9.png")).write_text("x")
    command = [sys.executable, "-m", "clinprompt", "stats", str(tmp_path / "in"), "--from", "text"]
    env = {**os.environ, "PYTHONIOENCODING": "utf-8:strict"}
    for more in ([], ["--json"]):
        found = subprocess.run([*command, *more], capture_output=True, env=env, check=False)
        assert found.returncode == 0 and b"udce9.png" in found.stdout, found.stderr
