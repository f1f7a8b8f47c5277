"""``clinprompt score --fields``: what is asked for, and how its scores are shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from clinprompt.cli.output import heading, number, print_table

if TYPE_CHECKING:
    from clinprompt.metrics.documents import FieldScores
    from clinprompt.metrics.documents.settings import FieldKind

_KINDS: dict[str, FieldKind] = {"text": "text", "label": "label"}
_COUNTS = {
    "not_predicted": "documents not predicted: wrong",
    "without_field": "predicted documents without the field: wrong",
    "without_gold": "documents whose gold has no such field: not scored",
}


def parse_fields(given: Sequence[str] | None) -> dict[str, FieldKind]:
    """Kinds by name, from options ``NAME=text`` or ``NAME=label`` that may hold commas.

    Raises:
        ClinpromptError: CP-CLI-171 not written so, or a name twice.
    """
    from clinprompt.errors import ClinpromptError

    found: dict[str, FieldKind] = {}
    for text in (part.strip() for one in given or () for part in one.split(",")):
        name, _, kind = (part.strip() for part in text.rpartition("="))
        if not text:
            continue
        if not name or kind not in _KINDS or name in found:
            raise ClinpromptError(
                "CP-CLI-171",
                f"--fields: '{text}' is not one field with its kind",
                hint="write NAME=text or NAME=label, each name once; several with commas",
            )
        found[name] = _KINDS[kind]
    return found


def print_fields(fields: Sequence[FieldScores], *, per_document: bool) -> None:
    """Tables of all fields."""
    heading("fields")
    columns = ("field", "score", "value", "95 % interval")
    rows = [
        (one.name, metric, f"{score.value:.1f}", f"{score.low:.1f} to {score.high:.1f}")
        for one in fields
        for metric, score in one.metrics.items()
    ]
    print_table(columns, rows, right=columns[2:])
    for one in fields:
        told = [f"{number(one.counts['documents'])} documents"]
        told += [f"{number(one.counts[c])} {what}" for c, what in _COUNTS.items() if one.counts[c]]
        print(f"{one.name}: {'; '.join(told)}")
        if per_document:
            heading(f"{one.name} by document")
            names = list(one.metrics) if one.kind == "text" else ["accuracy"]
            cells = [
                (document, *(f"{scores[name]:.1f}" for name in names))
                for document, scores in one.documents.items()
            ]
            print_table(("document", *names), cells, right=names)
