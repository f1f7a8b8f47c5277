r"""Where the sections of a clinical note begin, from the look of its lines alone.

A line opens a section in one of these forms (a *known* name is one of `headers.KNOWN`; letter case
plays no part in it):

==================================  ===============================================================
``# Plan``, ``**Plan**``, ``=Plan=``  marked as in Markdown or a wiki, any name
``Plan`` over ``----`` or ``====``    underlined, any name
``Past Medical History:``             a name alone on its line, with a colon: known, or capitalised
``PMH: asthma``                       with content behind it: known, or in capitals
``Plan - rest``                       the same with a dash: known
``Assessment and Plan``               alone on its line without a colon: known
``HOSPITAL COURSE``                   alone in capitals: known, or behind an empty line
``1. Assessment``, ``II) PLAN:``      numbered: if the rest opens a section and is known, or
                                      in capitals
==================================  ===============================================================

A name has at most eight words and no full stop, so sentences, list items and results stay what they
are. What is missed costs little: windows end at sentences as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from clinprompt.examples import Span
from clinprompt.inference.windows.headers import known

_MOST_WORDS, _MOST_CHARACTERS = 8, 80
_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_MARKED = re.compile(r"(\*\*|__|={1,6})[ \t]*(?P<name>[^*_=]+?)[ \t]*\1(?P<colon>[ \t]*:)?")
_HASH = re.compile(r"#{1,6}[ \t]+(?P<name>[^\s#].*?)[ \t#]*$")
_UNDERLINE = re.compile(r"[ \t]*(?:-{3,}|={3,}|~{3,}|_{3,})\s*$")
_NUMBER = re.compile(r"(?:\d{1,2}|[IVX]{1,5}|[A-H])[.)][ \t]+")
_NAME = re.compile(r"[^\W\d_][^.;?!\[\]{}<>|=]*")
_SMALL = frozenset("a an and at by for from in of on or other the this to with".split())


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a note.

    Attributes:
        span: from its header to the next section's, white space included.
        header: its name as it is written, without number, colon and marks; "" in front of the
            first header.
        body: where the text behind the header begins; for a header alone on its line that is
            the next line.
    """

    span: Span
    header: str
    body: int


def sections(text: str) -> list[Section]:
    """The sections of a note, in order; together they cover the text exactly."""
    opened = list(_openings(text))
    if text and (not opened or opened[0][0] > 0):
        opened.insert(0, (0, "", 0))
    ends = [start for start, _, _ in opened[1:]] + [len(text)]
    return [
        Section((start, end), name, body)
        for (start, name, body), end in zip(opened, ends, strict=False)
    ]


def _openings(text: str) -> Iterator[tuple[int, str, int]]:
    """Where each section begins, its name, and where its body does."""
    lines = [(match.start(), match.group()) for match in _LINE.finditer(text)]
    for number, (start, line) in enumerate(lines):
        after = lines[number + 1][1] if number + 1 < len(lines) else ""
        before = lines[number - 1][1] if number else ""
        bare = line.strip()
        opened = _title(bare) if _UNDERLINE.match(after) else None
        opened = opened or _header(bare, behind_empty=not before.strip())
        if opened is not None:
            name, content = opened
            indent = len(line) - len(line.lstrip())
            yield start, name, start + (len(line) if content is None else indent + content)


Opened = tuple[str, int | None]  # the name, and where content begins behind it in the line


def _header(line: str, *, behind_empty: bool) -> Opened | None:
    """What a line without white space at its ends opens, if anything."""
    if match := _HASH.match(line):
        title, colon, content = match["name"].partition(":")
        opened = _title(title)
        if opened is None or not colon or not content.strip():
            return opened
        return opened[0], _behind(line, line.index(":") + 1)
    if match := _MARKED.match(line[: 2 * _MOST_CHARACTERS]):
        opened = _title(match["name"].rstrip(": "))
        if opened is None or match.end() == len(line):
            return opened
        said = match["colon"] or match["name"].endswith(":")
        return (opened[0], _behind(line, match.end())) if said else None
    number = _NUMBER.match(line)
    begin = number.end() if number else 0
    title, dash, _ = line[begin : begin + _MOST_CHARACTERS].partition(" - ")
    if dash and known(title):
        return title.strip(), _behind(line, begin + len(title) + len(dash))
    title, colon, content = line[begin:].partition(":")
    opened = _title(title.rstrip())
    if opened is None:
        return None
    name, common, letters = opened[0], known(title), [c for c in title if c.isalpha()]
    capitals = title.isupper() and not any(c.isdigit() for c in title)
    capitals = capitals and (len(letters) > 5 or len(name.split()) > 1)  # NKDA, LDL: 120
    if colon and content.strip():
        return (name, _behind(line, begin + len(title) + 1)) if common or capitals else None
    if common or (capitals and (colon or behind_empty or number)):
        return opened
    return opened if colon and not number and _capitalised(name) else None


def _title(name: str) -> Opened | None:
    """`name` as the name of a section; None if it does not look like one."""
    short = len(name) <= _MOST_CHARACTERS and len(name.split()) <= _MOST_WORDS
    if not short or not _NAME.fullmatch(name) or sum(c.isalpha() for c in name) < 2:
        return None
    return " ".join(name.rstrip(": ").split()), None


def _capitalised(name: str) -> bool:
    return all(word[0].isupper() or word in _SMALL for word in re.findall(r"\w+", name))


def _behind(line: str, place: int) -> int:
    """The first character from `place` on that is no white space."""
    return place + len(line[place:]) - len(line[place:].lstrip())
