"""Calibration of an evaluation's confidences: which predicted items are right."""

from __future__ import annotations

from clinprompt.examples import Answer, EntityAnswer, RelationAnswer, SpanAnswer, source_text
from clinprompt.inference.evaluate import Evaluation
from clinprompt.inference.reading import sure_of
from clinprompt.metrics.calibration import Calibration, Judged, calibration
from clinprompt.metrics.texts import exact_match


def calibrate(evaluation: Evaluation) -> Calibration | None:
    """Confidences of an evaluation against what is right.

    A mention or relation is right if it is among the gold ones (label and offsets), a closed answer
    if it is the gold one, a span if its normalised text is (as in exact_match). Free texts have no
    confidence.

    Returns:
        None where no predicted item has a confidence: nothing was found, or free texts were asked.
    """
    judged: list[Judged] = []
    unknown = gold = 0
    for item, prediction in zip(evaluation.items, evaluation.predictions, strict=True):
        wanted = set(_items(item.gold))
        gold += len(wanted)
        text = source_text(item.input)
        for one, sure in zip(_items(prediction.answer), sure_of(prediction), strict=False):
            if sure is None:
                unknown += 1
                continue
            right = one in wanted
            if isinstance(one, SpanAnswer) and isinstance(item.gold, SpanAnswer):
                both = bool(one.spans) and bool(item.gold.spans)
                right |= both and exact_match(_words(one, text), _words(item.gold, text)) > 0
            judged.append(Judged(min(sure, 1.0), right))
    if not judged:
        return None
    lists = evaluation.card.lists
    return calibration(judged, gold=gold if lists else None, unknown=unknown)


def _items(answer: Answer | None) -> tuple[object, ...]:
    match answer:
        case EntityAnswer(entities=entities):
            return entities
        case RelationAnswer(relations=relations):
            return relations
        case None:
            return ()
    return (answer,)


def _words(answer: SpanAnswer, text: str) -> str:
    return " ".join(text[start:end] for start, end in answer.spans)
