"""A chunk of notes, answered: all its tasks in mixed batches, and then the pairs they lead to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from clinprompt.documents.model import Document
from clinprompt.errors import ClinpromptError
from clinprompt.examples import Entity, EntityAnswer, PairInput, RelationAnswer
from clinprompt.inference.notes.found import Found, found_record
from clinprompt.inference.notes.journal import Entry, Refused
from clinprompt.inference.notes.pairs import candidates
from clinprompt.inference.notes.plan import Plan
from clinprompt.inference.requests import Prediction, Progress, Request

R = TypeVar("R")


class Answerer(Protocol[R]):
    """What answers requests: a `Predictor`, or something above one that is used alike."""

    def prepare(self, request: Request) -> R:
        """Check a request and make it ready."""

    def run(self, rows: Sequence[R], progress: Progress | None = None) -> list[Prediction]:
        """Answers to prepared requests, in their order."""


@dataclass
class _Note(Generic[R]):
    document: Document
    rows: list[tuple[Request, R]] = field(default_factory=list)
    found: list[Found] = field(default_factory=list)
    refused: dict[tuple[str, str], Refused] = field(default_factory=dict)
    pairs: dict[str, tuple[int, int]] = field(default_factory=dict)

    def prepare(self, answerer: Answerer[R], request: Request) -> None:
        """Make a request ready, or note why it can't be asked."""
        try:
            self.rows.append((request, answerer.prepare(request)))
        except ClinpromptError as error:
            key = (request.task, error.code)
            before = self.refused.get(key)
            count = 1 if before is None else before.count + 1
            self.refused[key] = Refused(request.task, error.code, error.message, error.hint, count)

    def mentions(self) -> list[Entity]:
        """All that was found in it, by whatever task."""
        mentions: list[Entity] = []
        for one in self.found:
            match one.answer:
                case EntityAnswer(entities=entities):
                    mentions += entities
                case RelationAnswer(relations=relations):
                    mentions += [side for r in relations for side in (r.head, r.tail)]
        return mentions


def ask(
    answerer: Answerer[Any],
    plan: Plan,
    documents: Sequence[Document],
    progress: Callable[[float], None] = lambda _: None,
) -> list[Entry]:
    """What becomes of each document, in their order.

    Args:
        answerer: knows the plan's tasks.
        plan: what is asked.
        documents: one chunk.
        progress: is told which part of the chunk is done, from 0 to 1.

    Raises:
        ClinpromptError: what running prepared requests raises; a request that can't be prepared
            is noted in its document's entry.
    """
    notes: list[_Note[Any]] = [_Note(document) for document in documents]
    rounds = 2 if plan.kinds else 1
    for note in notes:
        for request in plan.requests(note.document):
            note.prepare(answerer, request)
    _answer(answerer, notes, lambda share: progress(share / rounds))
    if plan.kinds:
        for note in notes:
            _prepare_pairs(answerer, plan, note)
        _answer(answerer, notes, lambda share: progress((1 + share) / rounds))
    return [_entry(plan, note) for note in notes]


def _answer(
    answerer: Answerer[Any], notes: Sequence[_Note[Any]], progress: Callable[[float], None]
) -> None:
    """Run all rows of all notes together, and leave none behind."""
    rows = [row for note in notes for _, row in note.rows]
    if not rows:
        return
    predictions = iter(answerer.run(rows, lambda done, total: progress(done / max(total, 1))))
    for note in notes:
        note.found += [
            Found.of(request.task, request.input, next(predictions)) for request, _ in note.rows
        ]
        note.rows = []


def _prepare_pairs(answerer: Answerer[Any], plan: Plan, note: _Note[Any]) -> None:
    mentions = plan.kept(note.document) + note.mentions()
    for name, kinds in plan.kinds.items():
        pairs, left_out = candidates(mentions, kinds, plan.max_pairs)
        note.pairs[name] = len(pairs), left_out
        for head, tail in pairs:
            asked = PairInput(note.document.text, head, tail)
            note.prepare(answerer, Request(name, asked, note.document.id))


def _entry(plan: Plan, note: _Note[Any]) -> Entry:
    return Entry(
        note.document.id,
        plan.digest(note.document),
        [found_record(found, plan.cards[found.task]) for found in note.found],
        list(note.refused.values()),
        note.pairs,
    )
