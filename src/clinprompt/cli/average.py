"""``clinprompt average``: one prompt set that is the mean of several."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clinprompt.cli.output import note


def average(
    folders: Annotated[
        list[Path],
        typer.Argument(metavar="DIR...", help="Results of 'clinprompt adapt' for the same tasks."),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write.")],
) -> None:
    """Average prompts that were fitted to the same tasks from the same start.

    Such as adaptations of one metaprompt at several rates: the mean has less of the noise of each.
    """
    from clinprompt.artifacts.average import average as mean
    from clinprompt.artifacts.prompt_set import PromptSet

    sets = [PromptSet.load(folder) for folder in folders]
    found = mean(sets)
    found.save(out)
    if any(one.meta.label_bias for one in sets):
        note("label biases were not averaged: 'clinprompt balance' measures them anew")
    print(f"{out}: mean of {len(folders)} sets of prompts for {', '.join(found.meta.names)}")
