"""What the readers of BioC, PubTator and BigBIO share: files, ids, JSON, text made of pieces."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clinprompt.documents.counting import ordered
from clinprompt.documents.model import Document
from clinprompt.documents.record import to_record
from clinprompt.documents.store import Member, members
from clinprompt.errors import ClinpromptError
from clinprompt.examples import Span
from clinprompt.report import Report

# A gap between two pieces of text is filled, so an absurd offset would fill the memory.
MAX_FILL = 1_000_000


def chosen(path: Path, suffixes: tuple[str, ...], report: Report) -> Iterator[Member]:
    """Files with one of the endings; others in the same collection are counted.

    A file that is named itself is taken whatever its ending.

    Raises:
        ClinpromptError: CP-DOC-200 if there is none, and what `members` raises.
    """
    found = members(path)
    wanted = [one for one in found if one.name.lower().endswith(suffixes)]
    if len(found) == 1 and path.is_file():
        wanted = found
    if not wanted:
        raise ClinpromptError("CP-DOC-200", f"holds no {' or '.join(suffixes)} file", file=path)
    names = {one.name for one in wanted}
    for one in found:
        if one.name not in names:
            report.skip(f"files that are not {' or '.join(suffixes)}", one.place)
    yield from wanted


@dataclass
class Names:
    """Document ids met in one collection: a repeated one is refused."""

    places: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, place: str, line: int | None = None) -> str:
        """Remember an id and give it back.

        Raises:
            ClinpromptError: CP-DOC-201 if it was there before or is empty.
        """
        if not name or name in self.places:
            what = f"comes twice, first in {self.places[name]}" if name else "is empty"
            raise ClinpromptError(
                "CP-DOC-201", f"document id '{shown(name)}' {what}", file=place, line=line
            )
        self.places[name] = place
        return name


def shown(name: str) -> str:
    """An id for a message: short, on one line, and fit for every terminal."""
    line = "".join(char if char.isprintable() else " " for char in name[:40])
    return line + "..." * (len(name) > 40)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) != len(pairs):
        raise ValueError("a key comes twice in one object")
    return record


def parse_json(text: str, place: str, line: int | None = None) -> Any:
    """The value that `text` holds.

    Args:
        line: the line of the file that `text` is; None if it is the whole file.

    Raises:
        ClinpromptError: CP-DOC-202 not JSON, a repeated key, or half of a surrogate pair.
    """
    try:
        value = json.loads(text, object_pairs_hook=_unique)
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError) as error:
        why = "too large or too deep"
        if isinstance(error, json.JSONDecodeError):
            why, line = error.msg, (line or 1) + error.lineno - 1
        elif isinstance(error, UnicodeEncodeError):
            why = "half of a surrogate pair"
        elif str(error).startswith("a key"):
            why = str(error)
        raise ClinpromptError("CP-DOC-202", f"not JSON: {why}", file=place, line=line) from None
    return value


@dataclass(frozen=True)
class Piece:
    """A stretch of a document's text: where it starts, and what fills a gap in front of it."""

    offset: int
    text: str
    fill: str = "\n"


def rebuild(
    pieces: Iterable[Piece], place: str, document: str, unit: str = "characters"
) -> tuple[str, list[Span]]:
    """The text that pieces make up at their offsets, and where each lies in it.

    Args:
        pieces: in the order of their offsets; `fill` is one ASCII character.
        unit: what the offsets count, ``characters`` or ``bytes`` of UTF-8.

    Returns:
        text and spans in code points.

    Raises:
        ClinpromptError: CP-DOC-203 if one overlaps the one before, or lies too far from it.
    """
    parts: list[str] = []
    spans: list[Span] = []
    at = size = filled = 0
    for piece in pieces:
        gap = piece.offset - at
        filled += max(gap, 0)
        if gap < 0 or filled > MAX_FILL:
            why = (
                f"overlaps the text before it, which ends at {at}"
                if gap < 0
                else f"leaves more than {MAX_FILL} characters without text"
            )
            raise ClinpromptError(
                "CP-DOC-203",
                f"document '{shown(document)}': the text at offset {piece.offset} {why}",
                file=place,
                hint="do the offsets count characters, or bytes?",
            )
        parts += [piece.fill * gap, piece.text]
        size += gap
        spans.append((size, size + len(piece.text)))
        size += len(piece.text)
        length = len(piece.text.encode("utf-8")) if unit == "bytes" else len(piece.text)
        at = piece.offset + length
    return "".join(parts), spans


def covering(document: Document, place: str) -> Document:
    """The document, which is `sound`, and each fragment of whose mentions covers some text.

    Raises:
        ClinpromptError: CP-DOC-101 for a fragment that does not, and what `sound` raises.
    """
    sound(document)
    for one in document.mentions:
        where = f"document '{shown(document.id)}', mention '{shown(one.id)}'"
        ordered(one.spans, file=place, name=where)
    return document


def sound(document: Document) -> Document:
    """The document, which keeps the rules of `model` and can be written as UTF-8.

    Raises:
        ClinpromptError: CP-DOC-300 if it breaks a rule, CP-DOC-204 if it holds half of a surrogate
            pair.
    """
    try:
        json.dumps(to_record(document), ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as error:
        raise ClinpromptError(
            "CP-DOC-204", f"document '{shown(document.id)}' holds half of a surrogate pair"
        ) from error
    return document
