"""A prompt set as adapters of Hugging Face PEFT.

A folder of adapters holds

- ``tasks/<task>/``: an adapter for each task: PROMPT_TUNING, or PREFIX_TUNING where prompts are
  keys and values,
- ``multitask/``: one MULTITASK_PROMPT_TUNING adapter with all tasks, in the set's order; PEFT has
  none for keys and values,
- ``lora/``: a LORA adapter of the low-rank update that goes with the prompts, where there is one,
- ``set.safetensors``: the set's own tensors, where the adapters above don't hold them all,
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
from clinprompt.artifacts.fingerprint import fingerprint
from clinprompt.artifacts.folder import write_folder
from clinprompt.artifacts.manifest import Manifest
from clinprompt.artifacts.peft_layers import lora_config, lora_tensors, prefix_shape
from clinprompt.artifacts.peft_readme import readme
from clinprompt.artifacts.prompt_set import META, PromptSet
from clinprompt.backbone.model import Backbone
from clinprompt.errors import ClinpromptError

KIND = "peft-adapters"
CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
DESCRIPTION, AROUND, README = "clinprompt.json", "around.json", "README.md"
TASKS, MULTITASK, LORA, OWN = "tasks", "multitask", "lora", "set.safetensors"
SHARED, COLS, ROWS = "prompt_embeddings", "prefix_task_cols", "prefix_task_rows"


def of_layers(prompts: PromptSet) -> bool:
    """Whether something of the set lies in the backbone's layers: keys and values, an update."""
    return prompts.meta.depth == "layers" or prompts.meta.update is not None


def export_peft(
    prompts: PromptSet,
    out: str | Path,
    *,
    base_model: str | None = None,
    backbone: Backbone | None = None,
    overwrite: bool = False,
) -> Manifest:
    """Write a set's prompts as PEFT adapters; equal sets give equal bytes.

    Args:
        out: the folder to write, atomically.
        base_model: what the adapters call the backbone (a folder or hub id); by default the set's
            own name for it, of a path only the last part.
        backbone: the backbone itself, which knows the names and shapes of its layers. Only a set
            of which something lies in them (`of_layers`) needs it.
        overwrite: replace a folder of adapters that is there.

    Raises:
        ClinpromptError: CP-ART-500 prompts that do not stand in front of the text, CP-ART-501
            something lies in the layers and no backbone is given, CP-ART-020 another backbone
            than the set's; those of `folder.write_folder`.
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
    if of_layers(prompts):
        if backbone is None:
            raise ClinpromptError(
                "CP-ART-501",
                "keys and values, or an update of the layers, can be written only with the "
                "backbone at hand",
                file=prompts.file,
                hint="give export_peft the loaded backbone",
            )
        prompts.require_backbone(fingerprint(backbone))
    base = base_model or backbone_name(meta)
    around = {
        "base_model": base,
        "fingerprint": meta.fingerprint.model_dump(),
        "template": meta.template.model_dump(),
        "instructions": {card.name: verbalize.instruction(card) for card in meta.tasks},
        "task_ids": {name: k for k, name in enumerate(meta.names)},
        **({"label_bias": meta.label_bias} if meta.label_bias else {}),
    }
    shape = {
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base,
        "inference_mode": True,
    }

    def write(folder: Path) -> None:
        sizes = _virtual(prompts, backbone)
        for name in meta.names:
            config = {"peft_type": _kind(prompts), **shape, **sizes}
            _adapter(folder / TASKS / name, config, {SHARED: prompts.task_prompt(name)})
        rank = None
        if meta.depth == "input":
            factors = multitask_tensors(prompts)
            rank = factors[COLS].shape[2]
            config = {"peft_type": "MULTITASK_PROMPT_TUNING", **shape, **sizes}
            config |= {"num_tasks": len(meta.names), "num_ranks": rank}
            _adapter(folder / MULTITASK, config, factors)
        if prompts.update is not None:
            assert backbone is not None
            tensors = lora_tensors(backbone, prompts.update)
            _adapter(folder / LORA, lora_config(prompts.update) | shape, tensors)
        if of_layers(prompts):
            (folder / OWN).write_bytes(safetensors.torch.save(dict(prompts.tensors)))
        # Not `prompts.digest`: a set saved by an older version may have had other bytes.
        digest = PromptSet(meta, prompts.tensors).digest
        description = {"digest": digest, META: json.loads(meta.to_bytes())}
        _json(folder / DESCRIPTION, description)
        _json(folder / AROUND, around)
        text = readme(meta, prompts.digest, base, rank=rank)
        (folder / README).write_text(text, encoding="utf-8", newline="\n")

    return write_folder(out, write, kind=KIND, overwrite=overwrite, free=(README,))


def written(prompts: PromptSet) -> list[tuple[str, str]]:
    """The adapters that `export_peft` writes for a set: place in the folder, and what it is."""
    found = [(f"{TASKS}/{name}", _kind(prompts)) for name in prompts.meta.names]
    if prompts.meta.depth == "input":
        found.append((MULTITASK, f"MULTITASK_PROMPT_TUNING, {len(prompts.meta.names)} tasks"))
    if prompts.meta.update is not None:
        found.append((LORA, f"LORA, {prompts.meta.update.told}"))
    return found


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


def _kind(prompts: PromptSet) -> str:
    """PEFT's method for a task's prompt."""
    return "PREFIX_TUNING" if prompts.meta.depth == "layers" else "PROMPT_TUNING"


def _virtual(prompts: PromptSet, backbone: Backbone | None) -> dict[str, Any]:
    """What adapters say of virtual tokens."""
    mark = prompts.meta.fingerprint
    sizes: dict[str, Any] = {
        "num_virtual_tokens": prompts.meta.length,
        "token_dim": mark.hidden,
        "num_layers": mark.layers,
        "num_transformer_submodules": 1,
    }
    if prompts.meta.depth == "layers":
        assert backbone is not None
        return sizes | prefix_shape(backbone)
    # Nothing is drawn: the weights are loaded.
    return sizes | {"prompt_tuning_init": "RANDOM"}


def _adapter(folder: Path, config: dict[str, Any], tensors: dict[str, Tensor]) -> None:
    folder.mkdir(parents=True)
    _json(folder / CONFIG, config)
    content = {name: tensor.contiguous() for name, tensor in tensors.items()}
    (folder / WEIGHTS).write_bytes(safetensors.torch.save(content, {"format": "pt"}))


def _json(file: Path, content: dict[str, Any]) -> None:
    file.write_text(
        json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8", newline="\n"
    )
