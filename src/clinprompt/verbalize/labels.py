"""Closed answers: one label of the card, written by its words."""

from __future__ import annotations

from clinprompt.examples import Answer, LabelAnswer
from clinprompt.tasks.card import Card
from clinprompt.verbalize.parsed import Parsed, expect_answer, words_of

_EDGE = " \t\r\n.,;:!?\"'`()[]{}*-–•"


def format_line(card: Card) -> str:
    """What the instruction says about the answer's form."""
    return f"Answer with one of: {', '.join(words.strip() for words in card.labels.values())}."


def answer_text(card: Card, answer: Answer) -> str:
    """The words of the answer's label.

    Raises:
        ClinpromptError: CP-TEXT-002 not a label answer, CP-TEXT-003 a label the card lacks.
    """
    return words_of(card, expect_answer(card, answer, LabelAnswer).label)


def options(card: Card) -> list[tuple[Answer, str]]:
    """Every label of the card with its words, in the card's order."""
    return [(LabelAnswer(label), words_of(card, label)) for label in card.labels]


class Names:
    """Looks labels up by what a model may call them.

    In this order: the card's words, the same with white space collapsed, the label itself; case
    never counts, and punctuation around the words only if they are found with it.
    """

    def __init__(self, card: Card) -> None:
        self._names = {words.casefold().strip(): label for label, words in card.labels.items()}
        self._words = sorted(
            ((_plain(words), label) for label, words in card.labels.items()),
            key=lambda pair: -len(pair[0]),
        )
        others = [(_plain(words), label) for label, words in card.labels.items()]
        others += [(_plain(label), label) for label in card.labels]
        for name, label in others:
            self._names.setdefault(name, label)

    def find(self, text: str) -> str | None:
        """The label that `text` names, as a whole."""
        for name in (text.casefold().strip(), _plain(text), _plain(text).strip(_EDGE)):
            if name and name in self._names:
                return self._names[name]
        return None

    def find_at_start(self, text: str) -> str | None:
        """The label with the longest words that `text` begins with, up to a word boundary.

        Labels themselves don't count here: they may be as short as a digit.
        """
        text = _plain(text).lstrip(_EDGE)
        for words, label in self._words:
            if text.startswith(words) and not text[len(words) : len(words) + 1].isalnum():
                return label
        return None


def parse(card: Card, text: str) -> Parsed:
    """The label that `text` is, or else begins with."""
    names = Names(card)
    label = names.find(text)
    if label is None:
        label = names.find(text.strip().partition("\n")[0])
    if label is None:
        label = names.find_at_start(text)
    return Parsed(None, unparsable=1) if label is None else Parsed(LabelAnswer(label))


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())
