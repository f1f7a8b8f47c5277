"""A tiny backbone and prompts on disk, and what the harness's model must compute with them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from tests.inference import world
from torch import Tensor
from torch.nn import functional as F

from clinprompt import verbalize
from clinprompt.artifacts.prompt_set import PromptSet
from clinprompt.backbone.codec import Codec
from clinprompt.backbone.template import choose_template
from clinprompt.tasks.card import Card
from clinprompt.training.prepare import Prepared

CARD = world.card("summary")


def saved(
    folder: Path, architecture: str = "llama", placement: str = "before", cards: int = 1
) -> Path:
    """Backbone and prompts in `folder`; returns the prompts' folder."""
    ready = world.prepared(architecture)
    ready.backbone.model.save_pretrained(folder / "backbone")
    ready.backbone.tokenizer.save_pretrained(folder / "backbone")
    asked = [CARD, world.card("answer")][:cards]
    prompts = world.prompt_set(ready, *asked, name=str(folder / "backbone"))
    if placement == "after":
        template = choose_template(ready.backbone.tokenizer, "plain", "after")
        meta = prompts.meta.model_copy(update={"placement": placement, "template": template})
        prompts = PromptSet(meta, prompts.tensors)
    prompts.save(folder / "prompts")
    return folder / "prompts"


def instances(kind: Any, *arguments: tuple[Any, ...]) -> list[Any]:
    """Requests as the harness makes them."""
    from lm_eval.api.instance import Instance

    return [
        Instance(request_type=kind, doc={}, arguments=given, idx=i)
        for i, given in enumerate(arguments)
    ]


def logits(ready: Prepared, parts: Sequence[Tensor | Sequence[int]]) -> Tensor:
    """Of all positions of parts that are embeddings or ids, in one pass without a cache: [L, V]."""
    backbone = ready.backbone
    embedded = [
        part if isinstance(part, Tensor) else backbone.embed(torch.tensor(list(part)))
        for part in parts
        if len(part)
    ]
    with torch.no_grad():
        found = backbone.model(inputs_embeds=torch.cat(embedded)[None], use_cache=False).logits[0]
    return found.float()


def naive(
    ready: Prepared, parts: Sequence[Tensor | Sequence[int]], more: Sequence[int]
) -> tuple[float, bool]:
    """Score of a continuation behind parts, and whether greedy decoding would write it."""
    at = logits(ready, [*parts, list(more)])[-len(more) - 1 : -1]
    token = torch.tensor(list(more))
    best = bool((at.argmax(-1) == token).all())
    return -float(F.cross_entropy(at, token, reduction="sum")), best


def greedy(ready: Prepared, parts: Sequence[Tensor | Sequence[int]], count: int) -> list[int]:
    """Greedy continuation, every token by a pass of its own."""
    ids: list[int] = []
    for _ in range(count):
        ids.append(int(logits(ready, [*parts, ids])[-1].argmax()))
    return ids


def around(ready: Prepared, card: Card, text: str) -> tuple[list[int], list[int]]:
    """What is shared and what is a row's own before an answer, of the plain template."""
    codec: Codec = ready.codec
    return codec.fixed(verbalize.instruction(card)), codec.rows([text])[0]


def task_folder(folder: Path) -> Path:
    """Three local tasks of the harness: choices, free answers, and perplexity."""
    folder.mkdir()
    questions = [
        {"q": "Fever and cough", "options": ["flu", "fracture", "gout"], "gold": 0},
        {"q": "Given for pain", "options": ["aspirin", "β-blocker"], "gold": 0},
        {"q": "Raised uric acid", "options": ["asthma", "gout", "gouty arthritis"], "gold": 1},
        {"q": "A broken bone", "options": ["fracture", "flu"], "gold": 0},
        {"q": "Wheeze", "options": ["asthma", "gout", "flu", "naïve"], "gold": 0},
        {"q": "Sneezing, muscle pain, high temperature", "options": ["flu", "gout"], "gold": 0},
        {"q": "High pulse", "options": ["aspirin", "β-blocker"], "gold": 1},
        {"q": "No", "options": ["yes", "no"], "gold": 1},
        {"q": "Toe", "options": ["gout", "asthma"], "gold": 0},
    ]
    with (folder / "questions.jsonl").open("w", encoding="utf-8") as file:
        for question in questions:
            file.write(json.dumps(question) + "\n")
    data = {"dataset_path": "json", "test_split": "test", "metadata": {"version": 1}}
    files = {"data_files": {"test": str(folder / "questions.jsonl")}}
    tasks: dict[str, dict[str, Any]] = {
        "local_choice": {
            "output_type": "multiple_choice",
            "doc_to_text": "{{q}}\nAnswer:",
            "doc_to_choice": "{{options}}",
            "doc_to_target": "gold",
            "metric_list": [{"metric": "acc"}, {"metric": "acc_norm"}],
        },
        "local_answer": {
            "output_type": "generate_until",
            "doc_to_text": "{{q}}",
            "doc_to_target": "{{options[gold]}}",
            "generation_kwargs": {"until": ["\n"], "max_gen_toks": 6, "do_sample": False},
            "metric_list": [{"metric": "exact_match"}],
        },
        "local_text": {
            "output_type": "loglikelihood_rolling",
            "doc_to_text": "",
            "doc_to_target": "{{q}}",
            "metric_list": [{"metric": "byte_perplexity"}],
        },
    }
    for name, task in tasks.items():
        content = {"task": name, "dataset_kwargs": files, **data, **task}
        (folder / f"{name}.yaml").write_text(json.dumps(content), encoding="utf-8")
    return folder
