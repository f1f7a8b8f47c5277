"""Tables with one pair of mentions a row, their offsets and their relation (RE pairs)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from clinprompt.corpora.checks import known_label, shown
from clinprompt.corpora.delimited import read_rows
from clinprompt.corpora.offsets import OnMismatch, Unescaped, mention_problem, refuse
from clinprompt.corpora.registry import Options, Source, reader
from clinprompt.errors import ClinpromptError, did_you_mean
from clinprompt.examples import Entity, Example, LabelAnswer, PairInput

Row = Mapping[str, str]


class MentionColumns(BaseModel):
    """Names of the columns of one mention.  Offsets count code points of the text as it lies in
    the file; the end is exclusive.

    Attributes:
        type: the type of all mentions in these columns (not a column).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    start: str
    end: str
    type: str
    surface: str | None = None
    concept: str | None = None


class Review(BaseModel):
    """A column in which people judged the label.

    Attributes:
        column: its name.  Splits without it keep their labels.
        keep: the label was found right.
        flip: it was found wrong, so the other of the two labels is right.
        drop: they couldn't tell: the row is left out.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    column: str
    keep: str
    flip: str
    drop: str


class PairTableOptions(Options):
    """Options of reader "pair-table".

    Attributes:
        document, text, label: names of columns.
        document_prefix: what stands before the document's id.
        labels: what stands in the file, in lower case -> label on the card.
        unescape: resolve HTML character references such as ``&lt;``; offsets move along.
        repeated: what to do with a row that has the text, mentions and label of an earlier one.
        on_mismatch: what to do with a row whose offsets are wrong.
        delimiter, quoting: see `delimited.read_rows`.
    """

    document: str
    text: str
    head: MentionColumns
    tail: MentionColumns
    label: str
    labels: dict[str, str]
    document_prefix: str = ""
    review: Review | None = None
    unescape: bool = False
    repeated: Literal["keep", "skip"] = "keep"
    on_mismatch: OnMismatch = "error"
    delimiter: str = Field(default="\t", min_length=1, max_length=1)
    quoting: bool = False

    @model_validator(mode="after")
    def _two_labels(self) -> PairTableOptions:
        if self.review is not None and len(set(self.labels.values())) != 2:
            raise ValueError("review: its `flip` needs exactly two labels")
        return self


@reader("pair-table", PairTableOptions)
def read_pair_table(source: Source, options: PairTableOptions) -> Iterator[Example]:
    """One example a row, in the order of the files.

    Raises:
        ClinpromptError: CP-DATA-020 wrong offsets, CP-DATA-032 a malformed header or row,
            CP-DATA-033 an offset that is not a number, CP-DATA-051 an unknown label or judgement,
            and what `read_rows` raises.
    """
    earlier: dict[PairInput, str] = {}
    for file in source.files:
        for line, row in _rows(file, options):
            if not row[options.text].strip():
                source.report.skip("empty text", file, line)
                continue
            pair, problem = _pair(row, options, file, line)
            if problem:
                where = f"document {shown(row[options.document])}"
                refuse(problem, options.on_mismatch, source.report, file, line, where)
                continue
            label = _label(row, options, file, line)
            if label is None:
                source.report.skip("row that the reviewers could not judge", file, line)
                continue
            if earlier.get(pair, label) != label:
                source.report.skip("pair labelled otherwise in an earlier row, kept", file, line)
            elif pair in earlier and options.repeated == "skip":
                source.report.skip("repeated row left out", file, line)
                continue
            earlier[pair] = label
            yield Example(
                source.place(file, line),
                options.document_prefix + row[options.document],
                pair,
                LabelAnswer(label),
            )


def _rows(file: Path, options: PairTableOptions) -> Iterator[tuple[int, Row]]:
    """The rows below the header, each with its line, as column -> cell."""
    header: list[str] = []
    for line, cells in read_rows(
        file, delimiter=options.delimiter, quoting=options.quoting, encoding=options.encoding
    ):
        problem = hint = None
        if not header:
            header = cells
            needed = [options.document, options.text, options.label]
            for side in (options.head, options.tail):
                needed += [side.start, side.end, *filter(None, (side.surface, side.concept))]
            missing = [name for name in needed if name not in header]
            if missing:
                problem = f"no column '{missing[0]}'"
                hint = did_you_mean(missing[0], (shown(name).strip("'") for name in header))
        elif len(cells) != len(header):
            problem = f"{len(cells)} columns, but the header has {len(header)}"
        else:
            yield line, dict(zip(header, cells, strict=True))
        if problem:
            raise ClinpromptError("CP-DATA-032", problem, file=file, line=line, hint=hint)


def _pair(
    row: Row, options: PairTableOptions, file: Path, line: int
) -> tuple[PairInput, str | None]:
    """The row's pair, and what is wrong with its offsets (None: nothing)."""
    raw = row[options.text]
    plain = Unescaped(raw) if options.unescape else None
    mentions = []
    problem = None
    for columns in (options.head, options.tail):
        offsets = [_number(row, name, file, line) for name in (columns.start, columns.end)]
        concept = row[columns.concept] if columns.concept is not None else None
        mention = Entity(((offsets[0], offsets[1]),), columns.type, concept or None)
        surface = row[columns.surface] if columns.surface is not None else None
        problem = problem or mention_problem(raw, mention, surface)
        if plain is not None:
            start, end = (plain.offset(offset) for offset in offsets)
            if start is None or end is None:
                problem = problem or f"offsets {offsets[0]}-{offsets[1]} cut a character reference"
            else:
                mention = Entity(((start, end),), columns.type, concept or None)
        mentions.append(mention)
    return PairInput(plain.text if plain is not None else raw, *mentions), problem


def _number(row: Row, column: str, file: Path, line: int) -> int:
    if not row[column].strip().isdecimal():
        raise ClinpromptError(
            "CP-DATA-033", f"column '{column}' does not hold a whole number", file=file, line=line
        )
    return int(row[column])


def _label(row: Row, options: PairTableOptions, file: Path, line: int) -> str | None:
    """The row's label, after review; None if the reviewers could not tell."""
    label = known_label(row[options.label].strip().lower(), options.labels, file, line)
    review = options.review
    if review is None or review.column not in row:
        return label
    verdicts = {review.keep: "keep", review.flip: "flip", review.drop: "drop"}
    verdict = known_label(row[review.column].strip(), verdicts, file, line, what="judgement")
    if verdict == "flip":
        (label,) = set(options.labels.values()) - {label}
    return None if verdict == "drop" else label
