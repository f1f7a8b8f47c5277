from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from clinprompt.artifacts.card import backbone_name, flatten, readme
from clinprompt.artifacts.meta import PromptMeta
from clinprompt.tasks.card import Card

MakeMeta = Callable[..., PromptMeta]


def front(text: str) -> dict[str, Any]:
    content = yaml.safe_load(text.split("---\n")[1])
    assert isinstance(content, dict)
    return content


def test_front_matter(make_meta: MakeMeta) -> None:
    text = readme(make_meta(backbone="HuggingFaceTB/SmolLM2-135M-Instruct"), "9" * 64)
    assert text.startswith("---\n")
    assert front(text) == {
        "base_model": "HuggingFaceTB/SmolLM2-135M-Instruct",
        "library_name": "clinprompt",
        "datasets": ["task-0", "task-1"],
        "tags": ["soft-prompt", "metaprompt", "clinical-nlp", "clinical-ner"],
        "metrics": ["entity_f1"],
    }
    assert "\n# license: yours to choose" in text


def test_everything_a_reader_needs_is_there(make_meta: MakeMeta) -> None:
    text = readme(make_meta(), "9" * 64)
    for words in (
        "tiny-llama (llama, 1,000 parameters, frozen)",
        "3 virtual tokens of size 4, task vectors of rank 1",
        "26 parameters = 2.60 % of the backbone",
        "9" * 64,
        "f" * 64,
        "| task-1 | 1 | ner | entity_f1 | Apache-2.0 | open |",
        "| task-1 / train | 101 |",
        "| task-1 / dev / entity_f1 | 0.6 |",
        "- task-1: The task-1 corpus, 2026",
        "clinprompt adapt --metaprompt DIR",
        "PHI-derived",
        "can reveal examples",
        "Not a medical device",
    ):
        assert words in text
    assert re.search(r"[ \t]\n", text) is None and text.endswith("\n")


def test_usage_by_kind(make_meta: MakeMeta) -> None:
    parents = {"metaprompt": "a" * 64}
    adapted = readme(make_meta(kind="adapted", parents=parents), "9" * 64)
    assert "clinprompt predict DIR --task task-0" in adapted and "a" * 64 in adapted
    plain = readme(make_meta(tasks=1, kind="prompt-tuning", form="plain", rank=None), "9" * 64)
    assert "clinprompt predict DIR -i" in plain and "task vectors" not in plain


def test_only_the_metadata_decides(make_meta: MakeMeta) -> None:
    assert readme(make_meta(), "9" * 64) == readme(make_meta(), "9" * 64)


def test_warnings_follow_the_data(make_meta: MakeMeta, make_card: Callable[..., Card]) -> None:
    meta = make_meta(contains_phi_note="Notes of 2019,\nde-identified | by hand")
    closed = meta.model_copy(update={"tasks": (make_card("sdoh", access="agreement"),)})
    text = readme(closed, "9" * 64)
    assert "Trained on data that is not open: sdoh." in text
    assert "Notes of 2019, de-identified \\| by hand" in text
    assert "not open" not in readme(meta, "9" * 64)


def test_tables_survive_any_text(make_meta: MakeMeta, make_card: Callable[..., Card]) -> None:
    card = make_card("odd", license="A | B\nC", citation="One\n\n## Two", homepage="https://x.org")
    text = readme(make_meta().model_copy(update={"tasks": (card,)}), "9" * 64)
    assert "| A \\| B C |" in text
    assert "- odd: One ## Two <https://x.org>" in text
    titles = re.findall(r"^## (.*)$", text, flags=re.MULTILINE)
    assert "Two" not in titles and len(titles) == 6


def test_without_numbers(make_meta: MakeMeta) -> None:
    text = readme(make_meta(training_data={}, metrics={}, seeds={}, libraries={}), "9" * 64)
    assert "No counts were recorded." in text and "No scores were recorded." in text


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("smollm2", "smollm2"),
        ("org/name", "org/name"),
        ("/home/someone/models/mine", "mine"),
        ("./models/mine", "mine"),
        ("~/models/mine", "mine"),
    ],
)
def test_no_path_of_a_machine_is_shown(make_meta: MakeMeta, given: str, shown: str) -> None:
    assert backbone_name(make_meta(backbone=given)) == shown


def test_flatten() -> None:
    values: dict[str, Any] = {"b": {"x": 1, "y": [0.123456789, None]}, "a": "word", "c": {}}
    assert list(flatten(values)) == [("b / x", "1"), ("b / y", "0.123457, None"), ("a", "word")]
