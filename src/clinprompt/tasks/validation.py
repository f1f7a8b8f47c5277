"""What every task's examples must satisfy, whatever reader they come from.

Complaints are yielded, not raised: `loading.load` raises the first, `check` lists them all. They
name ids, labels and offsets, never the text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from clinprompt.errors import ClinpromptError, did_you_mean
from clinprompt.examples import (
    Entity,
    EntityAnswer,
    Example,
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
from clinprompt.tasks.card import Card, Form, Split

ANSWERS: dict[Form, type] = {
    "mentions": EntityAnswer,
    "list": RelationAnswer,
    "pair": LabelAnswer,
    "choice": LabelAnswer,
    "label": LabelAnswer,
    "span": SpanAnswer,
    "text": TextAnswer,
}


def complaints(card: Card, splits: Mapping[Split, Sequence[Example]]) -> Iterator[ClinpromptError]:
    """Everything that is wrong with a task's examples, CP-TASK-040 to CP-TASK-055."""
    seen: dict[str, Split] = {}
    for split, examples in splits.items():
        if not examples:
            yield ClinpromptError("CP-TASK-040", f"{card.name}: split '{split}' has no examples")
        for example in examples:
            if example.id in seen:
                there = seen[example.id]
                again = f"again in '{split}'" if there == split else f"in '{there}' and '{split}'"
                yield ClinpromptError(
                    "CP-TASK-041", f"{card.name}: example id '{example.id}' stands {again}"
                )
            seen[example.id] = split
            where = f"{card.name}, {split}, example '{example.id}'"
            yield from _shape(card, example, where)


def _input_type(card: Card) -> type:
    """What an example of this task asks with."""
    if card.form == "pair":
        return PairInput
    if card.type == "nli":
        return PremiseInput
    return QuestionInput if card.type == "qa" else TextInput


def _shape(card: Card, example: Example, where: str) -> Iterator[ClinpromptError]:
    """Input and answer are of the types the card asks for; if so, what stands in them."""
    expected = _input_type(card)
    if not isinstance(example.input, expected):
        yield ClinpromptError(
            "CP-TASK-042",
            f"{where}: the reader gives {type(example.input).__name__}, but type '{card.type}' "
            f"and form '{card.form}' need {expected.__name__}",
            hint="choose another reader or form",
        )
        return
    yield from _texts(example, where)
    if example.answer is None:
        yield ClinpromptError("CP-TASK-043", f"{where}: it has no gold answer")
    elif not isinstance(example.answer, ANSWERS[card.form]):
        yield ClinpromptError(
            "CP-TASK-044",
            f"{where}: its answer is {type(example.answer).__name__}, but form '{card.form}' "
            f"needs {ANSWERS[card.form].__name__}",
            hint="choose another reader or form",
        )
    else:
        yield from _answer(card, example, where)


def texts(example: Example) -> dict[str, str]:
    """The texts of an example's input by the name of their field."""
    match example.input:
        case TextInput(text=text, question=question):
            return {"text": text} if question is None else {"question": question, "text": text}
        case PairInput(text=text):
            return {"text": text}
        case QuestionInput(question=question, context=context, choices=choices):
            found = {"question": question}
            if context is not None:
                found["context"] = context
            return found | {f"choice {chr(65 + i)}": c for i, c in enumerate(choices)}
        case PremiseInput(premise=premise, hypothesis=hypothesis):
            return {"premise": premise, "hypothesis": hypothesis}


def _texts(example: Example, where: str) -> Iterator[ClinpromptError]:
    for field, text in texts(example).items():
        if not text.strip():
            yield ClinpromptError("CP-TASK-045", f"{where}: its {field} is empty")
    length = len(source_text(example.input))
    match example.input:
        case PairInput(head=head, tail=tail):
            yield from _mentions((head, tail), length, where)
        case TextInput(mentions=mentions):
            yield from _mentions(mentions, length, where)


def _answer(card: Card, example: Example, where: str) -> Iterator[ClinpromptError]:
    length = len(source_text(example.input))
    match example.answer:
        case LabelAnswer(label=label):
            if card.form == "choice":
                yield from _letter(label, example, where)
            else:
                yield from _label(label, card, where)
        case EntityAnswer(entities=entities):
            for entity in entities:
                yield from _label(entity.label, card, where)
            yield from _mentions(entities, length, where)
            yield from _order(entities, where)
        case RelationAnswer(relations=relations):
            for relation in relations:
                yield from _label(relation.label, card, where)
                types = (relation.head.label, relation.tail.label)
                if card.arguments.get(relation.label, types) != types:
                    yield ClinpromptError(
                        "CP-TASK-046",
                        f"{where}: relation '{relation.label}' joins {types}, but the card says "
                        f"{card.arguments[relation.label]}",
                    )
                yield from _mentions((relation.head, relation.tail), length, where)
            if len(set(relations)) < len(relations):
                yield ClinpromptError("CP-TASK-047", f"{where}: a relation stands twice")
        case SpanAnswer(spans=spans):
            if spans:
                yield from _spans(spans, length, where)
        case TextAnswer(text=text):
            if not text.strip():
                yield ClinpromptError("CP-TASK-048", f"{where}: its answer is empty")


def _label(label: str, card: Card, where: str) -> Iterator[ClinpromptError]:
    if label not in card.labels:
        # A wrong column may hold the note itself: a long "label" is not quoted.
        quoted = f"label '{label}'" if len(label) <= 40 else f"label of {len(label)} characters"
        yield ClinpromptError(
            "CP-TASK-049",
            f"{where}: {quoted} is not on the card",
            hint=did_you_mean(label[:40], card.labels),
        )


def _letter(label: str, example: Example, where: str) -> Iterator[ClinpromptError]:
    assert isinstance(example.input, QuestionInput)
    letters = [chr(65 + i) for i in range(len(example.input.choices))]
    if label not in letters:
        quoted = f"'{label}'" if len(label) <= 3 else f"{len(label)} characters long"
        yield ClinpromptError(
            "CP-TASK-050",
            f"{where}: its answer is {quoted}, but there are {len(letters)} choices "
            f"({', '.join(letters)})",
        )


def _mentions(entities: Sequence[Entity], length: int, where: str) -> Iterator[ClinpromptError]:
    for entity in entities:
        yield from _spans(entity.spans, length, f"{where}: mention of type '{entity.label}'")


def _spans(spans: Sequence[Span], length: int, where: str) -> Iterator[ClinpromptError]:
    """Fragments are there, not empty, inside the text, sorted and apart."""
    if not spans:
        yield ClinpromptError("CP-TASK-051", f"{where}: it has no offsets")
    previous = 0
    for start, end in spans:
        if not 0 <= start < end <= length:
            why = "the end lies before the start" if end < start else f"the text has {length}"
            yield ClinpromptError("CP-TASK-052", f"{where}: characters {start}-{end}; {why}")
        elif start < previous:
            yield ClinpromptError(
                "CP-TASK-053", f"{where}: fragment {start}-{end} starts before {previous}"
            )
        previous = max(previous, end)


def _order(entities: Sequence[Entity], where: str) -> Iterator[ClinpromptError]:
    starts = [entity.spans[0] if entity.spans else (0, 0) for entity in entities]
    if starts != sorted(starts, key=lambda span: span[0]):
        yield ClinpromptError("CP-TASK-054", f"{where}: mentions are not in the text's order")
    if len(set(entities)) < len(entities):
        yield ClinpromptError("CP-TASK-055", f"{where}: a mention stands twice")
