"""Lines of CoNLL files: columns, comments, ``-DOCSTART-``, and sentences of tokens with tags."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from clinprompt.documents import bio
from clinprompt.errors import ClinpromptError
from clinprompt.report import Report

DOCSTART = "-DOCSTART-"
COLUMNS = range(2, 5)
_START = re.compile(rf"{DOCSTART}(?:[ \t]+\((.*)\))?(?=[ \t]|$)")
_SPACES = re.compile(" +")
_TAG = re.compile(r"O|[BIESLU](?:-.+)?")


@dataclass
class Sentence:
    """Tokens with their tags, and the file's line of each."""

    lines: list[int] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)


@dataclass
class Part:
    """The sentences of one document; `name` is what its ``-DOCSTART-`` line calls it."""

    name: str | None
    sentences: list[Sentence] = field(default_factory=list)


def cells_of(line: str) -> list[str]:
    """The columns of a line: apart by tabs, or where there is none, by blanks."""
    return line.split("\t") if "\t" in line else _SPACES.split(line.strip(" "))


def opens_document(line: str) -> bool:
    """Whether a line is a ``-DOCSTART-`` line, with or without a name and further columns."""
    return line.startswith(DOCSTART) and _START.match(line) is not None


def is_comment(line: str) -> bool:
    """Whether a line that starts with ``#`` is a comment, not the token ``#`` or ``#...``.

    ``# key = value`` is one. So is a line without tabs that does not end in a tag.
    """
    if not line.startswith("#"):
        return False
    first, tab, _ = line.partition("\t")
    if first.startswith("# ") and " = " in first:
        return True
    cells = cells_of(line)
    return not tab and (len(cells) < 2 or _TAG.fullmatch(cells[-1]) is None)


def parse(text: str, file: str, report: Report) -> list[Part]:
    """The documents of a file.  Comments and columns between token and tag are counted.

    A file without ``-DOCSTART-`` lines is one document, called None.

    Raises:
        ClinpromptError: CP-DOC-140 a line of another number of columns, or without token.
    """
    parts: list[Part] = []
    open_sentence = False
    columns = between = 0
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.rstrip("\r")
        start = _START.match(line) if line.startswith(DOCSTART) else None
        if start is not None:
            parts.append(Part(start[1]))
        if start is not None or not line.strip():
            open_sentence = False
            continue
        if is_comment(line):
            report.skip("comment line left out", file, number)
            continue
        cells = [cell.strip() for cell in cells_of(line)]
        columns = columns or len(cells)
        _check(cells, columns, file, number)
        between += len(cells) - 2
        if not parts:
            parts.append(Part(None))
        if not open_sentence:
            parts[-1].sentences.append(Sentence())
            open_sentence = True
        sentence = parts[-1].sentences[-1]
        sentence.lines.append(number)
        sentence.tokens.append(cells[0])
        sentence.tags.append(cells[-1])
    report.skip("cells between token and tag left out", file, count=between)
    return parts


def _check(cells: list[str], columns: int, file: str, number: int) -> None:
    problem = None
    if len(cells) not in COLUMNS:
        problem = f"{len(cells)} columns, not {COLUMNS[0]} to {COLUMNS[-1]}"
    elif len(cells) != columns:
        problem = f"{len(cells)} columns, but {columns} in the lines before"
    elif not cells[0]:
        problem = "empty token"
    if problem is not None:
        raise ClinpromptError("CP-DOC-140", problem, file=file, line=number)


def sentences(parts: list[Part]) -> Iterator[Sentence]:
    """The sentences of all documents."""
    return (sentence for part in parts for sentence in part.sentences)


# ---- tags --------------------------------------------------------------------------------------

UNTYPED = "Entity"
_PREFIXED = re.compile(r"[BIESLU]-.+")
_LABEL = re.compile(r"(?![BIESLU]-$)[^\W\d_][\w.:/&+-]*")


@dataclass(frozen=True)
class Tagging:
    """How the tags of a file are to be read (see `bio.decode`), found by `tagging_of`.

    Attributes:
        scheme: bio2 if that fits, else the first of bio1, io and bioes that does.
        plain: whether tags are types without a letter (``Drug``), as in some IO files.
    """

    scheme: bio.Scheme
    plain: bool = False

    def parsed(self, tag: str) -> tuple[str, str]:
        """Letter and label of a tag of the file."""
        if self.plain and tag != "O":
            return "I", tag
        letter, _, label = tag.partition("-")
        return letter, "" if tag == "O" else label or UNTYPED


def tagging_of(parts: list[Part], file: str) -> Tagging:
    """The scheme of a file, told by its tags.

    BIO1, BIO2 and IO tags that follow their scheme mean the same chunks however they are read, so
    only the letters of BIOES (and BILOU) make a difference to what is read; which of the others
    it is tells which tags break the scheme.

    Raises:
        ClinpromptError: CP-DOC-141 for a tag of no scheme.
    """
    tags = {tag for sentence in sentences(parts) for tag in sentence.tags}
    odd = {tag for tag in tags if _TAG.fullmatch(tag) is None}
    if odd:
        plain = "O" in tags and not any(_PREFIXED.fullmatch(tag) for tag in tags)
        if plain and all(_LABEL.fullmatch(tag) for tag in tags):
            return Tagging("io", plain=True)
        for sentence in sentences(parts):
            for line, tag in zip(sentence.lines, sentence.tags, strict=True):
                if tag in odd:
                    raise ClinpromptError(
                        "CP-DOC-141",
                        "the last column is no tag (O, B-TYPE, I-TYPE, E-TYPE, S-TYPE)",
                        file=file,
                        line=line,
                    )
    letters = {tag[0] for tag in tags} - {"O"}
    if letters & set("ESLU"):
        return Tagging("bioes")
    if "B" not in letters:
        return Tagging("io")
    two = Tagging("bio2")
    if not any(_broken(sentence, two) for sentence in sentences(parts)):
        return two
    one = Tagging("bio1")
    return two if any(_broken(sentence, one) for sentence in sentences(parts)) else one


def _broken(sentence: Sentence, tagging: Tagging) -> bool:
    """Whether tags break scheme bio2, or are not what bio1 would write for the same chunks."""
    chunks, broken = bio.decode([tagging.parsed(tag) for tag in sentence.tags], tagging.scheme)
    if tagging.scheme == "bio2":
        return bool(broken)
    letters = [tag[0] for tag in bio.encode(chunks, len(sentence.tags), "bio1")]
    return letters != [tag[0] for tag in sentence.tags]
