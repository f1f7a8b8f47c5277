"""Source training that begins from earlier teachers, or from an earlier metaprompt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tests.training import toy
from tests.training.adapting import fit

from clinprompt.artifacts.prompt_set import PromptSet
from clinprompt.errors import ClinpromptError
from clinprompt.prompts import mean_update
from clinprompt.training import source
from clinprompt.training.loop import Stage
from clinprompt.training.source import train_source

ALONE: dict[str, Any] = {"distil": {"weight": 0.0}}


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return toy.write_tasks(tmp_path_factory.mktemp("tasks"))


def train(paths: list[Path], out: Path, **changes: Any) -> PromptSet:
    recipe = toy.recipe(paths, **changes)
    return train_source(recipe, None, out, prepared=toy.prepared(), progress=toy.Lines())


@pytest.fixture(scope="module")
def earlier(paths: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A metaprompt of all tasks but the last."""
    out = tmp_path_factory.mktemp("earlier") / "meta"
    train(paths[:-1], out)
    return out


@pytest.fixture
def starts(monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, torch.Tensor]]:
    """Each stage's state before its first step."""
    found: dict[str, dict[str, torch.Tensor]] = {}
    real = source.run

    def watched(backbone: Any, stage: Stage, *arguments: Any) -> Any:
        state = stage.module.state_dict()
        found[stage.name] = {name: tensor.clone() for name, tensor in state.items()}
        return real(backbone, stage, *arguments)

    monkeypatch.setattr(source, "run", watched)
    return found


def test_it_goes_on_from_where_the_metaprompt_was(
    paths: list[Path], earlier: Path, starts: dict[str, Any], tmp_path: Path
) -> None:
    """Known tasks keep their vectors, new ones begin at the mean update; no teachers."""
    before = PromptSet.load(earlier)
    found = train(paths, tmp_path / "out", metaprompt_from=earlier, **ALONE)
    assert list(starts) == ["distil"]
    begin = starts["distil"]
    unit = toy.prepared().backbone.hidden_size  # only to tell the shapes apart below
    assert before.tensors["shared"].shape[1] == unit
    known = len(paths) - 1
    for k in range(known):
        assert torch.equal(begin[f"u.{k}"], before.tensors["u"][k])
        assert torch.equal(begin[f"v.{k}"], before.tensors["v"][k])
    u, v, _ = mean_update(before.tensors["u"], before.tensors["v"])
    assert torch.equal(begin[f"u.{known}"], u)
    assert torch.equal(begin[f"v.{known}"], v)
    history: Any = found.meta.metrics["distil"]
    ended: Any = before.meta.metrics["distil"]
    first, best = history["history"][0]["dev"], min(e["dev_mean"] for e in ended["history"])
    assert sum(first[name] for name in before.meta.names) / known == pytest.approx(best, rel=1e-5)
    assert found.meta.parents.metaprompt == before.digest
    assert found.meta.parents.teachers is None
    assert not (tmp_path / "out.work" / "teachers").exists()


def test_the_tasks_may_come_in_another_order(
    paths: list[Path], earlier: Path, starts: dict[str, Any], tmp_path: Path
) -> None:
    before = PromptSet.load(earlier)
    train(paths[2::-1], tmp_path / "out", metaprompt_from=earlier, **ALONE)
    for k, place in enumerate((2, 1, 0)):
        assert torch.equal(starts["distil"][f"u.{k}"], before.tensors["u"][place])


def test_with_distillation_teachers_are_in_the_loss_but_not_the_start(
    paths: list[Path], earlier: Path, starts: dict[str, Any], tmp_path: Path
) -> None:
    before = PromptSet.load(earlier)
    changes: dict[str, Any] = {"distil": {"weight": 0.5}}
    found = train(paths[:-1], tmp_path / "out", metaprompt_from=earlier, **changes)
    assert list(starts) == ["teachers", "distil"]
    assert torch.equal(starts["distil"]["u.0"], before.tensors["u"][0])
    assert found.meta.parents.teachers is not None


