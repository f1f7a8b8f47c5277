from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.experiments.compare_world import compared, write_world
from tests.experiments.report_cells import BACKBONE, CANARY, TARGETS, write_comparison
from tests.experiments.test_report_gaps import answered
from typer.testing import CliRunner

from clinprompt.cli.app import app
from clinprompt.errors import ClinpromptError
from clinprompt.experiments.compare.draws import DRAWS_FILE, examples_digest, read_draws
from clinprompt.experiments.report.gaps import Gaps
from clinprompt.experiments.report.reading import read
from clinprompt.experiments.report.writing import make
from clinprompt.experiments.share import share

MPT = f"cells/{BACKBONE}/scinli/mpt-32-s0"


def names(folder: Path) -> set[str]:
    return {file.name for file in folder.rglob("*") if file.is_file()}


@pytest.fixture(scope="module")
def shared(tmp_path_factory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("shared")
    original, copy = folder / "original", folder / "copy"
    answered(original, write_comparison(original, seeds=(0, 1), predictions=False))
    share(original, copy)
    return original, copy


def test_differences_of_a_copy_are_those_of_the_original(shared):
    original, copy = (Gaps(read(folder)) for folder in shared)
    for method, reference, shots in (("mpt", "lora", 32), ("mpt", "pt", "full")):
        for target in TARGETS:
            expected = original.at(BACKBONE, target, method, reference, shots)
            found = copy.at(BACKBONE, target, method, reference, shots)
            assert (found.value, found.seeds) == (expected.value, 2)
            assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-5)
        expected = original.average(BACKBONE, method, reference, shots)
        found = copy.average(BACKBONE, method, reference, shots)
        assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-5)
    assert not copy.problems


def test_the_report_of_a_copy_is_the_same_up_to_the_metaprompt_itself(shared):
    reports = [make(folder).files["report.md"] for folder in shared]
    first, second = (text.split("## Similarity")[0] for text in reports)
    assert "## Differences" in first
    assert first == second
    assert "No predictions lie beside the cells" in reports[1]


def test_a_copy_can_be_copied(shared, tmp_path):
    _, copy = shared
    share(copy, tmp_path / "again")
    found, expected = (read_draws(folder / MPT) for folder in (tmp_path / "again", copy))
    assert found == expected


def test_no_text_of_the_data_is_copied(tmp_path):
    original = tmp_path / "original"
    write_comparison(original)
    (original / MPT / "weights").mkdir()
    (original / MPT / "weights" / "prompts.safetensors").write_text(CANARY)
    assert any(CANARY in file.read_text() for file in original.rglob("predictions.jsonl"))
    share(original, tmp_path / "copy")
    assert names(tmp_path / "copy") <= {"compare.json", "cell.json", "source.json", DRAWS_FILE}
    for file in (tmp_path / "copy").rglob("*.json"):
        assert CANARY not in file.read_text(), file.name


def test_predictions_that_do_not_give_the_score_are_said(tmp_path):
    write_comparison(tmp_path / "original")  # scores that were made up
    found = share(tmp_path / "original", tmp_path / "copy")
    assert (found.paired, len(found.problems)) == (0, found.cells)
    assert "do not give its score" in found.problems[0]
    result = CliRunner().invoke(
        app, ["share", str(tmp_path / "original"), "-o", str(tmp_path / "second")]
    )
    assert result.exit_code == 0
    assert f"{found.cells} cells have no paired differences" in result.output
    assert CANARY not in result.output


OTHER_RECIPE = "its draws were made for another recipe or score"
OTHER_EXAMPLES = "test examples of mpt and lora differ"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"seed": 9}, OTHER_RECIPE),
        ({"value": 1.0}, OTHER_RECIPE),
        ({"metric": "accuracy"}, OTHER_RECIPE),
        ({"examples": examples_digest([("another", "one")])}, OTHER_EXAMPLES),
    ],
)
def test_draws_that_do_not_belong_are_not_used(shared, tmp_path, change, said):
    _, copy = shared
    share(copy, tmp_path / "c")
    draws = read_draws(tmp_path / "c" / MPT)
    assert draws is not None
    draws.model_copy(update=change).write(tmp_path / "c" / MPT)
    gaps = Gaps(read(tmp_path / "c"))
    assert gaps.at(BACKBONE, "scinli", "mpt", "lora", 32).low is None
    assert said in " ".join(gaps.problems)


def test_broken_draws_are_a_problem_of_their_cell_alone(shared, tmp_path):
    _, copy = shared
    share(copy, tmp_path / "c")
    (tmp_path / "c" / MPT / DRAWS_FILE).write_text('{"draws": "many"}')
    gaps = Gaps(read(tmp_path / "c"))
    assert gaps.at(BACKBONE, "scinli", "mpt", "lora", 32).low is None
    assert gaps.at(BACKBONE, "ncbi-disease", "mpt", "lora", 32).low is not None
    assert "CP-EXP-211" in " ".join(gaps.problems)


def test_what_is_there_is_not_written_over(shared):
    original, copy = shared
    with pytest.raises(ClinpromptError, match="CP-EXP-210"):
        share(original, copy)
    result = CliRunner().invoke(app, ["share", str(original), "-o", str(copy)])
    assert result.exit_code == 2
    assert "CP-EXP-210" in result.output


def test_a_comparison_goes_on_in_a_copy_without_running_anything_again(tmp_path):
    fields = write_world(tmp_path)
    fields |= {"shots": [4], "seeds": [0, 1], "methods": [fields["methods"][3]]}
    fields |= {"tuning": {"when": "first-seed"}}
    original, copy = tmp_path / "original", tmp_path / "copy"
    first = compared(fields, original, only=("*-s0",))
    share(original, copy)
    assert names(copy) == {
        *("compare.json", "source.json", "cell.json", DRAWS_FILE, "try.json", "identity")
    }
    tries = {file: file.stat().st_mtime_ns for file in copy.glob("tuning/*/*/*-s0/*/try.json")}
    assert tries
    found = compared(fields, copy)
    assert {name for name in found if name not in first} == {
        "tiny/asked/mpt-4-s1",
        "tiny/marked/mpt-4-s1",
    }
    for name, cell in first.items():
        assert found[name] == cell  # finished at the same second, so not run again
    assert {file: file.stat().st_mtime_ns for file in tries} == tries
    expected = compared(fields, original)
    for name, cell in expected.items():
        assert found[name].chosen == cell.chosen
        assert found[name].main == cell.main
    assert json.loads((copy / "compare.json").read_text())["cells"]
    assert not Gaps(read(copy)).problems


def test_a_cell_with_draws_alone_is_paired_with_one_that_has_its_predictions(tmp_path):
    fields = write_world(tmp_path)
    fields |= {"shots": [4], "methods": fields["methods"][2:4]}  # pt and mpt
    original, copy = tmp_path / "original", tmp_path / "copy"
    compared(fields, original, only=("*/mpt-*",))
    share(original, copy)
    compared(fields, original)
    compared(fields, copy)
    assert len(list(copy.rglob("predictions.jsonl"))) == 2  # of pt alone
    expected, found = (Gaps(read(folder)) for folder in (original, copy))
    for target in ("asked", "marked"):
        mine, theirs = (one.at("tiny", target, "mpt", "pt", 4) for one in (found, expected))
        assert mine.value == theirs.value
        assert (mine.low, mine.high) == pytest.approx((theirs.low, theirs.high), abs=1e-5)
    assert not found.problems


def test_the_empty_folder_one_stands_in_can_be_written_to(shared, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    share(shared[0], Path())
    assert (tmp_path / "compare.json").is_file()
