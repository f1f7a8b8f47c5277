"""The state that is kept, where a judge scores dev answers."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.training import stages, toy
from tests.training.adapting import fit

from clinprompt.artifacts.prompt_set import PromptSet
from clinprompt.training.data import TokenTask
from clinprompt.training.loop import Interrupted, Outcome

LOSS = st.floats(0, 9)
SCORES = st.lists(st.tuples(LOSS, st.integers(0, 3).map(float)), min_size=1, max_size=9)


@given(SCORES)
def test_the_best_score_is_kept_and_of_equals_the_lowest_loss(points: list) -> None:
    outcome = Outcome()
    for step, (loss, score) in enumerate(points):
        if outcome.improves("mean", loss, score):
            outcome.keep("mean", step, loss, score)
    best = min(range(len(points)), key=lambda k: (-points[k][1], points[k][0], k))
    assert outcome.best_step["mean"] == best
    assert (outcome.best["mean"], outcome.best_score["mean"]) == points[best]


@given(st.lists(LOSS, min_size=1, max_size=9))
def test_without_scores_the_lowest_loss_is_kept(losses: list[float]) -> None:
    outcome = Outcome()
    for step, loss in enumerate(losses):
        if outcome.improves("mean", loss, None):
            outcome.keep("mean", step, loss, None)
    assert outcome.best_step["mean"] == losses.index(min(losses))
    assert "best_score" not in outcome.to_json()


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> list[TokenTask]:
    return toy.token_tasks(toy.write_tasks(tmp_path_factory.mktemp("tasks")), toy.prepared())


def judged(stage: stages.Stage, scores: list[float]) -> stages.Stage:
    """Scores by the number of the evaluation; all tasks alike but for the first."""
    count = iter(scores)

    def judge(prompts: object) -> dict[str, float]:
        score = next(count)
        return {task.name: score if k else 100 - score for k, task in enumerate(stage.tasks)}

    stage.judge = judge
    return stage


def test_each_teacher_keeps_its_own_best(tasks: list[TokenTask], tmp_path: Path) -> None:
    stage = judged(stages.teachers(tasks), [1.0, 9.0, 5.0])
    outcome = stages.run(stage, tmp_path)
    assert [entry["step"] for entry in outcome.history] == [0, 4, 8]
    steps = [outcome.best_step[task.name] for task in tasks]
    assert steps == [0] + [4] * (len(tasks) - 1)
    assert stages.teachers(tasks).module.table[0].equal(stage.module.table[0])


def test_stopped_and_gone_on_it_keeps_the_same(tasks: list[TokenTask], tmp_path: Path) -> None:
    whole = judged(stages.decomposed(tasks), [1.0, 9.0, 5.0])
    expected = stages.result(whole, stages.run(whole, tmp_path / "a"))
    first = judged(stages.decomposed(tasks), [1.0, 9.0])
    asked = iter([False] * 5 + [True])
    with pytest.raises(Interrupted):
        stages.run(first, tmp_path / "b", should_stop=lambda: next(asked))
    second = judged(stages.decomposed(tasks), [5.0])
    assert stages.same(expected, stages.result(second, stages.run(second, tmp_path / "b")))


def test_adaptation_by_metric_needs_what_scores(
    metaprompt: PromptSet, target: Path, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="judging"):
        fit(tmp_path / "out", metaprompt, target, adapt={"select": "metric"})
    fit(tmp_path / "zero", metaprompt, target, shots=0, adapt={"select": "metric"})
