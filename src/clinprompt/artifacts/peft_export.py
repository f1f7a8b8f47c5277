"""A prompt set as adapters of Hugging Face PEFT.

A folder of adapters holds

- ``tasks/<task>/``: a PROMPT_TUNING adapter for each task,
- ``multitask/``: one MULTITASK_PROMPT_TUNING adapter with all tasks, in the set's order,
- ``around.json``: the text that must stand around an input, and the backbone's fingerprint,
- ``clinprompt.json``: the set's own description, so that the folder can be read back whole,
- ``README.md`` and ``manifest.json``.

For task k, PEFT multiplies ``prompt_embeddings * (prefix_task_cols[k] @ prefix_task_rows[k])``:
our P* ∘ (u_k v_k), for any rank R (``num_ranks``). Plain prompts are held exactly by
ones ∘ (I prompt_k), of rank P.

Shapes: K tasks, P virtual tokens, H hidden size, R rank.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from clinprompt import verbalize
from clinprompt.artifacts.card import backbone_name
from clinprompt.artifacts.folder import write_folder
from clinprompt.artifacts.manifest import Manifest
from clinprompt.artifacts.peft_readme import readme
from clinprompt.artifacts.prompt_set import META, PromptSet
from clinprompt.errors import ClinpromptError

KIND = "peft-adapters"
CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
DESCRIPTION, AROUND, README = "clinprompt.json", "around.json", "README.md"
TASKS, MULTITASK = "tasks", "multitask"
SHARED, COLS, ROWS = "prompt_embeddings", "prefix_task_cols", "prefix_task_rows"


def export_peft(
    prompts: PromptSet,
    out: str | Path,
    *,
    base_model: str | None = None,
    overwrite: bool = False,
) -> Manifest:
    """Write a set's prompts as PEFT adapters; equal sets give equal bytes.

    Args:
        out: the folder to write, atomically.
        base_model: what the adapters call the backbone (a folder or hub id); by default the set's
            own name for it, of a path only the last part.
        overwrite: replace a folder of adapters that is there.

    Raises:
        ClinpromptError: CP-ART-500 prompts that do not stand in front of the text, CP-ART-501
            prompts of keys and values; those of `folder.write_folder`.
    """
    meta = prompts.meta
    placement: str = meta.placement
    if placement != "before":
        raise ClinpromptError(
            "CP-ART-500",
            f"the prompts stand '{placement}' the text, and PEFT puts a prompt in front of "
            "everything",
            file=prompts.file,
            hint="only prompts with placement 'before' can be exported",
        )
    if meta.depth != "input":
        raise ClinpromptError(
            "CP-ART-501",
            "the prompts are keys and values of every layer, and PEFT's prompt tuning has "
            "embeddings",
            file=prompts.file,
            hint="only prompts with depth 'input' can be exported",
        )
    if meta.update is not None:
        raise ClinpromptError(
            "CP-ART-502",
            "an update of the backbone's layers goes with the prompts, and a PEFT adapter is "
            "either a prompt or LoRA",
            file=prompts.file,
            hint="only prompts adapted without adapt.lora can be exported",
        )
    base = base_model or backbone_name(meta)
    around = {
        "base_model": base,
        "fingerprint": meta.fingerprint.model_dump(),
        "template": meta.template.model_dump(),
        "instructions": {card.name: verbalize.instruction(card) for card in meta.tasks},
        "task_ids": {name: k for k, name in enumerate(meta.names)},
        **({"label_bias": meta.label_bias} if meta.label_bias else {}),
    }
    factors = multitask_tensors(prompts)

    def write(folder: Path) -> None:
        for name in meta.names:
            _adapter(
                folder / TASKS / name,
                {"peft_type": "PROMPT_TUNING", **_shape(prompts, base)},
                {SHARED: prompts.task_prompt(name)},
            )
        multitask = {
            "peft_type": "MULTITASK_PROMPT_TUNING",
            **_shape(prompts, base),
            "num_tasks": len(meta.names),
            "num_ranks": factors[COLS].shape[2],
        }
        _adapter(folder / MULTITASK, multitask, factors)
        # Not `prompts.digest`: a set saved by an older version may have had other bytes.
        digest = PromptSet(meta, prompts.tensors).digest
        description = {"digest": digest, META: json.loads(meta.to_bytes())}
        _json(folder / DESCRIPTION, description)
        _json(folder / AROUND, around)
        text = readme(meta, prompts.digest, base, rank=factors[COLS].shape[2])
        (folder / README).write_text(text, encoding="utf-8", newline="\n")

    return write_folder(out, write, kind=KIND, overwrite=overwrite, free=(README,))


def multitask_tensors(prompts: PromptSet) -> dict[str, Tensor]:
    """The tensors of the adapter with all tasks, float32.

    Returns:
        ``prompt_embeddings`` [P, H], ``prefix_task_cols`` [K, P, R], ``prefix_task_rows``
        [K, R, H]; plain prompts have R = P.
    """
    tensors = prompts.tensors
    if "shared" in tensors:
        return {SHARED: tensors["shared"], COLS: tensors["u"], ROWS: tensors["v"]}
    plain = tensors["prompts"]
    tasks, length, hidden = plain.shape
    identity = torch.eye(length).repeat(tasks, 1, 1)
    return {SHARED: torch.ones(length, hidden), COLS: identity, ROWS: plain}


def _shape(prompts: PromptSet, base: str) -> dict[str, Any]:
    """What both kinds of adapters say about themselves."""
    mark = prompts.meta.fingerprint
    return {
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base,
        "num_virtual_tokens": prompts.meta.length,
        "token_dim": mark.hidden,
        "num_layers": mark.layers,
        "num_transformer_submodules": 1,
        "prompt_tuning_init": "RANDOM",  # nothing is drawn: the weights are loaded
        "inference_mode": True,
    }


def _adapter(folder: Path, config: dict[str, Any], tensors: dict[str, Tensor]) -> None:
    folder.mkdir(parents=True)
    _json(folder / CONFIG, config)
    content = {name: tensor.contiguous() for name, tensor in tensors.items()}
    (folder / WEIGHTS).write_bytes(safetensors.torch.save(content, {"format": "pt"}))


def _json(file: Path, content: dict[str, Any]) -> None:
    file.write_text(
        json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8", newline="\n"
    )
