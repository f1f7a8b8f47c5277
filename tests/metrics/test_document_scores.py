"""Averages, intervals, flags and what goes into JSON."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.metrics.annotated import collections, counts, doc, link, mention, scored

from clinprompt.errors import ClinpromptError
from clinprompt.metrics.documents import Settings, score_documents


def two_documents():
    """Document a: 1 of 1 right. Document b: 1 of 3 found, and 1 wrong one."""
    drug = mention("T1", "Drug", (0, 4))
    gold = [
        doc(drug, id="a"),
        doc(drug, mention("T2", "Drug", (5, 9)), mention("T3", "Dose", (10, 12)), id="b"),
    ]
    predicted = [doc(drug, id="a"), doc(drug, mention("T2", "Drug", (20, 24)), id="b")]
    return gold, predicted


def test_the_three_averages_by_hand():
    section = scored(*two_documents()).sections["entities.exact"]
    micro, labels, documents = section.micro, section.macro_labels, section.macro_documents
    assert (micro.precision.value, micro.recall.value) == pytest.approx((200 / 3, 50))
    assert micro.f1.value == pytest.approx(100 * 4 / 7)
    assert labels is not None and labels.f1_of_means is not None
    # Drug: 2 right of 3 predicted and 3 wanted; Dose: 1 wanted, none predicted
    assert labels.precision.value == pytest.approx(100 * (2 / 3 + 0) / 2)
    assert labels.recall.value == pytest.approx(100 * (2 / 3 + 0) / 2)
    assert labels.f1.value == pytest.approx(100 * (2 / 3 + 0) / 2)
    assert labels.f1_of_means.value == pytest.approx(100 / 3)
    assert documents.precision.value == pytest.approx(100 * (1 + 1 / 2) / 2)
    assert documents.recall.value == pytest.approx(100 * (1 + 1 / 3) / 2)
    assert documents.f1.value == pytest.approx(100 * (1 + 2 / 5) / 2)
    assert {name: counts(row) for name, row in section.documents.items()} == {
        "a": (1, 0, 0),
        "b": (1, 1, 2),
    }


def test_undefined_scores_have_a_value_and_a_flag():
    nothing = scored(doc(), doc()).sections["entities.exact"]
    assert nothing.micro.f1.value == 100 and nothing.micro.f1.undefined
    assert nothing.macro_documents.f1.undefined
    assert nothing.macro_labels is not None and nothing.macro_labels.f1.undefined
    silent = scored(doc(mention("T1", "Drug", (0, 4))), doc()).sections["entities.exact"]
    assert silent.micro.precision.value == 0 and silent.micro.precision.undefined
    assert silent.micro.recall.value == 0 and not silent.micro.recall.undefined
    assert silent.tables["label"]["Drug"].undefined == ("precision",)
    legacy = scored(doc(), doc(), mode="n2c2").sections["entities.strict"]
    assert legacy.micro.f1.value == 0 and legacy.micro.f1.undefined


@settings(max_examples=30)
@given(collections(), collections(), st.sampled_from(["clean", "n2c2"]))
def test_no_number_is_nan_and_all_are_within_bounds(gold, predicted, mode):
    content = scored(gold, predicted, mode=mode).to_json(per_document=True)

    def numbers(value):
        if isinstance(value, dict):
            for inner in value.values():
                yield from numbers(inner)
        elif isinstance(value, float):
            yield value

    found = list(numbers(content["sections"]))
    assert found and all(math.isfinite(value) and -1e-9 <= value <= 100 + 1e-9 for value in found)
    assert json.dumps(content, allow_nan=False)
    for section in content["sections"].values():
        assert section["definition"]
        assert section["micro"]["f1"]["low"] <= section["micro"]["f1"]["high"]


def test_intervals_are_those_of_scoring_every_draw_anew():
    gold, predicted = two_documents()
    gold.append(doc(mention("T1", "Dose", (3, 6)), link("R1", "x", "T1", "T1"), id="c"))
    predicted.append(doc(mention("T1", "Drug", (3, 6)), id="c"))
    chosen = Settings(resamples=40, seed=5)
    section = score_documents(gold, predicted, chosen).sections["entities.exact"]
    generator = np.random.default_rng(5)
    draws = {"micro": [], "macro_labels": [], "macro_documents": []}
    for drawn in generator.integers(3, size=(40, 3)):
        sides = [
            [doc(*side[d].annotations, id=f"{n}") for n, d in enumerate(drawn)]
            for side in (gold, predicted)
        ]
        again = score_documents(*sides, Settings(resamples=1)).sections["entities.exact"]
        for average, values in draws.items():
            rates = again.rates(average)
            assert rates is not None
            values.append(rates.f1.value)
    for average, values in draws.items():
        rates = section.rates(average)
        assert rates is not None
        low, high = np.percentile(values, [2.5, 97.5])
        assert (rates.f1.low, rates.f1.high) == pytest.approx((low, high))


def test_documents_are_listed_on_request_only():
    scores = scored(*two_documents())
    plain = scores.to_json()["sections"]["entities.exact"]
    assert "documents" not in plain
    listed = scores.to_json(per_document=True)["sections"]["entities.exact"]["documents"]
    assert listed["b"]["support"] == 3 and listed["b"]["predicted"] == 2


def test_json_names_mode_settings_and_averages():
    content = scored(*two_documents(), labels=("Drug",), seed=4).to_json()
    assert content["mode"] == "clean" and content["settings"]["labels"] == ("Drug",)
    assert {"micro", "macro_labels", "macro_documents", "undefined"} == content["averages"].keys()
    assert content["bootstrap"] == {
        "unit": "document",
        "resamples": 20,
        "seed": 4,
        "level": 0.95,
    }
    assert set(content["sections"]["entities.exact"]["tables"]["label"]) == {"Drug"}


def test_too_few_resamples():
    with pytest.raises(ClinpromptError) as caught:
        scored(doc(), doc(), resamples=0)
    assert caught.value.code == "CP-EVAL-008"
