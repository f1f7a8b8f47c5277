"""A collection of notes to a journal of answers, and on to annotated documents."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, TypeVar

from clinprompt.documents.model import Document
from clinprompt.errors import ClinpromptError
from clinprompt.inference.notes.annotate import annotated
from clinprompt.inference.notes.asking import Answerer, ask
from clinprompt.inference.notes.collection import Collection, Unread
from clinprompt.inference.notes.found import read_found
from clinprompt.inference.notes.journal import Entry, NotesJournal
from clinprompt.inference.notes.plan import Plan
from clinprompt.inference.notes.summary import Summary

CHUNK = 16  # notes that are answered and kept together
T = TypeVar("T")


@dataclass
class Outcome:
    """What a run did.

    Attributes:
        summary: of all notes.
        answered: notes asked in this run.
        before: notes that an earlier run had asked.
        changed: notes asked again since they are not as they were then.
        gone: notes that an earlier run had asked and that are not there any more.
    """

    summary: Summary = field(default_factory=Summary)
    answered: int = 0
    before: int = 0
    changed: int = 0
    gone: int = 0


def answer_notes(
    answerer: Answerer[Any],
    plan: Plan,
    collection: Collection,
    journal: NotesJournal,
    *,
    chunk: int = CHUNK,
    reject: Callable[[ClinpromptError], None] = lambda _: None,
    progress: Callable[[float, int], None] = lambda *_: None,
) -> Outcome:
    """Ask all that the journal does not know yet.

    Which notes are batched together depends on their places alone: so a run that was interrupted
    and one that was not compute the same numbers.

    Args:
        answerer: knows the plan's tasks.
        plan: what is asked.
        collection: the notes.
        journal: keeps the answers.
        chunk: notes in memory at a time.
        reject: is told what can't be read or asked.
        progress: is called after every batch with the number of notes answered in this run (of a
            chunk that is being answered a part counts) and of those passed over.

    Raises:
        ClinpromptError: CP-INF-330 a note has annotations and nothing is said about them; what
            opening the collection and running the answerer raise.
    """
    outcome = Outcome()
    seen: set[str] = set()
    for part in _chunks(collection, chunk):
        documents = [one for one in part if isinstance(one, Document)]
        _require_choice(documents, plan)
        new = [one for one in documents if journal.digest(one.id) != plan.digest(one)]
        outcome.changed += sum(journal.digest(one.id) is not None for one in new)
        if new:
            passed = outcome.summary.notes - outcome.answered + len(part) - len(new)
            journal.add(ask(answerer, plan, new, _told(progress, outcome, len(new), passed)))
        outcome.answered += len(new)
        outcome.before += len(documents) - len(new)
        seen.update(one.id for one in documents)
        for one in part:
            said = (
                outcome.summary.unread(one)
                if isinstance(one, Unread)
                else outcome.summary.add(journal.entry(one.id))
            )
            for error in said:
                reject(error)
    outcome.gone = sum(name not in seen for name in journal)
    return outcome


def results(plan: Plan, collection: Collection, journal: NotesJournal) -> Iterator[Document]:
    """The annotated documents; those that nothing could be asked about are left out.

    Raises:
        ClinpromptError: CP-INF-331 a note was changed or added while the run lasted.
    """
    for document in collection:
        if isinstance(document, Unread):
            continue
        if journal.digest(document.id) != plan.digest(document):
            raise ClinpromptError(
                "CP-INF-331",
                f"document '{document.id}' was changed or added while notes were answered",
                file=collection.path,
                hint="run the same command again",
            )
        entry = journal.entry(document.id)
        if entry.answered:
            yield result(document, entry, plan)


def result(document: Document, entry: Entry, plan: Plan) -> Document:
    """A document with what was found in it."""
    found = [
        read_found(record, plan.cards[record["task"]], document.text) for record in entry.found
    ]
    return annotated(document, found, plan, [one.task for one in entry.refused])


def _told(
    progress: Callable[[float, int], None], outcome: Outcome, size: int, passed: int
) -> Callable[[float], None]:
    """Turns a share of a chunk of that size into the number of notes answered."""
    done = outcome.answered
    return lambda share: progress(done + share * size, passed)


def _require_choice(documents: Iterable[Document], plan: Plan) -> None:
    if plan.existing is not None:
        return
    for document in documents:
        if document.annotations:
            raise ClinpromptError(
                "CP-INF-330",
                f"document '{document.id}' has annotations already",
                hint="--existing keep adds to them, --existing mentions keeps mentions alone, "
                "--existing replace leaves them all out",
            )


def _chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    iterator = iter(items)
    while part := list(islice(iterator, size)):
        yield part
