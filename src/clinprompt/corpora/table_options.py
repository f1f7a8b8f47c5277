"""What a card may say to the reader ``table``."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from clinprompt.corpora.registry import Options
from clinprompt.corpora.tabular import Format, Layout

Kind = Literal["nli", "label", "choice", "span", "text", "summary"]
ROLES: dict[Kind, tuple[tuple[str, ...], tuple[str, ...]]] = {  # needed, possible
    "nli": (("premise", "hypothesis", "label"), ()),
    "label": (("question", "label"), ("context",)),
    "choice": (("question", "choices", "label"), ("context",)),
    "span": (("question", "context", "answer"), ("start",)),
    "text": (("question", "answer"), ("context", "references")),
    "summary": (("text", "answer"), ("question", "references")),
}


class Columns(BaseModel):
    """What each field of an example is made of (see the module `fields` for what may stand here).

    Attributes:
        id: must be unique in the task, all splits together.
        document: unit of splits and leakage checks. If None it is named by a hash of the text
            that is asked about: premise, text to summarise, context, or question with choices.
        choices: one column for each choice, or one column that holds a list.
        start: offset of the answer in the context, where given (span).
        references: further accepted answers.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = "{@file}:{@row}"
    document: str | None = None
    premise: str | None = None
    hypothesis: str | None = None
    text: str | None = None
    question: str | None = None
    context: str | None = None
    choices: str | list[str] | None = None
    label: str | None = None
    answer: str | None = None
    start: str | None = None
    references: str | list[str] | None = None


class TableOptions(Options):
    """Options of the reader ``table``.

    Attributes:
        example: what a row is: ``nli``, ``label`` (classification, yes/no questions), ``choice``
            (multiple choice), ``span`` (extractive), ``text`` (free answer), ``summary``.
        columns: what fields are made of.
        labels: value in the file -> label on the card; empty if the file has the card's labels.
        correct: how the label of a choice names it: its letter, its number counted from 0 or
            from 1, or its text.
        only: column -> values; other rows are left out and counted.
        empty: whether a row with an empty field is left out and counted, or refused.
        contradictions: whether to keep rows that ask the same and are answered differently, or to
            leave out (and count) all of them.
        html: whether texts hold HTML, which is then turned into plain text (not for spans, whose
            offsets would shift).
        format, delimiter, quoting, header, sheet, records: see `tabular.Layout`.
    """

    # `1: entailment` in YAML is a number; the file's cell is the text "1".
    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)

    example: Kind
    columns: Columns
    labels: dict[str, str] = Field(default_factory=dict)
    correct: Literal["letter", "number0", "number1", "text"] = "letter"
    only: dict[str, list[str]] = Field(default_factory=dict)
    empty: Literal["skip", "refuse"] = "skip"
    contradictions: Literal["keep", "skip"] = "keep"
    html: bool = False
    format: Format | None = None
    delimiter: str | None = None
    quoting: bool = True
    header: bool | list[str] = True
    sheet: str | None = None
    records: str = ""

    @model_validator(mode="after")
    def _roles_fit(self) -> TableOptions:
        needed, possible = ROLES[self.example]
        given = {name for name, value in self.columns if value is not None} - {"id", "document"}
        missing = [name for name in needed if name not in given]
        if missing:
            raise ValueError(f"columns: '{self.example}' examples need {', '.join(missing)}")
        unused = sorted(given - {*needed, *possible})
        if unused:
            raise ValueError(f"columns: '{self.example}' examples have no {', '.join(unused)}")
        if self.html and self.example == "span":
            raise ValueError("html: not possible for 'span' examples")
        if self.delimiter is not None and len(self.delimiter) != 1:
            raise ValueError("delimiter: must be one character")
        return self

    @property
    def layout(self) -> Layout:
        """How records lie in the files."""
        return Layout(
            self.format,
            self.delimiter,
            self.quoting,
            self.header,
            self.sheet,
            self.records,
            self.encoding,
        )
