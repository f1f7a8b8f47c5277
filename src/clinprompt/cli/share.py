"""``clinprompt share``: a comparison's results without any text of the data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clinprompt.cli.output import note, number


def share(
    folder: Annotated[
        Path, typer.Argument(help="Folder that clinprompt compare wrote.", show_default=False)
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Folder to write.", show_default=False)
    ],
) -> None:
    """Copy a comparison without predictions and weights: to publish it, or to go on elsewhere.

    Paired differences are kept: 'clinprompt report' shows the same scores of the copy, without the
    worst errors. 'clinprompt compare' with the same recipe goes on in it.
    """
    from clinprompt.experiments.share import share

    shared = share(folder, output)
    for problem in shared.problems:
        note(problem)
    if shared.paired < shared.cells:
        note(f"{number(shared.cells - shared.paired)} cells have no paired differences")
    print(f"{output}: {number(shared.cells)} finished cells, no text of the data")
