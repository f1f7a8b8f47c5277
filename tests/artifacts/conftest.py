"""A small prompt set to save, spoil and load."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from clinprompt.artifacts.fingerprint import BackboneFingerprint
from clinprompt.artifacts.meta import Parents, PromptMeta
from clinprompt.artifacts.prompt_set import PromptSet
from clinprompt.backbone.template import Template
from clinprompt.tasks.card import Card, DataSpec

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def make_card() -> Callable[..., Card]:
    def make(name: str = "synthetic-ner", **changes: Any) -> Card:
        fields: dict[str, Any] = {
            "name": name,
            "type": "ner",
            "form": "mentions",
            "title": f"Mentions of {name}",
            "instruction": "List all diseases and drugs of the note.",
            "labels": {"Disease": "disease", "Chemical": "drug"},
            "metric": "entity_f1",
            "data": DataSpec(reader="synthetic", options={"seed": 3}),
            "license": "Apache-2.0",
            "citation": f"The {name} corpus, 2026",
        }
        return Card(**(fields | changes))

    return make


@pytest.fixture(scope="session")
def make_fingerprint() -> Callable[..., BackboneFingerprint]:
    def make(**changes: Any) -> BackboneFingerprint:
        fields: dict[str, Any] = {
            "model_type": "llama",
            "hidden": 4,
            "vocabulary": 11,
            "layers": 2,
            "parameters": 1000,
            "config": "c" * 64,
            "tokenizer": "d" * 64,
            "weights": "e" * 64,
        }
        return BackboneFingerprint(**(fields | changes))

    return make


@pytest.fixture(scope="session")
def make_meta(
    make_card: Callable[..., Card], make_fingerprint: Callable[..., BackboneFingerprint]
) -> Callable[..., PromptMeta]:
    def make(tasks: int = 2, hidden: int = 4, **changes: Any) -> PromptMeta:
        fields: dict[str, Any] = {
            "kind": "metaprompt",
            "form": "decomposed",
            "tasks": tuple(make_card(f"task-{k}") for k in range(tasks)),
            "length": 3,
            "rank": 1,
            "backbone": "tiny-llama",
            "fingerprint": make_fingerprint(hidden=hidden),
            "template": Template(
                kind="chat", bos=False, head="<s>", between="\n\n", tail="<a>\n", end="</s>"
            ),
            "configuration": {"rates": {"shared": 0.3, "vectors": 0.4}, "steps": 150},
            "training_data": {f"task-{k}": {"train": 100 + k} for k in range(tasks)},
            "metrics": {f"task-{k}": {"dev": {"entity_f1": 0.5 + k / 10}} for k in range(tasks)},
            "parents": Parents(teachers="f" * 64),
            "trainable_parameters": 26,
            "seeds": {"training": 1},
            "libraries": {"torch": "2.13.0"},
        }
        return PromptMeta(**(fields | changes))

    return make


@pytest.fixture(scope="session")
def make_set(make_meta: Callable[..., PromptMeta]) -> Callable[..., PromptSet]:
    def make(seed: int = 0, **changes: Any) -> PromptSet:
        meta = make_meta(**changes)
        generator = torch.Generator().manual_seed(seed)
        tensors = {
            name: torch.randn(shape, generator=generator) for name, shape in meta.shapes().items()
        }
        return PromptSet(meta, tensors)

    return make
