"""Relations, asked in one of two forms.

Form *list*: one ``label: head -> tail`` a line, or ``none``. The mentions' entity labels are those
of the card's ``arguments``. A line's mention means what the same words meant in the last line that
had them as the same kind of argument; the first time, the first occurrence in the text (see
`mentions`).

Form *pair*: head and tail are marked in the text, and the answer is the relation's label.
"""

from __future__ import annotations

from copy import copy
from dataclasses import replace

from clinprompt.errors import ClinpromptError
from clinprompt.examples import (
    Answer,
    Entity,
    Input,
    PairInput,
    Relation,
    RelationAnswer,
    Span,
    TextInput,
)
from clinprompt.tasks.card import Card
from clinprompt.verbalize import labels, marking
from clinprompt.verbalize.fragments import Fragment, Masked, join
from clinprompt.verbalize.mentions import Index, describe, locate
from clinprompt.verbalize.parsed import (
    NONE,
    Fault,
    Parsed,
    canonical,
    check_spans,
    expect_answer,
    expect_input,
    read_lines,
    text_block,
    words_of,
)


class Meanings:
    """What words have meant so far: gives the next line's default."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._meant: dict[tuple[str, tuple[Fragment, ...]], tuple[Span, ...]] = {}

    def copy(self) -> Meanings:
        """The same, to try a line with."""
        twin = copy(self)
        twin._meant = dict(self._meant)
        return twin

    def read(self, label: str, fragments: tuple[Fragment, ...]) -> Entity | None:
        """The mention that `fragments` name as an argument `label`; None if the text has none."""
        key = self._key(label, fragments)
        spans = self._meant.get(key) if key[1] == fragments else None
        spans = spans or locate(self._index, fragments, self._index.first)
        if spans is None:
            return None
        self._meant[key] = spans
        return Entity(spans, label)

    def before(self, label: str, fragments: tuple[Fragment, ...]) -> tuple[Span, ...] | None:
        """Where a longer mention that begins with `fragments` may have these: foremost first."""
        size = len(fragments)
        found = [
            spans[:size]
            for (kind, words), spans in self._meant.items()
            if kind == label and words[:size] == fragments
        ]
        default = locate(self._index, fragments, self._index.first)
        return min([*found, *([] if default is None else [default])], default=None)

    def write(self, entity: Entity) -> str:
        """The words, with occurrence numbers where needed, that `read` turns into `entity`."""
        first = self._index.first
        fragments = describe(self._index, entity.spans, first)
        key = self._key(entity.label, fragments)
        if self._meant.get(key) == entity.spans:
            fragments = key[1]
        elif key in self._meant:  # without a number the words would mean the mention before
            fragments = describe(self._index, entity.spans, first, force=True)
        self._meant[key] = entity.spans
        return join(fragments, arrow=True)

    @staticmethod
    def _key(label: str, fragments: tuple[Fragment, ...]) -> tuple[str, tuple[Fragment, ...]]:
        return label, tuple(replace(fragment, number=None) for fragment in fragments)


def format_line(card: Card) -> str:
    """What the instruction says about the answer's form."""
    if card.form == "pair":
        return labels.format_line(card)
    lines = [
        f"'{words.strip()}: {card.arguments[label][0]} -> {card.arguments[label][1]}'"
        for label, words in card.labels.items()
    ]
    return f"Write lines like {', '.join(lines)}, or '{NONE}'."


def input_text(card: Card, value: Input) -> str:
    """The text; for form pair with both mentions marked (see `marking`) and named again.

    Raises:
        ClinpromptError: CP-TEXT-001 another kind of input, CP-TEXT-004, CP-TEXT-005 a mention
            outside the text.
    """
    if card.form == "list":
        return text_block(expect_input(card, value, TextInput))
    pair = expect_input(card, value, PairInput)
    for mention in (pair.head, pair.tail):
        check_spans(pair.text, mention.spans)
    marked, marks = marking.mark(pair.text, pair.head.spans, pair.tail.spans)
    head, tail = (
        " ... ".join(" ".join(pair.text[start:end].split()) for start, end in mention.spans)
        for mention in (pair.head, pair.tail)
    )
    question = f"Relation between {marks[0]}{head}{marks[1]} and {marks[2]}{tail}{marks[3]}?"
    return f"Text: {marked.strip()}\n{question}"


