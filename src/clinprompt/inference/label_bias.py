"""Balanced labels: what is added to each label's score so that none is favoured beforehand.

A prompt learned from a few examples has picked up how often it should say which label, and 24
updates leave much of that to chance: it may never say one of three. Metrics that count every label
alike (macro F1) lose by it. So the scores of a sample of texts, whose gold labels nobody needs, are
looked at together, and each label gets a number, its **bias**, that makes their mean probabilities
what they should be (batch calibration, Zhou et al., ICLR 2024, with the exact solution in place of
its estimate; compare logit adjustment, Menon et al., ICLR 2021).

Shapes: N texts, K labels.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from clinprompt.artifacts.meta import PromptMeta
from clinprompt.artifacts.prompt_set import PromptSet
from clinprompt.errors import ClinpromptError
from clinprompt.examples import Input
from clinprompt.inference import reading
from clinprompt.inference.evaluate import Evaluation
from clinprompt.inference.predictor import Predictor
from clinprompt.inference.requests import Prediction, Request
from clinprompt.metrics import score
from clinprompt.tasks.card import Card

_SMALLEST = 1e-30  # probabilities are float32: what is less may have become 0
_SCALINGS, _STEPS, _TOLERANCE = 20, 200, 1e-10


def counts_labels_alike(card: Card) -> bool:
    """Whether a task is judged by a metric in which each label weighs the same, however rare."""
    return card.form in reading.LABELS and card.metric == "macro_f1"


def matching_bias(log_scores: Tensor, prior: Tensor) -> Tensor:
    """The biases b with which labels have, on average over texts, the probabilities of `prior`.

    mean_i softmax(s_i + b) = π is where the convex f(b) = mean_i logsumexp(s_i + b) - π·b is least.
    Scaling columns (Sinkhorn and Knopp, 1967) goes there from anywhere, slowly at the end where
    labels are told apart sharply; Newton's method with step halving does the rest. In float64.

    Args:
        log_scores: s [N, K], natural logarithms, each row up to a constant of its own.
        prior: π [K], above 0, summing to 1.

    Returns:
        b [K], float64, of mean 0 (a constant would change nothing).
    """
    scores = torch.log_softmax(log_scores.double(), dim=1)
    wanted = prior.double()
    count = len(scores)

    def loss(b: Tensor) -> Tensor:
        return torch.logsumexp(scores + b, dim=1).mean() - wanted @ b

    bias = torch.zeros_like(wanted)
    for _ in range(_SCALINGS):
        shares = torch.log_softmax(scores + bias, dim=1)
        bias = bias + wanted.log() - (torch.logsumexp(shares, dim=0) - math.log(count))
    for _ in range(_STEPS):
        shares = torch.softmax(scores + bias, dim=1)
        slope = shares.mean(0) - wanted
        if slope.abs().max() < _TOLERANCE:
            break
        # Along a constant f is flat, and nearly so wherever all texts are sure of their label.
        curve = torch.diag(shares.mean(0)) - shares.T @ shares / count + 1 / len(wanted)
        curve += torch.eye(len(wanted), dtype=torch.float64) * slope.abs().max() * 1e-3
        step = -torch.linalg.solve(curve, slope)
        size, now = 1.0, loss(bias)
        while size > 1e-6 and loss(bias + size * step) > now + 1e-4 * size * (slope @ step):
            size /= 2
        bias = bias + size * step
    return bias - bias.mean()


def require_balanceable(card: Card) -> None:
    """Refuse a task without a fixed list of labels.

    Raises:
        ClinpromptError: CP-INF-480.
    """
    if card.form not in reading.LABELS:
        raise ClinpromptError(
            "CP-INF-480",
            f"task '{card.name}' (form {card.form}) does not choose one of the same labels each "
            "time, so none can be favoured",
            hint="only tasks of form label or pair can be balanced",
        )


def uniform_bias(card: Card, predictions: Sequence[Prediction]) -> dict[str, float]:
    """Each label's bias with which all labels are equally probable, on average over answers.

    Args:
        card: of form label or pair.
        predictions: answers to a sample of its texts, given without biases.

    Raises:
        ClinpromptError: CP-INF-480 a task that does not choose among the same labels each time,
            CP-INF-481 fewer texts than labels.
    """
    require_balanceable(card)
    labels = list(card.labels)
    if len(predictions) < len(labels):
        raise ClinpromptError(
            "CP-INF-481",
            f"{len(predictions)} texts are too few to balance the {len(labels)} labels of task "
            f"'{card.name}'",
            hint="some 10 texts for each label make it stable",
        )
    scores = [
        [math.log(max((one.probabilities or {})[label], _SMALLEST)) for label in labels]
        for one in predictions
    ]
    prior = torch.full((len(labels),), 1 / len(labels), dtype=torch.float64)
    found = matching_bias(torch.tensor(scores, dtype=torch.float64), prior)
    return {label: round(value, 6) for label, value in zip(labels, found.tolist(), strict=True)}


def measured_bias(predictor: Predictor, card: Card, inputs: Sequence[Input]) -> dict[str, float]:
    """`uniform_bias` of a predictor's answers to these inputs.

    Args:
        predictor: knows the card's task, without biases.

    Raises:
        ClinpromptError: as `uniform_bias` and `Predictor.answer`.
    """
    return uniform_bias(card, predictor.answer([Request(card.name, one) for one in inputs]))


def with_bias(prompts: PromptSet, task: str, bias: Mapping[str, float]) -> PromptSet:
    """The same prompts with one task's biases; those that it had are replaced.

    Raises:
        ClinpromptError: CP-ART-035 for a task that is not in the set.
    """
    prompts.task_prompt(task)  # refuses a task that isn't there
    meta = prompts.meta
    content = meta.model_dump() | {
        "tasks": meta.tasks,
        "label_bias": {**meta.label_bias, task: dict(bias)},
    }
    return PromptSet(PromptMeta.model_validate(content), prompts.tensors)


def balanced(evaluation: Evaluation, *, resamples: int = 1000, seed: int = 0) -> Evaluation:
    """Answers balanced over themselves, and scored again.

    Good for choosing among prompts on dev. It is not what a user gets, who asks text by text: there
    biases come from other texts.

    Args:
        evaluation: of answers without biases.
        resamples: bootstrap draws behind the intervals.
        seed: of these draws.

    Raises:
        ClinpromptError: as `uniform_bias`.
    """
    card = evaluation.card
    bias = uniform_bias(card, evaluation.predictions)
    predictions = tuple(reading.shifted(card, one, bias) for one in evaluation.predictions)
    items = tuple(
        replace(item, predicted=prediction.answer)
        for item, prediction in zip(evaluation.items, predictions, strict=True)
    )
    scores = score(card, items, resamples=resamples, seed=seed)
    return replace(evaluation, scores=scores, items=items, predictions=predictions)
