from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize
from tests.inference import world

from clinprompt.artifacts.average import average
from clinprompt.artifacts.describe import describe
from clinprompt.artifacts.prompt_set import META, PromptSet
from clinprompt.errors import ClinpromptError
from clinprompt.examples import Example, LabelAnswer
from clinprompt.inference.evaluate import evaluate
from clinprompt.inference.judging import Judging
from clinprompt.inference.label_bias import (
    balanced,
    matching_bias,
    measured_bias,
    uniform_bias,
    with_bias,
)
from clinprompt.inference.predictor import Predictor
from clinprompt.inference.requests import Prediction, PredictorSettings, Request

NLI = world.card("nli")


def scores(texts: int, labels: int, spread: float, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    favoured = torch.randn(labels, generator=generator, dtype=torch.float64)
    own = torch.randn(texts, labels, generator=generator, dtype=torch.float64)
    return spread * (own + favoured)


@given(
    st.integers(2, 40),
    st.integers(2, 14),
    st.sampled_from([0.1, 1.0, 5.0, 20.0]),
    st.integers(0, 10**6),
    st.booleans(),
)
def test_labels_get_the_mean_probabilities_that_are_wanted(
    texts: int, labels: int, spread: float, seed: int, even: bool
) -> None:
    found = scores(texts, labels, spread, seed)
    generator = torch.Generator().manual_seed(seed + 1)
    prior = torch.ones(labels) if even else torch.rand(labels, generator=generator) + 0.05
    prior = prior.double() / prior.sum()
    bias = matching_bias(found, prior)
    assert torch.softmax(found + bias, dim=1).mean(0).tolist() == pytest.approx(
        prior.tolist(), abs=1e-6
    )
    assert float(bias.mean()) == pytest.approx(0, abs=1e-9)


def test_the_bias_is_what_a_general_minimiser_finds() -> None:
    found, prior = scores(30, 5, 2.0, 3), torch.tensor([0.4, 0.3, 0.1, 0.1, 0.1]).double()
    wanted = minimize(
        lambda b: float(
            torch.logsumexp(found + torch.tensor(b), dim=1).mean() - prior @ torch.tensor(b)
        ),
        np.zeros(5),
        method="BFGS",
        options={"gtol": 1e-9},
    ).x
    assert matching_bias(found, prior).tolist() == pytest.approx(
        (wanted - wanted.mean()).tolist(), abs=1e-4
    )


def test_what_is_added_to_a_whole_text_or_to_one_label_of_all_changes_no_balance() -> None:
    found, prior = scores(12, 3, 3.0, 0), torch.full((3,), 1 / 3)
    shift = torch.tensor([5.0, -2.0, 0.5]).double()
    moved = matching_bias(found + torch.arange(12.0)[:, None] + shift, prior)
    assert torch.softmax(found + shift + moved, 1).flatten().tolist() == pytest.approx(
        torch.softmax(found + matching_bias(found, prior), 1).flatten().tolist(), abs=1e-8
    )


def told(probabilities: dict[str, float]) -> Prediction:
    best = max(probabilities, key=probabilities.__getitem__)
    return Prediction(LabelAnswer(best), best, probabilities=probabilities)


def test_a_label_that_is_never_quite_the_likeliest_is_chosen_after_balancing() -> None:
    card = world.card("label")
    answers = [told({"y": 0.9 - x, "n": 0.05 + x, "m": 0.05}) for x in (0.0, 0.1, 0.2, 0.3)]
    bias = uniform_bias(card, answers)
    assert bias["m"] > bias["n"] > bias["y"]
    assert sum(bias.values()) == pytest.approx(0, abs=1e-5)


def test_a_probability_that_has_become_zero_is_no_obstacle() -> None:
    answers = [told({"entailment": 1.0, "neutral": 0.0}) for _ in range(4)]
    bias = uniform_bias(NLI, answers)
    assert all(math.isfinite(one) for one in bias.values())


def test_tasks_without_fixed_labels_and_too_few_texts_are_refused() -> None:
    with pytest.raises(ClinpromptError, match="CP-INF-480"):
        uniform_bias(world.card("choice"), [])
    with pytest.raises(ClinpromptError, match="CP-INF-481"):
        uniform_bias(NLI, [told({"entailment": 0.5, "neutral": 0.5})])


def requests(count: int) -> list[Request]:
    return [Request(NLI.name, world.an_input(NLI, i)) for i in range(count)]


def of(prompts: PromptSet) -> Predictor:
    return Predictor.of(prompts, PredictorSettings(), prepared=world.prepared())


def test_a_saved_bias_balances_the_answers_it_was_measured_on(tmp_path: Path) -> None:
    prompts = world.prompt_set(world.prepared(), NLI, world.card("label"))
    asked, plain = requests(12), of(prompts)
    before = plain.answer(asked)
    bias = measured_bias(plain, NLI, [one.input for one in asked])
    with_bias(prompts, "nli", bias).save(tmp_path / "balanced")
    loaded = PromptSet.load(tmp_path / "balanced")
    assert loaded.meta.label_bias == {"nli": bias}
    assert loaded.digest != prompts.digest
    after = of(loaded).answer(asked)
    for label in NLI.labels:
        shares = [(one.probabilities or {})[label] for one in after]
        assert sum(shares) / len(shares) == pytest.approx(1 / 2, abs=1e-4)
    for old, new in zip(before, after, strict=True):
        a, b = old.probabilities or {}, new.probabilities or {}
        expected = {k: a[k] * math.exp(bias[k]) for k in a}
        whole = sum(expected.values())
        assert b == pytest.approx({k: v / whole for k, v in expected.items()}, rel=1e-6)
        assert new.answer == LabelAnswer(max(b, key=b.__getitem__))
        assert new.text == NLI.labels[getattr(new.answer, "label", "")]
    other = [Request("label", world.an_input(world.card("label"), i)) for i in range(3)]
    assert [p.probabilities for p in of(loaded).answer(other)] == [
        pytest.approx(p.probabilities) for p in plain.answer(other)
    ]


def test_prompts_without_biases_are_written_as_ever_and_say_nothing_of_them(tmp_path: Path) -> None:
    prompts = world.prompt_set(world.prepared(), NLI)
    prompts.save(tmp_path / "plain")
    assert "label_bias" not in json.loads((tmp_path / "plain" / META).read_text())
    assert "Balanced" not in (tmp_path / "plain" / "README.md").read_text()
    with_bias(prompts, "nli", {"entailment": 1.0, "neutral": -1.0}).save(tmp_path / "one")
    assert "| Balanced labels | nli |" in (tmp_path / "one" / "README.md").read_text()
    assert describe(tmp_path / "one")["prompt"]["label_bias"]["nli"]["neutral"] == -1.0


def test_biases_of_other_tasks_or_labels_are_refused() -> None:
    prompts = world.prompt_set(world.prepared(), NLI)
    with pytest.raises(ClinpromptError, match="CP-ART-035"):
        with_bias(prompts, "other", {})
    with pytest.raises(ValueError, match="labels are not those"):
        with_bias(prompts, "nli", {"entailment": 1.0})
    with pytest.raises(ClinpromptError, match="CP-INF-482"):
        of(prompts).add(NLI, None, bias={"entailment": 1.0})
    for name, bias in (("summary", {"entailment": 1.0}), ("choice", {}), ("mentions", {"Drug": 1})):
        with pytest.raises(ClinpromptError, match="CP-INF-482"):
            of(prompts).add(world.card(name), None, bias=bias)


def test_a_mean_of_prompts_has_no_biases() -> None:
    prompts = world.prompt_set(world.prepared(), NLI)
    one = with_bias(prompts, "nli", {"entailment": 1.0, "neutral": -1.0})
    assert average([one, prompts]).meta.label_bias == {}


def examples(count: int) -> list[Example]:
    """Gold labels alternate."""
    return [
        Example(f"e{i}", f"d{i}", world.an_input(NLI, i), LabelAnswer(list(NLI.labels)[i % 2]))
        for i in range(count)
    ]


def test_a_judge_that_balances_scores_as_a_predictor_with_the_bias_of_the_same_texts() -> None:
    ready, some = world.prepared(), examples(16)
    prompts = world.prompt_set(ready, NLI)
    plain = of(prompts)
    raw = evaluate(plain, NLI, some, resamples=2)
    bias = uniform_bias(NLI, raw.predictions)
    plain.add(NLI, prompts.task_prompt("nli"), bias=bias)
    wanted = evaluate(plain, NLI, some, resamples=2)
    found = balanced(raw, resamples=2)
    assert found.scores.value == wanted.scores.value
    assert [one.answer for one in found.predictions] == [one.answer for one in wanted.predictions]
    stacked = prompts.task_prompt("nli")[None]
    for balance, expected in ((True, wanted), (False, raw)):
        judge = Judging(PredictorSettings(), balance)(ready, [NLI], [some])
        assert judge(stacked) == {"nli": expected.scores.value}
    accurate = NLI.model_copy(update={"metric": "accuracy"})  # rare labels are rare for a reason
    judge = Judging(PredictorSettings(), balance=True)(ready, [accurate], [some])
    assert judge(stacked) == {"nli": raw.scores.metrics["accuracy"].value}
