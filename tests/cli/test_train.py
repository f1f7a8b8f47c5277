"""``clinprompt train`` and ``adapt``: what they print, and what they refuse in one line."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.training import toy
from typer.testing import CliRunner

from clinprompt.artifacts.prompt_set import PromptSet
from clinprompt.cli.app import app
from clinprompt.cli.runtime import set_up, stop_on_interrupt
from clinprompt.training import loop


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def run(*arguments: Any) -> Any:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def refused(*arguments: Any) -> str:
    """The one line that a mistake gets."""
    result = run(*arguments)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    (line,) = [row for row in result.stderr.splitlines() if row.startswith("clinprompt: ")]
    return line


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tasks, a backbone, recipes, and a metaprompt."""
    folder = tmp_path_factory.mktemp("cli")
    backbone = toy.save_backbone(folder / "backbone")
    sources = toy.write_tasks(folder / "tasks", ("nli", "label"))
    toy.write_task(folder / "tasks", "target", "answer", seed=1, train=8)
    recipe = toy.recipe_fields(
        sources, backbone={"name": str(backbone)}, teachers={"steps": 2}, distil={"steps": 2}
    )
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe), encoding="utf-8")
    settings = toy.adapt_fields(adapt={"steps": 2})
    (folder / "adapt.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    result = run("train", folder / "recipe.yaml", "-o", folder / "meta")
    assert result.exit_code == 0, result.output
    return folder


def adapt(place: Path, out: Path, *more: Any, target: str = "target") -> list[Any]:
    return [
        *("adapt", "--metaprompt", place / "meta", "--settings", place / "adapt.yaml"),
        *("--task", place / "tasks" / f"{target}.yaml", "-o", out, *more),
    ]


def test_train_says_what_it_made(place: Path) -> None:
    again = run("train", place / "recipe.yaml", "-o", place / "meta")
    assert again.exit_code == 0
    assert f"{place / 'meta'} is finished already" in again.stderr
    found = PromptSet.load(place / "meta")
    assert again.stdout.splitlines() == [
        f"{place / 'meta'}: metaprompt for nli, label",
        "trainable parameters: 166 of 47,648 (0.348 % of the backbone)",
        f"digest: {found.digest}",
    ]
    assert found.meta.trainable_parameters == 3 * 32 + 2 * (3 + 32)


def test_overrides_reach_the_run(place: Path, tmp_path: Path) -> None:
    result = run(
        *("train", place / "recipe.yaml", "-o", tmp_path / "out"),
        *("prompt.length=5", "distil.steps=1", "distil.distillation=false", "seed=8"),
    )
    assert result.exit_code == 0, result.output
    found = PromptSet.load(tmp_path / "out").meta
    assert found.length == 5
    assert (found.configuration["seed"], found.seeds) == (8, {"run": 8})
    assert "distil 1/1" in result.stderr and "teachers" not in result.stderr


def test_adapt_says_how_much_it_trains(place: Path, tmp_path: Path) -> None:
    result = run(*adapt(place, tmp_path / "out", "--shots", 4, "--seed", 9))
    assert result.exit_code == 0, result.output
    assert "trainable parameters: 131 of 47,648 (0.275 % of the backbone)" in result.stdout
    found = PromptSet.load(tmp_path / "out").meta
    assert (found.seeds, found.configuration["shots"]) == ({"run": 9}, 4)
    assert found.backbone == str(place / "backbone")  # from the metaprompt
    result = run(*adapt(place, tmp_path / "v", "--shots", 4, "--trainable", "vectors"))
    assert "trainable parameters: 35 of 47,648 (0.0735 % of the backbone)" in result.stdout


def test_adapt_can_choose_by_the_metric(place: Path, tmp_path: Path) -> None:
    """The score that is recorded is that of the saved prompt, evaluated by the command."""
    out, data = tmp_path / "out", ("data.dev_examples=50", "adapt.evaluate_every=1")
    result = run(*adapt(place, out, "adapt.select=metric", *data))
    assert result.exit_code == 0, result.output
    assert "score" in result.stderr
    metrics: Any = PromptSet.load(out).meta.metrics["adapt"]
    scores = [entry["score"]["target"] for entry in metrics["history"]]
    assert metrics["best_score"] == {"mean": max(scores)}
    target, file = place / "tasks" / "target.yaml", tmp_path / "dev.json"
    result = run("evaluate", out, "--task", target, "--split", "dev", "--json", file)
    assert result.exit_code == 0, result.output
    value = json.loads(file.read_text())["scores"]["value"]
    assert value == pytest.approx(max(scores), abs=1e-9)


def test_adapt_with_zero_shots_trains_nothing(place: Path, tmp_path: Path) -> None:
    result = run(*adapt(place, tmp_path / "out", "--shots", 0))
    assert result.exit_code == 0, result.output
    assert "trainable parameters: 0 of 47,648 (0.00 % of the backbone)" in result.stdout


def test_a_group_and_prompt_tuning(place: Path, tmp_path: Path) -> None:
    group = run(*adapt(place, tmp_path / "group", "--task", place / "tasks" / "nli.yaml"))
    assert group.exit_code == 0, group.output
    assert PromptSet.load(tmp_path / "group").meta.names == ["target", "nli"]
    plain = run(
        *("adapt", "--task", place / "tasks" / "target.yaml", "-o", tmp_path / "plain"),
        *("--settings", place / "adapt.yaml", f"backbone.name={place / 'backbone'}"),
    )
    assert plain.exit_code == 0, plain.output
    assert PromptSet.load(tmp_path / "plain").meta.kind == "prompt-tuning"


def test_a_backbone_that_moved_is_found_where_the_user_says(place: Path, tmp_path: Path) -> None:
    """By an override or by the settings file; odd characters in the path are its own."""
    moved = toy.save_backbone(tmp_path / "a: [b] # c")
    gone = tmp_path / "adapt.yaml"
    settings = toy.adapt_fields(adapt={"steps": 1}, backbone={"name": str(moved)})
    gone.write_text(yaml.safe_dump(settings), encoding="utf-8")
    result = run(*adapt(place, tmp_path / "one", "--shots", 2, "--settings", gone))
    assert result.exit_code == 0, result.output
    assert PromptSet.load(tmp_path / "one").meta.backbone == str(moved)
    # And what was recorded so is found again.
    again = adapt(place, tmp_path / "two", "--shots", 2, "--metaprompt", tmp_path / "one")
    result = run(*again)
    assert result.exit_code == 0, result.output
    assert PromptSet.load(tmp_path / "two").meta.backbone == str(moved)


def test_mistakes_in_settings_get_one_line(place: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    train: list[Any] = ["train", place / "recipe.yaml", "-o", out]
    assert "[CP-TRAIN-010]" in refused("train", tmp_path / "no.yaml", "-o", out)
    assert "did you mean 'kappa'?" in refused(*train, "distil.kapa=3")
    assert "[CP-TRAIN-012] distil.steps: " in refused(*train, "distil.steps=none")
    assert "[CP-TRAIN-013]" in refused(*train, "distil.steps")
    assert "[CP-TRAIN-083]" in refused(*train, "seed.x=1")
    assert "[CP-TRAIN-012] adapt.trainable: " in refused(*adapt(place, out, "--trainable", "u"))
    assert "[CP-TRAIN-050]" in refused(*train, f"sources=[{place / 'tasks' / 'nli.yaml'}]")
    nli = place / "tasks" / "nli.yaml"
    assert "[CP-TRAIN-081] task 'nli'" in refused(*train, f"sources=[{nli}, {nli}]")
    assert "[CP-BACK-005]" in refused(*train, "backbone.name=nowhere/at-all")
    assert "[CP-BACK-006] device 'tpu9'" in refused(*train, "backbone.device=tpu9")
    assert "[CP-TASK-060]" in refused(*train, "--data-root", tmp_path / "no")
    assert not out.exists()


def test_mistakes_in_adaptation_get_one_line(place: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert "[CP-TASK-021]" in refused(*adapt(place, out, "--shots", 900))
    assert "[CP-TRAIN-061]" in refused(*adapt(place, out, "--shots", 0, "adapt.init=nearest"))
    twice = place / "tasks" / "target.yaml"
    assert "[CP-TRAIN-081]" in refused(*adapt(place, out, "--task", twice))
    assert "[CP-TASK-012]" in refused(*adapt(place, out, "--task", "ncbi-diseas"))
    teachers = place / "meta.work" / "teachers"
    assert "[CP-TRAIN-080]" in refused(*adapt(place, out, "--metaprompt", teachers))
    assert "[CP-ART-" in refused(*adapt(place, out, "--metaprompt", tmp_path))
    other = toy.save_backbone(tmp_path / "other", seed=1)
    line = refused(*adapt(place, out, "--shots", 2, f"backbone.name={other}"))
    assert "[CP-ART-020] wrong backbone (other weights)" in line
    assert "[CP-TRAIN-060]" in refused(
        *("adapt", "--task", twice, "--shots", 0, "-o", out, f"backbone.name={other}")
    )


def test_a_result_of_something_else_is_never_written_over(place: Path, tmp_path: Path) -> None:
    before = toy.contents(place / "meta")
    again: list[Any] = ["train", place / "recipe.yaml", "-o", place / "meta"]
    assert "[CP-TRAIN-051]" in refused(*again, "seed=8")
    assert "[CP-TRAIN-062]" in refused(*adapt(place, place / "meta", "--shots", 2))
    (tmp_path / "thesis.txt").write_text("mine", encoding="utf-8")
    assert "[CP-ART-" in refused("train", place / "recipe.yaml", "-o", tmp_path)
    assert toy.contents(place / "meta") == before
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_run_in_progress_refuses_other_settings(place: Path, tmp_path: Path) -> None:
    (tmp_path / "out.work").mkdir()
    (tmp_path / "out.work" / "teachers.ckpt").write_bytes(b"\0" * 100)
    train: list[Any] = ["train", place / "recipe.yaml", "-o", tmp_path / "out"]
    assert "[CP-TRAIN-031]" in refused(*train)
    (tmp_path / "out.work" / "teachers.ckpt").unlink()

    real = loop.checkpoint.save

    def ask_once(*arguments: Any) -> None:
        real(*arguments)
        if arguments[1]["step"] == 2:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop.checkpoint, "save", ask_once)
        result = run(*train, "engine.save_every=1")
    assert result.exit_code == 130
    # The teachers' last step is done, so the next place to stop is behind the first of distil.
    assert "clinprompt: stopped at distil, step 1 of 2; saved." in result.stderr
    assert "[CP-TRAIN-032]" in refused(*train, "engine.save_every=1", "seed=8")
    assert run(*train, "engine.save_every=1").exit_code == 0


def test_a_full_disk_is_told_and_nothing_is_lost(place: Path, tmp_path: Path) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    train: list[Any] = ["train", place / "recipe.yaml", "-o", tmp_path / "out"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop.checkpoint.os, "fsync", full)
        line = refused(*train)
    assert "[CP-TRAIN-030]" in line and "No space left on device" in line
    assert run(*train).exit_code == 0


def test_no_text_of_a_note_is_ever_printed(place: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.jsonl"
    rows = [
        {"text": f"Zyxwvut came in with fever {n} " * 40, "ask": "Fever?", "label": "rest"}
        for n in range(6)
    ]
    secret.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    path = toy.write_task(tmp_path, "long", "answer")
    text = path.read_text(encoding="utf-8").replace("long-train.jsonl", "secret.jsonl")
    path.write_text(text, encoding="utf-8")
    arguments = adapt(place, tmp_path / "out", "--task", path)
    line = refused(*arguments)
    assert "[CP-TRAIN-021] task 'long'" in line
    assert "Zyxwvut" not in line
    result = run(*arguments, "data.long_inputs=truncate", "adapt.rate_shared=1e6")
    assert "long: longer than data.max_tokens: 6 train truncated" in result.output
    assert "Zyxwvut" not in result.output


# ---- signals and set-up --------------------------------------------------------------------------


def test_the_first_ctrl_c_asks_and_the_second_stops_at_once() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with stop_on_interrupt() as should_stop:
        assert not should_stop()
        os.kill(os.getpid(), signal.SIGINT)
        assert should_stop()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_handlers_come_back_after_an_error() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(ValueError, match="inside"), stop_on_interrupt():
        raise ValueError("inside")
    assert signal.getsignal(signal.SIGTERM) == before


def test_set_up_takes_the_asked_threads_and_flushes_denormals() -> None:
    import torch

    set_up(1)
    assert torch.get_num_threads() == 1
    assert float(torch.tensor(1e-40) * 1.0) == 0.0
