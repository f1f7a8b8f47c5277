"""From the answers of a text's windows to one answer, by the form of the task.

=================  ================  =============================================================
form               ``merged``        rule
=================  ================  =============================================================
mentions, list     union             all that the windows list, seams healed (see `seams`)
label, choice      best-window       each option's best window (see `pooling`)
span               best-window       the answer that its window is surest of against ``none``
pair               around-mentions   one window about the marked mentions; the rest is not read,
                                     so the answer is flagged as truncated as well
text               map-merge         the windows' answers, joined, are the text that the final
                                     answer is given to; again in windows if they are too long
text               joined            the same where that made nothing shorter: the windows'
                                     answers, one a line
=================  ================  =============================================================

Unaligned mentions, unparsable lines and dropped items of all windows and rounds add up; an answer
is unfinished if any of them is. The confidence of a mention or relation is the highest that a
window gave it; a relation that no window listed as it stands, because a seam cut one of its ends,
has none.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace

from clinprompt import verbalize
from clinprompt.examples import (
    Answer,
    Entity,
    EntityAnswer,
    LabelAnswer,
    Relation,
    RelationAnswer,
    Span,
    SpanAnswer,
    TextAnswer,
)
from clinprompt.inference.predictor import Predictor
from clinprompt.inference.requests import Merged, Prediction, Request, Row
from clinprompt.inference.windows.pooling import best, pooled
from clinprompt.inference.windows.seams import Listed, merged_entities, merged_relations
from clinprompt.inference.windows.views import with_text
from clinprompt.verbalize.parsed import NONE

# Gives rows to be answered, is sent their answers, and returns the answer made of them.
Steps = Generator[Sequence[Row], list[Prediction], Prediction]
_FOUND = "found"


@dataclass(frozen=True, slots=True, kw_only=True)
class LongRow(Row):
    """A request whose text is read in windows.

    Attributes:
        seen: the whole input, without token ids; `characters` are those in no window.
        request: what is asked.
        parts: a row for each window.
        windows: their places in the text.
    """

    request: Request
    parts: tuple[Row, ...]
    windows: tuple[Span, ...]


def steps(asking: Predictor, row: Row) -> Steps:
    """How a row is answered.

    Args:
        asking: writes the rows of further rounds.
        row: as `WindowPredictor.prepare` gives it.
    """
    if not isinstance(row, LongRow):
        return (yield [row])[0]
    found = yield row.parts
    card = asking.cards[row.task]
    match card.form:
        case "mentions" | "list":
            return _listed(row, found)
        case "pair":
            return replace(found[0], truncated=row.seen.truncated, merged="around-mentions")
        case "label" | "choice":
            return _chosen(row, found, card.negative_labels)
        case "span":
            return (yield from _located(asking, row, found))
    return (yield from _summarised(asking, row, found))


def several_rounds(asking: Predictor, row: Row) -> bool:
    """Whether the answers to a row's windows may be asked about again."""
    return isinstance(row, LongRow) and asking.cards[row.task].form in ("span", "text")


def _combined(
    found: Sequence[Prediction],
    answer: Answer | None,
    text: str,
    merged: Merged,
    windows: int,
) -> Prediction:
    return Prediction(
        answer,
        text,
        unaligned=sum(one.unaligned for one in found),
        unparsable=sum(one.unparsable for one in found),
        truncated=any(one.truncated for one in found),
        unfinished=any(one.unfinished for one in found),
        windows=windows,
        merged=merged,
        dropped=sum(one.dropped for one in found),
    )


