"""What a run is asked to do: one schema for YAML files, ``key=value`` overrides and defaults.

Rates of prompts are in units of the backbone's embedding scale (the standard deviation of its
embeddings), so that one recipe carries over between backbones; rates of task vectors are absolute,
since those start at one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from clinprompt.backbone.flex import Choice
from clinprompt.backbone.template import Depth, Placement
from clinprompt.errors import ClinpromptError
from clinprompt.tasks.card import Card
from clinprompt.tasks.yamlfile import plain_yaml, schema_error
from clinprompt.training.sampler import Mixing

LARGEST_SEED = 2**63 - 1  # what torch's generators take
CPU_TOKENS = 1024  # of a micro-batch, unless a recipe says otherwise: fits caches best
LARGEST_RATE = 1e6  # in whatever unit; far above it, steps overflow float32


class Settings(BaseModel):
    """Base: immutable; unknown keys, NaN and infinity are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class BackboneSettings(Settings):
    """Which frozen model, and how it is loaded."""

    name: str = Field("smollm2", description="known name, model folder or hub id")
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    device: str = "auto"
    template: Literal["auto", "chat", "plain"] = "auto"
    attention: Choice = Field(
        "auto", description="auto: FlexAttention on CUDA where it works, else what the model has"
    )


class PromptSettings(Settings):
    """Shape and start of soft prompts."""

    length: int = Field(100, ge=1, description="P, virtual tokens")
    rank: int = Field(1, ge=1, description="R of the task vectors")
    init: Literal["vocabulary", "instruction"] = Field(
        "vocabulary", description="start from sampled vocabulary or from the instruction's text"
    )
    placement: Placement = Field(
        "before",
        description="where the prompt stands; after the text, a note is encoded once for all tasks",
    )
    depth: Depth = Field(
        "input", description="vectors at the input, or keys and values of every layer"
    )


class DataSettings(Settings):
    """What of a task's data is used."""

    max_tokens: int = Field(512, ge=8, description="longest input plus answer")
    long_inputs: Literal["refuse", "skip", "truncate"] = Field(
        "refuse", description="what happens to longer training examples; all are counted"
    )
    train_examples: int | None = Field(None, ge=1, description="most training examples of a task")
    dev_examples: int = Field(32, ge=1, description="dev examples of a task that select states")


class SourceDataSettings(DataSettings):
    """What of the source tasks' data is used."""

    most_empty: float | None = Field(
        None,
        ge=0,
        lt=1,
        description="largest share of training examples without any mention or relation",
    )


class Optimiser(Settings):
    """AdamW with linear warm-up and linear decay to zero."""

    steps: int = Field(ge=1)
    rows: int = Field(32, ge=1, description="examples of a step")
    stop: int | None = Field(
        None, ge=1, description="end after this step; rates fall as if all steps were to come"
    )
    warmup: float = Field(0.1, ge=0, le=1, description="share of the steps")
    clip: float = Field(1.0, gt=0, description="largest gradient norm")
    weight_decay: float = Field(0.0, ge=0, le=LARGEST_RATE)
    evaluate_every: int = Field(25, ge=1, description="steps between dev losses")

    @property
    def last(self) -> int:
        """The step that the stage ends after."""
        return self.steps if self.stop is None else self.stop

    @model_validator(mode="after")
    def _stops_in_time(self) -> Optimiser:
        if self.stop is not None and self.stop > self.steps:
            raise ValueError(f"stop is {self.stop}, after the last of {self.steps} steps")
        return self


class TeacherSettings(Optimiser):
    """Single-task soft prompts, trained side by side in mixed batches.

    `steps` counts the steps of all; each task takes part in tasks_per_step / K of them.
    """

    steps: int = Field(600, ge=1)
    tasks_per_step: int = Field(4, ge=1)
    rate: float = Field(0.15, gt=0, le=LARGEST_RATE)


class DistilSettings(Optimiser):
    """Distillation of the teachers into one metaprompt with task vectors.

    Loss: cross-entropy + weight * (KL at a temperature + relative hidden-state error).
    """

    steps: int = Field(600, ge=1)
    start: Literal["teachers", "vocabulary"] = Field(
        "teachers", description="P* starts as the mean of the teachers, or as they started"
    )
    kappa: int = Field(6, ge=2, description="most tasks of a step")
    mixing: Mixing = "equal"
    mixing_cap: int = Field(2**18, ge=1)
    mixing_temperature: float = Field(2.0, gt=0)
    rate_shared: float = Field(0.15, gt=0, le=LARGEST_RATE)
    rate_vectors: float = Field(0.05, gt=0, le=LARGEST_RATE)
    weight: float = Field(0.9, ge=0, description="lambda")
    temperature: float = Field(2.0, gt=0)
    distillation: bool = Field(True, description="false: task loss alone (ablation)")
    decomposition: bool = Field(True, description="false: one prompt for all tasks (ablation)")
    stochastic: bool = Field(True, description="false: tasks take turns (ablation)")
    teacher_answers: Literal["auto", "cached", "same_pass"] = Field(
        "auto", description="auto: cached where examples are drawn more than once on average"
    )


