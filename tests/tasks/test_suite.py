from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from clinprompt.errors import ClinpromptError
from clinprompt.tasks import catalogue, suite
from clinprompt.tasks.card import Card
from clinprompt.tasks.suite import Suite, find_any, find_suite

ROW = [{"id": "1", "text": "?", "label": "yes"}]


def test_the_open_suite() -> None:
    found = find_suite("open")
    assert (len(found.sources), len(found.targets)) == (21, 10)
    kinds = Counter(card.type for card in found.targets)
    assert kinds == dict.fromkeys(("ner", "re", "qa", "nli", "sum"), 2)
    assert min(Counter(card.type for card in found.sources).values()) >= 3
    assert len({card.type for card in found.sources}) == 5
    assert {"headqa", "scinli"} <= {card.name for card in found.targets}


@pytest.mark.parametrize("name", suite.names())
def test_bundled_suites(name: str) -> None:
    found = find_suite(name)
    assert found.name == name
    assert found.bundled
    assert found.sources
    assert found.targets
    assert set(found.drops()) <= set(found.roles)
    assert all(card.access == "open" for card in found.cards) or name == "paper"


@pytest.mark.parametrize("name", suite.names())
def test_what_bundled_suites_leave_out_fits_their_cards(name: str) -> None:
    found = find_suite(name)
    versions = {card.name: card.version for card in found.cards}
    for task, drops in found.drops().items():
        assert drops.version == versions[task]
        assert set(drops.ids) <= set(catalogue.find(task).splits)
        assert all(ids for ids in drops.ids.values())


def test_the_open_suite_with_synthetic_sources() -> None:
    """The open suite, the synthetic suite, and a corpus with two types."""
    plain, synthetic, found = (find_suite(n) for n in ("open", "synthetic", "open-synthetic"))
    assert found.targets == plain.targets
    more = [card.name for card in found.sources[len(plain.sources) :]]
    assert found.sources[: len(plain.sources)] == plain.sources
    assert set(more) == {"bc5cdr", *(card.name for card in synthetic.cards)}
    # One corpus under two cards: what leaks of the one leaks of the other.
    leaks, known = found.drops()["bc5cdr"], plain.drops()["bc5cdr-disease"]
    assert {k: set(v) for k, v in leaks.ids.items()} == {k: set(v) for k, v in known.ids.items()}


def test_an_unknown_suite() -> None:
    with pytest.raises(ClinpromptError, match=r"CP-TASK-030.*did you mean 'open'"):
        find_suite("opne")


def test_ones_own_suite(make_card, make_suite) -> None:
    a, b = make_card("a", {"train": ROW}), make_card("b", {"train": ROW})
    found = find_suite(make_suite([a], [b]))
    assert dict(found.roles) == {"a": "source", "b": "target"}
    assert not found.bundled
    assert found.dropped == a.parent / "mine.dropped.json"


def write(folder: Path, text: str) -> Path:
    path = folder / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_an_unknown_task_in_a_suite_names_the_line(tmp_path: Path) -> None:
    path = write(tmp_path, "name: mine\nsources:\n  - chemprott\n")
    with pytest.raises(ClinpromptError, match=r"CP-TASK-012.*mine.yaml:3.*'chemprot'"):
        find_suite(path)


def test_a_task_that_is_source_and_target(tmp_path: Path) -> None:
    path = write(tmp_path, "name: mine\nsources: [chemprot]\ntargets: [chemprot]\n")
    with pytest.raises(ClinpromptError, match="task 'chemprot' stands twice"):
        find_suite(path)


def test_two_cards_of_one_name(tmp_path: Path, make_card) -> None:
    make_card("a", {"train": ROW})
    (tmp_path / "copy.yaml").write_text((tmp_path / "a.yaml").read_text("utf-8"), "utf-8")
    path = write(tmp_path, "name: mine\nsources: [./a.yaml, ./copy.yaml]\n")
    with pytest.raises(ClinpromptError, match=r"CP-TASK-031.*'a'"):
        find_suite(path)


def test_a_name_is_a_task_or_a_suite(make_card, make_suite) -> None:
    card = make_card("a", {"train": ROW})
    assert isinstance(find_any("open"), Suite)
    assert isinstance(find_any("chemprot"), Card)
    assert isinstance(find_any(card), Card)
    assert isinstance(find_any(make_suite([card], [])), Suite)
    with pytest.raises(ClinpromptError, match=r"CP-TASK-032.*did you mean 'open'"):
        find_any("opeN")


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (None, "CP-TASK-035"),
        ("{", "CP-TASK-034"),
        (json.dumps({"suite": "mine", "tasks": {"a": {"version": 1}}}), "CP-TASK-033"),
    ],
)
def test_a_list_of_drops_that_cannot_be_used(
    make_card, make_suite, content: str | None, code: str
) -> None:
    found = find_suite(make_suite([make_card("a", {"train": ROW})], []))
    assert found.dropped is not None
    if content is not None:
        found.dropped.write_text(content, encoding="utf-8")
    with pytest.raises(ClinpromptError, match=code):
        found.drops()
