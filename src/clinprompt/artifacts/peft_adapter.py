"""Reading an adapter of Hugging Face PEFT: a JSON file and a safetensors file, nothing else.

Adapters in ``adapter_model.bin`` are pickles, which run code when they are opened: they are never
read. PEFT itself is not needed.

Shapes: K tasks, P virtual tokens, H hidden size, R rank.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import safetensors.torch
import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from safetensors import SafetensorError
from torch import Tensor

from clinprompt.artifacts.peft_export import COLS, CONFIG, MULTITASK, ROWS, SHARED, TASKS, WEIGHTS
from clinprompt.errors import ClinpromptError

_KNOWN = ("PROMPT_TUNING", "MULTITASK_PROMPT_TUNING", "PREFIX_TUNING")
_EXACT = (torch.float32, torch.float16, torch.bfloat16)  # float32 holds all their values


class AdapterConfig(BaseModel):
    """What of ``adapter_config.json`` matters here; PEFT writes more."""

    model_config = ConfigDict(frozen=True)

    peft_type: Literal["PROMPT_TUNING", "MULTITASK_PROMPT_TUNING", "PREFIX_TUNING"]
    task_type: Literal["CAUSAL_LM"]
    base_model_name_or_path: str | None = None
    num_virtual_tokens: int = Field(gt=0)
    token_dim: int = Field(gt=0)
    num_transformer_submodules: Literal[1, None] = None
    num_layers: int | None = Field(None, gt=0)
    num_attention_heads: int | None = Field(None, gt=0)
    num_tasks: int = Field(1, gt=0)
    num_ranks: int = Field(1, gt=0)
    modules_to_save: None = None

    @model_validator(mode="after")
    def _whole(self) -> AdapterConfig:
        if self.peft_type == "PREFIX_TUNING" and not (self.num_layers and self.num_attention_heads):
            raise ValueError("a prefix is of some number of layers and heads")
        return self

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Name and shape of each tensor."""
        length, hidden = self.num_virtual_tokens, self.token_dim
        if self.num_layers is not None and self.peft_type == "PREFIX_TUNING":
            return {SHARED: (length, 2 * self.num_layers * hidden)}
        found: dict[str, tuple[int, ...]] = {SHARED: (length, hidden)}
        if self.peft_type == "MULTITASK_PROMPT_TUNING":
            found[COLS] = (self.num_tasks, length, self.num_ranks)
            found[ROWS] = (self.num_tasks, self.num_ranks, hidden)
        return found


@dataclass(frozen=True, eq=False)
class Adapter:
    """An adapter as it was read.

    Attributes:
        tensors: float32, as `AdapterConfig.shapes` names them.
        folder: where it came from.
    """

    config: AdapterConfig
    tensors: Mapping[str, Tensor]
    folder: Path


def read_adapter(folder: Path) -> Adapter:
    """Read and check an adapter's two files.

    Raises:
        ClinpromptError: CP-ART-510 no adapter there, CP-ART-511 its configuration is not JSON,
            CP-ART-512 another method of PEFT, CP-ART-513 a configuration that no prompt of ours
            corresponds to, CP-ART-514 no safetensors file, CP-ART-515 the file is not readable as
            safetensors, CP-ART-516 tensors differ from what the configuration says.
    """
    config = _config(folder)
    file = folder / WEIGHTS
    if not file.is_file():
        pickled = sorted(path.name for path in folder.glob("*.bin"))
        raise ClinpromptError(
            "CP-ART-514",
            f"no {WEIGHTS}" + (f"; {pickled[0]} is a pickle and is not opened" if pickled else ""),
            file=folder,
            hint="save the adapter with safe_serialization=True" if pickled else None,
        )
    try:
        tensors = safetensors.torch.load(file.read_bytes())
    except (SafetensorError, ValueError, KeyError) as error:
        raise ClinpromptError(
            "CP-ART-515", f"not readable as safetensors: {error}", file=file
        ) from error
    _check(config, tensors, file)
    return Adapter(config, {name: tensor.float() for name, tensor in tensors.items()}, folder)


def _config(folder: Path) -> AdapterConfig:
    file = folder / CONFIG
    if not file.is_file():
        inside = sorted(path.parent.name for path in folder.glob(f"*/{CONFIG}"))
        inside += sorted(f"{TASKS}/{p.parent.name}" for p in folder.glob(f"{TASKS}/*/{CONFIG}"))
        raise ClinpromptError(
            "CP-ART-510",
            f"neither a PEFT adapter (no {CONFIG}) nor a folder that 'clinprompt export' wrote",
            file=folder,
            hint=f"name one of the adapters in it: {', '.join(inside[:5])}" if inside else None,
        )
    try:
        content = json.loads(file.read_text(encoding="utf-8-sig"))
        if not isinstance(content, dict):
            raise ValueError("not a JSON object")
    except (ValueError, RecursionError) as error:
        raise ClinpromptError("CP-ART-511", f"not readable as JSON: {error}", file=file) from error
    if content.get("peft_type") not in _KNOWN:
        raise ClinpromptError(
            "CP-ART-512",
            f"an adapter of type {content.get('peft_type')!r}",
            file=file,
            hint=f"only soft prompts in front of the text can be imported: {', '.join(_KNOWN)}",
        )
    try:
        return AdapterConfig.model_validate(content)
    except ValidationError as error:
        first: Any = error.errors()[0]
        name = ".".join(map(str, first["loc"]))
        raise ClinpromptError(
            "CP-ART-513",
            (f"{name} is {content.get(name)!r}: " if name else "") + _why(name, first["msg"]),
            file=file,
        ) from error


def _why(name: str, message: str) -> str:
    return {
        "task_type": "clinprompt runs causal language models only (CAUSAL_LM)",
        "num_transformer_submodules": "clinprompt runs causal language models only, which have 1",
        "modules_to_save": "the adapter changes weights of the model; clinprompt never does",
    }.get(name, message)


def _check(config: AdapterConfig, tensors: Mapping[str, Tensor], file: Path) -> None:
    wanted = config.shapes()
    wrong = []
    for name in sorted({*wanted, *tensors}):
        if name not in tensors:
            wrong.append(f"{name} is missing")
        elif name not in wanted:
            wrong.append(f"{name} is unexpected")
        elif tuple(tensors[name].shape) != wanted[name]:
            wrong.append(f"{name} is {list(tensors[name].shape)}, not {list(wanted[name])}")
        elif tensors[name].dtype not in _EXACT:
            kind = str(tensors[name].dtype).removeprefix("torch.")
            wrong.append(f"{name} is {kind}, not float32, float16 or bfloat16")
    if wrong:
        raise ClinpromptError(
            "CP-ART-516",
            f"tensors don't fit {CONFIG}: {'; '.join(wrong[:5])}",
            file=file,
            hint=f"is it the '{MULTITASK}' file of another adapter?" if len(wrong) > 2 else None,
        )
