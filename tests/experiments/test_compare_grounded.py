"""Answers held to their texts in a comparison, for every method alike."""

from __future__ import annotations

import json
import sys

import pytest
from tests.experiments import compare_world as cw

from clinprompt.experiments.compare import run

SETTINGS = {
    "methods": ["bare", cw.METHODS[7]],  # LoRA
    "shots": [0, 4],
    "training": {"select": "metric"},
    "evaluation": {"max_new": 16},
}
GROUNDED = {**SETTINGS, "evaluation": {"max_new": 16, "grounded": True}}


@pytest.fixture(scope="module")
def fields(tmp_path_factory):
    return cw.write_world(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def both(fields, tmp_path_factory):
    out = tmp_path_factory.mktemp("grounded")
    held = cw.compared(fields, out / "held", **GROUNDED)
    return out, held, cw.compared(fields, out / "free", **SETTINGS)


def test_every_mention_is_of_its_text_whatever_the_method(both):
    out, held, free = both
    marked = [name for name in held if "/marked/" in name]
    assert {held[name].key.method for name in marked} == {"bare", "lora"}
    for name in marked:
        assert held[name].status == "done", held[name].reason
        assert held[name].counts["unaligned"] == held[name].counts["unparsable"] == 0
        lines = (out / "held" / "cells" / name / "predictions.jsonl").read_text().splitlines()
        for one in map(json.loads, lines):
            spoken = "".join(one["output"].lower().split())  # white space may differ
            for mention in one["answer"]["entities"]:
                assert "".join(mention["text"].lower().split()) in spoken
    invented = (free[name].counts["unaligned"] + free[name].counts["unparsable"] for name in marked)
    assert sum(invented) > 0  # a random model's free answers are no mentions


def test_closed_answers_are_what_they_were(both):
    _, held, free = both
    asked = [name for name in held if "/asked/bare" in name]
    assert asked
    assert all(held[name].main == free[name].main for name in asked)


def test_a_comparison_of_free_answers_has_the_identity_it_always_had(fields, tmp_path):
    old = cw.planned(fields, tmp_path / "1", **SETTINGS).plan.cells
    told = cw.planned(
        fields, tmp_path / "2", **{**SETTINGS, "evaluation": {"max_new": 16, "grounded": False}}
    ).plan.cells
    assert not {"grounded", "no_repeat_ngram"} & set(old[0].configuration["evaluation"])
    assert [one.identity for one in old] == [one.identity for one in told]
    runs = {**SETTINGS, "evaluation": {"max_new": 16, "no_repeat_ngram": 3}}
    for number, changed in enumerate((GROUNDED, runs)):
        new = cw.planned(fields, tmp_path / f"new-{number}", **changed).plan.cells
        assert all(a.identity != b.identity for a, b in zip(old, new, strict=True))


def test_without_llguidance_it_is_refused_before_anything_runs(fields, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "llguidance", None)
    with pytest.raises(run.Unfit) as caught:
        cw.planned(fields, tmp_path, **GROUNDED)
    assert [one.code for one in caught.value.complaints] == ["CP-INF-200"]
