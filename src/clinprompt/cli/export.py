"""``clinprompt tasks export``: a task's examples as annotated documents."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clinprompt.cli.options import CardName, DataRoot
from clinprompt.cli.output import note, number


def export(
    name: CardName,
    out: Annotated[Path, typer.Option("--out", "-o", help="File or folder to write.")],
    to: Annotated[str, typer.Option(help="Format: brat, bioc-json, ...")] = "brat",
    split: Annotated[str, typer.Option(help="train, dev or test.")] = "test",
    limit: Annotated[
        int | None,
        typer.Option(
            min=1, help="Only a seeded sample: the one of 'evaluate --limit'.", show_default=False
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the sample.")] = 0,
    concepts: Annotated[
        str, typer.Option(help="Vocabulary of concept identifiers that do not name theirs.")
    ] = "MeSH",
    data_root: DataRoot = None,
) -> None:
    """Write a task's examples with their gold annotations, to score 'predict' against."""
    from clinprompt.documents import formats
    from clinprompt.errors import ClinpromptError
    from clinprompt.inference.evaluate import sample
    from clinprompt.inference.notes.gold import gold_documents
    from clinprompt.report import Report
    from clinprompt.tasks import catalogue
    from clinprompt.tasks.loading import load, resolve_data_root

    if out.exists():
        raise ClinpromptError("CP-CLI-170", "is there already", file=out, hint="name another")
    card = catalogue.find(name)
    data = load(card, resolve_data_root(data_root), splits=(split,))
    examples = sample(next(iter(data.splits.values())), limit, seed)
    report = Report()
    documents = list(gold_documents(card, examples, concepts=concepts))
    count = formats.write(to, out, documents, report)
    for reason, times in (data.report.counts + report.counts).most_common():
        note(f"{number(times)} {reason}")
    print(f"{out}: {number(count)} documents as {to}")
