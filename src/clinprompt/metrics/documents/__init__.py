"""Scores of annotated documents against gold ones, as shared tasks count them; no model needed.

`score_documents` is the way in: gold and predicted `Document`s and `Settings` give
`DocumentScores`. `pairing` puts the two sides together; `things` says what is compared; `listed`
(mentions, relations), `concepts`, `attributes` and `events` count in clean mode, `n2c2` counts as
the scripts in common use do; `assignment` pairs one to one where a choice matters; `sections`
turns counts into `results`; `fields` scores metadata. No score is ever NaN. Definitions:
``docs/scoring.md``.
"""

from clinprompt.metrics.documents.results import (
    DocumentScores,
    FieldScores,
    Rates,
    Row,
    Score,
    Section,
)
from clinprompt.metrics.documents.scoring import score_documents
from clinprompt.metrics.documents.settings import PRESETS, Preset, Settings

__all__ = [
    "PRESETS",
    "DocumentScores",
    "FieldScores",
    "Preset",
    "Rates",
    "Row",
    "Score",
    "Section",
    "Settings",
    "score_documents",
]
