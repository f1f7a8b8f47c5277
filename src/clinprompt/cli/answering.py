"""What the commands that answer inputs have in common: options, loading, progress."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from clinprompt.cli.output import note, number

if TYPE_CHECKING:
    from clinprompt.artifacts.prompt_set import PromptSet
    from clinprompt.inference.predictor import Predictor
    from clinprompt.inference.requests import PredictorSettings
    from clinprompt.inference.together import Together
    from clinprompt.training.prepare import Prepared

Backbone = Annotated[
    str | None,
    typer.Option(
        help="Where the backbone is (name, folder or hub id). Default: as named by the prompts.",
        show_default=False,
    ),
]
# `backbone.floats.Dtype`, whose module loads torch.
FloatType = Literal["auto", "float32", "bfloat16"]
Dtype = Annotated[
    FloatType | None,
    typer.Option(help="Float type. Default: as in training.", show_default=False),
]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
LongInputs = Annotated[
    Literal["refuse", "truncate", "window"],
    typer.Option(
        help="What becomes of inputs longer than the context: refused; or the end of their text "
        "cut off, flagged and counted; or read in windows, whose answers are merged."
    ),
]
Window = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Most tokens of a window, for --long-inputs window. Default: what fits the context, "
        "for lists of mentions or relations at most 512.",
        show_default=False,
    ),
]
Overlap = Annotated[
    int | None,
    typer.Option(
        min=0,
        help="Most tokens that two windows share. Default: an eighth of a window, at most 128.",
        show_default=False,
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

Grounded = Annotated[
    bool,
    typer.Option(
        "--grounded/--free",
        help="Hold generated mentions, relations and spans to the text, so that none can be "
        "invented (needs the package llguidance).",
    ),
]
Threshold = Annotated[
    float | None,
    typer.Option(
        min=0,
        max=1,
        help="Drop mentions and relations of lower confidence; they are counted.",
        show_default=False,
    ),
]

Temperature = Annotated[
    float | None,
    typer.Option(
        min=0,
        help="Draw open answers: 1 as the backbone says, less is nearer to the best. Default: the "
        "most probable words.",
        show_default=False,
    ),
]
TopP = Annotated[
    float | None,
    typer.Option(
        min=0,
        max=1,
        help="With --temperature: draw from the fewest tokens of this probability together.",
        show_default=False,
    ),
]
Stop = Annotated[
    list[str] | None,
    typer.Option(
        help="A text that ends open answers and is no part of them; may be given more than once.",
        show_default=False,
    ),
]
NoRepeatNgram = Annotated[
    int | None,
    typer.Option(
        min=2,
        help="No run of so many tokens stands in a free text or summary twice.",
        show_default=False,
    ),
]
EmptyAbove = Annotated[
    float | None,
    typer.Option(
        min=0.5,
        max=1,
        help="Leave a list of mentions or relations empty only where that is more probable than "
        "this, and give the best answer that names something elsewhere. For F1: 1 minus half of "
        "the F1 expected, such as 0.8.",
        show_default=False,
    ),
]
KvCache = Annotated[
    Path | None,
    typer.Option(
        help="Folder where what the backbone makes of prompts is kept for later runs.",
        show_default=False,
    ),
]


def settings_of(
    long_inputs: Literal["refuse", "truncate", "window"],
    max_new: int | None,
    batch_tokens: int | None,
    window: int | None = None,
    overlap: int | None = None,
    *,
    grounded: bool = False,
    threshold: float | None = None,
    temperature: float | None = None,
    top_p: float | None = None,
    seed: int | None = None,
    stop: list[str] | None = None,
    no_repeat_ngram: int | None = None,
    empty_above: float | None = None,
    kv_cache: Path | None = None,
) -> PredictorSettings:
    """The options as a predictor wants them.

    Raises:
        ClinpromptError: CP-INF-104 a size of windows where none are read, CP-INF-450 `top_p` or
            CP-INF-451 `seed` where nothing is drawn, CP-BACK-102 a `top_p` of 0.
    """
    from clinprompt.errors import ClinpromptError
    from clinprompt.inference.requests import PredictorSettings

    if long_inputs != "window" and (window, overlap) != (None, None):
        raise ClinpromptError(
            "CP-INF-104",
            f"--window and --overlap change nothing with --long-inputs {long_inputs}",
            hint="add --long-inputs window",
        )
    found = PredictorSettings(
        long_inputs,
        max_new=max_new,
        batch_tokens=batch_tokens,
        window=window,
        overlap=overlap,
        grounded=grounded,
        threshold=threshold,
        temperature=temperature or 0.0,
        top_p=top_p,
        seed=seed or 0,
        stop=tuple(stop or ()),
        no_repeat_ngram=no_repeat_ngram,
        empty_above=empty_above,
        kv_cache=kv_cache,
    )
    if seed is not None and found.sampling() is None:
        raise ClinpromptError(
            "CP-INF-451",
            "--seed changes nothing where nothing is drawn",
            hint="add --temperature, such as 0.7",
        )
    found.sampling()  # before a backbone is loaded
    return found


def predictor_class(settings: PredictorSettings) -> type[Predictor]:
    """The predictor that answers as the settings say."""
    from clinprompt.inference.windows.predictor import predictor_class

    return predictor_class(settings.long_inputs)


def prepare(
    prompts: PromptSet | None,
    backbone: str | None,
    dtype: FloatType | None,
    device: str,
) -> Prepared:
    """Load the backbone: the named one, else that of the prompts, else the default one.

    Its float type is the one the prompts were trained in (float32 where a CPU does not compute that
    one), unless another is asked for.
    """
    from clinprompt.backbone.floats import trained_in
    from clinprompt.backbone.model import choose_device
    from clinprompt.training.prepare import Prepared
    from clinprompt.training.settings import BackboneSettings

    if prompts is None:
        settings = BackboneSettings.model_validate({"dtype": dtype or "auto", "device": device})
        template = None
    else:
        settings = BackboneSettings.model_validate(
            {
                "name": prompts.meta.backbone,
                "dtype": dtype or trained_in(prompts.meta.configuration, choose_device(device)),
                "device": device,
            }
        )
        template = prompts.meta.template
    if backbone is not None:
        settings = settings.model_copy(update={"name": backbone})
    note(f"loading backbone {settings.name}")
    placement = "before" if prompts is None else prompts.meta.placement
    prepared = Prepared.of(settings, template, placement)
    if prompts is not None:
        prompts.require_backbone(prepared.fingerprint)
    return prepared


@dataclass(frozen=True)
class Loading:
    """Where and how the backbone is loaded, as the options say."""

    backbone: str | None
    dtype: FloatType | None
    device: str
    threads: int | None

    def prepare(self, chosen: Together) -> Prepared:
        """Load the backbone that prompts were trained on.

        Raises:
            ClinpromptError: CP-CLI-160 prompts were trained in different float types, and none is
                asked for; what `prepare` raises.
        """
        dtype = self.dtype or agreed_dtype(chosen.sets, self.device)
        return prepare(chosen.first, self.backbone, dtype, self.device)


def agreed_dtype(sets: Sequence[tuple[Path, PromptSet]], device: str) -> FloatType:
    """The float type of prompts that are asked together; one that doesn't say goes with any.

    Raises:
        ClinpromptError: CP-CLI-160 they were trained in different ones.
    """
    from clinprompt.backbone.floats import trained_in
    from clinprompt.backbone.model import choose_device
    from clinprompt.errors import ClinpromptError

    place = choose_device(device)
    types = {folder: trained_in(one.meta.configuration, place) for folder, one in sets}
    told = set(types.values()) - {"auto"}
    if len(told) > 1:
        found = ", ".join(f"'{folder}' in {kind}" for folder, kind in types.items())
        raise ClinpromptError(
            "CP-CLI-160",
            f"the prompts were trained in different float types: {found}",
            hint="choose one with --dtype",
        )
    return told.pop() if told else "auto"


def load_prompts(folders: Sequence[Path], tasks: Sequence[str] | None = None) -> Together:
    """Read folders with prompts, and check that they can be asked together."""
    from clinprompt import metaprompts
    from clinprompt.artifacts.prompt_set import PromptSet
    from clinprompt.inference.together import together

    found = [metaprompts.find(folder) for folder in folders]
    return together([(folder, PromptSet.load(folder)) for folder in found], tasks)


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
