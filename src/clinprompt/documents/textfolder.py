"""Plain folders of ``.txt`` files, which other formats keep annotations beside."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from clinprompt.documents.formats import Format, ReadOptions, WriteOptions, register
from clinprompt.documents.model import (
    Attribute,
    Comment,
    Document,
    Equivalence,
    Event,
    Link,
    Mention,
    Normalization,
)
from clinprompt.documents.output import document_file, write_bytes
from clinprompt.documents.store import Member, alone, members
from clinprompt.errors import ClinpromptError
from clinprompt.files import decode, is_utf8
from clinprompt.report import Report

SUFFIX = ".txt"
KINDS = {
    Mention: "mentions",
    Link: "relations",
    Event: "events",
    Attribute: "attributes",
    Normalization: "normalisations",
    Comment: "comments",
    Equivalence: "equivalences",
}


def read(path: Path, options: ReadOptions, report: Report) -> Iterator[Document]:
    """One document without annotations for each ``.txt`` file; a single file may be called else.

    Raises:
        ClinpromptError: CP-DOC-120, CP-DOC-121 (see `texts`), and what opening files raises.
    """
    found = members(path)
    if alone(path):
        chosen = {member.stem: member for member in found}
    else:
        chosen = texts(path, found)
        left_out([one for one in found if one.suffix != SUFFIX], "text", report)
    for stem, member in chosen.items():
        text, _ = text_of(member, options.encoding, report)
        yield Document(stem, text)


def texts(path: Path, found: Sequence[Member]) -> dict[str, Member]:
    """The ``.txt`` files of a collection by document id, in the order of their names.

    Raises:
        ClinpromptError: CP-DOC-120 if there is none, CP-DOC-121 if two are the text of one document
            (``a.txt`` and ``a.TXT``).
    """
    chosen: dict[str, Member] = {}
    for member in found:
        if member.suffix != SUFFIX:
            continue
        if member.stem in chosen:
            raise ClinpromptError(
                "CP-DOC-121", f"a second text of document '{member.stem}'", file=member.place
            )
        chosen[member.stem] = member
    if not chosen:
        raise ClinpromptError("CP-DOC-120", "holds no .txt file", file=path)
    return chosen


def text_of(member: Member, encoding: str, report: Report) -> tuple[str, bool]:
    """The text of a file, and whether a byte-order mark, which is left out, stood before it."""
    raw = member.read()
    marked = is_utf8(encoding) and raw.startswith(codecs.BOM_UTF8)
    if marked:
        report.skip("byte-order mark left out", member.place)
    return decode(raw, Path(member.place), encoding), marked


def left_out(found: Iterable[Member], format_name: str, report: Report) -> None:
    """Count the files of a collection that a format has no use for."""
    for member in found:
        report.skip(f"file that format '{format_name}' doesn't read", member.place)


def write_text(folder: Path, document: Document) -> Path:
    """Write a document's text, in UTF-8 and with its line ends, to ``folder/<id>.txt``.

    Raises:
        ClinpromptError: CP-DOC-122 if the text can't be UTF-8, and what writing files raises.
    """
    file = document_file(folder, document.id, SUFFIX)
    write_bytes(file, encoded(document.text, file))
    return file


def encoded(text: str, file: Path) -> bytes:
    """The text in UTF-8, with its line ends.

    Raises:
        ClinpromptError: CP-DOC-122 if it holds half of a surrogate pair (broken JSON does).
    """
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise ClinpromptError(
            "CP-DOC-122",
            f"character {error.start} (U+{ord(text[error.start]):04X}) can't be written as UTF-8",
            file=file,
        ) from error


def each_once(documents: Iterable[Document], folder: Path) -> Iterator[Document]:
    """The documents; one whose id came up before would overwrite the first.

    Raises:
        ClinpromptError: CP-DOC-123 if an id comes up twice.
    """
    seen: set[str] = set()
    for document in documents:
        if document.id in seen:
            raise ClinpromptError("CP-DOC-123", f"two documents '{document.id}'", file=folder)
        seen.add(document.id)
        yield document


def count_unheld(
    document: Document,
    format_name: str,
    report: Report,
    file: Path,
    holds: Callable[[object], bool] = lambda _: False,
) -> None:
    """Count what a format can't hold of a document: kinds of annotations, passages and the like.

    Args:
        holds: whether it can hold an annotation.
    """
    for kind, name in KINDS.items():
        lost = sum(isinstance(one, kind) and not holds(one) for one in document.annotations)
        report.skip(f"{name} that {format_name} can't hold", file, count=lost)
    report.skip(f"passages that {format_name} can't hold", file, count=len(document.passages))
    report.skip(f"metadata that {format_name} can't hold", file, count=len(document.metadata))
    kept = (one for one in document.annotations if holds(one) and isinstance(one, Mention | Link))
    sure = sum(one.confidence is not None for one in kept)
    report.skip(f"confidences that {format_name} can't hold", file, count=sure)


def write(path: Path, documents: Iterable[Document], options: WriteOptions, report: Report) -> int:
    """Write each document's text to ``path/<id>.txt``; its annotations are counted.

    Raises:
        ClinpromptError: CP-DOC-122, CP-DOC-123, and what writing files raises.
    """
    count = 0
    for document in each_once(documents, path):
        file = write_text(path, document)
        count_unheld(document, "plain text", report, file)
        count += 1
    return count


register(Format("text", "plain text, one .txt file a document", True, read, write))