def _listed(row: LongRow, found: Sequence[Prediction]) -> Prediction:
    parts: list[Listed] = []
    sure: dict[Entity | Relation, float] = {}
    for window, one in zip(row.windows, found, strict=True):
        items: tuple[Entity | Relation, ...] = ()
        match one.answer:
            case EntityAnswer(entities):
                parts.append(Listed.of(window, entities))
                items = parts[-1].entities
            case RelationAnswer(listed):
                parts.append(Listed.of(window, listed))
                items = parts[-1].relations
        for item, confidence in zip(items, one.confidences, strict=False):
            if confidence is not None:
                sure[item] = max(confidence, sure.get(item, confidence))
    answer: EntityAnswer | RelationAnswer
    if any(isinstance(one.answer, RelationAnswer) for one in found):
        answer = RelationAnswer(merged_relations(parts))
        confidences = tuple(sure.get(relation) for relation in answer.relations)
    else:
        answer = EntityAnswer(merged_entities(parts))
        confidences = tuple(sure.get(entity) for entity in answer.entities)
    text = "\n".join(one.text for one in found)
    merged = _combined(found, answer, text, "union", len(row.windows))
    return replace(merged, confidences=confidences if sure else ())


def _chosen(row: LongRow, found: Sequence[Prediction], negative: Sequence[str]) -> Prediction:
    shares = pooled([one.probabilities or {} for one in found], negative)
    words = {a.label: text for a, text in row.options if isinstance(a, LabelAnswer)}
    label = best(shares)
    merged = _combined(found, LabelAnswer(label), words[label], "best-window", len(row.windows))
    return replace(merged, probabilities=shares)


def _located(asking: Predictor, row: LongRow, found: Sequence[Prediction]) -> Steps:
    """The extractive answer of the window that is surest of its own against `NONE`."""
    places: dict[tuple[Span, ...], list[int]] = {}
    for i, ((start, _), one) in enumerate(zip(row.windows, found, strict=True)):
        if isinstance(one.answer, SpanAnswer) and one.answer.spans:
            spans = tuple((a + start, b + start) for a, b in one.answer.spans)
            places.setdefault(spans, []).append(i)
    if not places:
        empty = any(isinstance(one.answer, SpanAnswer) for one in found)
        answer = SpanAnswer(()) if empty else None
        return _combined(found, answer, NONE if empty else "", "best-window", len(row.windows))
    sure = dict.fromkeys((i for group in places.values() for i in group), 1.0)
    if len(places) > 1:
        against = [_against_none(asking, row.parts[i], found[i]) for i in sure]
        scored = yield against
        sure = {i: (one.probabilities or {})[_FOUND] for i, one in zip(sure, scored, strict=True)}
    spans = max(places, key=lambda spans: max(sure[i] for i in places[spans]))
    chosen = found[max(places[spans], key=lambda i: sure[i])]
    merged = _combined(found, SpanAnswer(spans), chosen.text, "best-window", len(row.windows))
    return replace(merged, confidences=chosen.confidences)


def _against_none(asking: Predictor, part: Row, found: Prediction) -> Row:
    """A closed question to a window: the answer that it gave, or that there is none."""
    assert found.answer is not None
    card = asking.cards[part.task]
    words = (verbalize.answer_text(card, part.seen.input, found.answer), NONE)
    # Written again, an answer may have a token more than when it was generated: room is for those.
    ids = tuple(tuple(ids[: part.max_new]) for ids in asking.codec.answers(words))
    options = ((LabelAnswer(_FOUND), words[0]), (LabelAnswer(NONE), words[1]))
    return Row(part.task, part.seen, options, ids)


def _summarised(asking: Predictor, row: LongRow, found: list[Prediction]) -> Steps:
    """A text's windows are answered, then what they say together is, until it fits."""
    every, before = list(found), sum(len(part.seen.ids) for part in row.parts)
    while True:
        said = list(dict.fromkeys(one.text.strip() for one in found))
        together = "\n".join(text for text in said if text)
        if not together:
            return _combined(every, TextAnswer(""), "", "joined", len(row.windows))
        following = asking.prepare(
            replace(row.request, input=with_text(row.request.input, together))
        )
        parts = following.parts if isinstance(following, LongRow) else (following,)
        tokens = sum(len(part.seen.ids) for part in parts)
        if tokens >= before:
            return _combined(every, TextAnswer(together), together, "joined", len(row.windows))
        found, before = (yield parts), tokens
        every += found
        if len(parts) == 1:
            text = found[0].text
            return _combined(every, found[0].answer, text, "map-merge", len(row.windows))
