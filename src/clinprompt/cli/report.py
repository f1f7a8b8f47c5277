"""``clinprompt report``: a comparison as one HTML file, Markdown and pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clinprompt.cli.output import note, number


def report(
    folder: Annotated[
        Path, typer.Argument(help="Folder that clinprompt compare wrote.", show_default=False)
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            help="Folder for the report.  [default: report, in the comparison's folder]",
            show_default=False,
        ),
    ] = None,
    with_text: Annotated[
        bool,
        typer.Option(
            "--with-text",
            help="Show the texts of the worst errors in the page. They are text of the data.",
        ),
    ] = False,
) -> None:
    """Write the report of a comparison, finished or not: report.html, report.md and pictures.

    The page needs no network and no JavaScript. A report that is there already is replaced.
    """
    from clinprompt.experiments.report import writing
    from clinprompt.experiments.report.problems import counts

    made = writing.make(folder, with_text=with_text)
    out = folder / "report" if output is None else output
    writing.write(made, out)
    found = counts(made.results)
    total = len(made.results.slots)
    note(f"{number(found['done'])} of {number(total)} cells are finished")
    for kind, said in (("failed", "failed"), ("missing", "not run yet"), ("outdated", "outdated")):
        if found[kind]:
            note(f"{number(found[kind])} {said}: shown as missing")
    if with_text:
        note(f"{out / writing.HTML} holds text of the data: treat it like the data")
    print(out / writing.HTML)
