from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from clinprompt.cli.app import app

TEXT = "He smokes 1 ppd and takes aspirin.\n"
ANN = """\
T1\tTobacco 3 9\tsmokes
T2\tStatusTime 3 9\tsmokes
T3\tAmount 10 15\t1 ppd
T4\tDrug 26 33\taspirin
E1\tTobacco:T1 Status:T2 Amount:T3
A1\tStatusTimeVal T2 current
R1\ttakes Arg1:T1 Arg2:T4
"""


def run(*arguments: Any) -> Any:
    return CliRunner().invoke(app, [str(a) for a in ("score", *arguments)])


def brat(folder: Path, **documents: str | None) -> Path:
    """A folder of documents; one whose annotations are None is a text alone."""
    folder.mkdir()
    for name, lines in documents.items():
        (folder / f"{name}.txt").write_text(TEXT, encoding="utf-8")
        if lines is not None:
            (folder / f"{name}.ann").write_text(lines, encoding="utf-8")
    return folder


def scored(*arguments: Any, tmp_path: Path) -> dict[str, Any]:
    out = tmp_path / "scores.json"
    result = run(*arguments, "--json", out, "--resamples", 50)
    assert result.exit_code == 0, result.output
    content: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    return content


@pytest.fixture
def sides(tmp_path: Path) -> tuple[Path, Path]:
    """Gold, and predictions that cut the amount short and miss the drug."""
    less = ANN.replace("T3\tAmount 10 15\t1 ppd", "T3\tAmount 10 11\t1")
    less = "".join(row for row in less.splitlines(True) if row[:2] not in ("T4", "R1"))
    return brat(tmp_path / "gold", a=ANN, b=ANN), brat(tmp_path / "pred", a=ANN, b=less)


def test_tables_for_people(sides: tuple[Path, Path]) -> None:
    result = run(*sides, "--format", "brat", "--resamples", 50)
    assert result.exit_code == 0, result.output
    assert "2 documents, clean mode" in result.stdout
    rows = {row.split("  ")[0]: row.split() for row in result.stdout.splitlines() if row}
    assert rows["entities.exact micro"][2:5] == ["85.7", "75.0", "80.0"]  # 6 of 7, 6 of 8
    assert rows["entities.overlap micro"][2:5] == ["100.0", "87.5", "93.3"]
    assert rows["events micro"][2:5] == ["83.3", "83.3", "83.3"]  # 5 of 6
    assert rows["Tobacco/Amount"][1:] == ["50.0", "50.0", "50.0", "2", "2", "1"]
    assert "same type and the same spans" in result.stdout
    assert "b   " not in result.stdout
    listed = run(*sides, "--format", "brat", "--resamples", 50, "--per-document")
    assert "entities.exact by document" in listed.stdout


def test_everything_in_json(sides: tuple[Path, Path], tmp_path: Path) -> None:
    content = scored(*sides, "--per-document", "--seed", 3, tmp_path=tmp_path)
    assert content["gold"]["format"] == content["predictions"]["format"] == "brat"
    assert content["mode"] == "clean" and content["quirks"] == {}
    assert content["bootstrap"] == {"unit": "document", "resamples": 50, "seed": 3, "level": 0.95}
    section = content["sections"]["entities.exact"]
    assert section["tables"]["label"]["Drug"]["recall"] == 50
    assert section["documents"]["b"]["tp"] == 2
    low, value, high = (section["micro"]["f1"][name] for name in ("low", "value", "high"))
    assert low <= value <= high
    assert content["sections"]["attributes.exact.end_to_end"]["micro"]["f1"]["value"] == 100


def test_n2c2_mode_names_its_quirks(sides: tuple[Path, Path], tmp_path: Path) -> None:
    content = scored(*sides, "--mode", "n2c2", tmp_path=tmp_path)
    assert set(content["sections"]) == {
        "entities.strict",
        "entities.lenient",
        "relations.strict",
        "relations.lenient",
        "events",
    }
    assert "macro_is_over_documents" in content["quirks"]
    result = run(*sides, "--mode", "n2c2", "--resamples", 50)
    assert "missing_documents_are_skipped: " in result.stdout


def test_a_missing_document_counts_in_clean_mode_only(tmp_path: Path) -> None:
    gold, pred = brat(tmp_path / "gold", a=ANN, b=ANN), brat(tmp_path / "pred", a=ANN)
    clean = scored(gold, pred, tmp_path=tmp_path)
    assert clean["sections"]["entities.exact"]["micro"]["recall"]["value"] == 50
    assert clean["documents"]["missing_in_predictions"] == ["b"]
    legacy = scored(gold, pred, "--mode", "n2c2", tmp_path=tmp_path)
    assert legacy["sections"]["entities.strict"]["micro"]["recall"]["value"] == 100


def test_a_text_without_annotation_file_is_missing_for_the_scripts(tmp_path: Path) -> None:
    gold = brat(tmp_path / "gold", a=ANN, b=ANN)
    pred = brat(tmp_path / "pred", a=ANN, b=None)
    clean = scored(gold, pred, tmp_path=tmp_path)
    assert clean["sections"]["entities.exact"]["micro"]["recall"]["value"] == 50
    legacy = scored(gold, pred, "--mode", "n2c2", tmp_path=tmp_path)
    assert legacy["documents"]["missing_in_predictions"] == ["b"]
    assert "predictions: 1 texts without annotation file, skipped" in legacy["reading"]


