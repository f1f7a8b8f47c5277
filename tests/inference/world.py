"""A tiny backbone, one card of every form, and inputs for them."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import torch
from tests.backbone import tiny

from clinprompt.artifacts.fingerprint import fingerprint
from clinprompt.artifacts.meta import PromptMeta
from clinprompt.artifacts.prompt_set import PromptSet
from clinprompt.backbone.codec import Codec
from clinprompt.backbone.decode import Generated
from clinprompt.backbone.decoding import Ask, Decoder
from clinprompt.examples import Entity, Input, PairInput, PremiseInput, QuestionInput, TextInput
from clinprompt.inference.predictor import Predictor
from clinprompt.inference.requests import Prediction, PredictorSettings, Request
from clinprompt.tasks.card import Card, DataSpec
from clinprompt.training.prepare import Prepared

torch.set_num_threads(1)

_SHAPES: dict[str, dict[str, Any]] = {
    "mentions": {"type": "ner", "labels": {"Drug": "drug", "Sign": "sign"}, "metric": "entity_f1"},
    "list": {
        "type": "re",
        "labels": {"treats": "treats"},
        "arguments": {"treats": ("Drug", "Sign")},
        "metric": "relation_f1",
    },
    "pair": {"type": "re", "labels": {"yes": "related", "no": "not"}, "metric": "accuracy"},
    "choice": {"type": "qa", "metric": "accuracy"},
    "label": {"type": "qa", "labels": {"y": "yes", "n": "no", "m": "maybe"}, "metric": "accuracy"},
    "nli": {
        "type": "nli",
        "form": "label",
        "labels": {"entailment": "follows", "neutral": "open"},
        "metric": "macro_f1",
    },
    "span": {"type": "qa", "metric": "token_f1"},
    "answer": {"type": "qa", "form": "text", "metric": "rougeL"},
    "summary": {"type": "sum", "form": "text", "metric": "rougeL"},
}
_WORDS = (
    "fever",
    "cough",
    "aspirin",
    "denies",
    "naïve",
    "β-blocker",
    "10µg",
    "🩺",
    "pain",
    "no",
    "of",
)


def card(name: str, /, **changes: Any) -> Card:
    """One of the cards: named by its form, or "nli", "answer", "summary"."""
    fields: dict[str, Any] = {
        "name": name,
        "form": name,
        "title": name,
        "instruction": f"Do {name}.",
        "data": DataSpec(reader="none", files={"test": ["test.jsonl"]}),
        "license": "none",
        "citation": "none",
    }
    return Card(**(fields | _SHAPES[name] | changes))


def cards() -> list[Card]:
    """All of them."""
    return [card(name) for name in _SHAPES]


@cache
def prepared(architecture: str = "llama") -> Prepared:
    """A tiny random backbone, ready."""
    backbone = tiny.backbone(architecture)
    return Prepared(backbone, Codec(backbone.tokenizer, backbone.template), fingerprint(backbone))


def prompt_set(ready: Prepared, *asked: Card, name: str = "tiny", seed: int = 0) -> PromptSet:
    """Random prompts of four virtual tokens for some cards."""
    meta = PromptMeta(
        kind="prompt-tuning",
        form="plain",
        tasks=asked,
        length=4,
        backbone=name,
        fingerprint=ready.fingerprint,
        template=ready.backbone.template,
        trainable_parameters=4 * ready.backbone.hidden_size,
    )
    generator = torch.Generator().manual_seed(seed)
    return PromptSet(meta, {"prompts": torch.randn(meta.shapes()["prompts"], generator=generator)})


def saved(folder: Path, *asked: Card) -> Path:
    """Backbone and prompts in `folder`, as the command line wants them: the prompts' folder."""
    ready = prepared()
    ready.backbone.model.save_pretrained(folder / "backbone")
    ready.backbone.tokenizer.save_pretrained(folder / "backbone")
    prompts = prompt_set(ready, *asked, name=str(folder / "backbone"))
    prompts.save(folder / "prompts")
    return folder / "prompts"


def generated(ids: Sequence[Sequence[int]], logprob: float = -0.1) -> list[Generated]:
    """Token ids as decoding gives them, all equally probable."""
    return [Generated(list(row), [logprob] * len(row)) for row in ids]


def says(monkeypatch: Any, found: Sequence[Generated]) -> None:
    """Let decoding give these tokens, to the rows as they come."""

    def stream(_: Decoder, asks: Iterable[Ask], *__: Any) -> Iterator[tuple[int, Generated]]:
        for place, (_ask, new) in enumerate(zip(asks, found, strict=True)):
            yield place, new

    monkeypatch.setattr(Decoder, "stream", stream)


def text(random_: random.Random, longest: int = 12) -> str:
    """Some words, never none."""
    return " ".join(random_.choice(_WORDS) for _ in range(random_.randint(1, longest)))


def an_input(asked: Card, seed: int) -> Input:
    """A random input for a card."""
    random_ = random.Random(f"{asked.name} {seed}")
    words = text(random_)
    if asked.form == "pair":
        words += " aspirin for pain"
        places = [(words.rindex(w), words.rindex(w) + len(w)) for w in ("aspirin", "pain")]
        head, tail = (Entity((p,), n) for p, n in zip(places, ("Drug", "Sign"), strict=True))
        return PairInput(words, head, tail)
    if asked.type == "nli":
        return PremiseInput(words, text(random_, 5))
    if asked.type != "qa":
        return TextInput(words)
    choices = ()
    if asked.form == "choice":
        choices = tuple(text(random_, 3) for _ in range(random_.randint(2, 5)))
    context = words if asked.form in ("span", "label") else None
    return QuestionInput(text(random_, 6), context, choices)


def same_as_alone(
    sets: Sequence[tuple[Path, PromptSet]],
    ready: Prepared,
    settings: PredictorSettings,
    asked: Sequence[Request],
    mixed: Sequence[Prediction],
) -> None:
    """Every answer of a mix is the one that its own set gives to it alone."""
    compared = 0
    for _, prompts in sets:
        alone = Predictor.of(prompts, settings, prepared=ready)
        for request, found in zip(asked, mixed, strict=True):
            if request.task in alone.cards:
                (own,) = alone.answer([request])
                assert (own.answer, own.text) == (found.answer, found.text)
                compared += 1
    assert compared == len(asked)
