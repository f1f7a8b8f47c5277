"""Curves of a run for TensorBoard, Weights & Biases or trackio, through accelerate's trackers.

Only numbers are logged: losses, rates, speeds, and the numbers and choices of the recipe. No text
of the data and no name of a file; tasks go by their names. Nothing goes over the network unless
``CLINPROMPT_ONLINE=1`` allows it. What a tracker does wrong is said once, and the run goes on.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from clinprompt.errors import ClinpromptError
from clinprompt.training.progress import Progress
from clinprompt.training.settings import TrackingSettings
from clinprompt.training.workspace import work_folder

# No code, no console, no repository, no reports of crashes: only what is logged here.
_WANDB = {
    "WANDB_CONSOLE": "off",
    "WANDB_DISABLE_CODE": "true",
    "WANDB_DISABLE_GIT": "true",
    "WANDB_ERROR_REPORTING": "false",
    "WANDB_SILENT": "true",
}
# Names and paths of someone's.
_UNTOLD = {"backbone", "metaprompt_from", "name", "sources", "suite", "teachers_from"}


def require(settings: TrackingSettings) -> None:
    """Refuse trackers that are not installed, before anything else is done.

    Raises:
        ClinpromptError: CP-TRAIN-150.
    """
    if not settings.to:
        return
    missing = [
        name for name in ("accelerate", *settings.to) if importlib.util.find_spec(name) is None
    ]
    if missing:
        raise ClinpromptError(
            "CP-TRAIN-150",
            f"tracking needs {' and '.join(missing)}, which is not installed",
            hint="pip install 'clinprompt[tracking]', or leave the run untracked",
        )


@contextmanager
def tracked(
    settings: TrackingSettings, out: Path, recipe: BaseModel, progress: Progress
) -> Iterator[None]:
    """Log what `progress` is told, as long as the context lasts.

    Args:
        out: the run's result; curves lie in ``<out>.tracking`` unless the settings name a folder.
        recipe: its numbers go with the curves, where a tracker has a place for them.
    """
    if not settings.to:
        yield
        return
    folder = settings.folder or tracking_folder(out)
    numbers = _numbers(recipe)
    kinds = dict.fromkeys(settings.to)
    logs = [Log(kind, settings.project, folder, numbers, progress.say) for kind in kinds]

    def log(stage: str, step: int, values: Mapping[str, float]) -> None:
        for one in logs:
            one.log(stage, step, values)

    progress.observer = log
    try:
        yield
    finally:
        progress.observer = None
        for one in logs:
            one.finish()


def tracking_folder(out: Path) -> Path:
    """``<out>.tracking``."""
    beside = work_folder(out)
    return beside.with_name(beside.name.removesuffix(".work") + ".tracking")


class Log:
    """One tracker; after its first failure it is silent.

    Args:
        kind: "tensorboard", "wandb" or "trackio".
        project: name of the group of runs, where there are such.
        folder: where files go; its name, without ``.tracking``, is the run's.
        numbers: of the recipe.
        say: is told of a failure.
    """

    def __init__(
        self,
        kind: str,
        project: str,
        folder: Path,
        numbers: Mapping[str, Any],
        say: Callable[[str], None],
    ) -> None:
        self.kind, self._say = kind, say
        self._tracker: Any = None
        self._dead = False
        self._try(lambda: self._start(project, folder, numbers))

    def log(self, stage: str, step: int, values: Mapping[str, float]) -> None:
        """Log numbers of a stage at one of its steps."""
        named = {f"{stage}/{name}": value for name, value in values.items()}
        if self.kind == "tensorboard":
            self._try(lambda: self._tracker.log(named, step=step))
        else:  # one axis for all stages, which must rise: the stage's step is a value
            self._try(lambda: self._tracker.log({**named, f"{stage}/step": step}))

    def finish(self) -> None:
        """Write out what is left."""
        self._try(lambda: self._tracker.finish())
        if self.kind == "wandb":
            self._try(_end_wandb)
        self._dead = True

    def _start(self, project: str, folder: Path, numbers: Mapping[str, Any]) -> None:
        from accelerate import tracking
        from accelerate.state import PartialState

        PartialState()  # trackers write to accelerate's log, which needs it
        folder.mkdir(parents=True, exist_ok=True)
        run = folder.name.removesuffix(".tracking")
        if self.kind == "tensorboard":
            tracker: Any = tracking.TensorBoardTracker("tensorboard", folder)
        elif self.kind == "wandb":
            _keep_wandb_here()
            tracker = tracking.WandBTracker(project, name=run, dir=str(folder))
        else:
            os.environ["TRACKIO_DIR"] = str(folder / "trackio")
            tracker = tracking.TrackioTracker(project, name=run)
        start = getattr(tracker, "start", None)  # older versions start when they are made
        if start is not None:
            start()
        self._tracker = tracker
        if self.kind != "tensorboard":  # it would write a run of its own for them
            tracker.store_init_configuration(dict(numbers))

    def _try(self, act: Callable[[], None]) -> None:
        """Do something that may fail in any way: curves are never worth a run."""
        if self._dead:
            return
        try:
            with redirect_stdout(sys.stderr):  # stdout holds the command's result alone
                act()
        except Exception as error:
            self._dead = True
            reason = next(iter(str(error).splitlines()), type(error).__name__)
            self._say(f"tracking with {self.kind} failed, and the run goes on without: {reason}")


def _keep_wandb_here() -> None:
    """Offline, unless the user allowed the network; and nothing is gathered but what is logged."""
    os.environ.update(_WANDB)
    if os.environ.get("CLINPROMPT_ONLINE") != "1":
        os.environ["WANDB_MODE"] = "offline"
    else:
        os.environ.setdefault("WANDB_MODE", "offline")


def _end_wandb() -> None:
    """Wait for wandb's own process, which may not have written the run's file yet."""
    import wandb

    wandb.teardown()


def _numbers(recipe: BaseModel) -> dict[str, bool | int | float | str]:
    """Numbers and choices of a recipe by dotted key; nothing that could name a file."""
    found: dict[str, bool | int | float | str] = {}

    def walk(values: Mapping[str, Any], path: str) -> None:
        for name, value in values.items():
            if isinstance(value, Mapping):
                walk(value, f"{path}{name}.")
            elif isinstance(value, (bool, int, float, str)):
                found[path + name] = value

    content = recipe.model_dump(mode="json")
    walk({key: value for key, value in content.items() if key not in _UNTOLD}, "")
    return found
