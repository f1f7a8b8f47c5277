"""``clinprompt plan``: what a recipe will take, before it runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clinprompt.cli.options import AsJson, Changes, DataRoot, RecipeName
from clinprompt.cli.train import Threads

if TYPE_CHECKING:
    from clinprompt.experiments.plan.estimate import Planned, Where


def plan(
    recipe: RecipeName,
    gpu: Annotated[
        str | None, typer.Option("--gpu", help="Plan for a GPU of the table, such as H100.")
    ] = None,
    machine: Annotated[
        str | None, typer.Option("--machine", help="Plan for the machine at hand: this.")
    ] = None,
    changes: Changes = None,
    task: Annotated[
        list[str] | None,
        typer.Option("--task", help="Targets, for settings of an adaptation.", show_default=False),
    ] = None,
    shots: Annotated[
        int | None, typer.Option("--shots", help="Training examples of each target.", min=0)
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Adaptation without a metaprompt: prompt tuning.")
    ] = False,
    measure: Annotated[
        bool,
        typer.Option("--measure/--no-measure", help="Run a few steps of each stage here."),
    ] = True,
    budget: Annotated[
        float, typer.Option("--budget", help="Seconds of measuring a stage.", min=0)
    ] = 30.0,
    data_root: DataRoot = None,
    threads: Threads = None,
    as_json: AsJson = False,
) -> None:
    """Parameters, bytes, FLOPs, memory and time of every stage, before anything runs.

    For this machine a few steps are run and measured; for a named GPU figures are computed from its
    data sheet. Needs no weights: shapes come from a configuration.
    """
    from clinprompt.cli.output import note, print_json
    from clinprompt.cli.runtime import set_up
    from clinprompt.experiments.plan.estimate import Where
    from clinprompt.tasks.loading import resolve_data_root

    if machine not in (None, "this") or (gpu and machine):
        raise typer.BadParameter("--machine this, or --gpu NAME", param_hint="--machine")
    set_up(threads)
    where = Where(gpu, measure, budget, resolve_data_root(data_root), note)
    found = _planned(recipe, changes or [], task or [], shots, fresh, where)
    if as_json:
        print_json({"recipe": recipe, "backbones": [one.to_json() for one in found]})
        return
    for one in found:
        _print(one)


def _planned(
    recipe: str,
    changes: list[str],
    tasks: list[str],
    shots: int | None,
    fresh: bool,
    where: Where,
) -> list[Planned]:
    from clinprompt import recipes
    from clinprompt.experiments.plan.estimate import plan_adapt, plan_comparison, plan_source
    from clinprompt.experiments.plan.kinds import kind_of, require_tasks
    from clinprompt.tasks import catalogue
    from clinprompt.training.settings import AdaptRecipe, Recipe, load_settings

    path: Path = recipes.find(recipe)
    kind = kind_of(path, tasks)
    require_tasks(kind, tasks, shots)
    if kind == "source":
        return [plan_source(load_settings(Recipe, path, changes), where)]
    if kind == "adapt":
        settings = load_settings(AdaptRecipe, path, changes)
        cards = [catalogue.find(name) for name in tasks]
        return [plan_adapt(settings, cards, shots, where, fresh=fresh)]
    from clinprompt.experiments.compare.recipe import CompareRecipe
    from clinprompt.experiments.compare.run import Unfit

    try:
        return plan_comparison(load_settings(CompareRecipe, path, changes), where)
    except Unfit as unfit:
        for complaint in unfit.complaints:
            print(f"clinprompt: {complaint}", file=sys.stderr)
        raise typer.Exit(2) from None


def _print(planned: Planned) -> None:
    from clinprompt.artifacts.meta import percent
    from clinprompt.cli.output import heading, print_table
    from clinprompt.experiments.plan.words import amount, clock, lines, size

    shape = planned.shape
    heading(f"{planned.backbone} on {planned.machine.name}")
    print(
        f"{shape.parameters:,} parameters ({shape.model_type}, {planned.dtype}, {shape.source}); "
        f"micro-batches of {planned.microbatch:,} tokens"
    )
    rows: list[list[Any]] = [
        [
            line.name,
            f"{line.trainable:,}" if line.trainable else "",
            percent(line.trainable / shape.parameters) if line.trainable else "",
            size(line.stored) if line.stored else "",
            str(line.runs),
            amount(line.tokens),
            amount(line.flops),
            size(line.memory),
            clock(line.seconds),
        ]
        for line in lines(planned.stages)
    ]
    rows.append(["total", "", "", "", "", "", amount(planned.flops), size(planned.peak)])
    rows[-1].append(clock(planned.seconds))
    columns = ("stage", "trained", "share", "stored", "runs", "tokens", "FLOPs", "memory", "time")
    print_table(columns, rows, right=columns[1:])
    if planned.too_large:
        found = ", ".join(dict.fromkeys(one.group or one.name for one in planned.too_large))
        held = size(planned.machine.memory or 0)
        print(f"more than the {held} of {planned.machine.name}: {found}")
    for note in planned.notes:
        print(f"- {note}")
