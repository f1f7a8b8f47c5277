"""A small reader and cards to test the tasks room with, apart from the real readers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from clinprompt.corpora import registry
from clinprompt.corpora.registry import Options, Source
from clinprompt.examples import (
    Entity,
    EntityAnswer,
    Example,
    LabelAnswer,
    PremiseInput,
    QuestionInput,
    TextInput,
)

Rows = Sequence[dict[str, Any]]
MakeCard = Callable[..., Path]


def _row(row: dict[str, Any]) -> Example:
    document = row.get("document", row["id"])
    if "entities" in row:
        entities = tuple(Entity(((start, end),), label) for start, end, label in row["entities"])
        return Example(row["id"], document, TextInput(row["text"]), EntityAnswer(entities))
    answer = None if row.get("label") is None else LabelAnswer(row["label"])
    if "premise" in row:
        return Example(row["id"], document, PremiseInput(row["premise"], row["text"]), answer)
    choices = tuple(row.get("choices", ()))
    return Example(row["id"], document, QuestionInput(row["text"], None, choices), answer)


def _read(source: Source, options: Options) -> Iterable[Example]:
    for file in source.files:
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            row = json.loads(line)
            if row.get("skip"):
                source.report.skip("marked to be skipped", file, number)
                continue
            yield _row(row)


if "test-rows" not in registry.names():
    registry.reader("test-rows", Options)(_read)


@pytest.fixture
def make_card(tmp_path: Path) -> MakeCard:
    """Write rows and a card that reads them; gives the card's path."""

    def make(name: str, splits: dict[str, Rows], **changes: Any) -> Path:
        files = {}
        for split, rows in splits.items():
            file = tmp_path / f"{name}-{split}.jsonl"
            file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
            files[split] = [file.name]
        card: dict[str, Any] = {
            "name": name,
            "type": "qa",
            "form": "label",
            "title": name,
            "instruction": "Answer.",
            "labels": {"yes": "yes", "no": "no"},
            "metric": "accuracy",
            "data": {"reader": "test-rows", "files": files},
            "license": "none",
            "citation": "none",
        }
        data = {**card["data"], **changes.pop("data", {})}
        card = {**card, **changes, "data": data}
        path = tmp_path / f"{name}.yaml"
        path.write_text(yaml.safe_dump(card, sort_keys=False), encoding="utf-8")
        return path

    return make


@pytest.fixture
def make_suite(tmp_path: Path) -> Callable[..., Path]:
    """Write a suite of cards by path; gives the suite's path."""

    def make(sources: Sequence[Path], targets: Sequence[Path], dropped: bool = True) -> Path:
        content: dict[str, Any] = {
            "name": "mine",
            "sources": [f"./{path.name}" for path in sources],
            "targets": [f"./{path.name}" for path in targets],
        }
        if dropped:
            content["dropped"] = "mine.dropped.json"
        path = tmp_path / "mine.yaml"
        path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
        return path

    return make
