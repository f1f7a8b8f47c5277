"""From tokens or scores to a prediction: typed answer, counts, and confidence of every item.

The **confidence** of an item is the product of the probabilities of its line's tokens, the one that
ends the line included: the probability that the backbone, having written what stands before, writes
just this line. It is the probability of an event (the exact mention, with its label), which a
length-normalised (geometric) mean of the same factors is not. The factors are the backbone's own,
over all tokens, whether decoding was held to the text or not.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from clinprompt import verbalize
from clinprompt.backbone.codec import Codec
from clinprompt.backbone.decode import Constraint, Generated
from clinprompt.errors import ClinpromptError
from clinprompt.examples import Answer, EntityAnswer, LabelAnswer, RelationAnswer, SpanAnswer
from clinprompt.inference.emptiness import NotNone, emptiness
from clinprompt.inference.ordering import in_order
from clinprompt.inference.requests import Prediction, Row
from clinprompt.tasks.card import Card, Form
from clinprompt.verbalize.parsed import NONE, words_of

LABELS: tuple[Form, ...] = ("label", "pair")  # the same labels are to choose from each time


def read(
    codec: Codec,
    card: Card,
    row: Row,
    generated: Generated,
    held: Constraint | None = None,
    threshold: float | None = None,
) -> Prediction:
    """The prediction that generated tokens give.

    Args:
        codec: what they are decoded by.
        card: of the row's task.
        row: what was answered.
        generated: the tokens.
        held: what they were held to, if anything.
        threshold: items of lists whose confidence is lower are dropped, and counted.
    """
    held = held.within if isinstance(held, NotNone) else held
    text = codec.decode(generated.ids)
    unfinished = not generated.ids or generated.ids[-1] not in codec.stops
    if generated.characters is not None:  # a stop text has ended it
        text, unfinished = text[: generated.characters], False
    whole, half = text, 0
    if unfinished and card.lists:
        whole, half = whole_lines(text)
    if held is not None and unfinished:
        half = 0  # the grammar was interrupted: what is missing is told by `unfinished`
        if card.lists:
            whole = whole or NONE
    parsed = in_order(verbalize.parse(card, row.seen.input, whole))
    if held is not None and unfinished and parsed.unaligned:  # a span cut off inside an escape
        parsed = verbalize.Parsed(None)
    confidences: tuple[float | None, ...] = ()
    if card.lists:
        sums = lines(codec, generated)
        confidences = tuple(math.exp(sums[line]) for line in parsed.lines)
    elif isinstance(parsed.answer, SpanAnswer):
        confidences = (math.exp(sum(generated.logprobs)),)
    prediction = Prediction(
        parsed.answer,
        text,
        unaligned=parsed.unaligned,
        unparsable=parsed.unparsable + half,
        truncated=row.seen.truncated,
        unfinished=unfinished,
        confidences=confidences,
        emptiness=None if unfinished else emptiness(card, text, generated),
    )
    return prediction if threshold is None else at_least(prediction, threshold)


def lines(codec: Codec, generated: Generated) -> list[float]:
    """For each line of the text, the sum of its tokens' log-probabilities, its end included.

    A token that ends a line counts to that line alone.
    """
    sums = [0.0]
    for token, logprob in zip(generated.ids, generated.logprobs, strict=True):
        sums[-1] += logprob
        sums += [0.0] * codec.line_ends(token)
    return sums


def at_least(prediction: Prediction, threshold: float) -> Prediction:
    """Without the list items whose confidence is below `threshold`; they are counted.

    Items of unknown confidence stay, and so do answers that are not lists.
    """
    answer = prediction.answer
    if not isinstance(answer, EntityAnswer | RelationAnswer):
        return prediction
    keep = [known is None or known >= threshold for known in prediction.confidences]
    return replace(
        prediction,
        answer=_without(answer, keep),
        confidences=tuple(c for c, kept in zip(prediction.confidences, keep, strict=True) if kept),
        dropped=prediction.dropped + keep.count(False),
    )


def whole_lines(text: str) -> tuple[str, int]:
    """The lines of an unfinished text without the last, half-written one, and 1 if there is one.

    Half a mention may well stand in the note, inside another word: it must not become an answer.
    """
    whole, newline, half = text.rpartition("\n")
    return whole, int(bool(newline and whole.strip() and half.strip()))


def sure_of(prediction: Prediction) -> tuple[float | None, ...]:
    """The confidence of every item of an answer, in order; a closed answer is one item."""
    shares = prediction.probabilities
    if isinstance(prediction.answer, LabelAnswer) and shares is not None:
        return (shares.get(prediction.answer.label),)
    return prediction.confidences


def check_finite(row: Row, values: Tensor) -> None:
    """Refuse what was computed from NaN.

    Raises:
        ClinpromptError: CP-INF-009.
    """
    if not torch.isfinite(values).all():
        raise ClinpromptError(
            "CP-INF-009",
            f"task '{row.task}': the backbone computes values that are NaN or infinite",
            hint="load it in another float type (float32), or train the prompt again",
        )


def chosen(row: Row, scores: Tensor) -> Prediction:
    """The most probable option; of equal ones the first.

    Args:
        row: of a closed form.
        scores: [options] log-probabilities.

    Raises:
        ClinpromptError: CP-INF-009 they are not finite.
    """
    check_finite(row, scores)
    shares = torch.softmax(scores, dim=0).tolist()
    best = max(range(len(shares)), key=lambda i: (float(scores[i]), -i))
    answer, text = row.options[best]
    labels = [option.label for option, _ in row.options if isinstance(option, LabelAnswer)]
    return Prediction(
        answer,
        text,
        truncated=row.seen.truncated,
        probabilities=dict(zip(labels, shares, strict=True)),
    )


def check_bias(card: Card, bias: Mapping[str, float] | None) -> None:
    """Refuse biases that are not for exactly the labels that a task chooses among.

    Raises:
        ClinpromptError: CP-INF-482.
    """
    if bias is not None and (card.form not in LABELS or set(bias) != set(card.labels)):
        raise ClinpromptError(
            "CP-INF-482",
            f"the label biases of task '{card.name}' are for {', '.join(bias) or 'nothing'}, and "
            f"its labels are {', '.join(card.labels) or 'none'}",
        )


def shifted(card: Card, prediction: Prediction, bias: Mapping[str, float] | None) -> Prediction:
    """A closed answer as if each label's log-score were larger by its bias.

    Args:
        bias: of each of the card's labels; any constant on all of them changes nothing. None is
            none at all.
    """
    if bias is None:
        return prediction
    assert prediction.probabilities is not None
    top = max(bias.values())
    weights = {
        label: share * math.exp(bias[label] - top)
        for label, share in prediction.probabilities.items()
    }
    whole = sum(weights.values())
    if whole == 0:  # all that had a share to speak of is forbidden by its bias
        return prediction
    best = max(weights, key=weights.__getitem__)  # of equal ones the first
    return replace(
        prediction,
        answer=LabelAnswer(best),
        text=words_of(card, best),
        probabilities={label: weight / whole for label, weight in weights.items()},
    )


def _without(answer: EntityAnswer | RelationAnswer, keep: Sequence[bool]) -> Answer:
    if isinstance(answer, EntityAnswer):
        return EntityAnswer(
            tuple(one for one, kept in zip(answer.entities, keep, strict=True) if kept)
        )
    return RelationAnswer(
        tuple(one for one, kept in zip(answer.relations, keep, strict=True) if kept)
    )
