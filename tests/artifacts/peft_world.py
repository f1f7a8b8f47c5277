"""Prompt sets on tiny backbones, and the same backbones as clinprompt never touched them."""

from __future__ import annotations

from typing import Any

import torch
from transformers import AutoModelForCausalLM, PreTrainedModel

from clinprompt.artifacts.fingerprint import fingerprint
from clinprompt.artifacts.meta import PromptMeta
from clinprompt.artifacts.prompt_set import PromptSet
from clinprompt.backbone.model import Backbone
from clinprompt.tasks.card import Card, DataSpec

torch.set_num_threads(1)
LENGTH = 5


def card(name: str) -> Card:
    """A task that lists mentions."""
    return Card(
        name=name,
        type="ner",
        form="mentions",
        title=name,
        instruction=f"List drugs ({name}).",
        labels={"Drug": "drug"},
        metric="entity_f1",
        data=DataSpec(reader="none", files={"test": ["test.jsonl"]}),
        license="none",
        citation="none",
    )


def fresh(backbone: Backbone) -> PreTrainedModel:
    """The same weights in a model that clinprompt never touched."""
    model: PreTrainedModel = AutoModelForCausalLM.from_config(
        type(backbone.config)(**backbone.config.to_dict())
    ).float()
    model.load_state_dict(backbone.model.state_dict())
    return model.eval()


def prompt_set(base: Backbone, *, scale: float = 0.3, **changes: Any) -> PromptSet:
    """Random prompts of three tasks, with a shared prompt of the size of embeddings."""
    fields: dict[str, Any] = {
        "kind": "metaprompt",
        "form": "decomposed",
        "tasks": tuple(card(f"task-{k}") for k in range(3)),
        "length": LENGTH,
        "rank": 1,
        "backbone": base.name,
        "fingerprint": fingerprint(base),
        "template": base.template,
        "training_data": {"task-0": {"train": 7}},
        "metrics": {"dev": {"task-0": 0.1 + 0.2}},
        "trainable_parameters": 26,
    }
    meta = PromptMeta(**(fields | changes))
    generator = torch.Generator().manual_seed(0)
    tensors = {
        name: torch.randn(shape, generator=generator) * (scale if name == "shared" else 1)
        for name, shape in meta.shapes().items()
    }
    if "prompts" in tensors:
        tensors["prompts"] *= scale
    return PromptSet(meta, tensors)
