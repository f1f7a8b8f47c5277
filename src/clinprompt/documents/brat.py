"""BRAT standoff: a ``.txt`` file and annotations beside it.

Annotations of one document may stand in several files (``.a1`` and ``.a2``); they are one list and
may refer to each other. A text without annotation file is a document without annotations.

BRAT's server counts a ``\\r\\n`` as two characters and a byte-order mark as one; programs that read
the text with line ends translated count one, and most drop the mark. Which of them wrote the
offsets of a document is told by the texts that all its mentions quote (`counting.ways`), and
offsets always leave here as code points of the text as it is. What is written counts that way.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from glob import escape
from pathlib import Path

from clinprompt.documents import align, counting
from clinprompt.documents.brat_lines import Line, parse
from clinprompt.documents.brat_write import annotation_lines, targets
from clinprompt.documents.counting import Scale
from clinprompt.documents.formats import Format, ReadOptions, WriteOptions, register
from clinprompt.documents.model import (
    Annotation,
    Document,
    Equivalence,
    Event,
    Mention,
)
from clinprompt.documents.output import document_file, write_bytes
from clinprompt.documents.store import Member, alone, members
from clinprompt.documents.textfolder import (
    SUFFIX,
    each_once,
    encoded,
    left_out,
    text_of,
    texts,
    write_text,
)
from clinprompt.errors import ClinpromptError
from clinprompt.report import Report

# In the order in which the files of a document are read.
ANNOTATIONS = (".a1", ".a2", ".ann", ".co", ".rel")


def read(path: Path, options: ReadOptions, report: Report) -> Iterator[Document]:
    """The documents of a file, folder or archive, by name.

    A single ``.txt`` or annotation file is read with its partners beside it.

    Raises:
        ClinpromptError: CP-DOC-114 annotations without text, CP-DOC-120 and CP-DOC-121 (see
            `textfolder.texts`), and what `assemble` raises.
    """
    found = _partners(path) if path.is_file() else members(path)
    chosen = texts(path, found)
    notes: dict[str, list[Member]] = {}
    for member in found:
        if member.suffix in ANNOTATIONS:
            notes.setdefault(member.stem, []).append(member)
            if member.stem not in chosen:
                raise ClinpromptError(
                    "CP-DOC-114",
                    "annotations without their text",
                    file=member.place,
                    hint=f"put '{member.stem}{SUFFIX}' beside it",
                )
    left_out([one for one in found if one.suffix not in (SUFFIX, *ANNOTATIONS)], "brat", report)
    for stem, member in chosen.items():
        files = sorted(notes.get(stem, []), key=lambda one: ANNOTATIONS.index(one.suffix))
        yield assemble(stem, member, files, options, report)


def _partners(path: Path) -> list[Member]:
    """The files of one document; an archive's members if the file is one."""
    found = members(path)
    if not alone(path) or found[0].suffix not in (SUFFIX, *ANNOTATIONS):
        return found
    stem = found[0].stem
    beside = sorted(file for file in path.parent.glob(f"{escape(stem)}.*") if alone(file))
    near = [member for file in beside for member in members(file)]
    return [one for one in near if one.stem == stem and one.suffix in (SUFFIX, *ANNOTATIONS)]


def assemble(
    name: str, text: Member, files: Sequence[Member], options: ReadOptions, report: Report
) -> Document:
    """The document of a text and its annotation files.

    Raises:
        ClinpromptError: CP-DOC-110 a malformed line, CP-DOC-111 an id that comes up twice,
            CP-DOC-112 an unknown target, CP-DOC-113 an event whose type is not its trigger's,
            CP-DOC-100 to CP-DOC-104 for offsets, CP-DATA-004 for bytes of another encoding.
    """
    content, marked = text_of(text, options.encoding, report)
    lines = [line for file in files for line in _lines(file, options.encoding)]
    scale = _scale(content, marked, lines, options, report)
    placed: list[Annotation] = []
    known: dict[str, Annotation] = {}
    for line in lines:
        one = line.annotation
        if isinstance(one, Mention):
            one = _located(one, line, scale, options, report)
        placed.append(one)
        if isinstance(one, Equivalence):
            continue
        if one.id in known:
            raise ClinpromptError(
                "CP-DOC-111", f"id {one.id} comes up twice", file=line.file, line=line.number
            )
        known[one.id] = one
    for line in lines:
        _check_targets(line, known)
    return Document(name, content, tuple(placed))


