"""A stage that stops, in whatever way, and goes on."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.training import toy
from tests.training.stages import (
    STEPS,
    decomposed,
    result,
    run,
    same,
    saved_state,
    scripted,
    start,
    teachers,
)

from clinprompt.backbone.model import Backbone
from clinprompt.errors import ClinpromptError
from clinprompt.training import checkpoint, loop
from clinprompt.training.data import TokenTask
from clinprompt.training.loop import Interrupted, Outcome, Stage
from clinprompt.training.modules import PromptTable


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> list[TokenTask]:
    return toy.token_tasks(toy.write_tasks(tmp_path_factory.mktemp("tasks")), toy.prepared())


# ---- stopping and going on ---------------------------------------------------------------------


@pytest.mark.parametrize("make", [teachers, decomposed])
def test_stopped_after_any_step_it_goes_on_to_the_same_bits(
    tasks: list[TokenTask], tmp_path: Path, make: Callable[..., Stage]
) -> None:
    stage = make(tasks)
    expected = result(stage, run(stage, tmp_path / "whole"))
    for stop in range(1, STEPS):
        folder, asked = tmp_path / f"stop-{stop}", iter([False] * (stop - 1) + [True])
        with pytest.raises(Interrupted, match=f"{stage.name}, step {stop} of {STEPS}"):
            run(make(tasks), folder, should_stop=lambda asked=asked: next(asked))
        again = make(tasks)
        assert same(result(again, run(again, folder)), expected), stop


def test_a_stage_that_ends_early_is_the_longer_one_at_that_step(
    tasks: list[TokenTask], tmp_path: Path
) -> None:
    """Same schedule, same draws: `stop` cuts a stage, and changes nothing before."""
    for stop in range(1, STEPS):
        asked = iter([False] * (stop - 1) + [True])
        with pytest.raises(Interrupted):
            run(decomposed(tasks), tmp_path / f"whole-{stop}", should_stop=lambda a=asked: next(a))
        stage = decomposed(tasks)
        stage.settings = stage.settings.model_copy(update={"stop": stop})
        outcome = run(stage, tmp_path / f"cut-{stop}")
        assert outcome.history[-1]["step"] == stop
        cut, whole = (saved_state(tmp_path / f"{n}-{stop}", stage) for n in ("cut", "whole"))
        assert cut["step"] == whole["step"] == stop
        assert all(torch.equal(cut["module"][k], t) for k, t in whole["module"].items())


def test_stopped_after_every_step_it_comes_to_the_same_bits(
    tasks: list[TokenTask], tmp_path: Path
) -> None:
    stage = decomposed(tasks)
    expected = result(stage, run(stage, tmp_path / "whole"))
    for step in range(1, STEPS):
        with pytest.raises(Interrupted, match=f"step {step} of"):
            run(decomposed(tasks), tmp_path / "steps", should_stop=lambda: True)
    again = decomposed(tasks)
    # Asked to stop in the last step, there is nothing left to stop.
    assert same(result(again, run(again, tmp_path / "steps", should_stop=lambda: True)), expected)


def test_a_finished_stage_is_only_read(tasks: list[TokenTask], tmp_path: Path) -> None:
    stage = decomposed(tasks)
    expected = result(stage, run(stage, tmp_path))
    before = (tmp_path / "distil.ckpt").read_bytes()
    again = decomposed(tasks)
    assert same(result(again, run(again, tmp_path)), expected)
    assert (tmp_path / "distil.ckpt").read_bytes() == before


@pytest.mark.parametrize("forgotten", ["optimizer", "since", "best_state", "outcome"])
def test_each_part_of_a_checkpoint_matters(
    tasks: list[TokenTask], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forgotten: str
) -> None:
    """Without any one of them the resumed run would differ, and the tests above would see it."""
    # Scripted, so that the best state is one from before the stop.
    stage = decomposed(tasks, evaluate_every=2)
    losses = [{task.name: value for task in tasks} for value in (5.0, 1.0, 4.0, 3.0, 2.0)]
    scripted(monkeypatch, losses)
    expected = result(stage, run(stage, tmp_path / "whole"))
    end = saved_state(tmp_path / "whole", stage)["module"]

    scripted(monkeypatch, losses)
    asked = iter([False] * 4 + [True])
    with pytest.raises(Interrupted):
        run(decomposed(tasks, evaluate_every=2), tmp_path, should_stop=lambda: next(asked))
    real = checkpoint.load

    def partial(path: Path, identity: str) -> dict[str, Any] | None:
        found = real(path, identity)
        assert found is not None
        fresh = {"since": [0.0, 0.0], "best_state": {}, "outcome": vars(Outcome())}
        if forgotten == "optimizer":
            found["optimizer"]["state"] = {}
        else:
            found[forgotten] = fresh[forgotten]
        return found

    scripted(monkeypatch, losses[3:])
    monkeypatch.setattr(checkpoint, "load", partial)
    again = decomposed(tasks, evaluate_every=2)
    found = result(again, run(again, tmp_path))
    monkeypatch.setattr(checkpoint, "load", real)
    last = saved_state(tmp_path, again)["module"]
    assert not (same(found, expected) and same((last, {}), (end, {})))


def test_a_checkpoint_of_another_run_is_refused(tasks: list[TokenTask], tmp_path: Path) -> None:
    run(decomposed(tasks), tmp_path)
    with pytest.raises(ClinpromptError, match="CP-TRAIN-032"):
        loop.run(toy.prepared().backbone, decomposed(tasks), tmp_path, "other", toy.Lines())


# ---- numbers that are not finite ---------------------------------------------------------------


def poison(backbone: Backbone, token: int) -> Backbone:
    """The backbone with an embedding that is NaN."""
    sick = Backbone(copy.deepcopy(backbone.model), backbone.tokenizer, "sick", backbone.template)
    with torch.no_grad():
        sick.model.get_input_embeddings().weight[token] = float("nan")
    return sick


def test_a_loss_that_is_not_finite_stops_names_the_batch_and_keeps_the_last_good_state(
    tasks: list[TokenTask], tmp_path: Path
) -> None:
    stage, backbone = decomposed(tasks), toy.prepared().backbone
    expected = result(stage, run(stage, tmp_path / "healthy"))

    # A token that a single training row has, which is not drawn before the second checkpoint.
    broken = copy.deepcopy(tasks)
    step, draw = next(
        (step, draw)
        for step in range(4, STEPS)
        for draw in stage.sampler[step]
        if not any(
            draw.task == d.task and draw.examples[0] in d.examples
            for earlier in range(step)
            for d in stage.sampler[earlier]
        )
    )
    row = broken[draw.task].rows["train"][draw.examples[0]]
    row.input[0] = 259  # in no text
    with pytest.raises(ClinpromptError) as caught:
        run(decomposed(broken), tmp_path / "sick", poison(backbone, 259))
    message = str(caught.value)
    assert caught.value.code == "CP-TRAIN-040"
    assert f"distil, step {step + 1}: loss nan" in message
    for drawn in stage.sampler[step]:
        ids = [tasks[drawn.task].rows["train"][i].id for i in drawn.examples]
        assert f"{tasks[drawn.task].name}:{','.join(ids)}" in message

    state = saved_state(tmp_path / "sick", stage)
    assert state["step"] == step  # and not only the last multiple of save_every
    assert all(torch.isfinite(tensor).all() for tensor in state["module"].values())
    again = decomposed(tasks)  # healed, the run goes on as if nothing had been
    assert same(result(again, run(again, tmp_path / "sick")), expected)


def test_where_memory_does_not_suffice_the_run_goes_on_with_smaller_pieces(
    tasks: list[TokenTask], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, failing = loop._step, [3]

    def full(backbone: Backbone, stage: Stage, step: int) -> Any:
        if step in failing:
            raise torch.OutOfMemoryError
        return real(backbone, stage, step)

    stage = decomposed(tasks)
    expected = result(stage, run(stage, tmp_path / "whole"))
    monkeypatch.setattr(loop, "_step", full)
    with pytest.raises(ClinpromptError, match=r"CP-TRAIN-092.*step 4.*microbatch_tokens"):
        run(decomposed(tasks), tmp_path / "full")
    failing.clear()
    again = decomposed(tasks)
    assert same(result(again, run(again, tmp_path / "full")), expected)


def test_a_gradient_that_is_not_finite_stops_too(
    tasks: list[TokenTask], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = teachers(tasks)
    monkeypatch.setattr(PromptTable, "clip", lambda *_: math.inf)
    with pytest.raises(ClinpromptError, match=r"CP-TRAIN-040.*step 1: loss \d.*norm inf"):
        run(stage, tmp_path)
    assert torch.equal(stage.module.state_dict()["table.0"], start(tasks)[0])


def test_a_dev_loss_that_is_not_finite_stops_before_it_counts(
    tasks: list[TokenTask], tmp_path: Path
) -> None:
    broken = copy.deepcopy(tasks)
    broken[2].rows["dev"][0].input[0] = 259
    with pytest.raises(ClinpromptError, match="CP-TRAIN-084") as caught:
        run(decomposed(broken), tmp_path, poison(toy.prepared().backbone, 259))
    assert f"step 0: dev loss of {tasks[2].name} is not finite" in caught.value.message
