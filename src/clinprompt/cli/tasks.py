"""``clinprompt tasks``: list, show, preview, export, check, leakage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from clinprompt.cli import export as export_command
from clinprompt.cli import leakage as leakage_command
from clinprompt.cli import preview as preview_command
from clinprompt.cli import taskcheck
from clinprompt.cli.options import AsJson, CardName, DataRoot
from clinprompt.cli.output import heading, print_json, print_table

if TYPE_CHECKING:
    from pathlib import Path

    from clinprompt.tasks.card import Card

group = typer.Typer(no_args_is_help=True, help="What can be asked: task cards and their data.")
group.command("export")(export_command.export)
group.command("preview")(preview_command.preview)
group.command("check")(taskcheck.check)
group.command("leakage")(leakage_command.leakage)


@group.command("list")
def list_tasks(
    suite: Annotated[
        str | None, typer.Option(help="Only the tasks of this suite (name or YAML file).")
    ] = None,
    data_root: DataRoot = None,
    as_json: AsJson = False,
) -> None:
    """List the tasks, and whether their data files are there."""
    from clinprompt.tasks import catalogue
    from clinprompt.tasks.loading import resolve_data_root
    from clinprompt.tasks.suite import find_suite

    root = resolve_data_root(data_root)
    chosen = None if suite is None else find_suite(suite)
    cards = catalogue.all_cards() if chosen is None else list(chosen.cards)
    rows: list[dict[str, Any]] = [
        {
            "name": card.name,
            "role": None if chosen is None else chosen.roles[card.name],
            "type": card.type,
            "form": card.form,
            "metric": card.metric,
            "splits": list(card.splits),
            "version": card.version,
            "data": data_state(card, root),
            "access": card.access,
            "license": card.license,
            "title": card.title,
        }
        for card in cards
    ]
    if as_json:
        print_json(rows)
        return
    columns = ["name", "role", "type", "form", "metric", "data", "title"]
    if chosen is None:
        columns.remove("role")
    print_table(columns, [[str(row[column]) for column in columns] for row in rows])


def data_state(card: Card, root: Path | None) -> str:
    """Whether the card's files are there.

    "built in", "found", "needs a local copy" (of data that each user has to get), "missing", or
    "?" if no data root is known.
    """
    from clinprompt.errors import ClinpromptError
    from clinprompt.tasks.local import absent, card_root

    if not card.data.files:
        return "built in"
    try:
        card_root(card, root)
    except ClinpromptError:
        return "?"
    if not absent(card, root):
        return "found"
    return "needs a local copy" if card.obtain else "missing"


@group.command()
def show(name: CardName, data_root: DataRoot = None, as_json: AsJson = False) -> None:
    """Show all that a task's card says."""
    from clinprompt.tasks import catalogue
    from clinprompt.tasks.loading import resolve_data_root

    card = catalogue.find(name)
    state = data_state(card, resolve_data_root(data_root))
    if as_json:
        print_json({**card.model_dump(mode="json"), "state": state})
        return
    heading(f"{card.name} (version {card.version}): {card.title}")
    asked = f"{card.type}, form {card.form}"
    scored = ", ".join([card.metric, *(metric for metric in card.metrics)])
    lines = {
        "asked as": asked,
        "scored by": scored,
        "splits": ", ".join(card.splits),
        "reader": card.data.reader,
        "data": state,
        "access": card.access,
        "how to get it": " ".join(card.obtain.split()),
        "license": card.license,
        "citation": card.citation,
        "homepage": card.homepage,
        "description": card.description.strip(),
    }
    print_table(("", ""), [(key, value) for key, value in lines.items() if value])
    heading("instruction")
    print(card.instruction.strip())
    if card.labels:
        heading("labels")
        names = [(label, words, _arguments(card, label)) for label, words in card.labels.items()]
        print_table(("in the data", "as written", "joins"), names)
    heading("files")
    files = [(split, file) for split, row in card.data.files.items() for file in row]
    print_table(("split", "file"), files or [("all", "none: the reader makes its examples")])
    for rule in card.data.split:
        shares = ", ".join(f"{split} {share:g}" for split, share in rule.fractions.items())
        print(f"'{rule.of}' is split by document (seed {rule.seed}): {shares}")
    if card.notes:
        heading("notes")
        for line in card.notes:
            print(f"- {line}")


def _arguments(card: Card, label: str) -> str:
    return " -> ".join(card.arguments.get(label, ()))