def test_annotations_without_texts_use_those_of_gold(tmp_path: Path) -> None:
    gold = brat(tmp_path / "gold", a=ANN, b=ANN)
    pred = tmp_path / "pred"
    pred.mkdir()
    (pred / "a.ann").write_text(ANN)
    (pred / "b.ann").write_text("T1\tDrug 26 33\taspirin\n")
    content = scored(gold, pred, "--format", "brat", tmp_path=tmp_path)
    assert "predictions: 2 annotation files without text, gold's used" in content["reading"]
    assert content["sections"]["entities.exact"]["micro"]["precision"]["value"] == 100
    (pred / "b.ann").write_text("T1\tDrug 26 33\tibuprof\n")  # its text is not gold's
    result = run(gold, pred, "--format", "brat")
    assert result.exit_code == 2 and "b.ann:1" in result.stderr
    (pred / "b.ann").unlink()
    (pred / "c.ann").write_text("T1\tDrug 26 33\taspirin\n")
    result = run(gold, pred, "--format", "brat")
    assert result.exit_code == 2 and "[CP-CLI-141]" in result.stderr


def test_archives_and_mixed_formats(sides: tuple[Path, Path], tmp_path: Path) -> None:
    gold, pred = sides
    archive = tmp_path / "gold.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for file in sorted(gold.iterdir()):
            packed.write(file, file.name)
    same = scored(archive, pred, tmp_path=tmp_path)
    plain = scored(gold, pred, tmp_path=tmp_path)
    assert same["sections"] == plain["sections"]
    converted = tmp_path / "pred.jsonl"
    assert (
        CliRunner().invoke(app, ["convert", str(pred), str(converted), "--to", "jsonl"]).exit_code
        == 0
    )
    mixed = scored(
        gold, converted, "--gold-format", "brat", "--pred-format", "jsonl", tmp_path=tmp_path
    )
    assert mixed["sections"] == plain["sections"]


def test_presets_and_choices(sides: tuple[Path, Path], tmp_path: Path) -> None:
    content = scored(*sides, "--preset", "shac", tmp_path=tmp_path)
    assert content["headline"]["micro"] == content["sections"]["events"]["micro"]
    content = scored(
        *sides,
        *("--preset", "shac", "--match", "exact", "--span-arguments", "overlap"),
        *("--labels", "Tobacco,Drug", "--labels", "Amount"),
        tmp_path=tmp_path,
    )
    assert content["settings"]["trigger"] == "exact"
    assert content["settings"]["labels"] == ["Tobacco", "Drug", "Amount"]
    assert content["headline"]["micro"]["f1"]["value"] == 100
    chosen = ("--preset", "ddi", "--relation-labels", "takes")
    content = scored(*sides, *chosen, tmp_path=tmp_path)
    assert content["settings"]["directed"] is False
    assert content["headline"]["detection, micro"]["recall"]["value"] == 50
    assert "F1 of the mean precision and recall" in run(*sides, *chosen).stdout


def test_mistakes_are_told_in_one_line(sides: tuple[Path, Path], tmp_path: Path) -> None:
    gold, pred = sides
    (pred / "b.txt").write_text(TEXT.replace("aspirin", "Aspirin"))
    result = run(gold, pred)
    assert result.exit_code == 2
    assert "[CP-EVAL-102] document 'b'" in result.stderr and "spirin" not in result.output
    (pred / "b.txt").write_text(TEXT)
    for name in ("c.txt", "c.ann"):
        (pred / name).write_text(TEXT if name == "c.txt" else ANN)
    result = run(gold, pred)
    assert result.exit_code == 2 and "[CP-EVAL-103]" in result.stderr
    assert run(gold, pred, "--extra-documents", "count").exit_code == 0
    result = run(gold / "a.txt", pred)
    assert result.exit_code == 2 and "[CP-CLI-142]" in result.stderr
    for bad, code in (
        (("--labels", "Tobaco"), "CP-EVAL-104"),
        (("--format", "bratt"), "CP-DOC-010"),
        (("--json", tmp_path / "no" / "x.json"), "CP-CLI-030"),
        (("--encoding", "utf-9"), "CP-CLI-100"),
        (("--mode", "n2c2", "--undirected"), "CP-CLI-140"),
    ):
        result = run(gold, pred, "--extra-documents", "count", *bad)
        assert result.exit_code == 2 and code in result.stderr, bad
        assert len(result.stderr.strip().splitlines()) <= 3


def test_single_files_have_their_partners_beside_them(tmp_path: Path) -> None:
    gold, pred = brat(tmp_path / "gold", a=ANN, b=ANN), tmp_path / "pred"
    pred.mkdir()
    (pred / "a.ann").write_text(ANN)
    for mode in ("clean", "n2c2"):
        files = (gold / "a.txt", pred / "a.ann")
        content = scored(*files, "--format", "brat", "--mode", mode, tmp_path=tmp_path)
        assert content["documents"]["scored"] == 1
        assert next(iter(content["sections"].values()))["micro"]["f1"]["value"] == 100
