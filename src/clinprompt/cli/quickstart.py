"""``clinprompt quickstart``: the main job in a few minutes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from clinprompt.cli.train import Overrides, Threads


def quickstart(
    overrides: Overrides = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write.")] = Path(
        "runs/quickstart"
    ),
    shots: Annotated[int, typer.Option("--shots", min=1, help="Examples of each target.")] = 16,
    steps: Annotated[int, typer.Option("--steps", min=1, help="Steps of adaptation.")] = 8,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Test examples.")] = 48,
    threads: Threads = None,
) -> None:
    """Train a metaprompt on five synthetic tasks; compare it on two tasks it never saw."""
    from rich.console import Console
    from rich.table import Table

    from clinprompt.artifacts.meta import percent
    from clinprompt.cli.runtime import set_up, stop_on_interrupt
    from clinprompt.cli.train import stopped
    from clinprompt.experiments.quickstart import quickstart as run
    from clinprompt.experiments.verdict import verdict
    from clinprompt.training.loop import Interrupted

    set_up(threads)
    with stop_on_interrupt() as should_stop:
        try:
            cells = run(
                out,
                overrides=overrides or [],
                shots=shots,
                steps=steps,
                limit=limit,
                say=lambda line: print(line, file=sys.stderr, flush=True),
                should_stop=should_stop,
            )
        except Interrupted as interrupted:
            stopped(interrupted)
    table = Table(title=f"Unseen tasks, {shots} shots, {limit} test examples each")
    for column, side in (
        ("target", "left"),
        ("method", "left"),
        ("score", "right"),
        ("95 % interval", "right"),
        ("trained", "right"),
        ("of backbone", "right"),
        ("s", "right"),
    ):
        table.add_column(column, justify=side)  # type: ignore[arg-type]
    last = None
    for cell in cells:
        if last not in (None, cell.target):
            table.add_section()
        table.add_row(
            f"{cell.target}\n({cell.metric})" if cell.target != last else "",
            cell.method,
            f"{cell.value:.1f}",
            f"{cell.low:.1f} to {cell.high:.1f}",
            f"{cell.trainable:,}",
            percent(cell.share),
            f"{cell.seconds:.0f}",
        )
        last = cell.target
    Console(width=None if Console().is_terminal else 110).print(table)
    for line in verdict(cells):
        print(line)
    print(f"details: {out / 'results.json'}; prompts: {out}/*/ (clinprompt show DIR)")
