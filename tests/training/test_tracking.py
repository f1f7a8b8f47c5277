"""Curves that are written while a run trains, read back from their files."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Any

import pytest
from tests.training import toy
from typer.testing import CliRunner

from clinprompt.artifacts.prompt_set import PromptSet
from clinprompt.cli.app import app
from clinprompt.errors import ClinpromptError
from clinprompt.tasks import catalogue
from clinprompt.training import loop, tracking
from clinprompt.training.adapt import adapt
from clinprompt.training.settings import TrackingSettings
from clinprompt.training.source import train_source

needed = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("accelerate", "tensorboard")),
    reason="accelerate or tensorboard is not installed",
)
TENSORBOARD = {"to": ["tensorboard"]}


def curves(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Step and value of everything in TensorBoard's files."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder / "tensorboard"), {"scalars": 0})
    events.Reload()
    return {
        tag: [(event.step, event.value) for event in events.Scalars(tag)]
        for tag in events.Tags()["scalars"]
    }


def source(folder: Path, out: str, lines: toy.Lines | None = None, **changes: Any) -> PromptSet:
    cards = toy.write_tasks(folder / "tasks", ("nli", "summary"))
    return train_source(
        toy.recipe(cards, **changes),
        None,
        folder / out,
        prepared=toy.prepared(),
        progress=lines or toy.Lines(),
    )


@needed
def test_curves_of_both_stages_are_those_of_the_artefact(tmp_path):
    prompts = source(tmp_path, "run", tracking=TENSORBOARD)
    found = curves(tmp_path / "run.tracking")
    for stage in ("teachers", "distil"):
        history: Any = prompts.meta.metrics[stage]
        for entry in history["history"]:
            at = {tag: dict(values).get(entry["step"]) for tag, values in found.items()}
            assert at[f"{stage}/dev"] == pytest.approx(entry["dev_mean"])
            for name, loss in entry["dev"].items():
                assert at[f"{stage}/dev/{name}"] == pytest.approx(loss)
            if entry["step"]:
                assert at[f"{stage}/train"] == pytest.approx(entry["train"])
                assert at[f"{stage}/examples_per_second"] > 0
                assert at[f"{stage}/text_per_second"] > 0
        assert len(found[f"{stage}/dev"]) == len(history["history"])
    rates = dict(found["distil/rate/shared"])
    scale = toy.prepared().backbone.embedding_scale
    # Six steps, warm-up over one: what the last step of three and of six was taken with.
    wanted = {step: 0.05 * scale * loop.learning_rate_factor(step - 1, 6, 0.1) for step in (3, 6)}
    assert rates == pytest.approx(wanted)


@needed
def test_a_tracked_run_is_the_same_run(tmp_path):
    plain = source(tmp_path, "plain")
    source(tmp_path, "tracked", tracking=TENSORBOARD)
    assert toy.contents(tmp_path / "plain") == toy.contents(tmp_path / "tracked")
    assert "tracking" not in plain.meta.configuration
    lines = toy.Lines()
    source(tmp_path, "plain", lines, tracking=TENSORBOARD)
    assert any("finished already" in line for line in lines.lines)


@needed
def test_an_interrupted_run_has_whole_curves(tmp_path):
    (card,) = toy.write_tasks(tmp_path / "tasks", ("nli",))
    recipe = toy.adapt_recipe(tracking=TENSORBOARD)
    seen = toy.Lines()

    def run(**more: Any) -> PromptSet:
        return adapt(
            recipe,
            None,
            [catalogue.find(card)],
            None,
            tmp_path / "out",
            prepared=toy.prepared(),
            **more,
        )

    with pytest.raises(loop.Interrupted):
        run(progress=seen, should_stop=lambda: len(seen.losses) == 3)
    prompts = run(progress=toy.Lines())
    history: Any = prompts.meta.metrics["adapt"]
    found = dict(curves(tmp_path / "out.tracking")["adapt/dev"])
    assert found == pytest.approx({e["step"]: e["dev_mean"] for e in history["history"]})


@needed
def test_a_tracker_that_fails_never_ends_a_run(tmp_path, monkeypatch):
    """Wherever it fails: when it starts, in the middle, at the end. It is said once."""
    from accelerate.tracking import TensorBoardTracker

    def fail(self: Any, *_: Any, **__: Any) -> None:
        raise RuntimeError("no space\nleft")

    for place in ("start", "log", "finish"):
        with monkeypatch.context() as patch:
            patch.setattr(TensorBoardTracker, place, fail)
            lines = toy.Lines()
            source(tmp_path, place, lines, tracking=TENSORBOARD)
        said = [line for line in lines.lines if "tracking with tensorboard failed" in line]
        assert len(said) == 1
        assert said[0].endswith("no space")
        assert PromptSet.load(tmp_path / place).meta.kind == "metaprompt"


@needed
def test_only_numbers_and_names_of_tasks_are_written(tmp_path):
    source(tmp_path, "run", tracking={**TENSORBOARD, "folder": str(tmp_path / "curves")})
    (file,) = (tmp_path / "curves").rglob("events*")
    content = file.read_bytes()
    assert b"teachers/dev/nli" in content
    for secret in (b"fever", b"Is there", b"Do nli", str(tmp_path / "tasks").encode()):
        assert secret not in content
    assert not (tmp_path / "run.tracking").exists()


def test_what_is_told_of_a_recipe_names_no_file(tmp_path):
    cards = toy.write_tasks(tmp_path / "tasks", ("nli", "summary"))
    recipe = toy.recipe(cards, teachers_from=str(tmp_path / "old"), backbone={"name": "/models/x"})
    numbers = tracking._numbers(recipe)
    assert numbers["distil.steps"] == 6
    assert numbers["seed"] == 3
    assert not any(str(tmp_path) in str(value) or "/models" in str(value)
                   for value in numbers.values())  # fmt: skip


def test_a_tracker_that_is_missing_is_said_before_anything_runs(tmp_path, monkeypatch):
    found = importlib.util.find_spec
    missing = {"trackio", "accelerate"}
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name in missing else found(name)
    )
    with pytest.raises(ClinpromptError, match=r"CP-TRAIN-150.* accelerate and trackio"):
        source(tmp_path, "run", tracking={"to": ["trackio"]})
    assert not (tmp_path / "run.work").exists()
    tracking.require(TrackingSettings())  # nothing is needed where nothing is tracked


@needed
def test_the_option_of_the_command(tmp_path, monkeypatch):
    backbone = toy.save_backbone(tmp_path / "backbone")
    (card,) = toy.write_tasks(tmp_path / "tasks", ("nli",))
    words = ["adapt", "--task", str(card), "-o", str(tmp_path / "out"), "--track", "tensorboard"]
    words += [f"backbone.name={backbone}", "prompt.length=3", "adapt.steps=2"]
    words += ["adapt.evaluate_every=1"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    assert [step for step, _ in curves(tmp_path / "out.tracking")["adapt/dev"]] == [0, 1, 2]
    result = CliRunner().invoke(app, [*words[:5], "--track", "tensorbord"])
    assert result.exit_code == 2
    assert "CP-TRAIN-012" in result.output


@pytest.mark.skipif(importlib.util.find_spec("wandb") is None, reason="wandb is not installed")
def test_wandb_stays_offline(tmp_path, monkeypatch):
    for name in tracking._WANDB:
        monkeypatch.setenv(name, "")
    monkeypatch.delenv("CLINPROMPT_ONLINE", raising=False)
    monkeypatch.setenv("WANDB_MODE", "online")
    lines = toy.Lines()
    source(tmp_path, "run", lines, tracking={"to": ["wandb"]})
    assert not [line for line in lines.lines if "failed" in line]
    assert os.environ["WANDB_MODE"] == "offline"
    (file,) = (tmp_path / "run.tracking").glob("wandb/offline-run-*/*.wandb")
    content = file.read_bytes()
    assert b"distil/dev/nli" in content
    for secret in (b"fever", b"Is there", b"Do nli", str(tmp_path / "tasks").encode()):
        assert secret not in content


@pytest.mark.skipif(importlib.util.find_spec("trackio") is None, reason="trackio is not installed")
def test_trackio_keeps_its_file_beside_the_run(tmp_path, monkeypatch):
    monkeypatch.setenv("TRACKIO_DIR", "")
    lines = toy.Lines()
    source(tmp_path, "run", lines, tracking={"to": ["trackio"]})
    assert not [line for line in lines.lines if "failed" in line]
    assert list((tmp_path / "run.tracking" / "trackio").glob("clinprompt*"))
