"""Errors a user can cause: a short code, what was wrong, where, and what to do.

The command line prints ``str(error)`` without a traceback and leaves with exit code 2.
Text of a note never goes into a message: quote ids, labels, offsets and line numbers instead.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path


class ClinpromptError(Exception):
    """A user's mistake or an unusable input.

    Args:
        code: unique code of the place that raises it, such as ``CP-DATA-014``.
        message: what is wrong, with the offending value.
        file: file the problem stands in.
        line: its line, counted from 1.
        hint: what to do about it.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        file: str | Path | None = None,
        line: int | None = None,
        hint: str | None = None,
    ) -> None:
        self.code, self.message, self.hint = code, message, hint
        self.file = None if file is None else str(file)
        self.line = line
        super().__init__(str(self))

    def __str__(self) -> str:
        where = "" if self.file is None else self.file
        if self.line is not None:
            where = f"{where}:{self.line}"
        head = f"[{self.code}] " + (f"{where}: " if where else "")
        return head + self.message + (f"; {self.hint}" if self.hint else "")


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A hint that names the nearest known word, else the known words (at most twelve)."""
    options = sorted(set(known))
    near = difflib.get_close_matches(name, options, n=1, cutoff=0.5)
    if near:
        return f"did you mean '{near[0]}'?"
    shown = ", ".join(options[:12]) + (", ..." if len(options) > 12 else "")
    return f"known: {shown}" if options else "none are known"
