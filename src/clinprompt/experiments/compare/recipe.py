"""What a comparison is asked to do: one schema for the YAML file and ``key=value`` overrides."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from clinprompt.experiments.compare.cell import Shots
from clinprompt.training.settings import (
    LARGEST_SEED,
    BackboneSettings,
    DataSettings,
    EngineSettings,
    PromptSettings,
    Selection,
    Settings,
)

ID = r"^[A-Za-z0-9][A-Za-z0-9._+-]*$"  # ids are names of folders


class NamedBackbone(BackboneSettings):
    """A backbone of the comparison."""

    id: str = Field("", description="name of its folder and column; default: from its name")

    @model_validator(mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        if isinstance(value, str):
            value = {"name": value}
        if isinstance(value, dict) and not value.get("id"):
            last = str(value.get("name", "smollm2")).rstrip("/").split("/")[-1]
            kept = "".join(c if c.isascii() and (c.isalnum() or c in "._+-") else "-" for c in last)
            value = {**value, "id": kept.lstrip("._+-") or "backbone"}
        return value

    @property
    def settings(self) -> BackboneSettings:
        """Without the id."""
        return BackboneSettings.model_validate(self.model_dump(exclude={"id"}))


class SourceSettings(Settings):
    """Where the metaprompts come from.

    A finished metaprompt is used if one is named; otherwise one is trained for each backbone.
    """

    metaprompt: Path | dict[str, Path] | None = Field(
        None, description="a finished metaprompt's folder, or one for each backbone id"
    )
    recipe: str | None = Field(None, description="a source recipe: a bundled name or a YAML file")
    changes: dict[str, Any] = Field(
        default_factory=dict, description="dotted key -> value, instead of what the recipe says"
    )


class TrainingSettings(Settings):
    """The training that all methods get alike: AdamW, linear warm-up and decay (`Optimiser`)."""

    steps: int | dict[int | str, int] = Field(
        100, description="updates; or by shots, such as {4: 20, full: 200}"
    )
    rows: int = Field(16, ge=1, description="examples of an update, of each target")
    warmup: float = Field(0.1, ge=0, le=1)
    clip: float = Field(1.0, gt=0)
    weight_decay: float = Field(0.0, ge=0)
    evaluations: int = Field(4, ge=1, description="dev losses during training; the start is one")
    select: Selection = Field(
        "loss",
        description="states and rates are chosen by dev loss; or by the target's metric on dev, "
        "answered as test examples are, and of equals by dev loss; or by-form: by the metric for "
        "targets whose answers are lists, and else by the loss",
    )

    @field_validator("steps")
    @classmethod
    def _positive(cls, value: int | dict[int | str, int]) -> int | dict[int | str, int]:
        some = list(value.values()) if isinstance(value, dict) else [value]
        if any(one < 1 for one in some):
            raise ValueError("steps must be 1 or more")
        return value

    def steps_at(self, shots: Shots) -> int | None:
        """Updates at so many shots; None if the recipe does not say."""
        if isinstance(self.steps, int):
            return self.steps
        return {str(key): value for key, value in self.steps.items()}.get(str(shots))


class TuningSettings(Settings):
    """How each method's learning rates are chosen: on dev, over its grid."""

    when: Literal["per-cell", "first-seed", "off"] = Field(
        "first-seed",
        description="each cell for itself; or in the first seed, for all seeds of the same "
        "backbone, target, method and shots; or never: the first entry of the grid",
    )
    targets: list[str] = Field(
        default_factory=list,
        description="with first-seed: try on these targets alone, and take what is best on "
        "average for all targets",
    )


class EvaluationSettings(Settings):
    """How test examples are answered; the same for all methods."""

    examples: int | None = Field(None, ge=1, description="most test examples of a target")
    dev_examples: int = Field(0, ge=0, description="dev examples that are answered and scored too")
    max_input: int | None = Field(None, ge=8, description="most tokens of an input")
    long_inputs: Literal["refuse", "truncate"] = "truncate"
    max_new: int | None = Field(None, ge=1, description="most new tokens of an open answer")
    batch_tokens: int | None = Field(None, ge=1)
    balance: bool = Field(
        False,
        description="balance the labels of targets judged by macro F1, over the texts of "
        "data.dev_examples dev examples (`inference.label_bias`); gold labels are not read for it",
    )
    grounded: bool = Field(
        False,
        description="hold mentions, listed relations and spans to the text they are of "
        "(`inference.grounding`)",
    )
    no_repeat_ngram: int | None = Field(
        None, ge=2, description="no run of so many tokens stands in a free text or summary twice"
    )
    empty_above: float | None = Field(
        None,
        ge=0.5,
        le=1,
        description="a list is left empty only where that is more probable (`inference.emptiness`)",
    )
    sample_seed: int = Field(0, ge=0, description="of the sample of test examples")


class StatisticsSettings(Settings):
    """Bootstrap draws behind intervals and paired differences."""

    resamples: int = Field(1000, ge=2)
    seed: int = Field(0, ge=0)


class CompareRecipe(Settings):
    """Methods x targets x shots x seeds x backbones."""

    name: str = "comparison"
    suite: str | None = Field(None, description="suite whose target tasks are used")
    targets: list[str] = Field(default_factory=list, description="or these tasks")
    shots: list[Shots] = Field(default=[0, 32], min_length=1)
    seeds: list[int] = Field(default=[0], min_length=1)
    backbones: list[NamedBackbone] = Field(
        default_factory=lambda: [NamedBackbone.model_validate("smollm2")], min_length=1
    )
    source: SourceSettings = SourceSettings()
    methods: list[str | dict[str, Any]] = Field(
        min_length=1, description="names, or mappings with a name and the method's settings"
    )
    prompt: PromptSettings = PromptSettings()
    data: DataSettings = DataSettings()
    training: TrainingSettings = TrainingSettings()
    tuning: TuningSettings = TuningSettings()
    evaluation: EvaluationSettings = EvaluationSettings()
    statistics: StatisticsSettings = StatisticsSettings()
    engine: EngineSettings = EngineSettings()

    @model_validator(mode="after")
    def _sensible(self) -> CompareRecipe:
        listed: list[tuple[str, list[Any]]] = [
            ("seeds", list(self.seeds)),
            ("shots", list(self.shots)),
            ("backbones", [one.id for one in self.backbones]),
        ]
        for what, values in listed:
            twice = next((value for value in values if values.count(value) > 1), None)
            if twice is not None:
                raise ValueError(f"{what}: '{twice}' stands there twice")
        if any(seed < 0 or seed > LARGEST_SEED for seed in self.seeds):
            raise ValueError(f"seeds lie between 0 and {LARGEST_SEED}")
        if any(shots < 0 for shots in self.shots if shots != "full"):
            raise ValueError("shots are 0 or more, or full")
        return self
