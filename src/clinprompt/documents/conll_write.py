"""Documents as CoNLL lines; what a tag a token can't say is counted."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from clinprompt.documents import bio
from clinprompt.documents.conll_lines import DOCSTART
from clinprompt.documents.conll_tokens import sentences_of
from clinprompt.documents.counting import Scale, located
from clinprompt.documents.formats import WriteOptions
from clinprompt.documents.model import Document, Mention
from clinprompt.documents.output import write_bytes
from clinprompt.documents.textfolder import count_unheld, each_once, encoded
from clinprompt.examples import Span
from clinprompt.report import Report

SCHEMES: dict[str, bio.Scheme] = {"BIO": "bio1", "BIO2": "bio2", "IO": "io", "BIOES": "bioes"}
# Metadata of a text that was read from tokens: they can be told by white space and lines.
SPACED = ("tokens", "white space")
_SPACE = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class _Piece:
    """A mention that tags can say: one stretch, with nothing else under it."""

    span: Span
    label: str


def write(path: Path, documents: Iterable[Document], options: WriteOptions, report: Report) -> int:
    """Write all documents to one file, each behind ``-DOCSTART- (id)``: token, tab, tag.

    Raises:
        ClinpromptError: CP-DOC-101 to CP-DOC-103 for spans that can't be, CP-DOC-122, CP-DOC-123,
            and what writing files raises.
    """
    blocks: list[str] = []
    count = 0
    for document in each_once(documents, path):
        blocks += lines_of(document, SCHEMES[options.scheme], path, report)
        count += 1
    write_bytes(path, encoded("\n".join(blocks), path))
    return count


def lines_of(document: Document, scheme: bio.Scheme, path: Path, report: Report) -> list[str]:
    """The head of a document and its sentences, each a block of lines.

    Of mentions that lie over each other, the one that begins first is written, of those the
    longest. Fragments with nothing but white space between them are one. White space of the text
    is lost, links, attributes and the like, too; all that is counted.
    """
    others = tuple(one for one in document.metadata if one != SPACED)
    rest = replace(document, metadata=others)
    count_unheld(rest, "CoNLL", report, path, lambda one: isinstance(one, Mention))
    chosen = _chosen(document, path, report)
    spaced = SPACED in document.metadata
    text = document.text
    sentences = sentences_of(text, [piece.span for piece in chosen], spaced=spaced)
    rebuilt = "\n".join(" ".join(text[a:b] for a, b in tokens) for tokens in sentences)
    report.skip("text whose white space CoNLL can't hold", path, count=int(rebuilt != text))
    name = _SPACE.sub(" ", document.id)
    report.skip("document id with odd white space, rewritten", path, count=int(name != document.id))
    report.skip("document without an id, read by the file's name", path, count=int(not name))
    blocks = [f"{DOCSTART} ({name})\tO\n"]
    at = joined = 0
    for tokens in sentences:
        chunks: list[bio.Chunk] = []
        first = {start: i for i, (start, _) in enumerate(tokens)}
        last = {end: i for i, (_, end) in enumerate(tokens)}
        while at < len(chosen) and chosen[at].span[0] in first:
            start, end = chosen[at].span
            chunks.append(bio.Chunk(first[start], last[end], chosen[at].label))
            at += 1
        touching = (a for a, b in pairwise(chunks) if a.last + 1 == b.first and a.label == b.label)
        joined += sum(1 for _ in touching) if scheme == "io" else 0
        tags = bio.encode(chunks, len(tokens), scheme)
        rows = zip(tokens, tags, strict=True)
        blocks.append("".join(f"{text[a:b]}\t{tag}\n" for (a, b), tag in rows))
    assert at == len(chosen)
    report.skip("neighbouring mentions of one type that scheme IO joins", path, count=joined)
    return blocks


def _chosen(document: Document, path: Path, report: Report) -> list[_Piece]:
    """The mentions that can be written, in the order of the text."""
    text, scale = document.text, Scale(document.text)
    pieces: list[_Piece] = []
    relabelled = trimmed = 0
    for mention in document.mentions:
        located(mention.spans, scale, file=path, name=mention.id)
        if any(text[a[1] : b[0]].strip() for a, b in pairwise(mention.spans)):
            report.skip("discontinuous mentions that CoNLL can't hold", path)
            continue
        covered = text[mention.start : mention.end] if mention.spans else ""
        if not covered.strip():
            report.skip("mentions without visible text", path)
            continue
        start = mention.end - len(covered.lstrip())
        end = start + len(covered.strip())
        trimmed += (start, end) != (mention.start, mention.end)
        label = _SPACE.sub("_", mention.label) or "_"
        relabelled += label != mention.label
        pieces.append(_Piece((start, end), label))
    report.skip("white space at the edge of mentions left out", path, count=trimmed)
    report.skip("types that CoNLL can't hold as they are, rewritten", path, count=relabelled)
    return _apart(pieces, path, report)


def _apart(pieces: list[_Piece], path: Path, report: Report) -> list[_Piece]:
    kept: list[_Piece] = []
    for piece in sorted(pieces, key=lambda one: (one.span[0], -one.span[1])):
        if not kept or piece.span[0] >= kept[-1].span[1]:
            kept.append(piece)
        elif piece.span[1] <= kept[-1].span[1]:
            report.skip("nested mentions that CoNLL can't hold", path)
        else:
            report.skip("overlapping mentions that CoNLL can't hold", path)
    return kept
