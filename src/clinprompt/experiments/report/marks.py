"""The mark of one answer, 0 to 1: for ranking examples, not for scores (metrics make those)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from clinprompt.metrics.texts import rouge, token_f1


def mark(gold: Any, answer: Any) -> float | None:
    """How well an answer's record fits the gold record (`inference.records.answer_record`).

    F1 of mentions or relations with equal labels and spans, equality of labels, token F1 of spans
    (best to 1 if both say that there is none), ROUGE-L of texts with the best reference.

    Returns:
        None if there is no gold record, or one of a kind that isn't known.
    """
    if not isinstance(gold, Mapping):
        return None
    given: Mapping[str, Any] = answer if isinstance(answer, Mapping) else {}
    if "entities" in gold:
        return _overlap(
            map(_mention, gold["entities"]),
            map(_mention, given.get("entities", ())),
            answered=bool(given),
        )
    if "relations" in gold:
        return _overlap(
            map(_relation, gold["relations"]),
            map(_relation, given.get("relations", ())),
            answered=bool(given),
        )
    if "label" in gold:
        return float(gold["label"] == given.get("label"))
    if "spans" in gold:
        if not gold["spans"] or not given.get("spans"):
            return float(bool(given) and gold["spans"] == given.get("spans"))
        return token_f1(str(given.get("text", "")), str(gold.get("text", "")))
    if "text" in gold:
        if "text" not in given:
            return 0.0
        references = [str(gold["text"]), *map(str, gold.get("references", ()))]
        return rouge(str(given["text"]), references)[2]
    return None


def _overlap(gold: Iterable[Any], given: Iterable[Any], *, answered: bool) -> float:
    """F1 of two sets; 1 if both are empty and there is an answer."""
    right, found = set(gold), set(given)
    if not right and not found:
        return float(answered)
    return 2 * len(right & found) / (len(right) + len(found))


def _mention(value: Mapping[str, Any]) -> tuple[Any, ...]:
    return value.get("label", ""), tuple(tuple(span) for span in value.get("spans", ()))


def _relation(value: Mapping[str, Any]) -> tuple[Any, ...]:
    return value.get("label", ""), _mention(value["head"])[1], _mention(value["tail"])[1]
