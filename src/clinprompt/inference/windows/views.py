"""What of an input is read window by window, and an input with one window in the text's place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from clinprompt.examples import (
    Entity,
    Input,
    PairInput,
    PremiseInput,
    QuestionInput,
    Span,
    TextInput,
)


@dataclass(frozen=True, slots=True)
class View:
    """The part of an input that may be long.

    Attributes:
        text: that part: a note, the context of a question, a premise.
        shown: the input with only ``text[start:end]``; everything else stays whole.
        held: what a window must hold (the two mentions of a pair), if anything.
    """

    text: str
    shown: Callable[[int, int], Input]
    held: Span | None = None


def view(value: Input) -> View | None:
    """What can be read in windows; None for a question without a context."""
    match value:
        case TextInput(text=text):
            return View(text, lambda a, b: replace(value, text=text[a:b], mentions=()))
        case QuestionInput(context=str(context)):
            return View(context, lambda a, b: replace(value, context=context[a:b]))
        case PremiseInput(premise=premise):
            return View(premise, lambda a, b: replace(value, premise=premise[a:b]))
        case PairInput(text=text, head=head, tail=tail):
            spans = (*head.spans, *tail.spans)
            held = (min(start for start, _ in spans), max(end for _, end in spans))
            return View(text, lambda a, b: _pair(value, a, b), held)
    return None


def with_text(value: Input, text: str) -> Input:
    """The same question about another text."""
    match value:
        case TextInput():
            return replace(value, text=text, mentions=())
        case QuestionInput():
            return replace(value, context=text)
    raise TypeError(f"a {type(value).__name__} has no text that could be another")


def _pair(value: PairInput, start: int, end: int) -> PairInput:
    head, tail = moved(value.head, -start), moved(value.tail, -start)
    return PairInput(value.text[start:end], head, tail)


def moved(entity: Entity, by: int) -> Entity:
    """The same mention where the text begins `by` characters earlier (later, if negative)."""
    return replace(entity, spans=tuple((start + by, end + by) for start, end in entity.spans))
