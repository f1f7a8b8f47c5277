"""One card of every form."""

from __future__ import annotations

from typing import Any

import pytest

from clinprompt.tasks.card import Card


def _card(task_type: str, form: str, **more: Any) -> Card:
    base = {
        "name": f"test-{form}",
        "type": task_type,
        "form": form,
        "title": "Test",
        "instruction": "Do it.",
        "metric": "accuracy",
        "data": {"reader": "none"},
        "license": "none",
        "citation": "none",
    }
    return Card.model_validate({**base, **more})


@pytest.fixture(scope="session")
def cards() -> dict[str, Card]:
    """A card for each form, by a short name."""
    return {
        "ner": _card("ner", "mentions", labels={"D": "Disease", "C": "Chemical compound"}),
        "list": _card(
            "re",
            "list",
            labels={"CID": "causes", "T": "acts with"},
            arguments={"CID": ("Drug", "Effect"), "T": ("Drug", "Drug")},
        ),
        "pair": _card("re", "pair", labels={"1": "yes", "0": "no", "x": "no relation"}),
        "label": _card(
            "qa", "label", labels={"y": "Yes", "n": "no", "m": "maybe  so", "z": "y\nn"}
        ),
        "choice": _card("qa", "choice"),
        "span": _card("qa", "span"),
        "free": _card("qa", "text"),
        "nli": _card("nli", "label", labels={"e": "entailment", "n": "neutral", "c": "conflict"}),
        "sum": _card("sum", "text"),
    }
