"""Free and extractive answers: exact match, token F1 and ROUGE of each example."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from clinprompt.examples import Answer, SpanAnswer, TextAnswer, source_text
from clinprompt.metrics.items import Item
from clinprompt.metrics.tally import Array, Measure, Tally, ratio
from clinprompt.tasks.card import Card

if TYPE_CHECKING:
    from rouge_score.rouge_scorer import RougeScorer

ROUGE = ("rouge1", "rouge2", "rougeL")
TEXT_METRICS = ("exact_match", "token_f1", *ROUGE)
_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def tally_spans(card: Card, documents: Sequence[Sequence[Item]]) -> Tally:
    """Sums of exact match and token F1 [D, 6] of form ``span``, over all and answerable items."""

    def columns(item: Item) -> list[float]:
        gold, predicted = _surface(item, item.gold), _surface(item, item.predicted)
        if gold is None:  # not answerable: right if and only if the answer says so
            same = float(item.predicted is not None and predicted is None)
            return [1, same, same, 0, 0, 0]
        if predicted is None:
            return [1, 0, 0, 1, 0, 0]
        pair = [exact_match(predicted, gold), token_f1(predicted, gold)]
        return [1, *pair, 1, *pair]

    rows = _rows(documents, columns)
    names = ("exact_match", "token_f1")
    measures = {name: _mean(1 + index, 0) for index, name in enumerate(names)}
    answerable = int(rows[:, 3].sum())
    if answerable:
        measures |= {f"{name}_answerable": _mean(4 + i, 3) for i, name in enumerate(names)}
    return Tally(rows=rows, measures=measures, counts={"answerable": answerable})


def tally_texts(card: Card, documents: Sequence[Sequence[Item]]) -> Tally:
    """Sums of exact match, token F1 and ROUGE F [D, 6] of form ``text``, best reference each."""

    def columns(item: Item) -> list[float]:
        predicted = item.predicted.text if isinstance(item.predicted, TextAnswer) else None
        if not isinstance(item.gold, TextAnswer):
            return text_row(predicted, ())
        return text_row(predicted, (item.gold.text, *item.gold.references))

    return text_tally(_rows(documents, columns))


def text_row(predicted: str | None, references: Sequence[str]) -> list[float]:
    """A free text as counts [6]: one, and what `TEXT_METRICS` give it, best reference each.

    Args:
        predicted: None for no answer, which is wrong.
        references: accepted texts; where there are none, no answer is right.
    """
    if predicted is None or not references:
        return [1.0, *(0.0 for _ in TEXT_METRICS)]
    return [
        1.0,
        max(exact_match(predicted, reference) for reference in references),
        max(token_f1(predicted, reference) for reference in references),
        *rouge(predicted, references),
    ]


def text_tally(rows: Array) -> Tally:
    """Means of `TEXT_METRICS` from the sums of `text_row` [D, 6]."""
    measures = {name: _mean(1 + index, 0) for index, name in enumerate(TEXT_METRICS)}
    return Tally(rows=rows, measures=measures)


def normalise(text: str) -> str:
    """Lower case without ASCII punctuation, English articles and extra white space (SQuAD)."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def exact_match(predicted: str, gold: str) -> float:
    """1 if both are equal after `normalise`, else 0.

    If nothing is left of either, the texts themselves are compared (lower case, single spaces),
    so that "+" is not "-".
    """
    left, right = normalise(predicted), normalise(gold)
    if not left or not right:
        return float(predicted.lower().split() == gold.lower().split())
    return float(left == right)


def token_f1(predicted: str, gold: str) -> float:
    """F1 over the bag of words after `normalise`; `exact_match` if either has none."""
    left, right = normalise(predicted).split(), normalise(gold).split()
    if not left or not right:
        return exact_match(predicted, gold)
    common = (Counter(left) & Counter(right)).total()
    return 2 * common / (len(left) + len(right))


def rouge(predicted: str, references: Sequence[str]) -> tuple[float, ...]:
    """F of ROUGE-1, ROUGE-2 and ROUGE-L (rouge-score, Porter stemmer), each of its best reference.

    ROUGE-L is over the whole text; line breaks play no part. A text without tokens has 0.
    """
    best = _scorer().score_multi(list(references), predicted)
    return tuple(float(best[name].fmeasure) for name in ROUGE)


@lru_cache(maxsize=1)
def _scorer() -> RougeScorer:
    from rouge_score.rouge_scorer import RougeScorer  # slow to import: it brings nltk

    return RougeScorer(list(ROUGE), use_stemmer=True)


def _surface(item: Item, answer: Answer | None) -> str | None:
    """The text that a span answer covers, pieces joined by one space; None for no answer."""
    if not isinstance(answer, SpanAnswer) or not answer.spans:
        return None
    text = source_text(item.input)
    return " ".join(text[start:end] for start, end in sorted(answer.spans))


def _rows(documents: Sequence[Sequence[Item]], columns: Callable[[Item], list[float]]) -> Array:
    """[D, K]: the sums of the items' columns."""
    return np.array([np.sum([columns(item) for item in items], axis=0) for items in documents])


def _mean(column: int, count: int) -> Measure:
    """Column over count; 1 where nothing was to be answered."""
    return lambda totals: ratio(totals[:, column], totals[:, count], 1.0)
