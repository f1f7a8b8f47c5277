"""``clinprompt stats``: what a collection of documents holds."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from clinprompt.cli import collections as shared
from clinprompt.cli.options import AsJson
from clinprompt.cli.output import heading, number, print_json, print_table

if TYPE_CHECKING:
    from clinprompt.documents.statistics import LabelCounts, Lengths, Statistics

_MOST = 20  # rows of a table of names


def stats(
    source: shared.Source,
    from_: shared.From = None,
    encoding: shared.Encoding = "utf-8",
    offsets: shared.Offsets = "characters",
    mismatch: shared.Mismatch = "refuse",
    places: shared.Places = 3,
    as_json: AsJson = False,
) -> None:
    """Count documents, characters, mentions by label, relations, events and attributes."""
    from clinprompt.documents import formats
    from clinprompt.documents.statistics import statistics
    from clinprompt.report import Report

    reading = shared.read_options(encoding, offsets, mismatch)
    read_as = shared.source_format(source, from_)
    report = Report()
    found = statistics(formats.read(read_as, source, report, reading))
    if as_json:
        remarks = shared.report_json(report, places)
        print_json({"format": read_as, **found.as_json(), "report": remarks})
        return
    _print(found)
    shared.print_report(report, places)


def _print(found: Statistics) -> None:
    from clinprompt.documents.statistics import Lengths

    heading("documents")
    sizes = Lengths.of(found.sizes)
    rows = [
        ["documents", number(len(found.sizes))],
        ["with annotations", number(found.annotated)],
        ["characters", number(sum(found.sizes))],
        ["characters a document", _lengths(sizes)],
        ["comments", number(found.comments)],
        ["equivalences", number(found.equivalences)],
    ]
    print_table(["", ""], rows, right=[])
    if found.labels:
        _print_labels(found)
    _print_names("relations", found.relations)
    _print_names("events", found.events)
    _print_names("attributes", found.attributes)
    _print_names("concepts by vocabulary", found.concepts)
    _print_names("passages", found.passages)


def _print_labels(found: Statistics) -> None:
    heading("mentions")
    columns = ["label", "mentions", "documents", "discontinuous", "nested", "overlapping"]
    columns += ["coinciding", "characters: min, median, mean, max"]
    ranked = sorted(found.labels.items(), key=lambda pair: (-pair[1].mentions, pair[0]))
    rows = [_row(label, counts) for label, counts in ranked]
    if len(rows) > 1:
        rows.append(_row("all", found.mentions))
    print_table(columns, rows, right=columns[1:])


def _row(label: str, counts: LabelCounts) -> list[str]:
    from clinprompt.documents.statistics import Lengths

    numbers = [counts.mentions, counts.documents, counts.discontinuous, counts.nested]
    numbers += [counts.overlapping, counts.coinciding]
    return [label, *map(number, numbers), _lengths(Lengths.of(counts.lengths))]


def _lengths(lengths: Lengths | None) -> str:
    if lengths is None:
        return "-"
    parts = [number(lengths.minimum), f"{lengths.median:,g}", f"{lengths.mean:,.1f}"]
    return ", ".join([*parts, number(lengths.maximum)])


def _print_names(title: str, counts: Counter[str]) -> None:
    if not counts:
        return
    heading(title)
    ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    rows = [[name or "(none)", number(count)] for name, count in ranked[:_MOST]]
    if len(ranked) > _MOST:
        rest = sum(count for _, count in ranked[_MOST:])
        rows.append([f"{len(ranked) - _MOST} more", number(rest)])
    print_table(["name", "count"], rows, right=["count"])
