"""States and rates chosen by the target's own metric on dev."""

from __future__ import annotations

import pytest
from tests.experiments import compare_world as cw

from clinprompt.experiments.compare.cell import Try
from clinprompt.experiments.compare.fitting import Tried
from clinprompt.experiments.compare.tuning import _joined, _relative_loss, _score
from clinprompt.inference.judging import Judging
from clinprompt.training import loop

METRIC = {
    "training": {"steps": {4: 6, "full": 6}, "evaluations": 6, "select": "metric"},
    "data": {"dev_examples": 50},
    "evaluation": {"dev_examples": 50},
    "shots": [4],
}


@pytest.fixture(scope="module")
def fields(tmp_path_factory):
    return cw.write_world(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def chosen(fields, tmp_path_factory):
    out = tmp_path_factory.mktemp("chosen") / "out"
    return out, cw.compared(fields, out, **METRIC)


def trained(cells):
    return {name: cell for name, cell in cells.items() if cell.history}


def test_every_trained_method_keeps_the_state_with_the_best_dev_score(chosen):
    cells = trained(chosen[1])
    assert {cell.key.method for cell in cells.values()} == {
        "pt", "mpt", "mpt-vectors", "mpt-grouped", "mpt-lora", "lora", "fine-tuning",
    }  # fmt: skip
    for cell in cells.values():
        own = len(cell.history[0].dev) == 1
        name = cell.key.target
        best = min(
            cell.history,
            key=lambda p: (-(p.score[name] if own else p.score_mean), p.dev_mean, p.step),
        )
        assert cell.dev.best_step == best.step
        assert cell.dev.score == best.score[name]
        assert cell.dev.loss == best.dev[name]


def test_the_score_is_that_of_the_saved_state_answered_as_test_is(chosen):
    """Answered again after training, from what was saved, the same dev examples score the same."""
    for cell in trained(chosen[1]).values():
        assert cell.dev.scores is not None
        scores = cell.dev.scores["scores"]
        assert scores["value"] == pytest.approx(cell.dev.score, abs=1e-9)


def test_the_score_and_not_the_loss_chooses_the_rates(chosen):
    for cell in trained(chosen[1]).values():
        assert all(one.dev_score is not None for one in cell.tuning)
        best = min(cell.tuning, key=lambda one: (-one.dev_score, one.dev_loss))
        assert cell.chosen == best.rates


def judged(monkeypatch, scores):
    """Every evaluation's scores, one after the other, instead of answers' own."""
    given = iter(scores)

    def judging(self, prepared, cards, examples):
        return lambda prompts: {card.name: next(given) for card in cards}

    monkeypatch.setattr(Judging, "__call__", judging)


@pytest.mark.parametrize("method", ["pt", "mpt", "mpt-lora", "lora", "fine-tuning"])
def test_a_better_answer_beats_a_lower_loss(fields, tmp_path, monkeypatch, method):
    """Of seven evaluations the third has the best score, whatever the losses are."""
    judged(monkeypatch, [0.0, 10.0, 50.0, 10.0, 0.0, 20.0, 20.0])
    cells = cw.compared(
        fields, tmp_path, only=(f"*/asked/{method}-4-*",), tuning={"when": "off"}, **METRIC
    )
    (cell,) = cells.values()
    assert (cell.dev.best_step, cell.dev.score) == (2, 50.0)


def test_between_equal_scores_the_loss_decides(fields, tmp_path, monkeypatch):
    judged(monkeypatch, [7.0] * 7)
    cells = cw.compared(
        fields, tmp_path, only=("*/asked/pt-4-*",), tuning={"when": "off"}, **METRIC
    )
    (cell,) = cells.values()
    assert cell.dev.loss == min(point.dev_mean for point in cell.history)


@pytest.mark.parametrize("method", ["mpt", "mpt-lora", "lora", "fine-tuning"])
def test_by_form_lists_are_judged_by_their_metric_and_labels_by_their_loss(
    fields, tmp_path, monkeypatch, method
):
    judged(monkeypatch, [0.0, 10.0, 50.0, 10.0, 0.0, 20.0, 20.0])
    by_form = {**METRIC, "training": METRIC["training"] | {"select": "by-form"}}
    cells = cw.compared(
        fields, tmp_path, only=(f"*/{method}-4-*",), tuning={"when": "off"}, **by_form
    )
    found = {cell.key.target: cell for cell in cells.values()}
    assert (found["marked"].dev.best_step, found["marked"].dev.score) == (2, 50.0)
    labels = found["asked"]
    assert labels.dev.score is None
    assert labels.dev.loss == min(point.dev_mean for point in labels.history)


def test_chosen_by_loss_nothing_is_answered_on_dev(fields, tmp_path, monkeypatch):
    monkeypatch.setattr(Judging, "__call__", None)
    cells = cw.compared(fields, tmp_path, only=("*/asked/*-4-*",), shots=[4])
    assert trained(cells)
    assert all(cell.dev.score is None and cell.status == "done" for cell in cells.values())


def tried(loss, score, **changes):
    return Tried(rates={}, dev_loss=loss, dev_score=score, **changes)


def test_a_try_that_failed_scores_below_all(fields):
    failed = Tried(rates={}, failed={"code": loop.NOT_FINITE, "message": "loss inf"})
    table = [[tried(1.0, 0.0), failed], [tried(2.0, 0.0), tried(1.0, 90.0)]]
    columns = [[row[k] for row in table] for k in range(2)]
    assert _score(columns[0]) == 0.0 > _score(columns[1])
    assert _relative_loss(columns[1], table) == float("inf")
    assert _joined(columns[1]) == Try(rates={}, failed=failed.failed)
    assert _joined(columns[0]).dev_score == 0.0
