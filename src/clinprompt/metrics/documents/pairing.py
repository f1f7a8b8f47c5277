"""Putting the two sides together, document by document."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from clinprompt.documents.model import Document
from clinprompt.errors import ClinpromptError
from clinprompt.metrics.documents.settings import Settings

Pair = tuple[Document, Document]  # gold, predicted: one id, one text


@dataclass(frozen=True)
class Paired:
    """The documents that are scored, in the order of their ids.

    Attributes:
        pairs: gold and predicted; where one side has no such document, it is one without
            annotations.
        missing: ids that the predictions don't have.
        extra: ids that gold doesn't have.
    """

    pairs: Sequence[Pair]
    missing: tuple[str, ...]
    extra: tuple[str, ...]


def pair_documents(
    gold: Iterable[Document], predicted: Iterable[Document], settings: Settings
) -> Paired:
    """Pair documents by id.

    In clean mode every gold document counts, whether predicted or not. In n2c2 mode those that
    both sides have count.

    Raises:
        ClinpromptError: CP-EVAL-100 no documents to score, CP-EVAL-101 an id twice on one side,
            CP-EVAL-102 two texts of one document, CP-EVAL-103 predictions for unknown documents.
    """
    wanted, found = _by_id(gold, "gold"), _by_id(predicted, "predictions")
    missing = tuple(sorted(wanted.keys() - found.keys()))
    extra = tuple(sorted(found.keys() - wanted.keys()))
    for name in sorted(wanted.keys() & found.keys()):
        _check_text(wanted[name], found[name])
    if settings.mode == "n2c2":
        names = sorted(wanted.keys() & found.keys())
    elif extra and settings.extra_documents == "refuse":
        raise ClinpromptError(
            "CP-EVAL-103",
            f"the predictions have {len(extra)} documents that gold doesn't have, the first is "
            f"'{extra[0]}'",
            hint="leave them out, or count all in them as wrong with --extra-documents count",
        )
    else:
        names = sorted(wanted.keys() | found.keys())
    if not wanted or not names:
        raise ClinpromptError(
            "CP-EVAL-100",
            f"there is nothing to score: {len(wanted)} gold documents, {len(found)} predicted "
            f"ones, {len(wanted.keys() & found.keys())} ids in both",
            hint="a document's id is its file's path inside the folder, without the ending",
        )
    pairs = [(_or_bare(wanted, found, name), _or_bare(found, wanted, name)) for name in names]
    return Paired(pairs, missing, extra)


def _by_id(documents: Iterable[Document], side: str) -> dict[str, Document]:
    by_id: dict[str, Document] = {}
    for document in documents:
        if document.id in by_id:
            raise ClinpromptError("CP-EVAL-101", f"{side}: document '{document.id}' comes twice")
        by_id[document.id] = document
    return by_id


def _or_bare(side: dict[str, Document], other: dict[str, Document], name: str) -> Document:
    return side[name] if name in side else Document(name, other[name].text)


def _check_text(gold: Document, predicted: Document) -> None:
    """Refuse two texts, of which no more than sizes and the first difference is told."""
    left, right = gold.text, predicted.text
    if left == right:
        return
    shorter = min(len(left), len(right))
    first = next((i for i in range(shorter) if left[i] != right[i]), shorter)
    lines = left.replace("\r\n", "\n") == right.replace("\r\n", "\n")
    raise ClinpromptError(
        "CP-EVAL-102",
        f"document '{gold.id}': gold and predictions have different texts ({len(left)} and "
        f"{len(right)} characters, the first difference at {first})",
        hint="only line ends differ: use one copy of the texts for both"
        if lines
        else "offsets of different texts can't be compared",
    )
