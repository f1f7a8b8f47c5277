"""What a report consists of, whatever it is written as: sections of text, tables and pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from clinprompt.experiments.report.looks import Look
from clinprompt.experiments.report.svg import Picture

Kind = Literal[
    "", "best", "win", "loss", "tie", "open", "missing", "failed", "absent", "total", "bad"
]


@dataclass(frozen=True)
class Cell:
    """A cell of a table.

    Attributes:
        main: what it says.
        small: what stands below in small print (an interval, a count).
        kind: what it means; never said by colour alone.
        hint: shown when the mouse rests on it.
        look: the marker that stands before it.
    """

    main: str
    small: str = ""
    kind: Kind = ""
    hint: str = ""
    look: Look | None = None


@dataclass(frozen=True)
class Column:
    """A column's heading; numbers are aligned to the right."""

    title: str
    small: str = ""
    number: bool = True


@dataclass(frozen=True)
class Group:
    """Rows with a common heading ("" for none)."""

    title: str
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True)
class Table:
    """A table; the first column heads its rows."""

    caption: str
    columns: tuple[Column, ...]
    groups: tuple[Group, ...]

    @classmethod
    def plain(
        cls, caption: str, columns: Sequence[Column], rows: Sequence[Sequence[Cell]]
    ) -> Table:
        """A table of one group without heading."""
        return cls(caption, tuple(columns), (Group("", tuple(tuple(row) for row in rows)),))


@dataclass(frozen=True)
class Text:
    """A paragraph. A "warning" is framed; a "quote" is text of a note."""

    content: str
    kind: Literal["", "note", "warning", "heading"] = ""


@dataclass(frozen=True)
class Points:
    """A list."""

    items: tuple[str, ...]


@dataclass(frozen=True)
class Code:
    """Text as it is, such as a configuration."""

    content: str


@dataclass(frozen=True)
class Example:
    """Texts of one example of the data: sensitive. Never written to Markdown.

    Attributes:
        heading: its id and scores.
        texts: what, and the text.
    """

    heading: str
    texts: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Folded:
    """Blocks that are shown on demand in the page."""

    title: str
    blocks: tuple[Text | Points | Table | Picture | Code | Example, ...]
    in_markdown: bool = True


AnyBlock = Text | Points | Table | Picture | Code | Example | Folded


@dataclass(frozen=True)
class Section:
    """A part of the report with a heading of its own; `name` is its address in the page."""

    name: str
    title: str
    blocks: tuple[AnyBlock, ...]


def plural(count: int, what: str) -> str:
    """Such as ``1 cell`` and ``1,204 cells``."""
    return f"{count:,} {what}" + ("" if count == 1 else "s")


def interval(low: float | None, high: float | None) -> str:
    """An interval, one decimal, "" without one."""
    if low is None or high is None:
        return ""
    return f"[{number(low)}, {number(high)}]"


def number(value: float) -> str:
    """A score with one decimal and a real minus sign."""
    text = f"{value:.1f}"
    return "0.0" if text == "-0.0" else text.replace("-", "−")


def signed(value: float) -> str:
    """A difference: with its sign, one decimal."""
    text = number(value)
    return text if text.startswith("−") or text == "0.0" else f"+{text}"
