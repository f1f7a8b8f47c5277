"""Small tasks as files, a tiny backbone, and recipes of a second, for the training room's tests."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import torch
import yaml
from tests.backbone import tiny

from clinprompt.artifacts.fingerprint import fingerprint
from clinprompt.backbone.codec import Codec
from clinprompt.tasks import catalogue
from clinprompt.training.batch import StepCost
from clinprompt.training.data import TokenTask
from clinprompt.training.prepare import Prepared, prepare_tasks, training_splits
from clinprompt.training.progress import Progress
from clinprompt.training.settings import AdaptRecipe, DataSettings, Recipe

torch.set_num_threads(1)

LENGTH = 3  # P of all prompts here
SIZES = {"train": 9, "dev": 4, "test": 3}
_NOISE = ("pain", "cough", "left", "mild", "since", "noted")

# Columns of the reader `table`; the answer is told by one word of the text.
_TABLES: dict[str, dict[str, Any]] = {
    "nli": {
        "card": {
            "type": "nli",
            "form": "label",
            "labels": {"e": "follows", "n": "open"},
            "metric": "macro_f1",
        },
        "example": "nli",
        "columns": {"premise": "text", "hypothesis": "ask", "label": "label"},
        "labels": ("e", "n"),
    },
    "label": {
        "card": {
            "type": "qa",
            "form": "label",
            "labels": {"y": "yes", "n": "no"},
            "metric": "accuracy",
        },
        "example": "label",
        "columns": {"question": "ask", "context": "text", "label": "label"},
        "labels": ("y", "n"),
    },
    "answer": {
        "card": {"type": "qa", "form": "text", "metric": "rougeL"},
        "example": "text",
        "columns": {"question": "ask", "context": "text", "answer": "label"},
        "labels": ("rest", "see a doctor"),
    },
    "summary": {
        "card": {"type": "sum", "form": "text", "metric": "rougeL"},
        "example": "summary",
        "columns": {"text": "text", "answer": "label"},
        "labels": ("fever", "no fever"),
    },
}
KINDS = (*_TABLES, "ner")


def write_task(folder: Path, name: str, kind: str, *, seed: int = 0, **sizes: int) -> Path:
    """A card with its data files in `folder`; the card's path."""
    random_ = random.Random(f"{name} {seed}")
    folder.mkdir(parents=True, exist_ok=True)
    files: dict[str, list[str]] = {}
    for split, count in (SIZES | sizes).items():
        rows = [_row(random_, kind, number) for number in range(count)]
        files[split] = [f"{name}-{split}.{'conll' if kind == 'ner' else 'jsonl'}"]
        (folder / files[split][0]).write_text("".join(rows), encoding="utf-8")
    if kind == "ner":
        fields: dict[str, Any] = {
            "type": "ner",
            "form": "mentions",
            "labels": {"Sign": "sign"},
            "metric": "entity_f1",
        }
        data: dict[str, Any] = {"reader": "conll", "files": files}
    else:
        table = _TABLES[kind]
        fields = table["card"]
        data = {
            "reader": "table",
            "files": files,
            "options": {"example": table["example"], "columns": table["columns"]},
        }
    card = {"name": name, "title": name, "instruction": f"Do {kind}.", **fields, "data": data}
    path = folder / f"{name}.yaml"
    text = yaml.safe_dump({**card, "license": "none", "citation": "none"}, sort_keys=False)
    path.write_text(text, encoding="utf-8")
    return path


def _row(random_: random.Random, kind: str, number: int) -> str:
    words = [random_.choice(_NOISE) for _ in range(random_.randint(1, 4))]
    sign = number % 2 == 0
    words.insert(random_.randint(0, len(words)), "fever" if sign else "normal")
    if kind == "ner":
        return "".join(f"{w} {'B-Sign' if w == 'fever' else 'O'}\n" for w in words) + "\n"
    label = _TABLES[kind]["labels"][not sign]
    text = " ".join([*words, str(number)])  # the number keeps inputs apart
    return json.dumps({"text": text, "ask": "Is there fever?", "label": label}) + "\n"


def write_tasks(folder: Path, kinds: Sequence[str] = KINDS, **sizes: int) -> list[Path]:
    """One card of each kind, named by it."""
    return [write_task(folder, kind, kind, **sizes) for kind in kinds]


def save_backbone(folder: Path, architecture: str = "llama", seed: int = 0) -> Path:
    """A tiny random backbone as a model folder, which the command line can load by its path."""
    made = tiny.backbone(architecture, seed)
    made.model.save_pretrained(folder)
    made.tokenizer.save_pretrained(folder)
    return folder


@cache
def prepared(architecture: str = "llama", seed: int = 0) -> Prepared:
    """A tiny random float32 backbone, ready."""
    backbone = tiny.backbone(architecture, seed)
    return Prepared(backbone, Codec(backbone.tokenizer, backbone.template), fingerprint(backbone))


def token_tasks(paths: Sequence[Path], ready: Prepared, **settings: Any) -> list[TokenTask]:
    """Tokenised train and dev rows of cards."""
    cards = [catalogue.find(path) for path in paths]
    chosen = DataSettings(**settings)
    splits = [training_splits(card, None, chosen, 0) for card in cards]
    return prepare_tasks(ready, cards, splits, chosen, LENGTH)


_RECIPE: dict[str, Any] = {
    "seed": 3,
    "prompt": {"length": LENGTH},
    "data": {"dev_examples": 3},
    "teachers": {"steps": 6, "rows": 6, "tasks_per_step": 2, "evaluate_every": 2, "rate": 0.1},
    "distil": {"steps": 6, "rows": 6, "kappa": 3, "evaluate_every": 3, "rate_shared": 0.05},
    "engine": {"microbatch_tokens": 256, "save_every": 2},
}
_ADAPT: dict[str, Any] = {
    "seed": 3,
    "prompt": {"length": LENGTH},
    "data": {"dev_examples": 3},
    "adapt": {"steps": 6, "rows": 4, "evaluate_every": 2},
    "engine": {"microbatch_tokens": 256, "save_every": 2},
}


def merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Settings with some sections' values changed."""
    both = {key: merged(base[key], changes[key]) for key in base.keys() & changes.keys()
            if isinstance(base[key], dict)}  # fmt: skip
    return {**base, **changes, **both}


def recipe_fields(sources: Sequence[Path], **changes: Any) -> dict[str, Any]:
    """A recipe of a second as plain values, for a YAML file."""
    return merged({**_RECIPE, "sources": [str(path) for path in sources]}, changes)


def recipe(sources: Sequence[Path], **changes: Any) -> Recipe:
    """A recipe of a second."""
    return Recipe.model_validate(recipe_fields(sources, **changes))


def adapt_fields(**changes: Any) -> dict[str, Any]:
    """Settings of an adaptation of a second as plain values, for a YAML file."""
    return merged(_ADAPT, changes)


def adapt_recipe(**changes: Any) -> AdaptRecipe:
    """Settings of an adaptation of a second."""
    return AdaptRecipe.model_validate(adapt_fields(**changes))


class Lines(Progress):
    """Progress that keeps what it would print, and every step's loss."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.losses: list[float] = []
        super().__init__(write=self.lines.append, every=0.0)

    def step(self, done: int, cost: StepCost, evaluation: dict[str, Any]) -> None:
        """One more step."""
        self.losses.append(cost.loss)
        super().step(done, cost, evaluation)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, by its path in it."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
