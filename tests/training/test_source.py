from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.training import toy
from tests.training.sources import train

from clinprompt.artifacts.prompt_set import PromptSet
from clinprompt.training import source
from clinprompt.training.loop import Outcome, Stage
from clinprompt.training.prepare import initial_prompts
from clinprompt.training.sampler import Sampler
from clinprompt.training.settings import DistilSettings, PromptSettings
from clinprompt.training.source import train_source, wants_cache

# ---- what comes out ----------------------------------------------------------------------------


def test_the_artefact_tells_what_it_is(
    task_paths: list[Path], finished: tuple[Path, toy.Lines]
) -> None:
    out, _ = finished
    found = PromptSet.load(out)
    meta, hidden = found.meta, toy.prepared().backbone.hidden_size
    assert (meta.kind, meta.form, meta.length, meta.rank) == ("metaprompt", "decomposed", 3, 1)
    assert meta.names == list(toy.KINDS)
    assert meta.trainable_parameters == 3 * hidden + 5 * (3 + hidden)
    assert meta.training_data["nli"] == {"train": 9, "dev": 3}
    assert meta.configuration == toy.recipe(task_paths).model_dump(mode="json")
    assert meta.fingerprint == toy.prepared().fingerprint
    assert meta.template == toy.prepared().backbone.template
    assert meta.seeds == {"run": 3}
    distil: Any = meta.metrics["distil"]
    assert [entry["step"] for entry in distil["history"]] == [0, 3, 6]
    teachers = PromptSet.load(out.with_name("meta.work") / "teachers")
    assert meta.parents.teachers == teachers.digest
    assert (teachers.meta.kind, teachers.meta.names) == ("prompt-tuning", meta.names)
    assert teachers.meta.trainable_parameters == 5 * 3 * hidden
    assert teachers.meta.metrics["teachers"] == meta.metrics["teachers"]
    assert not list(out.with_name("meta.work").glob("*.ckpt"))


def test_the_losses_are_those_of_the_record(finished: tuple[Path, toy.Lines]) -> None:
    """Change these numbers only with a reason to tell: every result changes with them."""
    _, progress = finished
    teachers = [6.615224, 6.179198, 6.777216, 6.199460, 6.335013, 6.781515]
    distil = [6.789140, 6.503760, 6.528780, 7.022038, 6.446380, 6.550156]
    assert progress.losses == pytest.approx([*teachers, *distil], abs=1e-4)


def test_progress_says_what_it_should(finished: tuple[Path, toy.Lines]) -> None:
    _, progress = finished
    lines = [line for line in progress.lines if line.startswith("distil 6/6")]
    (line,) = lines
    for part in ("loss ", "dev ", "ex/s", "tok/s", " text ", " prompt ", " pad", "left"):
        assert part in line


# ---- the start and the terms of distillation -----------------------------------------------------


