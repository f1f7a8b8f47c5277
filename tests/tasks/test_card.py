from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from clinprompt.tasks.card import Card, DataSpec

BASE: dict[str, Any] = {
    "name": "toy",
    "type": "ner",
    "form": "mentions",
    "title": "A toy",
    "instruction": "List them.",
    "labels": {"Drug": "drug"},
    "metric": "entity_f1",
    "data": {"reader": "rows"},
    "license": "none",
    "citation": "none",
}


def card(**changes: Any) -> Card:
    return Card.model_validate({**BASE, **changes})


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"form": "pair"}, "form 'pair' of type 'ner'"),
        ({"labels": {}}, "form 'mentions' needs them"),
        ({"labels": {"A": "drug", "B": " Drug"}}, "must be distinct"),
        ({"labels": {"A": ""}}, "not empty"),
        ({"labels": {"A": "none"}}, "may not be 'none'"),
        ({"labels": {"A": "a;b"}}, "may not be 'none' nor hold"),
        ({"type": "re", "form": "list"}, "name head and tail type"),
        ({"negative_labels": ["Other"]}, "'Other' is not among the labels"),
        ({"name": "Toy"}, "String should match pattern"),
    ],
)
def test_contradictions_are_refused(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        card(**changes)


def test_what_is_closed() -> None:
    assert not card().closed
    assert card(type="nli", form="label").closed


def spec(files: dict[str, list[str]], *rules: dict[str, Any]) -> DataSpec:
    return DataSpec.model_validate({"reader": "rows", "files": files, "split": list(rules)})


def test_origins_without_rules() -> None:
    assert spec({"test": ["b"], "train": ["a"]}).origins() == {"train": "train", "test": "test"}


def test_a_reader_without_files_makes_all_splits() -> None:
    assert list(spec({}).origins()) == ["train", "dev", "test"]


def test_origins_follow_rules_in_order() -> None:
    rules = (
        {"of": "all", "fractions": {"train": 0.8, "test": 0.2}},
        {"of": "train", "fractions": {"train": 0.9, "dev": 0.1}},
    )
    assert spec({"all": ["a"]}, *rules).origins() == {"train": "all", "dev": "all", "test": "all"}


@pytest.mark.parametrize(
    ("files", "rules", "complaint"),
    [
        ({"all": ["a"]}, [], "'all' needs a rule"),
        ({"train": ["a"]}, [{"of": "dev", "fractions": {"test": 1}}], "no 'dev' to split"),
        (
            {"train": ["a"], "dev": ["b"]},
            [{"of": "train", "fractions": {"train": 0.9, "dev": 0.1}}],
            "'dev' is there already",
        ),
        ({"all": ["a"]}, [{"fractions": {"train": 0.5, "dev": 0.4}}], "sum to 1"),
        ({"all": ["a"]}, [{"fractions": {"train": 1.5, "dev": -0.5}}], "must be positive"),
    ],
)
def test_split_rules_that_do_not_fit(
    files: dict[str, list[str]], rules: list[dict[str, Any]], complaint: str
) -> None:
    with pytest.raises(ValidationError, match=complaint):
        spec(files, *rules)