def options(card: Card, value: Input) -> list[tuple[Answer, str]]:
    """Every label of the card with its words (form pair)."""
    expect_input(card, value, PairInput)
    return labels.options(card)


def answer_text(card: Card, value: Input, answer: Answer) -> str:
    """The lines of `answer`; for form pair the words of its label.

    Raises:
        ClinpromptError: CP-TEXT-001, CP-TEXT-002 another kind of input or answer, CP-TEXT-003 a
            label the card lacks, CP-TEXT-004, CP-TEXT-005 a mention outside the text,
            CP-TEXT-006 a mention's label that is not the one of the card's arguments.
    """
    if card.form == "pair":
        expect_input(card, value, PairInput)
        return labels.answer_text(card, answer)
    text = expect_input(card, value, TextInput).text
    mentions, lines = Meanings(Index(text)), []
    for relation in canonical(expect_answer(card, answer, RelationAnswer)).relations:
        words = words_of(card, relation.label)
        sides = []
        for mention, label in zip(
            (relation.head, relation.tail), card.arguments[relation.label], strict=True
        ):
            if mention.label != label:
                raise ClinpromptError(
                    "CP-TEXT-006",
                    f"relation '{relation.label}' of card '{card.name}' takes a '{label}' here, "
                    f"not a '{mention.label}' (at {mention.spans[:1]})",
                    hint="name the mentions' labels under arguments of the card",
                )
            check_spans(text, mention.spans)
            sides.append(mentions.write(mention))
        lines.append(f"{words}: {' -> '.join(sides)}")
    return "\n".join(lines) or NONE


class Reader:
    """Reads the lines of an answer of form *list* one after the other.

    Args:
        card: the task.
        value: the input that was answered.

    Attributes:
        index: index of the input's text.
    """

    def __init__(self, card: Card, value: Input) -> None:
        self.index = Index(expect_input(card, value, TextInput).text)
        self._card, self._names = card, labels.Names(card)
        self._meanings = Meanings(self.index)
        self._read: set[Relation] = set()

    def copy(self) -> Reader:
        """One that reads on from here, and leaves this one where it is."""
        twin = copy(self)
        twin._meanings, twin._read = self._meanings.copy(), set(self._read)
        return twin

    def read(self, line: str) -> Relation | Fault:
        """The relation that the next line names, or why it names none."""
        words, _, rest = line.partition(":")
        label, sides = self._names.find(words), Masked.of(rest).sides()
        fragments = [side.fragments() for side in sides or ()]
        if label is None or not fragments or not all(fragments):
            return "unparsable"
        head, tail = (
            self._meanings.read(kind, part)
            for kind, part in zip(self._card.arguments[label], fragments, strict=True)
        )
        relation = Relation(head, tail, label) if head and tail else None
        if relation is None or relation in self._read:
            return "unaligned"
        self._read.add(relation)
        return relation

    def name(self, label: str, fragments: tuple[Fragment, ...]) -> None:
        """Take note of what the head of a line means, before its tail is looked at."""
        self._meanings.read(label, fragments)

    def before(self, label: str, fragments: tuple[Fragment, ...]) -> tuple[Span, ...] | None:
        """Where the first fragments of a longer mention lie, or the foremost of several places."""
        return self._meanings.before(label, fragments)


def parse(card: Card, value: Input, text: str) -> Parsed:
    """The relations that the lines of `text` name; lines that name none are counted."""
    if card.form == "pair":
        expect_input(card, value, PairInput)
        return labels.parse(card, text)
    return read_lines(Reader(card, value).read, text, lambda found: RelationAnswer(tuple(found)))
