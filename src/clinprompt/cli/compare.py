"""``clinprompt compare``: methods x targets x shots x seeds x backbones, one file a cell."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clinprompt.cli.options import Changes, DataRoot, RecipeName
from clinprompt.cli.output import heading, note, print_table
from clinprompt.cli.train import Out, Threads

if TYPE_CHECKING:
    from clinprompt.experiments.compare.statistics import Place, Versus


def compare(
    recipe: RecipeName,
    out: Out,
    changes: Changes = None,
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only",
            metavar="PATTERN",
            help="Run only cells whose id (BACKBONE/TARGET/METHOD-SHOTS-sSEED) fits, with * for "
            "anything; may come more than once.",
            show_default=False,
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything and list the cells; run nothing.")
    ] = False,
    ray: Annotated[
        bool, typer.Option("--ray", help="Run cells side by side on this machine, with Ray.")
    ] = False,
    ray_address: Annotated[
        str | None,
        typer.Option(
            "--ray-address",
            help="Run cells side by side on a Ray cluster, such as auto or HOST:6379.",
            show_default=False,
        ),
    ] = None,
    data_root: DataRoot = None,
    threads: Threads = None,
) -> None:
    """Compare methods: every cell is run once, and a stopped comparison goes on.

    Leaves with exit code 1 if a cell failed.
    """
    from clinprompt import recipes
    from clinprompt.cli.runtime import set_up, stop_on_interrupt
    from clinprompt.cli.train import stopped
    from clinprompt.experiments.compare import run
    from clinprompt.experiments.compare.recipe import CompareRecipe
    from clinprompt.tasks.loading import resolve_data_root
    from clinprompt.training.loop import Interrupted
    from clinprompt.training.settings import load_settings

    settings = load_settings(CompareRecipe, recipes.find(recipe), changes or [])
    root = resolve_data_root(data_root)
    set_up(threads)
    try:
        world = run.planned(settings, out, root, note)
    except run.Unfit as unfit:
        for one in unfit.complaints:
            print(f"clinprompt: {one}", file=sys.stderr)
        raise typer.Exit(2) from None
    if dry_run:
        todo = {one.key.id for one in run.waiting(world.plan, out, only or [])}
        listed = run.chosen(world.plan, only or [])
        rows = [(one.key.id, "to run" if one.key.id in todo else "done") for one in listed]
        print_table(("cell", "state"), rows)
        print(f"{len(listed)} cells, {len(todo)} to run")
        return
    with stop_on_interrupt() as should_stop:
        world.should_stop = should_stop
        try:
            if ray or ray_address is not None:
                from clinprompt.experiments.compare.spread import spread

                cells = spread(world, address=ray_address, only=only or [], cpus=threads or 1)
            else:
                cells = run.compare(world, only=only or [])
        except Interrupted as interrupted:
            stopped(interrupted)
    _summary(out)
    failed = [cell for cell in cells if cell.status == "failed"]
    for cell in failed:
        reason = "" if cell.reason is None else cell.reason.message
        print(f"clinprompt: failed: {cell.id}: {reason}", file=sys.stderr)
    if failed:
        raise typer.Exit(1)


def _summary(out: Path) -> None:
    """Tables of all cells that are there, and the same as ``summary.json``."""
    import json

    from clinprompt.errors import ClinpromptError
    from clinprompt.experiments.compare.statistics import summary
    from clinprompt.inference.writing import write_atomically

    try:
        found = summary(out)
    except ClinpromptError:
        return  # no cell is done: the failures are told
    write_atomically(out / "summary.json", [json.dumps(found.to_json(), indent=1) + "\n"])
    for backbone, shots in dict.fromkeys((one.backbone, one.shots) for one in found.places):
        heading(f"{backbone}, {shots} shots")
        here = [one for one in found.places if (one.backbone, one.shots) == (backbone, shots)]
        targets = list(dict.fromkeys(one.target for one in here))
        columns = ["method", *(one or "average" for one in targets)]
        cells = {(one.method, one.target): _value(one) for one in here}
        rows = [
            (method, *(cells.get((method, target), "") for target in targets))
            for method in dict.fromkeys(one.method for one in here)
        ]
        print_table(columns, rows, right=columns[1:])
        for one in found.versus:
            ours = one.method.startswith("mpt") and not one.reference.startswith("mpt")
            if ours and (one.backbone, one.shots) == (backbone, shots):
                print(_versus(one))
    if found.missing:
        note(f"{len(found.missing)} planned cells have no result: shown as -, in no average score")
    for line in found.problems:
        note(line)
    print(f"\nreport: clinprompt report {out}")


def _value(place: Place) -> str:
    """Mean, and the spread over seeds where there are some."""
    if place.mean is None:
        return "-"
    spread = "" if place.spread is None else f" ± {place.spread:.1f}"
    part = "" if place.done == place.planned else f" ({place.done} of {place.planned})"
    return f"{place.mean:.1f}{spread}{part}"


def _versus(one: Versus) -> str:
    count = one.outcomes.get
    gap = one.average
    average = "no average, since they have no seed on every target"
    if gap is not None:
        average = f"{gap.value:+.1f} on average"
        if gap.low is not None and gap.high is not None:
            average += f" ({gap.low:+.1f} to {gap.high:+.1f})"
        if gap.seeds < gap.planned:
            average += f" of {gap.seeds} of {gap.planned} seeds"
    return (
        f"{one.method} against {one.reference}: {average}; "
        f"{count('win', 0)} won, {count('tie', 0)} tied, {count('loss', 0)} lost"
    )
