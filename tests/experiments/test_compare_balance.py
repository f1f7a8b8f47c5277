"""Labels of targets judged by macro F1 balanced over dev texts, for every method alike."""

from __future__ import annotations

import json

import pytest
from tests.experiments import compare_world as cw
from tests.training import toy

from clinprompt.experiments.compare import run
from clinprompt.inference.label_bias import measured_bias
from clinprompt.inference.predictor import Predictor
from clinprompt.inference.requests import PredictorSettings, Request
from clinprompt.tasks import catalogue
from clinprompt.tasks.loading import load

SETTINGS = {
    "evaluation": {"balance": True, "examples": None},
    "data": {"dev_examples": 8},
    "training": {"steps": {4: 2, "full": 3}, "select": "metric"},
    "shots": [0, 4],
}


@pytest.fixture(scope="module")
def fields(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    found = cw.write_world(folder)
    inferred = toy.write_task(folder, "inferred", "nli", seed=3, train=12, dev=8, test=10)
    return found | {"targets": [found["targets"][0], str(inferred)]}


@pytest.fixture(scope="module")
def both(fields, tmp_path_factory):
    out = tmp_path_factory.mktemp("balanced")
    plain = {**SETTINGS, "evaluation": {"balance": False, "examples": None}}
    return (
        out,
        cw.compared(fields, out / "balanced", **SETTINGS),
        cw.compared(fields, out / "plain", **plain),
    )


def test_every_method_is_balanced_on_targets_judged_by_macro_f1_alone(both):
    _, cells, plain = both
    assert {cell.key.method for cell in cells.values()} >= {"bare", "in-context", "mpt", "lora"}
    assert set(cells) == set(plain)
    for name, cell in cells.items():
        assert cell.status == "done", cell.reason
        bias = cell.details.get("label_bias")
        assert "label_bias" not in plain[name].details
        if cell.key.target == "inferred":
            assert set(bias) == {"e", "n"}
            assert sum(bias.values()) == pytest.approx(0, abs=1e-5)
        else:  # accuracy: rare labels may be rare for a reason
            assert bias is None
            assert cell.main == plain[name].main


def test_test_answers_are_those_of_a_predictor_with_the_bias_of_the_dev_texts(fields, both):
    out, cells, _ = both
    name = next(n for n in cells if "/inferred/bare-0" in n)
    file = out / "balanced" / "cells" / name / "predictions.jsonl"
    found = [json.loads(line)["answer"] for line in file.read_text().splitlines()]

    card = catalogue.find(fields["targets"][1])
    data = load(card, None, splits=("dev", "test")).splits
    predictor = Predictor(toy.prepared(), PredictorSettings(long_inputs="truncate", max_input=60))
    predictor.add(card, None)
    bias = measured_bias(predictor, card, [one.input for one in data["dev"]])
    assert cells[name].details["label_bias"] == pytest.approx(bias, abs=1e-3)
    predictor.add(card, None, bias=bias)
    wanted = predictor.answer([Request(card.name, one.input) for one in data["test"]])
    assert [one["label"] for one in found] == [one.answer.label for one in wanted]
    assert [one["probabilities"]["e"] for one in found] == pytest.approx(
        [one.probabilities["e"] for one in wanted], abs=1e-3
    )


def test_a_comparison_without_it_has_the_identity_it_always_had(fields, tmp_path):
    old = cw.planned(fields, tmp_path / "1", shots=[4]).plan.cells
    told = cw.planned(fields, tmp_path / "2", shots=[4], evaluation={"balance": False}).plan.cells
    new = cw.planned(
        fields, tmp_path / "3", shots=[4], evaluation={"balance": True}, data={"dev_examples": 4}
    ).plan.cells
    assert "balance" not in old[0].configuration["evaluation"]
    assert [one.identity for one in old] == [one.identity for one in told]
    assert all(a.identity != b.identity for a, b in zip(old, new, strict=True))


def test_fewer_dev_texts_than_labels_are_refused_before_anything_runs(fields, tmp_path):
    with pytest.raises(run.Unfit) as caught:
        cw.planned(fields, tmp_path, evaluation={"balance": True}, data={"dev_examples": 1})
    assert [one.code for one in caught.value.complaints] == ["CP-EXP-126"]
    assert "'inferred'" in caught.value.complaints[0].message
