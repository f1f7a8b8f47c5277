"""What commands print: tables for people, plain columns for pipes, JSON for programs.

Note text is printed as it is: rich markup in it is never interpreted.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any


def print_json(value: Any) -> None:
    """One JSON document on stdout."""
    print(json.dumps(value, indent=2, ensure_ascii=False))


def number(value: float) -> str:
    """A whole number with thousands separators."""
    return f"{value:,.0f}"


def heading(text: str) -> None:
    """A line that begins a new part of the output."""
    if not sys.stdout.isatty():
        print(f"\n== {text}")
        return
    from rich.console import Console
    from rich.rule import Rule
    from rich.text import Text

    Console().print(Rule(Text(text, style="bold"), align="left", style="dim"))


def print_table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[str] = ()
) -> None:
    """A table: with lines and wrapping in a terminal, aligned plain columns elsewhere.

    Args:
        columns: headers; all of them empty for a table without a header.
        rows: cells, as many a row as there are columns.
        right: headers of the columns that are aligned to the right.
    """
    if not sys.stdout.isatty():
        _print_plain(columns, rows, right)
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(
        box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False, show_header=any(columns)
    )
    for column in columns:
        table.add_column(Text(column), justify="right" if column in right else "left")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    Console().print(table)


def _print_plain(
    columns: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[str]
) -> None:
    widths = [max(map(len, cells)) for cells in zip(columns, *rows, strict=True)]
    for row in (columns, *rows) if any(columns) else rows:
        cells = [
            cell.rjust(width) if column in right else cell.ljust(width)
            for cell, width, column in zip(row, widths, columns, strict=True)
        ]
        print("  ".join(cells).rstrip())


def note(text: str) -> None:
    """Progress or a remark: on stderr, so that stdout holds the result alone."""
    print(text, file=sys.stderr, flush=True)