Selection = Literal["loss", "metric", "by-form"]
Judged = Literal["loss", "metric"]
VectorStart = Literal["mean", "type", "similar", "blend", "nearest", "dev"]


class LoraShape(Settings):
    """Low-rank updates of the backbone's layers (LoRA, Hu et al., 2022)."""

    rank: int = Field(1, ge=1)
    alpha: float = Field(2.0, gt=0, description="the update is scaled by alpha / rank")
    layers: tuple[str, ...] = Field(
        ("q_proj", "v_proj"),
        min_length=1,
        description="last parts of the names of the linear layers with an update",
    )


def judged_by(select: Selection, cards: Iterable[Card]) -> Judged:
    """What chooses among the states of prompts that are fitted to these tasks together.

    By-form is the metric as soon as one of them answers with a list.
    """
    if select == "by-form":
        return "metric" if any(card.lists for card in cards) else "loss"
    return select


class AdaptSettings(Optimiser):
    """Fitting a metaprompt, or a fresh prompt, to new tasks."""

    steps: int = Field(200, ge=1)
    rows: int = Field(16, ge=1)
    init: VectorStart = Field(
        "mean",
        description="task vectors from the mean source update; from that over sources of the same "
        "task type; from the source task whose card resembles the target's most; from the source "
        "task with the lowest loss on the training examples; or whichever of all these is best on "
        "dev",
    )
    trainable: Literal["all", "vectors", "none"] = Field(
        "all", description="of the prompt: P* and task vectors; task vectors alone; or neither"
    )
    lora: LoraShape | None = Field(
        None, description="a low-rank update of the backbone's layers is trained as well"
    )
    select: Selection = Field(
        "loss",
        description="the state that is kept has the lowest dev loss; or the best answers on dev by "
        "the task's own metric, and of equals the lowest loss; or by-form: the metric if answers "
        "are lists, of which a loss hardly sees that they name nothing, and else the loss",
    )
    rate_shared: float = Field(0.1, gt=0, le=LARGEST_RATE)
    rate_vectors: float = Field(0.02, gt=0, le=LARGEST_RATE)
    rate_weights: float = Field(
        0.01, gt=0, le=LARGEST_RATE, description="of the update, where there is one"
    )

    @model_validator(mode="after")
    def _trains(self) -> AdaptSettings:
        if self.trainable == "none" and self.lora is None:
            raise ValueError("trainable=none trains nothing without lora; set adapt.lora.rank=1")
        return self


class EngineSettings(Settings):
    """How steps are computed; changes speed and memory, not results beyond float rounding."""

    microbatch_tokens: Annotated[int, Field(ge=16)] | Literal["auto"] = Field(
        "auto", description="padded text tokens at once; auto: on CUDA, as many as memory holds"
    )
    save_every: int = Field(25, ge=1, description="steps between checkpoints")
    notes_mb: int = Field(
        1024, ge=0, description="placement after: keys and values of notes kept between steps, MB"
    )

    @property
    def tokens(self) -> int:
        """`microbatch_tokens` as a number: what a CPU takes, where it was left open."""
        return CPU_TOKENS if self.microbatch_tokens == "auto" else self.microbatch_tokens


class TrackingSettings(Settings):
    """Curves of a run; they change nothing of it, so they are no part of what a run is."""

    to: list[Literal["tensorboard", "wandb", "trackio"]] = Field(
        default_factory=list, description="where losses, rates and speeds are logged"
    )
    folder: Path | None = Field(None, description="where files go; by default OUT.tracking")
    project: str = Field("clinprompt", min_length=1, description="for wandb and trackio")


# Left out of every dump: of identities, and of what an artefact records.
_UNTRACKED = Field(default_factory=TrackingSettings, exclude=True)


