"""A metaprompt of random numbers, and adaptations of a second."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from tests.training import toy

from clinprompt.artifacts.meta import PromptMeta
from clinprompt.artifacts.prompt_set import PromptSet
from clinprompt.tasks import catalogue
from clinprompt.tasks.card import Card
from clinprompt.training.adapt import adapt

SOURCES = ("nli", "label", "summary")  # types nli, qa, sum


def random_set(cards: list[Card], **changes: Any) -> PromptSet:
    ready = toy.prepared()
    meta: dict[str, Any] = {
        "kind": "metaprompt",
        "form": "decomposed",
        "tasks": tuple(cards),
        "length": toy.LENGTH,
        "rank": 1,
        "backbone": "tiny",
        "fingerprint": ready.fingerprint,
        "template": ready.backbone.template,
        "trainable_parameters": 1,
    }
    described = PromptMeta(**(meta | changes))
    generator = torch.Generator().manual_seed(5)
    tensors = {
        name: torch.randn(shape, generator=generator) * 0.5
        for name, shape in described.shapes().items()
    }
    return PromptSet(described, tensors)


def fit(
    out: Path, metaprompt: PromptSet | None, *targets: Path, shots: int | None = 6, **changes: Any
) -> PromptSet:
    return adapt(
        toy.adapt_recipe(**changes),
        metaprompt,
        [catalogue.find(path) for path in targets],
        None,
        out,
        shots=shots,
        prepared=toy.prepared(),
        progress=toy.Lines(),
    )
