"""From task names to tokenised tasks, and what a run's identity is made of."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from clinprompt import __version__
from clinprompt.artifacts.fingerprint import BackboneFingerprint, fingerprint
from clinprompt.backbone import deep, model
from clinprompt.backbone.codec import Codec
from clinprompt.backbone.model import Backbone
from clinprompt.backbone.template import Depth, Placement, Template, choose_template
from clinprompt.errors import ClinpromptError
from clinprompt.examples import Example
from clinprompt.prompts import from_embeddings, vocabulary_ids
from clinprompt.prompts.initialise import text_ids
from clinprompt.tasks.card import Card, Split
from clinprompt.tasks.loading import load
from clinprompt.tasks.shots import few_shot
from clinprompt.tasks.suite import Suite
from clinprompt.training.data import TokenTask, tokenise
from clinprompt.training.settings import (
    CPU_TOKENS,
    BackboneSettings,
    DataSettings,
    PromptSettings,
)

_SPREAD_TOKENS = 64


@dataclass
class Prepared:
    """A loaded backbone with what belongs to it."""

    backbone: Backbone
    codec: Codec
    fingerprint: BackboneFingerprint

    @classmethod
    def of(
        cls,
        settings: BackboneSettings,
        template: Template | None = None,
        placement: Placement = "before",
    ) -> Prepared:
        """Load the backbone; `template` are an artefact's recorded pieces, of its placement."""
        backbone = model.load(
            settings.name,
            dtype=settings.dtype,
            device=settings.device,
            template=template or settings.template,
            attention=settings.attention,
        )
        codec = Codec(backbone.tokenizer, backbone.template)
        return cls(backbone, codec, fingerprint(backbone)).placed(placement, template)

    def placed(self, placement: Placement, template: Template | None = None) -> Prepared:
        """The same backbone with rows written for a placement.

        Args:
            template: pieces for that placement; None takes those of the codec's kind.
        """
        if placement == self.codec.placement:
            return self
        tokenizer = self.backbone.tokenizer
        pieces = template or choose_template(tokenizer, self.codec.template.kind, placement)
        return replace(self, codec=Codec(tokenizer, pieces, placement))


def require_distinct(cards: Sequence[Card]) -> None:
    """Refuse a task that was named twice: losses, data and prompts go by its name.

    Raises:
        ClinpromptError: CP-TRAIN-081.
    """
    names = [card.name for card in cards]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ClinpromptError("CP-TRAIN-081", f"task '{twice[0]}' is named twice")


