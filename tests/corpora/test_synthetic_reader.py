"""The reader: options, splits, and streams that grow without changing."""

from __future__ import annotations

from pathlib import Path

import pytest

from clinprompt.corpora import registry
from clinprompt.corpora.registry import Report
from clinprompt.corpora.synthetic import KINDS, example
from clinprompt.corpora.synthetic import reader as module
from clinprompt.errors import ClinpromptError
from clinprompt.examples import EntityAnswer, Example, TextInput


def read(split: str = "train", files: tuple[Path, ...] = (), **options: object) -> list[Example]:
    report = options.pop("report", None) or Report()
    return registry.read(
        "synthetic", files, {"kind": "problems"} | options, root=Path(), split=split, report=report
    )


def test_counts_are_those_of_the_split() -> None:
    counts = {"train": 7, "dev": 2, "test": 3}
    assert [len(read(split, counts=counts)) for split in counts] == [7, 2, 3]
    assert read("dev", counts={"train": 1}) == []


def test_a_larger_count_keeps_the_earlier_examples() -> None:
    few, many = read(counts={"train": 5}), read(counts={"train": 40})
    assert many[:5] == few
    assert [row.id for row in few] == [f"problems-0-train-{n}" for n in range(5)]


def test_seed_and_split_make_other_examples() -> None:
    texts = [
        {row.input for row in read(split, seed=seed, counts={split: 30})}
        for seed in (0, 1)
        for split in ("train", "dev", "test")
    ]
    assert len(set.union(*texts)) == sum(len(part) for part in texts) == 180


@pytest.mark.parametrize("kind", KINDS)
def test_any_index_is_made_by_itself(kind: str) -> None:
    far = example(kind, 3, "test", 10**12)
    assert far == example(kind, 3, "test", 10**12)
    assert far.id == far.document == f"{kind}-3-test-{10**12}"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"kind": "problem"}, "did you mean 'problems'?"),
        ({"counts": {"train": -1}}, "negative"),
        ({"counts": {"all": 1}}, "counts.all"),
        ({"sed": 1}, "did you mean 'seed'?"),
    ],
)
def test_wrong_options_are_refused_by_name(options: dict[str, object], said: str) -> None:
    with pytest.raises(ClinpromptError) as caught:
        read(**options)
    assert caught.value.code == "CP-DATA-007"
    assert said in str(caught.value)


def test_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ClinpromptError) as caught:
        read(files=(tmp_path / "notes.txt",))
    assert caught.value.code == "CP-DATA-100"


def test_a_split_it_does_not_have_is_refused() -> None:
    with pytest.raises(ClinpromptError) as caught:
        read("all")
    assert caught.value.code == "CP-DATA-101"


def test_an_input_that_is_there_already_is_left_out_and_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def few_texts(kind: str, seed: int, split: str, index: int) -> Example:
        name = str(index)
        return Example(name, name, TextInput(f"note {index % 4}"), EntityAnswer(()))

    monkeypatch.setattr(module, "example", few_texts)
    report = Report()
    rows = read(counts={"train": 6}, report=report)
    assert [row.id for row in rows] == ["0", "1", "2", "3"]
    assert [(p.reason, p.line) for p in report.problems] == [
        ("the same input as an earlier example", 5),
        ("the same input as an earlier example", 6),
    ]
