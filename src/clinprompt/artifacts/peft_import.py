"""Prompt sets from adapters of Hugging Face PEFT.

Shapes: K tasks, P virtual tokens, H hidden size, N layers, G key heads of size D, R rank.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from clinprompt.artifacts.fingerprint import BackboneFingerprint
from clinprompt.artifacts.manifest import MANIFEST, read_verified, verify_folder
from clinprompt.artifacts.meta import PromptMeta, library_versions, parse_meta
from clinprompt.artifacts.peft_adapter import Adapter, read_adapter
from clinprompt.artifacts.peft_export import (
    COLS,
    DESCRIPTION,
    KIND,
    MULTITASK,
    OWN,
    ROWS,
    SHARED,
    TASKS,
)
from clinprompt.artifacts.prompt_set import META, PromptSet
from clinprompt.artifacts.staging import located
from clinprompt.backbone.template import Template
from clinprompt.errors import ClinpromptError
from clinprompt.prompts import compose
from clinprompt.tasks.card import Card


def is_export(path: Path) -> bool:
    """Whether a folder claims to be one that `export_peft` wrote."""
    folder = located(path)
    return (folder / DESCRIPTION).is_file() and (folder / MANIFEST).is_file()


def import_export(path: Path) -> PromptSet:
    """The set that a folder was exported from, to the bit.

    Raises:
        ClinpromptError: CP-ART-520 the adapters are not those of the set described beside them;
            those of `manifest.verify_folder`, `meta.parse_meta` and `read_adapter`.
    """
    manifest = verify_folder(path, kind=KIND)
    folder = located(path)
    content = json.loads(read_verified(folder, manifest, DESCRIPTION))
    file = path / DESCRIPTION
    meta = parse_meta(json.dumps(content.get(META)).encode(), file)
    if OWN in manifest.files:
        tensors = safetensors.torch.load(read_verified(folder, manifest, OWN))
    elif meta.form == "decomposed":
        adapter = read_adapter(folder / MULTITASK)
        tensors = dict(zip(("shared", "u", "v"), _factors(adapter), strict=True))
    else:
        adapters = [read_adapter(folder / TASKS / name) for name in meta.names]
        tensors = {"prompts": torch.stack([one.tensors[SHARED] for one in adapters])}
    prompts = PromptSet(meta, tensors, file)
    if prompts.digest != content.get("digest"):
        raise ClinpromptError(
            "CP-ART-520",
            f"the adapters make a set with digest {prompts.digest}, and {DESCRIPTION} names "
            f"{content.get('digest')}",
            file=path,
            hint="export it again, or import a single adapter of it with --task",
        )
    return prompts


def import_adapter(
    adapter: Adapter,
    cards: Sequence[Card],
    *,
    backbone: str,
    fingerprint: BackboneFingerprint,
    template: Template,
    heads: int | None = None,
    keyvalues: tuple[int, int, int] | None = None,
    plain: bool = False,
) -> PromptSet:
    """A prompt set of an adapter that was trained with PEFT.

    A MULTITASK_PROMPT_TUNING adapter becomes a metaprompt; its factors are kept as they are, but
    for a power of two that goes from the task vectors to the shared prompt so that the former are
    of size one, where `clinprompt adapt` expects them. No bit of a task's prompt changes by it.
    A PREFIX_TUNING adapter becomes a prompt of keys and values.

    Args:
        cards: what the K tasks are, in the order of PEFT's task ids.
        backbone: what the user calls the base model.
        fingerprint: of the loaded base model.
        template: the text around an input from now on. PEFT does not record it: it should be the
            text that the adapter was trained with.
        heads: the base model's attention heads, if they are to be compared.
        keyvalues: its N, G and D, which a PREFIX_TUNING adapter must have.
        plain: multiply the factors out, to one plain prompt a task.

    Raises:
        ClinpromptError: CP-ART-521 not one card a task, CP-ART-522 an adapter of another backbone;
            those of `PromptSet`.
    """
    require_cards(adapter, len(cards))
    deep = adapter.config.peft_type == "PREFIX_TUNING"
    _require_backbone(adapter, fingerprint, backbone, heads, keyvalues)
    if COLS not in adapter.tensors:
        tensors = {"prompts": adapter.tensors[SHARED][None]}
    elif plain:
        tensors = {"prompts": compose(*_factors(adapter))}
    else:
        tensors = _sized(*_factors(adapter))
    rank = tensors["u"].shape[2] if "u" in tensors else None
    meta = PromptMeta(
        kind="prompt-tuning" if rank is None else "metaprompt",
        form="plain" if rank is None else "decomposed",
        tasks=tuple(cards),
        length=adapter.config.num_virtual_tokens,
        rank=rank,
        depth="layers" if deep else "input",
        width=adapter.tensors[SHARED].shape[1] if deep else None,
        backbone=backbone,
        fingerprint=fingerprint,
        template=template,
        configuration={"imported_from": "peft", "adapter": _recorded(adapter)},
        trainable_parameters=sum(tensor.numel() for tensor in adapter.tensors.values()),
        libraries=library_versions(),
    )
    return PromptSet(meta, tensors, adapter.folder)


def require_cards(adapter: Adapter, given: int) -> None:
    """Refuse any other number of cards than one a task; call it before a backbone is loaded.

    Raises:
        ClinpromptError: CP-ART-521.
    """
    tasks = adapter.config.num_tasks if COLS in adapter.tensors else 1
    if given != tasks:
        raise ClinpromptError(
            "CP-ART-521",
            f"the adapter holds {tasks} tasks, and {given} cards are given",
            file=adapter.folder,
            hint="give --task once for each task, in the order of PEFT's task ids",
        )


def _factors(adapter: Adapter) -> tuple[Tensor, Tensor, Tensor]:
    """P* [P, H], u [K, P, R] and v [K, R, H]."""
    tensors = adapter.tensors
    return tensors[SHARED], tensors[COLS], tensors[ROWS]


def _sized(shared: Tensor, u: Tensor, v: Tensor) -> dict[str, Tensor]:
    """The factors with u v of size one: (P* c) ∘ (u/c v) is P* ∘ (u v) for every c.

    c is the power of two next to the root mean square of all u v: scaling by it rounds nothing,
    unless a value leaves float32's normal range, in which case nothing is scaled.
    """
    size = float((u.double() @ v.double()).square().mean().sqrt())
    if not (math.isfinite(size) and size > 0):
        return {"shared": shared, "u": u, "v": v}
    factor = 2.0 ** round(math.log2(size))
    sized = {"shared": shared * factor, "u": u / factor, "v": v}
    before, after = compose(shared, u, v), compose(sized["shared"], sized["u"], v)
    return sized if torch.equal(before, after) else {"shared": shared, "u": u, "v": v}


def _require_backbone(
    adapter: Adapter,
    found: BackboneFingerprint,
    name: str,
    heads: int | None,
    keyvalues: tuple[int, int, int] | None,
) -> None:
    """Refuse a backbone of another shape; PEFT records no more of it than its sizes."""
    config = adapter.config
    sizes: dict[str, tuple[int | None, int | None]]
    if config.peft_type == "PREFIX_TUNING":
        sizes = {"layers": (config.num_layers, found.layers)}
        if keyvalues is not None:
            _, key_heads, size = keyvalues
            sizes["key heads"] = config.num_attention_heads, key_heads
            sizes["numbers of a layer's keys"] = config.token_dim, key_heads * size
    else:
        sizes = {
            "hidden size": (config.token_dim, found.hidden),
            "layers": (config.num_layers, found.layers),
            "attention heads": (config.num_attention_heads, heads),
        }
    other = [
        f"{what} {theirs}, not {ours}"
        for what, (theirs, ours) in sizes.items()
        if theirs is not None and ours is not None and theirs != ours
    ]
    if other:
        raise ClinpromptError(
            "CP-ART-522",
            f"the adapter is for another backbone than '{name}': {', '.join(other)}",
            file=adapter.folder,
            hint=f"its configuration names '{config.base_model_name_or_path}'",
        )


def _recorded(adapter: Adapter) -> dict[str, Any]:
    """The adapter's configuration without names and paths, which may be of some machine."""
    return adapter.config.model_dump(
        mode="json", exclude={"base_model_name_or_path", "modules_to_save"}
    )
