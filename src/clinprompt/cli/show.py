"""``clinprompt show``: what a saved folder holds."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from clinprompt.cli.options import AsJson
from clinprompt.cli.output import print_json

_PIPE_WIDTH = 160  # columns where there is no terminal: wide enough for a digest beside its name


def show(
    folder: Annotated[Path, typer.Argument(help="A folder that clinprompt saved.")],
    as_json: AsJson = False,
) -> None:
    """Check every file of a metaprompt or an adapted prompt, and tell what it is."""
    from rich.console import Console

    from clinprompt import metaprompts
    from clinprompt.artifacts.describe import describe, render

    content = describe(metaprompts.find(folder))
    if as_json:
        print_json(content)
    else:
        Console(width=None if sys.stdout.isatty() else _PIPE_WIDTH).print(render(content))
