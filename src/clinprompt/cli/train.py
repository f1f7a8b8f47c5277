"""``clinprompt train`` and ``clinprompt adapt``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from clinprompt.cli.options import DataRoot, RecipeName, SuiteName

if TYPE_CHECKING:
    from clinprompt.artifacts.prompt_set import PromptSet

Out = Annotated[Path, typer.Option("--out", "-o", help="Folder to write.")]
Threads = Annotated[int | None, typer.Option("--threads", help="CPU threads.", min=1)]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(metavar="[KEY=VALUE]...", help="Settings to change, such as distil.steps=50."),
]
Track = Annotated[
    list[str] | None,
    typer.Option(
        "--track",
        help="Log losses, rates and speeds: tensorboard, wandb (offline) or trackio. Off by "
        "default.",
        show_default=False,
    ),
]


def train(
    recipe: RecipeName,
    out: Out,
    overrides: Overrides = None,
    data_root: DataRoot = None,
    track: Track = None,
    threads: Threads = None,
) -> None:
    """Source training: teachers for all source tasks, distilled into one metaprompt.

    Stop it at any moment and run the same command again: it goes on where it was.
    """
    from clinprompt import recipes
    from clinprompt.cli.runtime import set_up, stop_on_interrupt
    from clinprompt.tasks.loading import resolve_data_root
    from clinprompt.training.loop import Interrupted
    from clinprompt.training.settings import Recipe, load_settings
    from clinprompt.training.source import train_source

    settings = load_settings(Recipe, recipes.find(recipe), [*(overrides or []), *_tracking(track)])
    set_up(threads)
    with stop_on_interrupt() as should_stop:
        try:
            result = train_source(
                settings, resolve_data_root(data_root), out, should_stop=should_stop
            )
        except Interrupted as interrupted:
            stopped(interrupted)
    summary(result, out)


def adapt(
    task: Annotated[list[str], typer.Option("--task", help="Target: a name or a card's path.")],
    out: Out,
    overrides: Overrides = None,
    metaprompt: Annotated[
        Path | None,
        typer.Option(
            "--metaprompt",
            help="What to start from: a folder or a bundled metaprompt's name; without it: plain "
            "prompt tuning.",
        ),
    ] = None,
    shots: Annotated[
        int | None,
        typer.Option("--shots", help="Training examples of each task; 0 is zero-shot.", min=0),
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", min=0)] = None,
    trainable: Annotated[
        str | None,
        typer.Option("--trainable", help="all; vectors: P* stays; none: with adapt.lora."),
    ] = None,
    settings: Annotated[
        Path | None, typer.Option("--settings", help="YAML file with settings.")
    ] = None,
    suite: SuiteName = None,
    data_root: DataRoot = None,
    track: Track = None,
    threads: Threads = None,
) -> None:
    """Target adaptation: fit a metaprompt to a new task, or to a group of tasks at once."""
    from clinprompt import metaprompts
    from clinprompt.artifacts.prompt_set import PromptSet
    from clinprompt.cli.runtime import set_up, stop_on_interrupt
    from clinprompt.inference.judging import Judging
    from clinprompt.tasks import catalogue
    from clinprompt.tasks.loading import resolve_data_root
    from clinprompt.tasks.suite import find_suite
    from clinprompt.training.adapt import adapt as fit
    from clinprompt.training.loop import Interrupted
    from clinprompt.training.settings import AdaptRecipe, load_settings

    parent = None if metaprompt is None else PromptSet.load(metaprompts.find(metaprompt))
    given = [*(overrides or []), *_tracking(track)]
    if trainable is not None:
        given.append(f"adapt.trainable={trainable}")
    recipe = load_settings(AdaptRecipe, settings, given, seed=seed)
    if parent is not None:
        known = trained_with(parent, recipe.backbone.device)
        recipe = load_settings(AdaptRecipe, settings, given, defaults=known, seed=seed)
    cards = [catalogue.find(name) for name in task]
    set_up(threads)
    with stop_on_interrupt() as should_stop:
        try:
            result = fit(
                recipe,
                parent,
                cards,
                resolve_data_root(data_root),
                out,
                shots=shots,
                suite=None if suite is None else find_suite(suite),
                judging=Judging.like(recipe.data),
                should_stop=should_stop,
            )
        except Interrupted as interrupted:
            stopped(interrupted)
    summary(result, out)


def _tracking(track: list[str] | None) -> list[str]:
    """The option as an override."""
    return [f"tracking.to=[{', '.join(track)}]"] if track else []


def trained_with(parent: PromptSet, device: str) -> dict[str, str]:
    """The backbone and the float type that a metaprompt was trained with, as settings.

    The type is float32 instead where the device does not compute it.
    """
    from clinprompt.backbone.floats import trained_in
    from clinprompt.backbone.model import choose_device

    return {
        "backbone.name": parent.meta.backbone,
        "backbone.dtype": trained_in(parent.meta.configuration, choose_device(device)),
    }


def stopped(interrupted: Exception) -> NoReturn:
    """Say where a run stopped, and leave with exit code 130."""
    print(
        f"clinprompt: stopped at {interrupted}; saved. Run the same command again to go on.",
        file=sys.stderr,
    )
    raise typer.Exit(130)


def summary(result: PromptSet, out: Path) -> None:
    """The artefact in three lines."""
    from clinprompt.artifacts.meta import percent

    meta = result.meta
    print(f"{out}: {meta.kind} for {', '.join(meta.names)}")
    print(
        f"trainable parameters: {meta.trainable_parameters:,} of {meta.backbone_parameters:,} "
        f"({percent(meta.share)} of the backbone)"
    )
    print(f"digest: {result.digest}")
