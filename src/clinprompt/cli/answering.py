"""What the commands that answer inputs have in common: options, loading, progress."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from clinprompt.cli.output import note, number

if TYPE_CHECKING:
    from clinprompt.artifacts.prompt_set import PromptSet
    from clinprompt.inference.requests import PredictorSettings
    from clinprompt.training.prepare import Prepared

Backbone = Annotated[
    str | None,
    typer.Option(
        help="Where the backbone is (name, folder or hub id). Default: as named by the prompts.",
        show_default=False,
    ),
]
Dtype = Annotated[
    Literal["auto", "float32", "bfloat16"] | None,
    typer.Option(help="Float type. Default: as in training.", show_default=False),
]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
LongInputs = Annotated[
    Literal["refuse", "truncate"],
    typer.Option(
        help="What becomes of inputs longer than the context: refused, or the end of their text "
        "cut off, flagged and counted."
    ),
]
MaxNew = Annotated[
    int | None,
    typer.Option(
        min=1, help="Most new tokens of an open answer. Default: by form.", show_default=False
    ),
]
BatchTokens = Annotated[
    int | None,
    typer.Option(min=1, help="Padded tokens of a batch. Default: by device.", show_default=False),
]
Threads = Annotated[
    int | None,
    typer.Option(min=1, help="CPU threads. Default: as PyTorch chooses.", show_default=False),
]


def settings_of(
    long_inputs: Literal["refuse", "truncate"], max_new: int | None, batch_tokens: int | None
) -> PredictorSettings:
    """The options as a predictor wants them."""
    from clinprompt.inference.requests import PredictorSettings

    return PredictorSettings(long_inputs, max_new, batch_tokens)


def prepare(
    prompts: PromptSet | None,
    backbone: str | None,
    dtype: Literal["auto", "float32", "bfloat16"] | None,
    device: str,
) -> Prepared:
    """Load the backbone: the named one, else that of the prompts, else the default one.

    Its float type is the one the prompts were trained in, unless another is asked for.
    """
    from clinprompt.training.prepare import Prepared
    from clinprompt.training.settings import BackboneSettings

    if prompts is None:
        settings = BackboneSettings.model_validate({"dtype": dtype or "auto", "device": device})
        template = None
    else:
        trained = prompts.meta.configuration.get("backbone")
        recorded = trained.get("dtype") if isinstance(trained, dict) else None
        settings = BackboneSettings.model_validate(
            {
                "name": prompts.meta.backbone,
                "dtype": dtype or recorded or "auto",
                "device": device,
            }
        )
        template = prompts.meta.template
    if backbone is not None:
        settings = settings.model_copy(update={"name": backbone})
    note(f"loading backbone {settings.name}")
    prepared = Prepared.of(settings, template)
    if prompts is not None:
        prompts.require_backbone(prepared.fingerprint)
    return prepared


class Meter:
    """Prints how far it is, every few seconds, on stderr.

    Args:
        noun: what is counted.
        every: seconds between lines.
    """

    def __init__(self, noun: str, every: float = 5.0) -> None:
        self._noun, self._every = noun, every
        self._begin = self._printed = time.monotonic()

    def __call__(self, done: int, total: int | None = None, more: str = "") -> None:
        """So many are done, of so many if that is known."""
        now = time.monotonic()
        if now - self._printed < self._every:
            return
        self._printed = now
        speed = done / max(now - self._begin, 1e-9)
        of = "" if total is None else f" of {number(total)}"
        left = ""
        if total is not None and done:
            left = f"  {duration((total - done) / speed)} left"
        note(f"{number(done)}{of} {self._noun}  {speed:.1f}/s{left}{more}")

    def taken(self, done: int) -> str:
        """The time since the beginning, and the speed of `done` in it."""
        seconds = time.monotonic() - self._begin
        return f"{duration(seconds)} ({done / max(seconds, 1e-9):.1f}/s)"


def duration(seconds: float) -> str:
    """As minutes and seconds."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}m{rest:02d}s"


def check_target(path: Path, option: str) -> None:
    """Refuse, before hours of work, a file that could not be written.

    Raises:
        ClinpromptError: CP-CLI-030.
    """
    from clinprompt.errors import ClinpromptError

    if path.is_dir() or not path.resolve().parent.is_dir():
        what = "is a folder" if path.is_dir() else "lies in a folder that does not exist"
        raise ClinpromptError("CP-CLI-030", f"{option}: '{path}' {what}")
