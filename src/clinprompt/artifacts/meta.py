"""What an artefact says about itself: the content of its ``meta.json``."""

from __future__ import annotations

import json
import math
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator

from clinprompt import __version__
from clinprompt.artifacts.fingerprint import BackboneFingerprint
from clinprompt.artifacts.manifest import newer
from clinprompt.backbone.template import Depth, Placement, Template
from clinprompt.backbone.updates import LowRank
from clinprompt.errors import ClinpromptError
from clinprompt.tasks.card import Card
from clinprompt.tasks.yamlfile import schema_error

FORMAT_VERSION = 1
Kind = Literal["metaprompt", "adapted", "prompt-tuning"]
Digest = Field(default=None, pattern=r"^[0-9a-f]{64}$")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Parents(_Strict):
    """What a prompt was made from.

    Attributes:
        metaprompt: digest of the metaprompt it was adapted from.
        teachers: digest of the teachers it was distilled from.
    """

    metaprompt: str | None = Digest
    teachers: str | None = Digest


class PromptMeta(_Strict):
    """Everything about a prompt set but its numbers.

    Nothing here may depend on the time or on the machine's paths: an interrupted and resumed
    training must write the same bytes as one that ran through.

    Attributes:
        format_version: of this file and the tensors beside it.
        kind: "metaprompt" (result of source training), "adapted" (target adaptation, one task or
            a group) or "prompt-tuning" (plain prompts, the baseline).
        form: "decomposed" (shared prompt and task vectors) or "plain" (one prompt a task).
        tasks: the K cards, in the order of the tensors' first axis.
        length: P, virtual tokens.
        rank: R of the task vectors; None for plain prompts.
        placement: where the prompt stands: before the text, or after it.
        depth: "input": rows of embeddings; "layers": keys and values of every layer.
        width: W, numbers of a position, where it is not the backbone's hidden size.
        update: what the update of the backbone's layers is like that goes with all of the set's
            prompts; None where the backbone is asked as it is.
        backbone: what the user called the backbone.
        fingerprint: which backbone that was.
        template: literal strings around instruction, input and answer.
        configuration: the resolved configuration of the run.
        training_data: counts, such as ``{"chemprot": {"train": 4154}}``.
        metrics: scores, nested by name in the same way; never NaN.
        trainable_parameters: how many numbers were trained; 0 for a zero-shot prompt.
        seeds: by purpose.
        libraries: library -> version.
        label_bias: task -> label -> what is added to its log-score when labels are chosen from
            (`inference.label_bias`); tasks without one are asked as they are.
        contains_phi_note: what the trainer said about protected health information in the
            training data; empty if nothing was said.
    """

    format_version: Literal[1] = 1
    kind: Kind
    form: Literal["decomposed", "plain"]
    tasks: tuple[Card, ...] = Field(min_length=1)
    length: int = Field(gt=0)
    rank: int | None = Field(default=None, gt=0)
    placement: Placement = "before"
    depth: Depth = "input"
    width: int | None = Field(default=None, gt=0)
    update: LowRank | None = None
    backbone: str = Field(min_length=1)
    fingerprint: BackboneFingerprint
    template: Template
    configuration: dict[str, JsonValue] = Field(default_factory=dict)
    training_data: dict[str, JsonValue] = Field(default_factory=dict)
    metrics: dict[str, JsonValue] = Field(default_factory=dict)
    parents: Parents = Parents()
    trainable_parameters: int = Field(ge=0)
    seeds: dict[str, int] = Field(default_factory=dict)
    libraries: dict[str, str] = Field(default_factory=dict)
    label_bias: dict[str, dict[str, float]] = Field(default_factory=dict)
    contains_phi_note: str = ""

    @model_validator(mode="after")
    def _consistent(self) -> PromptMeta:
        names = self.names
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"tasks: '{twice[0]}' stands there twice")
        if (self.rank is None) != (self.form == "plain"):
            raise ValueError(f"rank: {self.rank} doesn't fit form '{self.form}'")
        if self.kind == "prompt-tuning" and self.form != "plain":
            raise ValueError("form: a 'prompt-tuning' set is 'plain'")
        if (self.width is None) != (self.depth == "input"):
            raise ValueError(f"width: {self.width} doesn't fit depth '{self.depth}'")
        if self.kind == "adapted" and self.parents.metaprompt is None:
            raise ValueError("parents.metaprompt: an 'adapted' set names its metaprompt")
        if self.update is not None and self.kind != "adapted":
            raise ValueError(f"update: a '{self.kind}' set has none")
        if self.update is not None and self.placement != "before":
            raise ValueError(f"update: none goes with placement '{self.placement}'")
        for name, bias in self.label_bias.items():
            if name not in names:
                raise ValueError(f"label_bias: there is no task '{name}'")
            if set(bias) != set(self.tasks[names.index(name)].labels):
                raise ValueError(f"label_bias: its labels are not those of task '{name}'")
        return self

    @property
    def names(self) -> list[str]:
        """Names of the K tasks."""
        return [card.name for card in self.tasks]

    @property
    def backbone_parameters(self) -> int:
        """Number of weights of the backbone."""
        return self.fingerprint.parameters

    @property
    def share(self) -> float:
        """Trainable parameters as a part of the backbone's."""
        return self.trainable_parameters / self.backbone_parameters

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Name and shape of each tensor.

        shared [P, H], u [K, P, R] and v [K, R, H] if decomposed, else prompts [K, P, H]; with W in
        place of H for prompts of keys and values. And update [N], where there is one.
        """
        tasks, size = len(self.tasks), self.size
        more = {} if self.update is None else {"update": (self.update.numbers,)}
        if self.rank is None:
            return {"prompts": (tasks, self.length, size), **more}
        return {
            "shared": (self.length, size),
            "u": (tasks, self.length, self.rank),
            "v": (tasks, self.rank, size),
            **more,
        }

    @property
    def size(self) -> int:
        """Numbers of one position: H, or W of prompts of keys and values."""
        return self.fingerprint.hidden if self.width is None else self.width

    def to_bytes(self) -> bytes:
        """The content of ``meta.json``; the order of keys is kept (labels have one)."""
        content = self.model_dump(mode="json")
        for later in ("label_bias", "update"):  # the same bytes as before there were such things
            if not content[later]:
                del content[later]
        return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()


def parse_meta(content: bytes, file: Path) -> PromptMeta:
    """Read ``meta.json``.

    Raises:
        ClinpromptError: CP-ART-008 written by a newer clinprompt, CP-ART-030 not JSON, CP-ART-031
            a key is unknown, missing or wrong.
    """
    try:
        text = content.decode()
        value = json.loads(text)
        if not isinstance(value, dict):
            raise ValueError("not a JSON object")
    except (ValueError, RecursionError) as error:
        raise ClinpromptError("CP-ART-030", f"not readable as JSON: {error}", file=file) from error
    found = value.get("format_version")
    if isinstance(found, int) and found > FORMAT_VERSION:
        raise newer(found, FORMAT_VERSION, file)
    try:
        return PromptMeta.model_validate(value)
    except ValidationError as error:
        raise schema_error("CP-ART-031", error, PromptMeta, text, file) from error


def library_versions() -> dict[str, str]:
    """Versions of what may change a number, for `PromptMeta.libraries`."""
    names = ("numpy", "safetensors", "tokenizers", "torch", "transformers")
    found = {name: version(name) for name in names}
    return {"clinprompt": __version__, "python": platform.python_version(), **found}


def percent(share: float) -> str:
    """A share as a percentage with three significant digits, never in powers of ten.

    >>> percent(58_276 / 134_515_008)
    '0.0433 %'
    """
    value = 100 * share
    decimals = 2 if value == 0 else max(2, 2 - math.floor(math.log10(abs(value))))
    return f"{value:.{decimals}f} %"
