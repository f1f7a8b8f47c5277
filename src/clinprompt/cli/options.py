"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DataRoot = Annotated[
    Path | None,
    typer.Option(
        "--data-root",
        help="Folder with the data files. Default: CLINPROMPT_DATA.",
        show_default=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
CardName = Annotated[
    str, typer.Argument(metavar="NAME", help="Name of a task, or path of a card (YAML).")
]
SuiteName = Annotated[
    str | None,
    typer.Option(
        "--suite",
        help="A suite of your own: what its leakage check left out is left out here, too.",
        show_default=False,
    ),
]
RecipeName = Annotated[
    str, typer.Argument(metavar="RECIPE", help="A YAML file, or the name of a bundled recipe.")
]
Changes = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Change a setting, such as data.dev_examples=16; may come more than once.",
        show_default=False,
    ),
]
