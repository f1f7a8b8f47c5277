from __future__ import annotations

import json
import shutil

import pytest
from tests.experiments.report_cells import (
    BACKBONE,
    METHODS,
    TARGETS,
    default_value,
    write_comparison,
)

from clinprompt.errors import ClinpromptError
from clinprompt.experiments.report.reading import read, shots_text
from clinprompt.experiments.report.scores import Scores

FAILED = f"{BACKBONE}/scinli/lora-full-s0"
MISSING = f"{BACKBONE}/mts-dialog/pt-32-s0"


def test_everything_planned_is_there_in_order(tmp_path):
    write_comparison(tmp_path, failed={FAILED: "no room"}, missing=(MISSING,))
    found = read(tmp_path)
    assert found.backbones == [BACKBONE]
    assert found.targets == list(TARGETS)
    assert found.methods == list(METHODS)
    assert found.shots == [0, 32, "full"]
    status = {slot.plan.id: slot.status for slot in found.slots}
    assert len(status) == 8 * 3
    assert {i for i, s in status.items() if s != "done"} == {FAILED, MISSING}
    reasons = {slot.plan.id: slot.reason for slot in found.slots}
    assert reasons[FAILED] == "[CP-EXP-120] no room"
    assert reasons[MISSING] == "not run yet"
    assert found.metric("scinli") == "macro_f1"
    assert found.named("lora", "prompt-tuning") == ["pt", "lora"]


def test_a_cell_of_another_recipe_is_out_of_date_and_not_used(tmp_path):
    cells = write_comparison(tmp_path)
    cell = cells[FAILED].model_copy(update={"identity": "2" * 8})
    cell.write(tmp_path)
    found = read(tmp_path)
    slot = next(slot for slot in found.slots if slot.plan.id == FAILED)
    assert slot.status == "outdated"
    assert slot.done is None
    assert Scores(found).at(BACKBONE, None, "lora", "full").value is None


def test_a_finished_cell_without_a_score_counts_as_failed(tmp_path):
    cells = write_comparison(tmp_path)
    cells[FAILED].model_copy(update={"main": None}).write(tmp_path)
    slot = next(slot for slot in read(tmp_path).slots if slot.plan.id == FAILED)
    assert (slot.status, slot.done) == ("failed", None)


def test_cells_outside_the_plan_are_counted(tmp_path):
    write_comparison(tmp_path)
    known = tmp_path / "cells" / BACKBONE / "scinli" / "bare-0-s0"
    shutil.copytree(known, known.with_name("bare-0-s9"))
    assert read(tmp_path).left_out == ("1 cell that is not in the plan (any more) is left out",)


@pytest.mark.parametrize("kind", ["nothing", "file", "empty"])
def test_what_is_no_comparison(tmp_path, kind):
    place = tmp_path / "there"
    if kind == "file":
        place.write_text("x")
    elif kind == "empty":
        place.mkdir()
    with pytest.raises(ClinpromptError) as caught:
        read(place)
    assert caught.value.code == ("CP-EXP-201" if kind == "empty" else "CP-EXP-200")


def test_nothing_finished_yet(tmp_path):
    write_comparison(tmp_path, predictions=False)
    shutil.rmtree(tmp_path / "cells")
    with pytest.raises(ClinpromptError, match=r"CP-EXP-202.*none of 24") as caught:
        read(tmp_path)
    assert caught.value.hint


def test_a_broken_cell_is_named_and_the_others_are_shown(tmp_path):
    write_comparison(tmp_path)
    file = tmp_path / "cells" / FAILED / "cell.json"
    file.write_text(json.dumps({"schema": 1}))
    found = {slot.plan.id: slot for slot in read(tmp_path).slots}
    assert found[FAILED].status == "failed"
    assert found[FAILED].reason.startswith("[CP-EXP-100] not a cell")
    assert {slot.status for name, slot in found.items() if name != FAILED} == {"done"}


def test_two_methods_of_one_title_are_told_apart(tmp_path):
    write_comparison(tmp_path, titles={"pt": "prompts", "mpt": "prompts"})
    found = read(tmp_path)
    assert found.title("pt") == "prompts (pt)"
    assert found.title("lora") == "LoRA, rank 16"


def test_shots_in_words():
    assert [shots_text(one) for one in (0, 1, 32, "full")] == [
        "0 shots",
        "1 shot",
        "32 shots",
        "full data",
    ]


def test_means_over_seeds_and_targets(tmp_path):
    cells = write_comparison(tmp_path, seeds=(0, 1, 2))
    scores = Scores(read(tmp_path))
    own = scores.at(BACKBONE, "scinli", "mpt", 32)
    expected = [cells[f"{BACKBONE}/scinli/mpt-32-s{seed}"].main.value for seed in (0, 1, 2)]
    assert own.seeds == tuple(expected)
    assert own.value == pytest.approx(sum(expected) / 3)
    average = scores.at(BACKBONE, None, "mpt", 32)
    every = [
        default_value(cell.key)
        for i, cell in cells.items()
        if f"{BACKBONE}/" in i and "mpt-32" in i
    ]
    assert len(every) == 9
    assert average.value == pytest.approx(sum(every) / 9)
    assert (average.done, average.planned) == (9, 9)
    assert scores.at(BACKBONE, "scinli", "bare", 32) is None


def test_no_average_where_a_cell_is_missing(tmp_path):
    write_comparison(tmp_path, seeds=(0, 1), missing=(f"{BACKBONE}/scinli/mpt-32-s1",))
    scores = Scores(read(tmp_path))
    own, average = (scores.at(BACKBONE, place, "mpt", 32) for place in ("scinli", None))
    assert (own.done, own.planned, own.whole) == (1, 2, False)
    assert own.value is not None
    assert (average.value, average.done, average.planned) == (None, 5, 6)
