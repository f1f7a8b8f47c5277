from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from clinprompt.errors import ClinpromptError
from clinprompt.tasks import loading
from clinprompt.tasks.catalogue import find
from clinprompt.tasks.loading import card_root, load, read, resolve_data_root
from clinprompt.tasks.suite import find_suite


def rows(prefix: str, count: int, **changes: Any) -> list[dict[str, Any]]:
    made = []
    for i in range(count):
        label = "yes" if i % 2 else "no"
        made.append({"id": f"{prefix}{i}", "text": f"Is {prefix}{i}?", "label": label, **changes})
    return made


def test_splits_and_report(make_card) -> None:
    path = make_card(
        "a", {"train": [*rows("t", 3), {"id": "x", "skip": True}], "test": rows("e", 2)}
    )
    data = load(find(path))
    assert {split: len(part) for split, part in data.splits.items()} == {"train": 3, "test": 2}
    assert data.report.counts == {"marked to be skipped": 1}
    assert data.report.problems[0].line == 4


def test_one_split_reads_only_the_file_it_comes_from(make_card, tmp_path: Path) -> None:
    rule = {"of": "train", "fractions": {"train": 0.5, "dev": 0.5}}
    path = make_card("a", {"train": rows("t", 6), "test": rows("e", 2)}, data={"split": [rule]})
    whole = load(find(path))
    (tmp_path / "a-test.jsonl").unlink()
    assert load(find(path), splits=["dev"]).splits == {"dev": whole.splits["dev"]}
    with pytest.raises(FileNotFoundError):
        load(find(path), splits=["test"])


def test_a_split_the_task_lacks(make_card) -> None:
    with pytest.raises(ClinpromptError, match=r"CP-TASK-062.*no split 'dev'"):
        load(find(make_card("a", {"train": rows("t", 2)})), splits=["dev"])


def test_the_first_complaint_is_raised(make_card) -> None:
    path = make_card("a", {"train": rows("t", 2, label="maybe")})
    with pytest.raises(ClinpromptError, match=r"CP-TASK-049.*'t0'.*'maybe'"):
        load(find(path))
    assert len(read(find(path), None).splits["train"]) == 2


def test_ids_are_unique_across_splits(make_card) -> None:
    path = make_card("a", {"train": rows("t", 2), "dev": rows("t", 1)})
    with pytest.raises(ClinpromptError, match=r"CP-TASK-041.*'t0'.*'train' and 'dev'"):
        load(find(path))


def test_files_lie_beside_the_card_or_below_the_data_root(make_card, tmp_path: Path) -> None:
    card = find(make_card("a", {"train": rows("t", 2)}))
    other = tmp_path / "root"
    other.mkdir()
    assert card_root(card, other) == tmp_path
    (tmp_path / "a-train.jsonl").rename(other / "a-train.jsonl")
    assert card_root(card, other) == other
    assert len(load(card, other).splits["train"]) == 2


def test_a_bundled_card_needs_a_data_root() -> None:
    with pytest.raises(ClinpromptError, match=r"CP-TASK-061.*'chemprot'.*CLINPROMPT_DATA"):
        load(find("chemprot"), None)


def test_the_option_goes_before_the_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLINPROMPT_DATA", str(tmp_path / "none"))
    assert resolve_data_root(tmp_path) == tmp_path
    with pytest.raises(ClinpromptError, match=r"CP-TASK-060.*CLINPROMPT_DATA"):
        resolve_data_root(None)
    monkeypatch.setenv("CLINPROMPT_DATA", "")
    assert resolve_data_root(None) is None
    with pytest.raises(ClinpromptError, match=r"CP-TASK-060.*--data-root"):
        resolve_data_root(tmp_path / "none")


@pytest.fixture
def drops(make_card, make_suite, tmp_path: Path):
    """Writes what a suite of one task leaves out; gives card and suite."""

    def write(ids: dict[str, dict[str, str]], version: int = 1):
        path = make_card("a", {"train": rows("t", 3), "test": rows("e", 2)})
        content = {"suite": "mine", "tasks": {"a": {"version": version, "ids": ids}}}
        (tmp_path / "mine.dropped.json").write_text(json.dumps(content), encoding="utf-8")
        return find(path), find_suite(make_suite([path], []))

    return write


def test_what_a_suite_leaves_out_is_counted(drops) -> None:
    card, suite = drops({"train": {"t1": "text b test b7"}})
    assert len(load(card).splits["train"]) == 3
    data = load(card, suite=suite)
    assert [example.id for example in data.splits["train"]] == ["t0", "t2"]
    assert data.report.counts == {loading.DROPPED: 1}
    assert data.report.problems[0].detail == "train t1: text b test b7"


def test_another_split_is_not_asked_for_its_ids(drops) -> None:
    card, suite = drops({"train": {"t1": "id b test b7"}})
    assert len(load(card, suite=suite, splits=["test"]).splits["test"]) == 2


def test_a_list_for_another_version_is_refused(drops) -> None:
    card, suite = drops({"train": {"t1": "id b test b7"}}, version=2)
    with pytest.raises(ClinpromptError, match=r"CP-TASK-063.*version 2.*now version 1"):
        load(card, suite=suite)


def test_a_list_for_other_data_is_refused(drops) -> None:
    card, suite = drops({"train": {"t1": "id b test b7", "t9": "id b test b7"}})
    with pytest.raises(ClinpromptError, match=r"CP-TASK-064.*1 of the 2 ids.*'t9'"):
        load(card, suite=suite)


def test_nothing_may_be_left_of_a_split(drops) -> None:
    card, suite = drops({"test": {"e0": "id", "e1": "id"}})
    with pytest.raises(ClinpromptError, match=r"CP-TASK-040.*'test' has no examples"):
        load(card, suite=suite)
