"""``clinprompt view``: annotated documents as pages for a browser."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from clinprompt.cli import collections as shared
from clinprompt.cli.output import note, number


def view(
    source: shared.Source,
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Folder for the pages.", show_default=False)
    ],
    from_: shared.From = None,
    encoding: shared.Encoding = "utf-8",
    offsets: shared.Offsets = "characters",
    mismatch: shared.Mismatch = "refuse",
    force: shared.Force = False,
    places: shared.Places = 3,
) -> None:
    """Write a static HTML page a document, with highlighted mentions, and an index.

    Open index.html in a browser. The pages need no network and no JavaScript.
    """
    from clinprompt.documents import conversion, formats
    from clinprompt.documents.formats import WriteOptions
    from clinprompt.report import Report

    reading = shared.read_options(encoding, offsets, mismatch)
    read_as = shared.source_format(source, from_)
    report, counts = Report(), Counter[str]()
    documents = conversion.distinct(formats.read(read_as, source, report, reading))
    conversion.write_whole(
        "html",
        source,
        output,
        shared.counted(documents, counts),
        report,
        WriteOptions(),
        force=force,
    )
    shared.print_report(report, places)
    note(f"{number(counts['documents'])} documents; open {output / 'index.html'}")
