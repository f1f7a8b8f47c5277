"""What is asked of every note, and why the rest can't be."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from clinprompt.documents.model import Document
from clinprompt.errors import ClinpromptError, did_you_mean
from clinprompt.examples import Entity, Input, PremiseInput, QuestionInput, TextInput
from clinprompt.inference.notes.pairs import Kinds, kinds_of
from clinprompt.inference.requests import Request
from clinprompt.tasks.card import Card

# What becomes of the annotations that notes have already: all are kept; mentions with what
# belongs to them are kept and the rest goes; all of them go.
Existing = Literal["keep", "mentions", "replace"]
MAX_PAIRS = 64


@dataclass(frozen=True)
class Plan:
    """What is asked.

    Attributes:
        cards: the tasks that are asked, by name.
        questions: by task, what question and inference tasks (and some summaries) ask.
        kinds: by task that classifies pairs, which mentions may be its head and tail.
        unasked: by task, why it can't be asked.
        existing: what becomes of annotations that the notes have; None if they may have none.
        max_pairs: most pairs of a note and task.
    """

    cards: Mapping[str, Card]
    questions: Mapping[str, str] = field(default_factory=dict)
    kinds: Mapping[str, Kinds] = field(default_factory=dict)
    unasked: Mapping[str, str] = field(default_factory=dict)
    existing: Existing | None = None
    max_pairs: int = MAX_PAIRS

    def requests(self, document: Document) -> list[Request]:
        """What is asked of a note first; pairs are asked when its mentions are known."""
        return [
            Request(name, self.whole_note(card, document.text), document.id)
            for name, card in self.cards.items()
            if name not in self.kinds
        ]

    def whole_note(self, card: Card, text: str) -> Input:
        """The input of a task that takes the note as it is."""
        question = self.questions.get(card.name)
        if card.type == "qa":
            assert question is not None
            return QuestionInput(question, text)
        if card.type == "nli":
            assert question is not None
            return PremiseInput(text, question)
        return TextInput(text, question=question)

    def kept(self, document: Document) -> list[Entity]:
        """The document's own mentions, as far as they are kept: pairs are made of them, too."""
        if self.existing not in ("keep", "mentions"):
            return []
        return [Entity(mention.spans, mention.label) for mention in document.mentions]

    def digest(self, document: Document) -> str:
        """Of everything in a document that answers depend on."""
        digest = hashlib.sha256(document.text.encode(errors="surrogatepass"))
        labels = {label for kinds in self.kinds.values() for pair in kinds for label in pair}
        used = sorted({(m.label, m.spans) for m in self.kept(document) if m.label in labels})
        if used:
            digest.update(b"\0" + json.dumps(used).encode())
        return digest.hexdigest()[:32]

    def identity(self) -> dict[str, Any]:
        """Everything in the plan that answers depend on, for the journal."""
        kinds = {name: sorted(map(list, pairs)) for name, pairs in sorted(self.kinds.items())}
        questions = {name: self.questions[name] for name in sorted(self.questions)}
        bound = {"max_pairs": self.max_pairs} if kinds else {}
        return {"tasks": list(self.cards), "questions": questions, "pairs": kinds, **bound}


def make_plan(
    cards: Mapping[str, Card],
    *,
    questions: Mapping[str, str] | None = None,
    kinds: Mapping[str, Kinds] | None = None,
    existing: Existing | None = None,
    max_pairs: int = MAX_PAIRS,
) -> Plan:
    """What can be asked of notes.

    Args:
        cards: of all tasks that there are prompts for.
        questions: by task; a question that the card itself fixes need not be given.
        kinds: by task, labels of head and tail where the card does not name them.
        existing: what becomes of annotations that the notes have.
        max_pairs: most pairs of a note and task.

    Raises:
        ClinpromptError: CP-INF-310 a question for a task that takes none, CP-INF-311 pairs for a
            task that does not classify pairs, CP-INF-312 no task can be asked.
    """
    given, named = dict(questions or {}), dict(kinds or {})
    _check_given(cards, given, named)
    asked = {name: card for name, card in cards.items() if card.form != "pair"}
    pairs = {n: named.get(n) or kinds_of(c) for n, c in cards.items() if c.form == "pair"}
    labels = _labels_found(list(asked.values()))
    fixed = {name: given.get(name) or fixed_question(card) for name, card in asked.items()}
    unasked: dict[str, str] = {}
    for name, card in cards.items():
        why = (
            _why_no_pairs(pairs[name], labels, existing)
            if name in pairs
            else _why_not(card, fixed[name])
        )
        if why:
            unasked[name] = why
    if len(unasked) == len(cards):
        reasons = "; ".join(f"'{name}': {why}" for name, why in unasked.items())
        raise ClinpromptError("CP-INF-312", f"nothing can be asked of a note: {reasons}")
    return Plan(
        cards={name: card for name, card in cards.items() if name not in unasked},
        questions={n: q for n, q in fixed.items() if q is not None and n not in unasked},
        kinds={n: pair for n, pair in pairs.items() if pair is not None and n not in unasked},
        unasked=unasked,
        existing=existing,
        max_pairs=max_pairs,
    )


def fixed_question(card: Card) -> str | None:
    """The question (or hypothesis) that is the same in all of a task's examples, if there is one.

    A card says so with a fixed text after an equals sign.
    """
    columns = card.data.options.get("columns")
    value = columns.get(question_field(card)) if isinstance(columns, dict) else None
    return value[1:].strip() or None if isinstance(value, str) and value[:1] == "=" else None


def question_field(card: Card) -> str | None:
    """What a task's input calls the text that asks; None if it has no such text."""
    return {"qa": "question", "sum": "question", "nli": "hypothesis"}.get(card.type)


def _check_given(
    cards: Mapping[str, Card], questions: Mapping[str, str], kinds: Mapping[str, Kinds]
) -> None:
    asking = [name for name, card in cards.items() if question_field(card) is not None]
    for name in questions:
        if name not in asking:
            raise ClinpromptError(
                "CP-INF-310",
                f"a question is given for '{name}', which is no task here that takes one",
                hint=did_you_mean(name, asking),
            )
    pairing = [name for name, card in cards.items() if card.form == "pair"]
    for name in kinds:
        if name not in pairing:
            raise ClinpromptError(
                "CP-INF-311",
                f"pairs are given for '{name}', which is no task here that classifies pairs",
                hint=did_you_mean(name, pairing),
            )


def _labels_found(cards: Sequence[Card]) -> set[str]:
    """Labels of the mentions that tasks find."""
    found: set[str] = set()
    for card in cards:
        if card.form == "mentions":
            found.update(card.labels)
        elif card.form == "list":
            found.update(label for pair in card.arguments.values() for label in pair)
    return found


def _why_not(card: Card, question: str | None) -> str | None:
    if card.form == "choice":
        return "it asks for one of several given answers, and a note has none"
    if card.type in ("qa", "nli") and question is None:
        what = question_field(card)
        return f"its {what} is not known (--question '{card.name}=...')"
    return None


def _why_no_pairs(kinds: Kinds | None, labels: set[str], existing: Existing | None) -> str | None:
    if kinds is None:
        return "its card does not say which mentions it relates (--pairs TASK=HEAD:TAIL)"
    if existing in ("keep", "mentions"):  # notes bring mentions of their own
        return None
    if not any(head in labels and tail in labels for head, tail in kinds):
        wanted = ", ".join(f"{head} and {tail}" for head, tail in sorted(kinds))
        return (
            f"it relates mentions of {wanted}, and no other task finds them "
            "(--existing keep uses those that the notes have)"
        )
    return None