def test_the_metaprompt_starts_as_the_mean_of_the_teachers(
    task_paths: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[dict[str, torch.Tensor]] = []
    real = source.run

    def watched(backbone: Any, stage: Stage, *arguments: Any) -> Any:
        begun.append({n: t.clone() for n, t in stage.module.state_dict().items()})
        return real(backbone, stage, *arguments)

    monkeypatch.setattr(source, "run", watched)
    train(task_paths, tmp_path / "a")
    teachers = PromptSet.load(tmp_path / "a.work" / "teachers").tensors["prompts"]
    assert torch.equal(begun[1]["shared"], teachers.mean(0))
    for k in range(5):
        assert torch.equal(begun[1][f"u.{k}"] @ begun[1][f"v.{k}"], torch.ones(3, 32))

    train(task_paths, tmp_path / "b", distil={"start": "vocabulary"})
    tasks = toy.token_tasks(task_paths, toy.prepared())
    expected = initial_prompts(toy.prepared(), tasks, PromptSettings(length=3), 3)[0]
    assert torch.equal(begun[3]["shared"], expected)
    assert torch.equal(begun[3]["shared"], begun[2]["table.0"])


@pytest.mark.parametrize("architecture", ["llama", "gpt_oss"])
def test_cached_and_same_pass_teachers_give_the_same_training(
    task_paths: list[Path], tmp_path: Path, ran: list[Stage], architecture: str
) -> None:
    losses, tensors = [], []
    for how in ("cached", "same_pass"):
        progress = toy.Lines()
        found = train_source(
            toy.recipe(task_paths, distil={"teacher_answers": how}),
            None,
            tmp_path / how,
            prepared=toy.prepared(architecture),
            progress=progress,
        )
        losses.append(progress.losses)
        tensors.append(found.tensors)
    assert ran[1].cached is not None and ran[1].teachers is None
    assert ran[3].cached is None and ran[3].teachers is not None
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    for name, tensor in tensors[0].items():
        torch.testing.assert_close(tensor, tensors[1][name], rtol=0, atol=1e-4)


def test_answers_are_cached_where_examples_come_again() -> None:
    often = Sampler([4, 4], steps=4, rows=8, seed=0, kappa=2)
    once = Sampler([40, 40], steps=4, rows=8, seed=0, kappa=2)
    assert wants_cache(DistilSettings(), often)
    assert not wants_cache(DistilSettings(), once)
    assert wants_cache(DistilSettings(teacher_answers="cached"), once)
    assert not wants_cache(DistilSettings(teacher_answers="same_pass"), often)


def test_tasks_that_were_better_before_are_told() -> None:
    def entry(step: int, **losses: float) -> dict[str, Any]:
        return {"step": step, "train": 1.0, "dev": losses, "dev_mean": 0.0}

    sizes = {"large": 1000, "small": 40, "later": 40}
    history = [
        entry(0, large=3.0, small=2.0, later=3.0),
        entry(5, large=2.0, small=1.0, later=2.0),
        entry(9, large=1.0, small=1.2, later=2.1),
        entry(12, large=1.5, small=0.5, later=1.0),  # after the state that is kept: no news
    ]
    outcome = Outcome({"mean": 1.0}, {"mean": 9}, history)
    (line,) = source.memorised(outcome, sizes)
    assert line.startswith("distil: 'small' (40 training examples) had dev loss 1.00 at step 5 and")
    assert "has 1.20 in the state that is kept" in line
    assert source.memorised(Outcome({"mean": 1.0}, {"mean": 5}, history[:3]), sizes) == []
    assert source.memorised(Outcome(), sizes) == []


def test_lambda_zero_is_the_task_loss_alone(
    task_paths: list[Path], tmp_path: Path, finished: tuple[Path, toy.Lines], ran: list[Stage]
) -> None:
    """The same start and draws: what differs at the first step is lambda times the two terms."""
    first = []
    for weight in (0.0, 0.45, 0.9):
        progress = toy.Lines()
        train(task_paths, tmp_path / str(weight), progress, distil={"weight": weight})
        first.append(progress.losses[6])
    assert first[2] == pytest.approx(finished[1].losses[6], rel=1e-6)
    assert first[1] - first[0] == pytest.approx(first[2] - first[1], rel=1e-3)
    assert first[2] - first[0] > 1e-3
    without, *others = ran[1::2]  # at zero the teachers give the start and are not asked
    assert without.distillation is without.cached is without.teachers is None
    assert all(stage.distillation is not None for stage in others)


# ---- ablations -----------------------------------------------------------------------------------


def test_without_distillation_there_are_no_teachers(
    task_paths: list[Path], tmp_path: Path, ran: list[Stage]
) -> None:
    found = train(task_paths, tmp_path / "meta", distil={"distillation": False})
    assert [stage.name for stage in ran] == ["distil"]
    assert ran[0].distillation is None
    assert not (tmp_path / "meta.work").exists()
    assert found.meta.parents.teachers is None
    assert found.meta.metrics["teachers"] == {"best": {}, "best_step": {}, "history": []}


def test_without_decomposition_all_tasks_have_one_prompt(
    task_paths: list[Path], tmp_path: Path
) -> None:
    found = train(task_paths, tmp_path / "meta", distil={"decomposition": False})
    assert torch.equal(found.tensors["u"], torch.ones(5, 3, 1))
    assert torch.equal(found.tensors["v"], torch.ones(5, 1, 32))
    assert found.meta.trainable_parameters == 3 * 32
    for name in found.meta.names:
        assert torch.equal(found.task_prompt(name), found.tensors["shared"])


def test_without_stochastic_sampling_tasks_take_turns(
    task_paths: list[Path], tmp_path: Path, ran: list[Stage]
) -> None:
    train(task_paths, tmp_path / "meta", distil={"stochastic": False, "steps": 10, "kappa": 2})
    sampler = ran[1].sampler
    drawn = [[draw.task for draw in sampler[step]] for step in range(10)]
    assert {len(tasks) for tasks in drawn} == {2}
    assert Counter(task for tasks in drawn for task in tasks) == dict.fromkeys(range(5), 4)


def test_with_it_the_number_of_tasks_varies(
    task_paths: list[Path], tmp_path: Path, ran: list[Stage]
) -> None:
    train(task_paths, tmp_path / "meta", distil={"steps": 12, "kappa": 4, "evaluate_every": 12})
    sampler = ran[1].sampler
    assert {len(sampler[step]) for step in range(12)} == {2, 3, 4}


def test_a_higher_rank_is_trained_and_saved(task_paths: list[Path], tmp_path: Path) -> None:
    found = train(task_paths, tmp_path / "meta", prompt={"rank": 2})
    assert found.tensors["u"].shape == (5, 3, 2)
    assert found.meta.trainable_parameters == 3 * 32 + 5 * 2 * (3 + 32)
    product = found.tensors["u"] @ found.tensors["v"]
    ranks = {int(torch.linalg.matrix_rank(p, rtol=1e-6)) for p in product}
    assert ranks == {2}


# ---- whether it helps ----------------------------------------------------------------------------


def test_source_training_helps_its_tasks(tmp_path: Path) -> None:
    """Against the prompt that all began from, with the metaprompt's own selection on dev."""
    task_paths = toy.write_tasks(tmp_path, ("label", "summary"), train=16, dev=6)
    found = train(
        task_paths,
        tmp_path / "meta",
        prompt={"length": 8},
        data={"dev_examples": 6},
        teachers={"steps": 24, "rows": 8, "rate": 0.5, "evaluate_every": 8},
        distil={"steps": 16, "rows": 8, "kappa": 2, "rate_shared": 0.3, "evaluate_every": 8},
    )
    metrics: Any = found.meta.metrics
    begin = metrics["teachers"]["history"][0]["dev_mean"]
    taught = sum(metrics["teachers"]["best"].values()) / 2
    assert taught < 0.9 * begin
    assert metrics["distil"]["best"]["mean"] < 0.9 * begin
    assert all(math.isfinite(entry["dev_mean"]) for entry in metrics["distil"]["history"])
