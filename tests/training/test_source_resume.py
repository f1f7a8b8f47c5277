"""Source training that goes on where it stopped, and what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.training import toy
from tests.training.sources import train

from clinprompt.artifacts.prompt_set import PromptSet
from clinprompt.errors import ClinpromptError
from clinprompt.training import source
from clinprompt.training.loop import Interrupted, Stage
from clinprompt.training.source import source_cards, train_source
from clinprompt.training.workspace import workspace


@pytest.mark.parametrize("stop", [1, 5, 6, 7, 11])
def test_stopped_in_either_stage_it_ends_in_the_same_bytes(
    task_paths: list[Path], tmp_path: Path, finished: tuple[Path, toy.Lines], stop: int
) -> None:
    asked = iter([False] * (stop - 1) + [True] * 2)
    with pytest.raises(Interrupted):
        train_source(
            toy.recipe(task_paths),
            None,
            tmp_path / "meta",
            prepared=toy.prepared(),
            progress=toy.Lines(),
            should_stop=lambda: next(asked),
        )
    assert not (tmp_path / "meta").exists()
    progress = toy.Lines()
    train(task_paths, tmp_path / "meta", progress)
    assert "going on from step" in progress.lines[0] or stop == 6
    assert toy.contents(tmp_path / "meta") == toy.contents(finished[0])
    work = finished[0].with_name("meta.work")
    assert toy.contents(tmp_path / "meta.work") == toy.contents(work)


def test_run_again_it_is_only_read(
    task_paths: list[Path], finished: tuple[Path, toy.Lines], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "run", None)
    out, before = finished[0], toy.contents(finished[0])
    leftover = out.with_name("meta.work") / "distil.ckpt"  # as if killed right after saving
    leftover.touch()
    progress = toy.Lines()
    found = train(task_paths, out, progress)
    assert progress.lines == [f"{out} is finished already"]
    assert found.digest == PromptSet.load(out).digest
    assert toy.contents(out) == before
    assert not leftover.exists()


def test_teachers_are_not_trained_twice(
    task_paths: list[Path], tmp_path: Path, finished: tuple[Path, toy.Lines], ran: list[Stage]
) -> None:
    """A run that lost all but its teachers trains the metaprompt only."""
    work = tmp_path / "meta.work" / "teachers"
    work.mkdir(parents=True)
    for name, content in toy.contents(finished[0].with_name("meta.work") / "teachers").items():
        (work / name).write_bytes(content)
    train(task_paths, tmp_path / "meta")
    assert [stage.name for stage in ran] == ["distil"]
    assert toy.contents(tmp_path / "meta") == toy.contents(finished[0])


def test_another_recipe_or_seed_is_refused(task_paths: list[Path], tmp_path: Path) -> None:
    def stopped(**changes: Any) -> None:
        train_source(
            toy.recipe(task_paths, **changes),
            None,
            tmp_path / "meta",
            prepared=toy.prepared(),
            progress=toy.Lines(),
            should_stop=lambda: True,
        )

    with pytest.raises(Interrupted):
        stopped()
    for changes in ({"seed": 4}, {"teachers": {"rate": 0.07}}, {"prompt": {"rank": 2}}):
        with pytest.raises(ClinpromptError, match="CP-TRAIN-032"):
            stopped(**changes)
    with pytest.raises(Interrupted, match="step 2"):  # and the first one still goes on
        stopped()
    with pytest.raises(Interrupted, match="step 3"):  # teachers don't know how they are distilled
        stopped(distil={"rate_shared": 0.07})


def test_changed_data_is_refused(tmp_path: Path) -> None:
    task_paths = toy.write_tasks(tmp_path, ("nli", "ner"))
    train(task_paths, tmp_path / "meta")
    file = tmp_path / "nli-train.jsonl"
    file.write_text(file.read_text(encoding="utf-8").replace("normal", "fine"), encoding="utf-8")
    before = toy.contents(tmp_path / "meta")
    with pytest.raises(ClinpromptError, match="CP-TRAIN-051"):
        train(task_paths, tmp_path / "meta")
    assert toy.contents(tmp_path / "meta") == before


def test_a_corrupt_checkpoint_is_refused(task_paths: list[Path], tmp_path: Path) -> None:
    (tmp_path / "meta.work").mkdir()
    (tmp_path / "meta.work" / "teachers.ckpt").write_bytes(b"junk")
    with pytest.raises(ClinpromptError, match="CP-TRAIN-031"):
        train(task_paths, tmp_path / "meta")


def test_a_foreign_folder_is_left_alone(task_paths: list[Path], tmp_path: Path) -> None:
    (tmp_path / "meta").mkdir()
    (tmp_path / "meta" / "thesis.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(ClinpromptError, match="CP-ART"):
        train(task_paths, tmp_path / "meta")
    assert (tmp_path / "meta" / "thesis.txt").read_text(encoding="utf-8") == "mine"


def test_an_empty_folder_is_a_place_to_write(task_paths: list[Path], tmp_path: Path) -> None:
    (tmp_path / "meta").mkdir()
    train(task_paths[:2], tmp_path / "meta")
    assert PromptSet.load(tmp_path / "meta").meta.names == ["nli", "label"]


def test_two_runs_at_once_are_refused(task_paths: list[Path], tmp_path: Path) -> None:
    with (
        workspace(tmp_path / "meta"),
        pytest.raises(ClinpromptError, match="CP-TRAIN-085"),
    ):
        train(task_paths, tmp_path / "meta")


def test_sources_come_from_a_list_or_a_suite(task_paths: list[Path], tmp_path: Path) -> None:
    suite = tmp_path / "mine.yaml"
    content = {
        "name": "mine",
        "sources": [str(p) for p in task_paths[:3]],
        "targets": [str(task_paths[3])],
    }
    suite.write_text(yaml.safe_dump(content), encoding="utf-8")
    cards, found = source_cards(toy.recipe([], suite=str(suite)))
    assert [card.name for card in cards] == ["nli", "label", "answer"]
    assert found is not None and found.name == "mine"
    cards, found = source_cards(toy.recipe(task_paths[3:], suite=str(suite)))
    assert [card.name for card in cards] == ["summary", "ner"]
    assert found is not None
    assert source_cards(toy.recipe(task_paths))[1] is None


def test_too_few_sources_or_one_twice_are_refused(task_paths: list[Path]) -> None:
    for some in ([], task_paths[:1]):
        with pytest.raises(ClinpromptError, match="CP-TRAIN-050"):
            source_cards(toy.recipe(some))
    with pytest.raises(ClinpromptError, match="CP-TRAIN-081"):
        source_cards(toy.recipe([*task_paths, task_paths[2]]))
