from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from clinprompt.corpora.registry import Report
from clinprompt.errors import ClinpromptError
from clinprompt.examples import Example, LabelAnswer, TextInput
from clinprompt.tasks.card import Card, Split
from clinprompt.tasks.drops import load_suite, make_drops, resolve, write_drops
from clinprompt.tasks.leakage import Link, Unit, find_links, leaks
from clinprompt.tasks.loading import TaskData
from clinprompt.tasks.suite import find_suite

CASE = "a 45 year old woman developed acute liver failure two weeks after starting the drug"
LONG = f"Drug safety is rarely studied in this group. {CASE}. She recovered after withdrawal."


def text(i: int) -> str:
    """A text of its own."""
    return " ".join(f"word{i}x{n}" for n in range(12))


def task(name: str, split: Split, rows: list[tuple[str, str]]) -> TaskData:
    """Rows of (document, text); ids are task, split and place."""
    examples = [
        Example(f"{name}-{split}-{i}", document, TextInput(body), LabelAnswer("yes"))
        for i, (document, body) in enumerate(rows)
    ]
    return TaskData(Card.model_construct(name=name, version=1), {split: examples}, Report())


def link(kind: Any, left: tuple[str, Split, str], right: tuple[str, Split, str]) -> Link:
    return Link(kind, Unit(*left), "x", Unit(*right), "y", "text")


def test_what_is_dropped() -> None:
    """A source goes for a target, dev goes for test, train for both; and no more than needed."""
    splits = "splits of a task"
    links = [
        link(splits, ("s", "train", "1"), ("s", "test", "2")),
        link("source and target", ("s", "test", "2"), ("t", "train", "3")),
        link(splits, ("t", "train", "4"), ("t", "dev", "5")),
        link(splits, ("t", "dev", "5"), ("t", "test", "6")),
        link("two sources", ("r", "train", "7"), ("s", "test", "8")),
    ]
    gone = resolve(links)
    assert set(gone) == {Unit("s", "test", "2"), Unit("t", "dev", "5")}


def test_a_document_goes_with_all_its_examples() -> None:
    source = task("s", "train", [("1", CASE), ("1", text(1)), ("2", text(2))])
    target = task("t", "test", [("9", LONG)])
    links = find_links([source, target], {"s": "source", "t": "target"})
    drops = make_drops("mine", [source, target], resolve(links))
    why = "text t test t-test-0"
    assert drops.tasks["s"].ids == {"train": {"s-train-0": why, "s-train-1": why}}
    assert list(drops.tasks) == ["s"]


@pytest.fixture
def suite_path(make_card, make_suite) -> Path:
    def row(name: str, body: str) -> dict[str, Any]:
        return {"id": name, "text": body, "label": "yes"}

    source = make_card(
        "a",
        {
            "train": [row("a1", CASE), row("a2", text(2)), row("a3", text(3))],
            "test": [row("a4", text(3)), row("a5", text(5))],
        },
    )
    target = make_card("b", {"train": [row("b1", text(6))], "test": [row("b2", LONG)]})
    return make_suite([source], [target])


def test_written_drops_leave_no_leak(suite_path: Path) -> None:
    suite = find_suite(suite_path)
    assert suite.dropped is not None
    drops = write_drops(suite, None)
    assert drops.tasks["a"].ids == {"train": {"a1": "text b test b2", "a3": "text a test a4"}}
    loaded = load_suite(suite, None)
    assert [example.id for example in loaded[0].splits["train"]] == ["a2"]
    assert leaks(find_links(loaded, suite.roles)) == []
    text_of_file = suite.dropped.read_text(encoding="utf-8")
    assert json.loads(text_of_file)["suite"] == "mine"
    assert "liver" not in text_of_file
    assert write_drops(suite, None) == drops


def test_a_suite_that_names_no_file(make_card, make_suite) -> None:
    path = make_card("a", {"train": [{"id": "1", "text": "?", "label": "yes"}]})
    suite = find_suite(make_suite([path], [], dropped=False))
    with pytest.raises(ClinpromptError, match=r"CP-TASK-070.*dropped: mine.dropped.json"):
        write_drops(suite, None)
