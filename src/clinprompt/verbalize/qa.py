"""Questions: multiple choice, fixed answers, extractive and free."""

from __future__ import annotations

import re
from string import ascii_uppercase

from clinprompt.errors import ClinpromptError
from clinprompt.examples import (
    Answer,
    Input,
    LabelAnswer,
    QuestionInput,
    SpanAnswer,
)
from clinprompt.tasks.card import Card
from clinprompt.verbalize import free, labels
from clinprompt.verbalize.fragments import Masked, join
from clinprompt.verbalize.mentions import Index, describe, locate
from clinprompt.verbalize.parsed import (
    NONE,
    Parsed,
    check_spans,
    expect_answer,
    expect_input,
    says_none,
)

_LETTER = re.compile(r"\s*\(?([A-Za-z])(?:[).:\]]|\s*(?:\n|$))")


def format_line(card: Card) -> str:
    """What the instruction says about the answer's form; empty for free answers."""
    match card.form:
        case "choice":
            return "Answer with the letter."
        case "label":
            return labels.format_line(card)
        case "span":
            return f"Answer with words of the context, or '{NONE}'."
    return ""


def input_text(card: Card, value: Input) -> str:
    """Context, question and choices, each on lines of its own; what is missing is left out."""
    question = expect_input(card, value, QuestionInput)
    lines = [] if question.context is None else [f"Context: {question.context.strip()}"]
    lines.append(f"Question: {question.question.strip()}")
    if card.form == "choice":
        lines += [
            f"{letter}) {' '.join(choice.split())}"
            for letter, choice in zip(_letters(card, question), question.choices, strict=True)
        ]
    return "\n".join(lines)


def options(card: Card, value: Input) -> list[tuple[Answer, str]]:
    """The letters of the choices, or the labels of the card, with how they are written."""
    question = expect_input(card, value, QuestionInput)
    if card.form == "label":
        return labels.options(card)
    return [(LabelAnswer(letter), letter) for letter in _letters(card, question)]


def answer_text(card: Card, value: Input, answer: Answer) -> str:
    """The letter, the label's words, the covered words (or ``none``) or the text itself.

    Raises:
        ClinpromptError: CP-TEXT-001, CP-TEXT-002 another kind of input or answer, CP-TEXT-003 a
            label the card lacks, CP-TEXT-004 a span outside the context, CP-TEXT-008 a letter
            without a choice.
    """
    question = expect_input(card, value, QuestionInput)
    match card.form:
        case "label":
            return labels.answer_text(card, answer)
        case "text":
            return free.answer_text(card, answer)
        case "span":
            return _write_span(question, expect_answer(card, answer, SpanAnswer))
    label = expect_answer(card, answer, LabelAnswer).label
    letters = _letters(card, question)
    if label not in tuple(letters):
        raise ClinpromptError(
            "CP-TEXT-008",
            f"answer '{label}' of task '{card.name}' is not one of the letters "
            f"{letters[0]}-{letters[-1]}",
        )
    return label


def parse(card: Card, value: Input, text: str) -> Parsed:
    """The answer that `text` gives."""
    question = expect_input(card, value, QuestionInput)
    match card.form:
        case "label":
            return labels.parse(card, text)
        case "text":
            return free.parse(text)
        case "span":
            return _read_span(question, text)
    letters = _letters(card, question)
    match = _LETTER.match(text)
    letter = "" if match is None else match.group(1).upper()
    if letter and letter in letters:
        return Parsed(LabelAnswer(letter))
    said = " ".join(text.casefold().split())
    same = [
        letter
        for letter, choice in zip(letters, question.choices, strict=True)
        if said and " ".join(choice.casefold().split()) == said
    ]
    return Parsed(LabelAnswer(same[0])) if len(same) == 1 else Parsed(None, unparsable=1)


def _letters(card: Card, question: QuestionInput) -> str:
    """One letter for each choice; CP-TEXT-007 if there are none, or more than letters."""
    number = len(question.choices)
    if not 0 < number <= len(ascii_uppercase):
        raise ClinpromptError(
            "CP-TEXT-007",
            f"a question of task '{card.name}' has {number} choices, not 1 to "
            f"{len(ascii_uppercase)}",
        )
    return ascii_uppercase[:number]


def _write_span(question: QuestionInput, answer: SpanAnswer) -> str:
    if not answer.spans:
        return NONE
    index = Index(question.context or "")
    spans = check_spans(index.text, answer.spans)
    plain = join(describe(index, spans, index.first))
    # Words that look like "no answer" are told apart by their number.
    return join(describe(index, spans, index.first, force=True)) if says_none(plain) else plain


def _read_span(question: QuestionInput, text: str) -> Parsed:
    index = Index(question.context or "")
    # A model that goes on after its answer goes on in a new line.
    for part in (text, text.strip().partition("\n")[0]):
        if says_none(part):
            return Parsed(SpanAnswer(()))
        fragments = Masked.of(part).fragments()
        if not fragments:
            return Parsed(None, unparsable=1)
        spans = locate(index, fragments, index.first)
        if spans is not None:
            return Parsed(SpanAnswer(spans))
    return Parsed(None, unaligned=1)
