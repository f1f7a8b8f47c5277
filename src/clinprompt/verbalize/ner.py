"""Named entities: one ``label: mention`` a line in the order of the text, or ``none``.

Which occurrence of its words a line means (see `mentions` for the rest): the first one behind the
mention of the line before; failing that, the first one inside or overlapping it; failing that, the
first one in the text. What an earlier line has taken under the same label is passed over, so the
k-th equal line means another occurrence than the ones before.
"""

from __future__ import annotations

from copy import copy

from clinprompt.examples import Answer, Entity, EntityAnswer, Input, Span, TextInput
from clinprompt.tasks.card import Card
from clinprompt.verbalize.fragments import Fragment, Masked, join
from clinprompt.verbalize.labels import Names
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


class Places:
    """Where the lines so far have led: gives the next line's default."""

    def __init__(self, index: Index) -> None:
        self.index = index
        self._taken: set[tuple[str, tuple[Span, ...]]] = set()
        self._after: tuple[int, ...] = (0,)

    def copy(self) -> Places:
        """The same, to try a line with."""
        twin = copy(self)
        twin._taken = set(self._taken)
        return twin

    def locate(
        self, label: str, fragments: tuple[Fragment, ...], *, alone: bool
    ) -> tuple[Span, ...] | None:
        """The spans that fragments of the next line name; `alone` says that there are no others."""
        return locate(self.index, fragments, lambda part: self._default(label, part, alone))

    def read(self, label: str, fragments: tuple[Fragment, ...]) -> Entity | None:
        """The entity that one line names; None if the text has no (further) such mention."""
        spans = self.locate(label, fragments, alone=len(fragments) == 1)
        if spans is None or (label, spans) in self._taken:
            return None
        self._move(label, spans)
        return Entity(spans, label)

    def write(self, entity: Entity) -> str:
        """The words, with occurrence numbers where needed, that `read` turns into `entity`."""
        label, alone = entity.label, len(entity.spans) == 1
        fragments = describe(
            self.index, entity.spans, lambda part: self._default(label, part, alone)
        )
        self._move(label, entity.spans)
        return join(fragments)

    def _default(self, label: str, fragment: Fragment, alone: bool) -> Span | None:
        def taken(span: Span) -> bool:
            return alone and (label, (span,)) in self._taken

        return self.index.nearest(fragment, self._after, taken)

    def _move(self, label: str, spans: tuple[Span, ...]) -> None:
        self._taken.add((label, spans))
        start, end = spans[0]
        self._after = (end, start, 0)


def format_line(card: Card) -> str:
    """What the instruction says about the answer's form."""
    words = [words.strip() for words in card.labels.values()]
    if len(words) == 1:
        return f"Write lines like '{words[0]}: mention', or '{NONE}'."
    return f"Write lines like 'label: mention', or '{NONE}'. Labels: {', '.join(words)}."


def input_text(card: Card, value: Input) -> str:
    """The text to annotate; CP-TEXT-001 for another kind of input."""
    return text_block(expect_input(card, value, TextInput))


def answer_text(card: Card, value: Input, answer: Answer) -> str:
    """The lines of `answer`.

    Raises:
        ClinpromptError: CP-TEXT-001, CP-TEXT-002 another kind of input or answer, CP-TEXT-003 a
            label the card lacks, CP-TEXT-004, CP-TEXT-005 a mention outside the text.
    """
    text = expect_input(card, value, TextInput).text
    state, lines = Places(Index(text)), []
    for entity in canonical(expect_answer(card, answer, EntityAnswer)).entities:
        words = words_of(card, entity.label)
        check_spans(text, entity.spans)
        lines.append(f"{words}: {state.write(entity)}")
    return "\n".join(lines) or NONE


class Reader:
    """Reads the lines of an answer one after the other.

    Args:
        card: the task.
        value: the input that was answered.

    Attributes:
        index: index of the input's text.
    """

    def __init__(self, card: Card, value: Input) -> None:
        self.index = Index(expect_input(card, value, TextInput).text)
        self._places, self._names = Places(self.index), Names(card)

    def copy(self) -> Reader:
        """One that reads on from here, and leaves this one where it is."""
        twin = copy(self)
        twin._places = self._places.copy()
        return twin

    def read(self, line: str) -> Entity | Fault:
        """The entity that the next line names, or why it names none."""
        words, _, rest = line.partition(":")
        label, fragments = self._names.find(words), Masked.of(rest).fragments()
        if label is None or not fragments:
            return "unparsable"
        return self._places.read(label, fragments) or "unaligned"

    def before(self, label: str, fragments: tuple[Fragment, ...]) -> tuple[Span, ...] | None:
        """Where the first fragments of a longer mention of the next line lie."""
        return self._places.locate(label, fragments, alone=False)


def parse(card: Card, value: Input, text: str) -> Parsed:
    """The entities that the lines of `text` name; lines that name none are counted."""
    return read_lines(Reader(card, value).read, text, lambda found: EntityAnswer(tuple(found)))
