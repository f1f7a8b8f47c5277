"""Scoring: the scores of one set of answers, and the comparison of two.

All scores, intervals and differences are on a scale of 0 to 100. Definitions: ``docs/metrics.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from clinprompt.errors import ClinpromptError
from clinprompt.examples import TextAnswer
from clinprompt.metrics.bootstrap import interval, p_value, resample
from clinprompt.metrics.choices import tally_choices
from clinprompt.metrics.items import Item, by_document
from clinprompt.metrics.listings import tally_entities, tally_relations
from clinprompt.metrics.results import Comparison, Estimate, LabelScores, Scores
from clinprompt.metrics.tally import Array, Counts, Tally, f1, precision, recall
from clinprompt.metrics.texts import tally_spans, tally_texts
from clinprompt.tasks.card import Card, Form, Metric

_Documents = Sequence[Sequence[Item]]
_TALLY: dict[Form, Callable[[Card, _Documents], Tally]] = {
    "mentions": tally_entities,
    "list": tally_relations,
    "pair": tally_choices,
    "choice": tally_choices,
    "label": tally_choices,
    "span": tally_spans,
    "text": tally_texts,
}
FORM_METRICS: dict[Form, tuple[Metric, ...]] = {
    "mentions": ("entity_f1", "entity_f1_lenient"),
    "list": ("relation_f1", "concept_relation_f1"),
    "pair": ("accuracy", "macro_f1", "micro_f1"),
    "choice": ("accuracy",),
    "label": ("accuracy", "macro_f1", "micro_f1"),
    "span": ("exact_match", "token_f1"),
    "text": ("exact_match", "token_f1", "rouge1", "rouge2", "rougeL"),
}
_TABLE: dict[Metric, str] = {
    "entity_f1": "strict",
    "entity_f1_lenient": "lenient",
    "relation_f1": "strict",
    "concept_relation_f1": "concept",
    "accuracy": "label",
    "macro_f1": "label",
    "micro_f1": "label",
}


def score(card: Card, items: Sequence[Item], *, resamples: int = 1000, seed: int = 0) -> Scores:
    """Score answers with every metric that fits the card's form.

    Args:
        card: the task; its `metric` is the main one.
        items: gold and predicted answers, in any order: it changes nothing.
        resamples: bootstrap draws over documents.
        seed: of those draws; the same seed gives the same intervals.

    Raises:
        ClinpromptError: CP-EVAL-001 to 008: no items, a metric that does not fit the form, items
            that do not fit the card, a missing concept, too few resamples.
    """
    check_metrics(card)
    documents = by_document(card, items)
    tally = _TALLY[card.form](card, documents)
    total = tally.rows.sum(axis=0, keepdims=True)
    draws = resample(tally.rows, resamples, seed)
    return Scores(
        task=card.name,
        version=card.version,
        metric=card.metric,
        metrics={
            name: Estimate(100 * float(measure(total)[0]), *interval(100 * measure(draws)))
            for name, measure in tally.measures.items()
        },
        tables={
            name: _label_scores(tally.labels, table(total)) for name, table in tally.tables.items()
        },
        table=_TABLE.get(card.metric),
        confusion=tally.confusion,
        counts={
            "examples": len(items),
            "documents": len(documents),
            "unanswered": sum(item.predicted is None for item in items),
            "unaligned": sum(item.unaligned for item in items),
            "unparsable": sum(item.unparsable for item in items),
            "truncated": sum(item.truncated for item in items),
            **tally.counts,
        },
        resamples=resamples,
        seed=seed,
    )


def paired_bootstrap(
    card: Card,
    items_a: Sequence[Item],
    items_b: Sequence[Item],
    *,
    metric: str | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> Comparison:
    """Compare two sets of answers to the same examples: in each draw both have the same documents.

    Args:
        metric: any metric that `score` reports for the card; the card's main one by default.

    Raises:
        ClinpromptError: as `score`, and CP-EVAL-009 if the examples are not the same.
    """
    check_metrics(card)
    documents = by_document(card, items_a), by_document(card, items_b)
    _check_same(*documents)
    name = metric or card.metric
    (value_a, draws_a), (value_b, draws_b) = (
        _drawn(card, side, name, resamples, seed) for side in documents
    )
    difference = value_a - value_b
    low, high = interval(draws_a - draws_b)
    return Comparison(
        metric=name,
        value_a=value_a,
        value_b=value_b,
        difference=difference,
        low=low,
        high=high,
        p_value=p_value(difference, draws_a - draws_b),
        documents=len(documents[0]),
        resamples=resamples,
        seed=seed,
    )


def bootstrap_draws(
    card: Card,
    items: Sequence[Item],
    *,
    metric: str | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> tuple[float, Array]:
    """A score and its bootstrap draws [R], for statistics over several sets of answers.

    Draw r holds the same documents in every set that answers the same examples, if resamples and
    seed are equal: differences and means of draws are paired.

    Args:
        metric: any metric that `score` reports for the card; the card's main one by default.

    Raises:
        ClinpromptError: as `score`.
    """
    check_metrics(card)
    return _drawn(card, by_document(card, items), metric or card.metric, resamples, seed)


def _drawn(
    card: Card, documents: _Documents, name: str, resamples: int, seed: int
) -> tuple[float, Array]:
    """The metric `name` over documents, and its draws [R]."""
    tally = _TALLY[card.form](card, documents)
    if name not in tally.measures:
        raise _misfit(card, name, tally.measures)
    measure = tally.measures[name]
    value = 100 * float(measure(tally.rows.sum(axis=0, keepdims=True))[0])
    return value, 100 * measure(resample(tally.rows, resamples, seed))


def check_metrics(card: Card) -> None:
    """Refuse a card whose metrics do not fit its form; call it before a long evaluation.

    Raises:
        ClinpromptError: CP-EVAL-002.
    """
    fitting = list(FORM_METRICS[card.form])
    if "micro_f1" in fitting and set(card.labels) == set(card.negative_labels):
        fitting.remove("micro_f1")  # no label would be left
    for metric in (card.metric, *card.metrics):
        if metric not in fitting:
            raise _misfit(card, metric, fitting)


def _misfit(card: Card, metric: str, fitting: Iterable[str]) -> ClinpromptError:
    return ClinpromptError(
        "CP-EVAL-002",
        f"metric '{metric}' does not fit form '{card.form}' of task '{card.name}'",
        hint=f"use one of: {', '.join(fitting)}",
    )


def _check_same(a: _Documents, b: _Documents) -> None:
    """Refuse to pair answers to different examples."""
    left, right = ({item.id: item for items in side for item in items} for side in (a, b))
    differing = sorted(left.keys() ^ right.keys()) or sorted(
        name for name, item in left.items() if _asked(item) != _asked(right[name])
    )
    if differing:
        raise ClinpromptError(
            "CP-EVAL-009",
            f"the two sets of answers differ in {len(differing)} examples, the first is "
            f"'{differing[0]}'",
            hint="compare answers to the same examples with the same documents and gold answers",
        )


def _asked(item: Item) -> tuple[object, ...]:
    references = item.gold.references if isinstance(item.gold, TextAnswer) else ()
    return item.document, item.input, item.gold, references


def _label_scores(labels: Sequence[str], counts: Counts) -> dict[str, LabelScores]:
    """One row of the table for each label, from counts [1, L]."""
    rates = (100 * rate(counts)[0] for rate in (precision, recall, f1))
    columns = zip(*(part[0] for part in counts), *rates, strict=True)
    return {
        label: LabelScores(
            tp=int(tp),
            fp=int(fp),
            fn=int(fn),
            precision=float(p),
            recall=float(r),
            f1=float(f),
            support=int(tp + fn),
        )
        for label, (tp, fp, fn, p, r, f) in zip(labels, columns, strict=True)
    }