class Recipe(Settings):
    """Source training, from task names to a metaprompt."""

    name: str = "metaprompt"
    suite: str | None = Field(None, description="suite whose source tasks are used")
    sources: list[str] = Field(default_factory=list, description="or these tasks")
    seed: int = Field(0, ge=0, le=LARGEST_SEED)
    backbone: BackboneSettings = BackboneSettings()
    prompt: PromptSettings = PromptSettings()
    data: SourceDataSettings = SourceDataSettings()
    teachers_from: Path | None = Field(
        None, description="teachers of an earlier run (its OUT.work/teachers), instead of new ones"
    )
    metaprompt_from: Path | None = Field(
        None, description="go on from this metaprompt: longer, or with other source tasks"
    )
    teachers: TeacherSettings = TeacherSettings()
    distil: DistilSettings = DistilSettings()
    engine: EngineSettings = EngineSettings()
    tracking: TrackingSettings = _UNTRACKED

    @model_validator(mode="after")
    def _starts_agree(self) -> Recipe:
        if (
            self.distil.distillation
            and self.distil.start == "teachers"
            and self.prompt.init == "instruction"
        ):
            raise ValueError(
                "distil.start=teachers averages teachers that share one start, and "
                "prompt.init=instruction starts each from its own instruction; "
                "set distil.start=vocabulary or prompt.init=vocabulary"
            )
        return self


class AdaptRecipe(Settings):
    """Target adaptation; backbone, template, prompt length and rank come from the metaprompt."""

    seed: int = Field(0, ge=0, le=LARGEST_SEED)
    backbone: BackboneSettings = BackboneSettings()
    prompt: PromptSettings = PromptSettings()
    data: DataSettings = DataSettings()
    adapt: AdaptSettings = AdaptSettings()
    engine: EngineSettings = EngineSettings()
    tracking: TrackingSettings = _UNTRACKED


S = TypeVar("S", bound=Settings)


def load_settings(
    schema: type[S],
    path: Path | None,
    overrides: Sequence[str] = (),
    *,
    defaults: Mapping[str, Any] | None = None,
    **fixed: Any,
) -> S:
    """Settings from a YAML file, ``a.b=value`` overrides, and fixed top-level values.

    Args:
        defaults: dotted key -> value, for what neither the file nor an override says.

    Raises:
        ClinpromptError: CP-TRAIN-010 no such file or no text, CP-TRAIN-011 not YAML,
            CP-TRAIN-012 a key is unknown or its value wrong, CP-TRAIN-013 an override is not
            ``key=value``, CP-TRAIN-082 the file is not a mapping, CP-TRAIN-083 an override of
            something inside a value.
    """
    text, content = ("", {}) if path is None else _read(path)
    given = [_parse_override(override) for override in overrides]
    for key, value in given:
        place, last = _place(content, key)
        place[last] = value
    for key, value in (defaults or {}).items():
        place, last = _place(content, key)
        place.setdefault(last, value)
    content.update({key: value for key, value in fixed.items() if value is not None})
    try:
        return schema.model_validate(content)
    except ValidationError as error:
        places = [".".join(str(part) for part in one["loc"]) for one in error.errors()]
        if any(f"{place}.".startswith(f"{key}.") for place in places for key, _ in given):
            text, path = "", None  # the file is not to blame
        raise schema_error("CP-TRAIN-012", error, schema, text, path) from error


def _read(path: Path) -> tuple[str, dict[str, Any]]:
    """Text and content of a settings file; an empty one is an empty mapping."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise ClinpromptError(
            "CP-TRAIN-010", f"recipe can't be read ({reason})", file=path
        ) from error
    try:
        content = plain_yaml(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise ClinpromptError(
            "CP-TRAIN-011",
            f"not valid YAML: {getattr(error, 'problem', None) or 'not readable'}",
            file=path,
            line=None if mark is None else mark.line + 1,
        ) from error
    if content is not None and not isinstance(content, dict):
        raise ClinpromptError("CP-TRAIN-082", "a recipe is a mapping of keys to values", file=path)
    return text, content or {}


def _parse_override(override: str) -> tuple[str, Any]:
    """Key and value of ``a.b=value``; the value is YAML."""
    key, equals, value = override.partition("=")
    try:
        parsed = plain_yaml(value)
    except yaml.YAMLError:
        equals = ""
    if not equals or not all(key.split(".")):
        raise ClinpromptError(
            "CP-TRAIN-013",
            f"override '{override}' is not key=value with a YAML value",
            hint="such as seed=1 or distil.rate_shared=0.1",
        )
    return key, parsed


def _place(content: dict[str, Any], key: str) -> tuple[dict[str, Any], str]:
    """The mapping in `content` that a dotted key stands in, made where missing, and its last part.

    Raises:
        ClinpromptError: CP-TRAIN-083 if there is a value where a section should be.
    """
    *parents, last = key.split(".")
    place = content
    for parent in parents:
        if place.get(parent) is None:  # missing, or a section with nothing in it
            place[parent] = {}
        inner = place[parent]
        if not isinstance(inner, dict):
            raise ClinpromptError(
                "CP-TRAIN-083", f"'{key}' can't be set: '{parent}' is a value, not a section"
            )
        place = inner
    return place, last