def training_splits(
    card: Card,
    data_root: Path | None,
    settings: DataSettings,
    seed: int,
    *,
    shots: int | None = None,
    suite: Suite | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> dict[str, list[Example]]:
    """Training and dev examples of a task.

    With `shots`, training is a nested few-shot sample and dev has no more examples than that:
    somebody with k labelled examples has no large dev set either. What the reader and the leakage
    check left out is told to `say`.

    Raises:
        ClinpromptError: what loading refuses; CP-TRAIN-023 if the task has no train or dev split.
    """
    for split in ("train", "dev"):
        if split not in card.splits:
            raise ClinpromptError(
                "CP-TRAIN-023",
                f"task '{card.name}' has no {split} split",
                hint="add a split rule to its card",
            )
    data = load(card, data_root, splits=("train", "dev"), suite=suite)
    for reason, count in data.report.counts.most_common():
        say(f"{card.name}: {count} {reason}")
    return chosen_splits(data.splits, settings, seed, shots=shots, task=card.name)


def chosen_splits(
    splits: Mapping[Split, list[Example]],
    settings: DataSettings,
    seed: int,
    *,
    shots: int | None = None,
    task: str = "",
) -> dict[str, list[Example]]:
    """The training and dev examples that `training_splits` takes of a task's loaded ones."""
    train, dev = splits["train"], splits["dev"]
    if shots is not None:
        train = few_shot(train, shots, seed, task=task)
    elif settings.train_examples is not None and settings.train_examples < len(train):
        train = few_shot(train, settings.train_examples, seed)
    most = settings.dev_examples if shots is None else min(shots, settings.dev_examples)
    return {"train": train, "dev": few_shot(dev, min(most, len(dev)), seed)}


def prepare_tasks(
    prepared: Prepared,
    cards: Sequence[Card],
    splits: Sequence[Mapping[str, Sequence[Example]]],
    settings: DataSettings,
    prompt_length: int,
) -> list[TokenTask]:
    """Tokenise the tasks' training data."""
    return [
        tokenise(
            prepared.codec,
            card,
            own,
            max_tokens=settings.max_tokens,
            long_inputs=settings.long_inputs,
            context=prepared.backbone.context_length,
            prompt_length=prompt_length,
        )
        for card, own in zip(cards, splits, strict=True)
    ]


def too_long(tasks: Sequence[TokenTask]) -> list[str]:
    """One line for each task of which examples were skipped or cut as too long."""
    lines = []
    for task in tasks:
        counts = [
            f"{count} {split} {what}"
            for what, by_split in (("skipped", task.skipped), ("truncated", task.truncated))
            for split, count in sorted(by_split.items())
        ]
        if counts:
            lines.append(f"{task.name}: longer than data.max_tokens: {', '.join(counts)}")
    return lines


def data_counts(tasks: Sequence[TokenTask]) -> dict[str, Any]:
    """How many examples of each task are used, and how many were too long."""
    return {
        task.name: {
            **{split: len(rows) for split, rows in task.rows.items()},
            **{f"{split}_skipped": count for split, count in sorted(task.skipped.items())},
            **{f"{split}_truncated": count for split, count in sorted(task.truncated.items())},
            **{f"{split}_thinned": count for split, count in sorted(task.thinned.items())},
        }
        for task in tasks
    }


def initial_prompts(
    prepared: Prepared, tasks: Sequence[TokenTask], settings: PromptSettings, seed: int
) -> Tensor:
    """One starting prompt for each task: [K, P, H], float32, from real embeddings; or, where
    prompts are keys and values, [K, P, W] from those of the same tokens.

    Prompts from the vocabulary start alike for all tasks: what is trained from one start can be
    averaged, which the metaprompt's own start makes use of.
    """
    backbone = prepared.backbone
    special = set(backbone.tokenizer.all_special_ids)
    prompts = []
    for task in tasks:
        if settings.init == "instruction":
            ids = text_ids(prepared.codec.text(task.card.instruction), settings.length)
        else:
            ids = vocabulary_ids(
                settings.length,
                min(backbone.vocabulary, len(backbone.tokenizer)),
                seed,
                exclude=special,
            )
        if settings.depth == "layers":
            prompts.append(deep.keyvalues(backbone, ids))
            continue
        embedded = backbone.embed(torch.tensor(ids, device=backbone.device))
        prompts.append(from_embeddings(embedded, settings.length))
    return torch.stack(prompts)


def unit_of(prepared: Prepared, depth: Depth) -> tuple[Tensor | None, float]:
    """What rates of prompts are in units of: [W] for the modules, and a factor for the rates.

    Keys and values differ by orders of magnitude from layer to layer: each has the spread that
    it has over tokens of the vocabulary. Embeddings have one scale.

    Raises:
        ClinpromptError: CP-TRAIN-094 prompts of keys and values can't be told from embeddings.
    """
    backbone = prepared.backbone
    if depth == "input":
        return None, backbone.embedding_scale
    if backbone.keyvalue_width == backbone.hidden_size:
        raise ClinpromptError(
            "CP-TRAIN-094",
            f"the backbone's keys and values take {backbone.hidden_size} numbers a position, as "
            "many as an embedding",
            hint="use prompt.depth=input",
        )
    ids = vocabulary_ids(_SPREAD_TOKENS, min(backbone.vocabulary, len(backbone.tokenizer)), 0)
    return deep.keyvalue_spread(backbone, deep.keyvalues(backbone, ids)[None]), 1.0


def identity_of(prepared: Prepared, settings: Mapping[str, Any], tasks: Iterable[TokenTask]) -> str:
    """SHA-256 over all that a run's result depends on: settings, data, backbone, versions.

    Rows go in as token ids, so any change of an example, a card or a template counts.
    """
    digest = hashlib.sha256()
    head = {
        "settings": _told(settings),
        "fingerprint": prepared.fingerprint.model_dump(),
        "template": prepared.codec.template.model_dump(),
        "dtype": str(prepared.backbone.dtype),
        "versions": [__version__, torch.__version__],
    }
    digest.update(json.dumps(head, sort_keys=True, default=str).encode())
    for task in tasks:
        digest.update(json.dumps([task.name, task.fixed]).encode())
        for split, rows in task.rows.items():
            for row in rows:
                parts = row.parts if row.shared else [row.input]
                digest.update(json.dumps([split, row.id, *parts, row.answer]).encode())
    return digest.hexdigest()


# Settings that came later, with the value that says what was so before there was a choice.
_USUAL: dict[str, tuple[tuple[str, Any], ...]] = {
    "prompt": (("placement", "before"), ("depth", "input")),
    "backbone": (("attention", "auto"),),
    "data": (("most_empty", None),),
    "adapt": (
        ("select", "loss"),
        ("stop", None),
        ("lora", None),
        ("rate_weights", 0.01),
    ),
    **dict.fromkeys(("teachers", "distil", "training"), (("stop", None),)),
}


def _told(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as they count: without those that a run from before they existed could not name, as
    long as they ask for what it did; such a run is still the same, and can go on."""
    told = {
        name: {k: v for k, v in value.items() if (k, v) not in _USUAL.get(name, ())}
        if isinstance(value, Mapping)
        else value
        for name, value in settings.items()
    }
    if told.get("metaprompt_from", "") is None:
        del told["metaprompt_from"]
    if "engine" in told:  # how many notes are kept changes no bit
        told["engine"] = {k: v for k, v in told["engine"].items() if k != "notes_mb"}
        if told["engine"].get("microbatch_tokens") == "auto":
            told["engine"]["microbatch_tokens"] = CPU_TOKENS
    return told