def test_what_it_cannot_go_on_from_is_refused(
    paths: list[Path], earlier: Path, tmp_path: Path
) -> None:
    teachers = Path(f"{earlier}.work") / "teachers"
    wrong: tuple[tuple[Path, dict[str, Any], str], ...] = (
        (teachers, {}, "'prompt-tuning', not a metaprompt"),
        (earlier, {"prompt": {"length": toy.LENGTH + 1}}, "length is 3"),
        (earlier, {"prompt": {"rank": 2, "length": toy.LENGTH}}, "rank is 1"),
        (earlier, {"prompt": {"placement": "after", "length": toy.LENGTH}}, "placement"),
        (earlier, {"prompt": {"depth": "layers", "length": toy.LENGTH}}, "depth"),
    )
    for given, changes, why in wrong:
        with pytest.raises(ClinpromptError, match=f"CP-TRAIN-053.*{why}"):
            train(paths, tmp_path / "x", metaprompt_from=given, **changes, **ALONE)


def test_the_parent_is_part_of_what_the_run_is(
    paths: list[Path], earlier: Path, tmp_path: Path
) -> None:
    first = train(paths, tmp_path / "out", metaprompt_from=earlier, **ALONE)
    elsewhere = tmp_path / "moved"
    PromptSet.load(earlier).save(elsewhere)
    assert train(paths, tmp_path / "out", metaprompt_from=elsewhere, **ALONE).digest == first.digest
    with pytest.raises(ClinpromptError, match="CP-TRAIN-051"):
        train(paths, tmp_path / "out", **ALONE)


# ---- from teachers -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def whole(paths: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ordinary run."""
    out = tmp_path_factory.mktemp("whole") / "meta"
    train(paths, out)
    return out


def test_teachers_of_an_earlier_run_can_be_distilled_again(
    paths: list[Path], whole: Path, tmp_path: Path
) -> None:
    """For trials of distillation alone: the same settings give the same metaprompt."""
    teachers = Path(f"{whole}.work") / "teachers"
    again = train(paths, tmp_path / "same", teachers_from=teachers)
    first = PromptSet.load(whole)
    assert again.meta.parents.teachers == first.meta.parents.teachers
    assert all(torch.equal(t, first.tensors[name]) for name, t in again.tensors.items())
    other = train(paths, tmp_path / "other", teachers_from=teachers, distil={"weight": 0.0})
    assert not torch.equal(other.tensors["shared"], first.tensors["shared"])
    with pytest.raises(ClinpromptError, match="CP-TRAIN-051"):
        train(paths, tmp_path / "other", teachers_from=teachers, distil={"weight": 0.5})


def test_teachers_that_cannot_teach_these_tasks_are_refused(
    paths: list[Path], whole: Path, tmp_path: Path
) -> None:
    teachers = Path(f"{whole}.work") / "teachers"
    for sources, given, changes, why in (
        (paths[:2], teachers, {}, "other tasks"),
        (paths, whole, {}, "not teachers"),
        (paths, teachers, {"prompt": {"length": toy.LENGTH + 1}}, "length"),
    ):
        with pytest.raises(ClinpromptError, match=f"CP-TRAIN-052.*{why}"):
            train(sources, tmp_path / "x", teachers_from=given, **changes)


def test_single_task_prompts_of_an_adaptation_can_teach(paths: list[Path], tmp_path: Path) -> None:
    tuned = fit(tmp_path / "pt", None, *paths[:2], shots=None)
    found = train(paths[:2], tmp_path / "out", teachers_from=tmp_path / "pt")
    assert found.meta.parents.teachers == tuned.digest
    theirs: Any = tuned.meta.metrics["adapt"]
    kept: Any = found.meta.metrics["teachers"]
    assert kept == {name: value for name, value in theirs.items() if name != "start"}
