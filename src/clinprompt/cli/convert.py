"""``clinprompt convert``: documents from one format to another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from clinprompt.cli import collections as shared
from clinprompt.cli.options import AsJson
from clinprompt.cli.output import heading, note, print_json

if TYPE_CHECKING:
    from clinprompt.documents.model import Document
    from clinprompt.errors import ClinpromptError


def convert(
    source: shared.Source,
    target: Annotated[
        Path, typer.Argument(help="File or folder that is written.", show_default=False)
    ],
    from_: shared.From = None,
    to: Annotated[
        str | None,
        typer.Option(
            help="Format it is written in. Default: by the name of the file.", show_default=False
        ),
    ] = None,
    encoding: shared.Encoding = "utf-8",
    offsets: shared.Offsets = "characters",
    mismatch: shared.Mismatch = "refuse",
    scheme: Annotated[
        Literal["BIO", "BIO2", "IO", "BIOES"], typer.Option(help="conll: the tags.")
    ] = "BIO2",
    schema: Annotated[
        Literal["KB", "QA", "TE", "T2T", "TEXT", "PAIRS"] | None,
        typer.Option(help="bigbio: the schema. Default: by what there is.", show_default=False),
    ] = None,
    artefact: Annotated[
        str | None,
        typer.Option(
            help="omop, fhir: digest of the prompts that made the annotations.", show_default=False
        ),
    ] = None,
    made: Annotated[
        str | None,
        typer.Option(
            help="omop, fhir: when they were made (2024-05-01T12:00:00Z). Default: now.",
            show_default=False,
        ),
    ] = None,
    note_ids: Annotated[
        Literal["refuse", "number"],
        typer.Option(
            help="omop: where documents aren't named by their note_id: an error, or number all."
        ),
    ] = "refuse",
    resource: Annotated[
        list[str] | None,
        typer.Option(
            help="fhir: LABEL=Condition, LABEL=Observation or LABEL=none; may be repeated.",
            show_default=False,
        ),
    ] = None,
    validate: Annotated[
        bool, typer.Option("--validate", help="fhir: check each bundle (needs fhir.resources).")
    ] = False,
    formulas: Annotated[
        Literal["mark", "keep"],
        typer.Option(help="csv: cells that a spreadsheet would run as a formula."),
    ] = "mark",
    keep_going: Annotated[
        bool,
        typer.Option(
            "--keep-going", help="Convert the other documents where one fails. Leaves with 1 then."
        ),
    ] = False,
    force: shared.Force = False,
    places: shared.Places = 3,
    as_json: AsJson = False,
) -> None:
    """Convert annotated documents; what the new format can't hold is counted and listed.

    The first error stops it and leaves nothing behind, unless --keep-going is given.
    """
    from clinprompt.documents import conversion, formats, guess
    from clinprompt.documents.formats import WriteOptions
    from clinprompt.report import Report

    reading = shared.read_options(encoding, offsets, mismatch)
    read_as = shared.source_format(source, from_)
    write_as = to or guess.target(target)
    writing = WriteOptions(
        artefact=artefact,
        scheme=scheme,
        schema=schema,
        made=_moment(made),
        formulas=formulas,
        note_ids=note_ids,
        resources=tuple(_pair(one) for one in resource or ()),
        validate=validate,
    )
    report, counts = Report(), Counter[str]({"documents": 0, "characters": 0})
    failed: list[ClinpromptError] = []

    def fail(error: ClinpromptError) -> None:
        failed.append(error)
        note(str(error))

    documents: Iterator[Document]
    if keep_going:
        documents = conversion.read_each(read_as, source, report, reading, fail)
        documents = conversion.writable(documents, write_as, target, writing, fail)
    else:
        documents = formats.read(read_as, source, report, reading)
    if formats.find(write_as).folder:
        documents = conversion.distinct(documents, fail if keep_going else None)
    documents = shared.counted(documents, counts)
    conversion.write_whole(write_as, source, target, documents, report, writing, force=force)
    if as_json:
        print_json(
            {
                "from": read_as,
                "to": write_as,
                **counts,
                "report": shared.report_json(report, places),
                "failed": [shared.printable(str(error)) for error in failed],
            }
        )
    else:
        heading(shared.printable(f"{read_as} to {write_as}: {target}"))
        shared.print_counts(counts)
        shared.print_report(report, places)
        if failed:
            note(f"{len(failed)} could not be converted (see above)")
    if failed:
        raise typer.Exit(1)


def _moment(made: str | None) -> datetime | None:
    """The moment an option names, in UTC where it names no zone.

    Raises:
        ClinpromptError: CP-CLI-102 if it is none.
    """
    from clinprompt.errors import ClinpromptError

    if made is None:
        return None
    try:
        return datetime.fromisoformat(made)
    except ValueError:
        raise ClinpromptError(
            "CP-CLI-102", f"--made: '{made}' is no moment", hint="such as 2024-05-01T12:00:00Z"
        ) from None


def _pair(given: str) -> tuple[str, str]:
    """A label and a resource.

    Raises:
        ClinpromptError: CP-CLI-103 if there is no ``=`` between them.
    """
    from clinprompt.errors import ClinpromptError

    label, equals, name = given.rpartition("=")
    if not equals or not label:
        raise ClinpromptError(
            "CP-CLI-103", f"--resource: '{given}' is not LABEL=Condition or the like"
        )
    return label, name
