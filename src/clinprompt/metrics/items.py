"""What is scored: an answer beside its gold answer, checked and grouped by document."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from string import ascii_uppercase

from clinprompt.errors import ClinpromptError
from clinprompt.examples import (
    Answer,
    Entity,
    EntityAnswer,
    Input,
    LabelAnswer,
    PairInput,
    PremiseInput,
    QuestionInput,
    RelationAnswer,
    Span,
    SpanAnswer,
    TextAnswer,
    TextInput,
    source_text,
)
from clinprompt.tasks.card import Card, Form


@dataclass(frozen=True, slots=True)
class Item:
    """One answered example.

    Attributes:
        id: unique in the set that is scored.
        document: the unit that the bootstrap draws.
        input: what was asked; offsets of both answers point into its text.
        gold: the right answer.
        predicted: the answer given; None if the output was unparsable. None is wrong, and for
            mentions and relations it means that nothing was found.
        unaligned: predicted mentions that could not be found in the text.
        unparsable: pieces of the output that could not be read.
        truncated: whether the model saw only a part of the input.
    """

    id: str
    document: str
    input: Input
    gold: Answer
    predicted: Answer | None
    unaligned: int = 0
    unparsable: int = 0
    truncated: bool = False


_ANSWERS: dict[Form, type] = {
    "mentions": EntityAnswer,
    "list": RelationAnswer,
    "pair": LabelAnswer,
    "choice": LabelAnswer,
    "label": LabelAnswer,
    "span": SpanAnswer,
    "text": TextAnswer,
}
_INPUTS: dict[Form, tuple[type, ...]] = {
    "mentions": (TextInput,),
    "list": (TextInput,),
    "pair": (PairInput,),
    "choice": (QuestionInput,),
    "label": (QuestionInput, PremiseInput),
    "span": (QuestionInput,),
    "text": (TextInput, QuestionInput),
}


def by_document(card: Card, items: Sequence[Item]) -> list[list[Item]]:
    """Items grouped by document; documents and the items in them are in the order of their ids.

    The order makes every later sum independent of the order of `items`, to the last bit.

    Raises:
        ClinpromptError: CP-EVAL-001 there are none, CP-EVAL-003 an input or answer has the wrong
            type, CP-EVAL-004 an id comes twice, CP-EVAL-005 a label is not among the options,
            CP-EVAL-006 a span does not lie in the text.
    """
    if not items:
        raise ClinpromptError(
            "CP-EVAL-001",
            f"nothing to score for task '{card.name}'",
            hint="check that the split is not empty and that --limit is above 0",
        )
    documents: dict[str, list[Item]] = {}
    seen: set[str] = set()
    for item in items:
        if item.id in seen:
            raise ClinpromptError("CP-EVAL-004", f"item '{item.id}' is there more than once")
        seen.add(item.id)
        _check(card, item)
        documents.setdefault(item.document, []).append(item)
    return [sorted(documents[name], key=lambda item: item.id) for name in sorted(documents)]


def letters(value: Input) -> tuple[str, ...]:
    """The option letters A, B, ... of a multiple-choice input."""
    return tuple(ascii_uppercase[: len(value.choices)]) if isinstance(value, QuestionInput) else ()


def _check(card: Card, item: Item) -> None:
    """Refuse an item that the card's form cannot hold."""
    _check_type(card, item, "input", item.input, _INPUTS[card.form])
    options = letters(item.input) if card.form == "choice" else tuple(card.labels)
    for side, answer in (("gold", item.gold), ("predicted", item.predicted)):
        if answer is None and side == "predicted":
            continue
        _check_type(card, item, side, answer, (_ANSWERS[card.form],))
        if off := [label for label in _labels(answer) if label not in options]:
            # An off-card prediction may be generated text, which can quote the note.
            named = f"gold label '{off[0]}'" if side == "gold" else "a predicted label"
            raise ClinpromptError(
                "CP-EVAL-005",
                f"item '{item.id}': {named} is not among the {len(options)} options of task "
                f"'{card.name}'",
                hint="are gold answers, predictions and card of the same task and version?",
            )
        length = len(source_text(item.input))
        for start, end in _spans(answer):
            if not 0 <= start < end <= length:
                raise ClinpromptError(
                    "CP-EVAL-006",
                    f"item '{item.id}': {side} span {start}-{end} does not lie in its text of "
                    f"{length} characters",
                )


def _check_type(card: Card, item: Item, side: str, value: object, types: tuple[type, ...]) -> None:
    if not isinstance(value, types):
        wanted = " or ".join(kind.__name__ for kind in types)
        raise ClinpromptError(
            "CP-EVAL-003",
            f"item '{item.id}': {side} is {type(value).__name__}; form '{card.form}' of task "
            f"'{card.name}' needs {wanted}",
        )


def _labels(answer: Answer | None) -> list[str]:
    match answer:
        case EntityAnswer(entities=entities):
            return [entity.label for entity in entities]
        case RelationAnswer(relations=relations):
            return [relation.label for relation in relations]
        case LabelAnswer(label=label):
            return [label]
        case _:
            return []


def _spans(answer: Answer | None) -> list[Span]:
    match answer:
        case EntityAnswer(entities=entities):
            return _fragments(entities)
        case RelationAnswer(relations=relations):
            return _fragments(end for pair in relations for end in (pair.head, pair.tail))
        case SpanAnswer(spans=spans):
            return list(spans)
        case _:
            return []


def _fragments(entities: Iterable[Entity]) -> list[Span]:
    return [span for entity in entities for span in entity.spans]
