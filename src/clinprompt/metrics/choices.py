"""Closed answers (form ``pair``, ``choice``, ``label``): a confusion matrix of each document."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from clinprompt.examples import LabelAnswer
from clinprompt.metrics.items import Item, letters
from clinprompt.metrics.tally import Array, Counts, Measure, Tally, f1, macro_f1, ratio
from clinprompt.tasks.card import Card

NO_ANSWER = "(no answer)"  # column of the confusion matrix for unparsable answers


def tally_choices(card: Card, documents: Sequence[Sequence[Item]]) -> Tally:
    """Confusion matrices [D, L * (L + 1)]: gold by predicted, last column no answer.

    The labels are the card's; for multiple choice, the option letters that the inputs use.
    """
    choice = card.form == "choice"
    labels = tuple(card.labels)
    if choice:
        labels = max((letters(item.input) for items in documents for item in items), key=len)
    answers = [[(_label(one.gold), _label(one.predicted)) for one in items] for items in documents]
    # the letter of a choice means nothing across questions, so it has no F1
    return tally_labels(labels, answers, None if choice else card.negative_labels)


def tally_labels(
    labels: Sequence[str],
    documents: Sequence[Sequence[tuple[str, str]]],
    negative: Collection[str] | None = (),
) -> Tally:
    """Confusion matrices [D, L * (L + 1)] of labels.

    Args:
        labels: all that may come up.
        documents: gold and predicted label of each answer; "" if nothing was predicted.
        negative: labels that are nothing to find, for micro F1; None for no F1 at all.
    """
    size = len(labels)
    index = {label: column for column, label in enumerate(labels)}
    rows: Array = np.zeros((len(documents), size * (size + 1)))
    for row, answers in zip(rows, documents, strict=True):
        matrix = row.reshape(size, size + 1)
        for gold, predicted in answers:
            matrix[index[gold], size if predicted == "" else index[predicted]] += 1

    def table(totals: Array) -> Counts:
        matrix = totals.reshape(-1, size, size + 1)
        tp = np.einsum("nll->nl", matrix[:, :, :size])
        return Counts(tp, matrix[:, :, :size].sum(1) - tp, matrix.sum(2) - tp)

    def accuracy(totals: Array) -> Array:
        return ratio(table(totals).tp.sum(-1), totals.sum(-1), 0.0)

    measures: dict[str, Measure] = {"accuracy": accuracy}
    if negative is not None:
        measures["macro_f1"] = lambda totals: macro_f1(table(totals))
        positive = np.array([label not in negative for label in labels])
        if positive.any():
            measures["micro_f1"] = lambda totals: f1(table(totals).summed(positive))
    total = rows.sum(0).reshape(size, size + 1).astype(int)
    return Tally(
        rows=rows,
        measures=measures,
        tables={"label": table},
        labels=tuple(labels),
        confusion={
            label: dict(zip((*labels, NO_ANSWER), map(int, counts), strict=True))
            for label, counts in zip(labels, total, strict=True)
        },
    )


def _label(answer: object) -> str:
    """The label of an answer; "" for none."""
    return answer.label if isinstance(answer, LabelAnswer) else ""
