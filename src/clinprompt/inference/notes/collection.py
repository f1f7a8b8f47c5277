"""The notes of a collection, one after another; what is wrong with one does not stop the rest."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from clinprompt.documents import conversion, formats, store
from clinprompt.documents.formats import ReadOptions
from clinprompt.documents.model import Document
from clinprompt.documents.output import document_file
from clinprompt.errors import ClinpromptError
from clinprompt.report import Report

_QUOTED = re.compile(r"""['"‘“«].*['"’”»]""", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Unread:
    """A file, or a document of it, that can't be asked anything.

    Attributes:
        place: the file, for messages.
        error: what is wrong; of what a reader says it quotes nothing, since that may be a note.
        document: the document's id where it was read that far.
    """

    place: str
    error: ClinpromptError
    document: str | None = None


class Collection:
    """A file, folder or archive of notes, which can be gone through several times.

    Args:
        path: where it lies.
        name: of its format.
        options: how it is read.

    Attributes:
        report: what the reader left out the last time it was gone through.
        size: how many notes there may be, where that is known: a folder or archive with files of
            its own for each note.

    Raises:
        ClinpromptError: CP-DOC-001 to CP-DOC-003 for what can't be opened at all, CP-DOC-010 an
            unknown format.
    """

    def __init__(self, path: Path, name: str, options: ReadOptions | None = None) -> None:
        own_files = formats.find(name).folder and not store.alone(path)
        stems = {member.stem for member in store.members(path)}
        self.path, self.name, self._options = path, name, options or ReadOptions()
        self.size = len(stems) if own_files else None
        self.report = Report()

    def __iter__(self) -> Iterator[Document | Unread]:
        """The notes in the order of their files' names; each id comes once.

        Raises:
            ClinpromptError: what `conversion.read_each` raises.
        """
        self.report = Report()
        errors: list[ClinpromptError] = []
        seen: set[str] = set()
        for document in conversion.read_each(
            self.name, self.path, self.report, self._options, errors.append
        ):
            yield from self._unread(errors)
            complaint = _complaint(document, seen)
            if complaint is None:
                yield document
            else:
                yield Unread(str(self.path), complaint, document.id)
        yield from self._unread(errors)

    def _unread(self, errors: list[ClinpromptError]) -> Iterator[Unread]:
        """What has gone wrong since the last time."""
        for error in errors:
            plain = unquoted(error, str(self.path))
            yield Unread(plain.file or "", plain)
        errors.clear()


def unquoted(error: ClinpromptError, place: str) -> ClinpromptError:
    """The same error without what its message quotes, which may be text of a note."""
    message = _QUOTED.sub("...", error.message)
    return ClinpromptError(
        error.code, message, file=error.file or place, line=error.line, hint=error.hint
    )


def _complaint(document: Document, seen: set[str]) -> ClinpromptError | None:
    """Why nothing can be asked of a document, or written of it, if so."""
    if document.id in seen:
        return ClinpromptError(
            "CP-INF-301", f"there is another document '{document.id}'", hint="ids are unique"
        )
    seen.add(document.id)
    if not document.text.strip():
        return ClinpromptError("CP-INF-302", f"document '{document.id}' is empty")
    try:
        document_file(Path(), document.id, "")
    except ClinpromptError as error:
        return error
    return None
