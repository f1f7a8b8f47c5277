"""CoNLL: one token and its tag a line, sentences apart by blank lines.

Read: 2 to 4 columns apart by tabs or blanks, token first and tag last; IO, BIO (IOB1), BIO2, BIOES
and BILOU, told by the tags. ``-DOCSTART-`` lines open documents; ``-DOCSTART- (17)`` names one.
A file without them is one document. The text is made of the tokens, apart by blanks, a sentence a
line, and the document's metadata say so (`conll_write.SPACED`): written as CoNLL again, it gives
the same tokens.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from clinprompt.documents import bio
from clinprompt.documents.conll_lines import UNTYPED, Part, Tagging, parse, tagging_of
from clinprompt.documents.conll_write import SPACED, write
from clinprompt.documents.formats import Format, ReadOptions, register
from clinprompt.documents.model import Document, Mention
from clinprompt.documents.store import Member, alone, members
from clinprompt.documents.textfolder import left_out, text_of
from clinprompt.documents.tokens import join
from clinprompt.errors import ClinpromptError
from clinprompt.report import Report

SUFFIXES = (".conll", ".conll03", ".bio", ".iob", ".iob2", ".bioes", ".tsv", ".txt")


def read(path: Path, options: ReadOptions, report: Report) -> Iterator[Document]:
    """The documents of a file of any name, or of those of a folder or archive with fitting names.

    A document is called as its ``-DOCSTART-`` line says, else ``file/3`` for the third of a file,
    and ``file`` where the file is one document.

    Raises:
        ClinpromptError: CP-DOC-142 two documents of one name, CP-DOC-143 no file to read, and what
            `documents_of` raises.
    """
    found = members(path)
    if not alone(path):
        left_out([one for one in found if one.suffix not in SUFFIXES], "conll", report)
        found = [one for one in found if one.suffix in SUFFIXES]
    if not found:
        raise ClinpromptError(
            "CP-DOC-143", "holds no CoNLL file", file=path, hint=f"known are {', '.join(SUFFIXES)}"
        )
    seen: set[str] = set()
    for member in found:
        for document in documents_of(member, options, report):
            if document.id in seen:
                raise ClinpromptError(
                    "CP-DOC-142", f"a second document '{document.id}'", file=member.place
                )
            seen.add(document.id)
            yield document


def documents_of(member: Member, options: ReadOptions, report: Report) -> Iterator[Document]:
    """The documents of one file.

    Raises:
        ClinpromptError: CP-DOC-140 a malformed line, CP-DOC-141 a tag of no scheme, CP-DATA-004
            for bytes of another encoding.
    """
    text, _ = text_of(member, options.encoding, report)
    parts = parse(text, member.place, report)
    tagging = tagging_of(parts, member.place)
    for number, part in enumerate(parts, 1):
        whole = len(parts) == 1
        name = part.name or (member.stem if whole else f"{member.stem}/{number}")
        yield _document(name, part, tagging, member.place, report)


def _document(name: str, part: Part, tagging: Tagging, file: str, report: Report) -> Document:
    mentions: list[Mention] = []
    lines: list[str] = []
    at = untyped = 0
    for sentence in part.sentences:
        line, places = join(sentence.tokens)
        chunks, broken = bio.decode([tagging.parsed(tag) for tag in sentence.tags], tagging.scheme)
        for token in broken:
            reason = f"tag that breaks scheme {tagging.scheme}, read leniently"
            report.skip(reason, file, sentence.lines[token])
        untyped += sum(tag != "O" and len(tag) == 1 for tag in sentence.tags)
        for chunk in chunks:
            span = (at + places[chunk.first][0], at + places[chunk.last][1])
            mentions.append(Mention(f"T{len(mentions) + 1}", chunk.label, (span,)))
        lines.append(line)
        at += len(line) + 1
    if not tagging.plain:
        report.skip(f"tag without a type, read as '{UNTYPED}'", file, count=untyped)
    return Document(name, "\n".join(lines), tuple(mentions), metadata=(SPACED,))


register(Format("conll", "CoNLL: a token and its tag a line", False, read, write))
