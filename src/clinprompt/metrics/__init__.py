"""Scores of typed answers, with bootstrap intervals.

`score` is the way in: a card and its answered examples give `Scores`. `items` says what is scored;
`listings`, `concepts`, `choices` and `texts` count one form each; `matching` pairs overlapping
mentions; `tally` turns counts into scores; `bootstrap` draws documents;
`scoring` puts them together into `results`. No score is ever NaN.
"""

from clinprompt.metrics.items import Item
from clinprompt.metrics.results import Comparison, Estimate, LabelScores, Scores
from clinprompt.metrics.scoring import (
    FORM_METRICS,
    bootstrap_draws,
    check_metrics,
    paired_bootstrap,
    score,
)

__all__ = [
    "FORM_METRICS",
    "Comparison",
    "Estimate",
    "Item",
    "LabelScores",
    "Scores",
    "bootstrap_draws",
    "check_metrics",
    "paired_bootstrap",
    "score",
]
