"""Whole runs with the prompt after the text: source training, adaptation, zero-shot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tests.training import toy
from tests.training.adapting import SOURCES, fit, random_set

from clinprompt.artifacts.prompt_set import PromptSet
from clinprompt.errors import ClinpromptError
from clinprompt.tasks import catalogue
from clinprompt.training.loop import Interrupted
from clinprompt.training.prepare import identity_of
from clinprompt.training.source import train_source

AFTER = {"placement": "after"}


def train(paths: list[Path], out: Path, **changes: Any) -> PromptSet:
    recipe = toy.recipe(paths, **changes)
    return train_source(recipe, None, out, prepared=toy.prepared(), progress=toy.Lines())


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return toy.write_tasks(tmp_path_factory.mktemp("sources"), SOURCES)


@pytest.fixture(scope="module")
def trained(sources: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("trained") / "meta"
    train(sources, out, prompt=AFTER)
    return out


def test_the_artefacts_record_the_placement(trained: Path) -> None:
    template = toy.prepared().placed("after").codec.template
    for folder in (trained, trained.with_name("meta.work") / "teachers"):
        meta = PromptSet.load(folder).meta
        assert meta.placement == "after"
        assert meta.template == template
        assert meta.configuration["prompt"]["placement"] == "after"  # type: ignore[index, call-overload]


def test_the_placement_changes_what_is_learned(
    sources: list[Path], tmp_path: Path, trained: Path
) -> None:
    before = train(sources, tmp_path / "before")
    after = PromptSet.load(trained)
    assert before.meta.placement == "before"
    assert not torch.allclose(before.tensors["shared"], after.tensors["shared"], atol=1e-4)
    first: Any = [one.meta.metrics["distil"] for one in (before, after)]
    assert first[0]["best"]["mean"] != pytest.approx(first[1]["best"]["mean"], abs=1e-3)


def test_keys_and_values_stand_beside_a_note_too(sources: list[Path], tmp_path: Path) -> None:
    """Trained in one go, and stopped on the way."""
    deep = AFTER | {"depth": "layers", "length": 2}
    whole = train(sources, tmp_path / "whole", prompt=deep)
    assert (whole.meta.placement, whole.meta.depth) == ("after", "layers")
    history: Any = whole.meta.metrics["teachers"]["history"]  # type: ignore[index, call-overload]
    assert history[-1]["dev_mean"] < history[0]["dev_mean"]
    asked = iter([False, False, True])
    with pytest.raises(Interrupted):
        train_source(
            toy.recipe(sources, prompt=deep),
            None,
            tmp_path / "parts",
            prepared=toy.prepared(),
            progress=toy.Lines(),
            should_stop=lambda: next(asked),
        )
    assert train(sources, tmp_path / "parts", prompt=deep).digest == whole.digest


@pytest.mark.parametrize("answers", ["cached", "same_pass"])
def test_cached_and_live_teachers_teach_alike(
    sources: list[Path], tmp_path: Path, trained: Path, answers: str
) -> None:
    found = train(
        sources,
        tmp_path / answers,
        prompt=AFTER,
        distil={"teacher_answers": answers},
        teachers_from=str(trained.with_name("meta.work") / "teachers"),
    )
    expected = PromptSet.load(trained)
    for name, tensor in found.tensors.items():
        assert torch.allclose(tensor, expected.tensors[name], atol=1e-4), name


@pytest.mark.parametrize("megabytes", [0, 1024])
def test_a_stopped_run_comes_to_the_same_bits_whatever_is_kept(
    sources: list[Path], tmp_path: Path, trained: Path, megabytes: int
) -> None:
    """Stopped after every third step: what was kept is gone each time, or never was there."""
    engine = {"notes_mb": megabytes}
    out, stops = tmp_path / "meta", 0
    while True:
        asked = iter([False, False, True])
        try:
            recipe = toy.recipe(sources, prompt=AFTER, engine=engine)
            train_source(
                recipe,
                None,
                out,
                prepared=toy.prepared(),
                progress=toy.Lines(),
                should_stop=lambda asked=asked: next(asked),  # type: ignore[misc]
            )
            break
        except Interrupted:
            stops += 1
        except StopIteration:  # a stage of six steps ended on the third question
            stops += 1
    assert stops >= 3
    for name, tensor in PromptSet.load(out).tensors.items():
        assert torch.equal(tensor, PromptSet.load(trained).tensors[name]), name


# ---- targets -----------------------------------------------------------------------------------


@pytest.fixture
def after(target: Path, task_folder: Path) -> PromptSet:
    cards = [catalogue.find(task_folder / f"{name}.yaml") for name in SOURCES]
    return random_set(cards, placement="after")


def test_the_placement_comes_from_the_metaprompt(
    tmp_path: Path, metaprompt: PromptSet, after: PromptSet, target: Path
) -> None:
    for place, parent in (("before", metaprompt), ("after", after)):
        found = fit(tmp_path / place, parent, target)
        assert found.meta.placement == place
        zero = fit(tmp_path / f"{place}-zero", parent, target, shots=0)
        assert zero.meta.placement == place
    assert zero.meta.trainable_parameters == 0


def test_another_placement_than_the_metaprompts_is_refused(
    tmp_path: Path, metaprompt: PromptSet, after: PromptSet, target: Path
) -> None:
    with pytest.raises(ClinpromptError) as caught:
        fit(tmp_path / "a", metaprompt, target, prompt={"length": toy.LENGTH, **AFTER})
    assert caught.value.code == "CP-TRAIN-090"
    assert "prompt.placement is after, and the metaprompt's is before" in str(caught.value)
    with pytest.raises(ClinpromptError, match="placement is before, and the metaprompt's is after"):
        fit(tmp_path / "b", after, target, prompt={"length": toy.LENGTH, "placement": "before"})
    fit(tmp_path / "c", after, target, prompt={"length": toy.LENGTH, **AFTER})


@pytest.mark.parametrize("init", ["mean", "type", "nearest", "dev"])
def test_every_start_can_be_chosen(
    tmp_path: Path, after: PromptSet, target: Path, init: str
) -> None:
    found = fit(tmp_path / init, after, target, adapt={"init": init, "steps": 2})
    assert found.meta.placement == "after"


def test_prompt_tuning_learns(tmp_path: Path, target: Path, other: Path) -> None:
    found = fit(
        tmp_path / "pt", None, target, other, prompt=AFTER, adapt={"steps": 12, "rate_shared": 1.0}
    )
    assert (found.meta.kind, found.meta.placement) == ("prompt-tuning", "after")
    history: Any = found.meta.metrics["adapt"]
    assert history["history"][-1]["dev_mean"] < history["history"][0]["dev_mean"] - 0.05


def test_teachers_of_the_other_placement_are_refused(
    sources: list[Path], tmp_path: Path, trained: Path
) -> None:
    with pytest.raises(ClinpromptError) as caught:
        train(
            sources, tmp_path / "x", teachers_from=str(trained.with_name("meta.work") / "teachers")
        )
    assert caught.value.code == "CP-TRAIN-052"
    assert "stand after the text" in str(caught.value)


# ---- what a run is -----------------------------------------------------------------------------


def test_a_run_from_before_the_setting_existed_is_still_the_same(sources: list[Path]) -> None:
    ready = toy.prepared()
    tasks = toy.token_tasks(sources, ready)
    now = toy.recipe(sources).model_dump()
    then = {**now, "prompt": dict(now["prompt"]), "engine": dict(now["engine"])}
    del then["prompt"]["placement"], then["engine"]["notes_mb"]
    after = toy.recipe(sources, prompt=AFTER).model_dump()
    less = toy.recipe(sources, engine={"notes_mb": 1}).model_dump()
    assert identity_of(ready, now, tasks) == identity_of(ready, then, tasks)
    assert identity_of(ready, now, tasks) == identity_of(ready, less, tasks)
    assert identity_of(ready, now, tasks) != identity_of(ready, after, tasks)


def test_rows_of_all_tasks_begin_with_the_note(sources: list[Path]) -> None:
    ready = toy.prepared().placed("after")
    codec = ready.codec
    for task in toy.token_tasks(sources, ready):
        assert codec.decode(task.fixed).startswith(task.card.instruction)
        for row in task.rows["train"]:
            note, rest = row.parts
            assert codec.decode(note).startswith("Text: ")
            assert codec.decode(rest).endswith("\n\nAnswer:\n")
            assert "fever?" not in codec.decode(note)  # what is asked stands behind
