"""What the commands on collections of documents have in common: options, reading, reporting."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from clinprompt.cli.output import heading, note, number, print_table

if TYPE_CHECKING:
    from clinprompt.documents.formats import ReadOptions
    from clinprompt.documents.model import Document
    from clinprompt.report import Report

Source = Annotated[
    Path,
    typer.Argument(help="A file, folder or archive (zip, tar).", show_default=False),
]
From = Annotated[
    str | None,
    typer.Option(
        "--from",
        help="Format it is read as. Default: by file names, where they leave no doubt.",
        show_default=False,
    ),
]
Encoding = Annotated[str, typer.Option(help="Encoding of text files that are read.")]
Offsets = Annotated[
    Literal["characters", "bytes"], typer.Option(help="What the offsets of the files count.")
]
Mismatch = Annotated[
    Literal["refuse", "realign"],
    typer.Option(
        help="Where an annotation quotes other text than its offsets cover: an error, or it is "
        "moved to the nearest place with the quoted text, and counted."
    ),
]
Places = Annotated[int, typer.Option(min=0, help="Places that are listed of each kind of remark.")]
Force = Annotated[bool, typer.Option("--force", help="Write over files that are there.")]


def read_options(
    encoding: str, offsets: Literal["characters", "bytes"], mismatch: Literal["refuse", "realign"]
) -> ReadOptions:
    """The options as a reader wants them.

    Raises:
        ClinpromptError: CP-CLI-100 an unknown encoding.
    """
    import codecs

    from clinprompt.documents.formats import ReadOptions
    from clinprompt.errors import ClinpromptError

    try:
        text = codecs.lookup(encoding)._is_text_encoding  # rot13, base64 and the like are none
    except (LookupError, ValueError):
        text = False
    if not text:
        raise ClinpromptError(
            "CP-CLI-100", f"--encoding: unknown encoding '{encoding}'", hint="such as utf-8, cp1252"
        )
    return ReadOptions(encoding, offsets, mismatch)


def source_format(source: Path, name: str | None) -> str:
    """The format by name, or by the names of the files.

    Raises:
        ClinpromptError: CP-DOC-010, CP-DOC-011 not readable, CP-DOC-001, CP-DOC-340.
    """
    from clinprompt.documents import formats, guess

    try:
        there = source.exists()
    except OSError:  # a name that is too long
        there = False
    if not there:
        from clinprompt.documents.store import members

        members(source)  # says what is wrong
    if name is None:
        found = guess.source(source)
        note(f"reading {source} as {found}")
        return found
    one = formats.find(name)
    if one.read is None:  # says what can be read
        next(formats.read(name, source, _no_report()))
    return name


def _no_report() -> Report:
    from clinprompt.report import Report

    return Report()


def counted(documents: Iterable[Document], counts: Counter[str]) -> Iterator[Document]:
    """The same documents; they, their characters and annotations are added to `counts`."""
    from clinprompt.documents.record import KIND_OF

    for document in documents:
        counts["documents"] += 1
        counts["characters"] += len(document.text)
        counts.update(KIND_OF[type(one)] + "s" for one in document.annotations)
        yield document


def report_json(report: Report, places: int) -> list[dict[str, Any]]:
    """All remarks by reason, with up to `places` places each."""
    return [
        {"reason": reason, "count": count, "places": _places(report, reason, places)}
        for reason, count in sorted(report.counts.items(), key=lambda pair: (-pair[1], pair[0]))
    ]


def printable(line: str) -> str:
    """The line with what is no UTF-8 written as ``\\udce9``, as names of old files may have it."""
    return line.encode("utf-8", "backslashreplace").decode("utf-8")


def _places(report: Report, reason: str, limit: int) -> list[str]:
    found: dict[str, None] = {}
    for problem in report.problems:
        if len(found) >= limit:
            break
        if problem.reason == reason:
            line = "" if problem.line is None else f":{problem.line}"
            detail = f" ({problem.detail})" if problem.detail else ""
            found[printable(f"{problem.file}{line}{detail}")] = None
    return list(found)


def print_counts(counts: Counter[str]) -> None:
    """What went through, one line a kind."""
    rows = [[name, number(count)] for name, count in counts.items()]
    print_table(["", "count"], rows, right=["count"])


def print_report(report: Report, places: int) -> None:
    """What was left out or changed on the way; nothing if there was none."""
    if not report.counts:
        return
    heading("left out or changed")
    rows = []
    for one in report_json(report, places):
        rows.append([number(one["count"]), one["reason"]])
        rows += [["", f"  {place}"] for place in one["places"]]
    print_table(["count", "what"], rows, right=["count"])