def _lines(member: Member, encoding: str) -> Iterator[Line]:
    for number, raw in enumerate(member.text(encoding).split("\n"), 1):
        line = raw.rstrip("\r")
        if line.strip():
            yield parse(line, member.place, number)


# ---- offsets -----------------------------------------------------------------------------------


def _scale(
    text: str, marked: bool, lines: Sequence[Line], options: ReadOptions, report: Report
) -> Scale:
    """The way of counting under which most mentions cover the text they quote."""
    possible = counting.ways(text, options.offsets, marked=marked)
    mentions = [line for line in lines if isinstance(line.annotation, Mention)]
    if len(possible) == 1 or not mentions:
        return possible[0]
    best = max(possible, key=lambda scale: sum(_fits(line, scale) for line in mentions))
    if best.name:
        report.skip(f"offsets counted {best.name}, converted", mentions[0].file)
    return best


def _fits(line: Line, scale: Scale) -> bool:
    assert isinstance(line.annotation, Mention)
    spans = []
    for start, end in line.annotation.spans:
        first, last = scale.index(start), scale.index(end)
        if first is None or last is None:
            return False
        spans.append((first, last))
    return align.agrees(scale.text, spans, line.word)


def _located(
    mention: Mention, line: Line, scale: Scale, options: ReadOptions, report: Report
) -> Mention:
    """The mention with its fragments as code points of the text, checked."""
    pairs: Sequence[tuple[int, int]] = mention.spans
    quoted: str | list[str] = line.word
    if list(pairs) != sorted(pairs):
        report.skip("fragments out of order, sorted", line.file, line.number)
        sizes = [end - start for start, end in pairs]
        pieces = align.pieces(sizes, quoted)
        if pieces is not None:
            order = sorted(range(len(pairs)), key=lambda i: pairs[i])
            quoted = [pieces[i] for i in order]
        pairs = sorted(pairs)
    spans = align.placed(
        pairs,
        scale,
        quoted,
        options,
        report,
        file=line.file,
        line=line.number,
        name=mention.id,
    )
    return replace(mention, spans=spans)


# ---- references --------------------------------------------------------------------------------


def _check_targets(line: Line, known: dict[str, Annotation]) -> None:
    """Refuse what points at an annotation that isn't there, or at one of a wrong kind."""
    for target, kinds in targets(line.annotation):
        if target not in known or not isinstance(known[target], kinds):
            what = "is not there" if target not in known else "can't be what it points at"
            raise ClinpromptError(
                "CP-DOC-112", f"target {target} {what}", file=line.file, line=line.number
            )
    if isinstance(line.annotation, Event):
        trigger = known[line.annotation.trigger]
        assert isinstance(trigger, Mention)
        if trigger.label != line.word:
            raise ClinpromptError(
                "CP-DOC-113",
                f"event {line.annotation.id} is a '{line.word}', but its trigger {trigger.id} a "
                f"'{trigger.label}'",
                file=line.file,
                line=line.number,
            )


def write(path: Path, documents: Iterable[Document], options: WriteOptions, report: Report) -> int:
    """Write ``path/<id>.txt`` and ``path/<id>.ann`` for each document.

    Raises:
        ClinpromptError: CP-DOC-101 to CP-DOC-103 for spans that can't be, CP-DOC-131 an id that
            comes up twice, CP-DOC-122, CP-DOC-123, and what writing files raises.
    """
    count = 0
    for document in each_once(documents, path):
        file = document_file(path, document.id, ".ann")
        lines = annotation_lines(document, file, report)
        write_text(path, document)
        write_bytes(file, encoded("".join(f"{line}\n" for line in lines), file))
        count += 1
    return count


register(Format("brat", "BRAT standoff: .txt and .ann", True, read, write))
