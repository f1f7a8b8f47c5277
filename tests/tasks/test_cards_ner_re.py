"""The bundled NER and RE cards on the real files: counts as published, mentions as they should."""

from __future__ import annotations

from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from clinprompt.corpora import Report, registry
from clinprompt.examples import (
    Entity,
    EntityAnswer,
    Example,
    LabelAnswer,
    PairInput,
    RelationAnswer,
    source_text,
)
from clinprompt.tasks import catalogue, loading
from clinprompt.tasks.loading import TaskData
from clinprompt.tasks.validation import complaints

pytestmark = pytest.mark.data
PARTS = ("Training", "Development", "Test")
PUBTATOR = "RE/bc5cdr-cid/CDR_{}Set.PubTator.txt.xz"

# Per split: examples, documents, and mentions (NER), relations (list) or pairs (pair).
COUNTS = {
    "anatem": [(5861, 5861, 6946), (2118, 2118, 2139), (3830, 3830, 4616)],
    "bc2gm": [(12574, 12574, 15197), (2519, 2519, 3061), (5038, 5038, 6325)],
    "bc5cdr": [(4560, 500, 9385), (4581, 500, 9593), (4797, 500, 9809)],
    "bc5cdr-chemical": [(4560, 500, 5203), (4581, 500, 5347), (4797, 500, 5385)],
    "bc5cdr-cid": [(500, 500, 1038 - 16), (500, 500, 1012 - 15), (500, 500, 1066 - 10)],
    "bc5cdr-cid-pair": [(2044, 500, 2044), (1994, 500, 1994), (2112, 500, 2112)],
    "bc5cdr-disease": [(4560, 500, 4182), (4581, 500, 4246), (4797, 500, 4424)],
    "chemprot": [(4169, 1653, 4169), (2427, 910, 2427), (3469, 1397, 3469)],
    "linnaeus": [(11935 - 8795, 3140, 2119), (4078, 4078, 711), (7142, 7142, 1433)],
    "ncbi-disease": [(5432, 5432, 5145), (923, 923, 787), (940, 940, 960)],
    "neurotrialner": [(787, 787, 7081), (153, 153, 1568), (153, 153, 1444)],
    "pgr": [(3436, 960, 3436), (418, 107, 418), (216, 189, 216)],
    "phee": [(2898, 1108, 3573), (961, 371, 1197), (968, 359, 1213)],
}


@cache
def data(name: str, root: Path) -> TaskData:
    """All that the card's reader gives, nothing left out for leakage."""
    return loading.read(catalogue.find(name), root)


def mentions(example: Example) -> list[Entity]:
    match example.input, example.answer:
        case PairInput(head=head, tail=tail), _:
            return [head, tail]
        case _, EntityAnswer(entities=entities):
            return list(entities)
        case _, RelationAnswer(relations=relations):
            return [end for r in relations for end in (r.head, r.tail)]
    raise AssertionError(example.id)


def size(example: Example) -> int:
    match example.answer:
        case EntityAnswer(entities=entities):
            return len(entities)
        case RelationAnswer(relations=relations):
            return len(relations)
    return 1


@pytest.mark.parametrize("name", sorted(COUNTS))
def test_counts(name: str, data_root: Path) -> None:
    splits = data(name, data_root).splits
    found = [
        (len(rows), len({example.document for example in rows}), sum(map(size, rows)))
        for rows in splits.values()
    ]
    assert list(splits) == ["train", "dev", "test"]
    assert found == COUNTS[name]


@pytest.mark.parametrize("name", sorted(COUNTS))
def test_examples_fit_their_card(name: str, data_root: Path) -> None:
    task = data(name, data_root)
    assert list(complaints(task.card, task.splits)) == []


@pytest.mark.parametrize("name", sorted(COUNTS))
def test_mentions_are_sane(name: str, data_root: Path) -> None:
    """No blanks at the edges, no line end inside, something readable."""
    for rows in data(name, data_root).splits.values():
        for example in rows:
            text = source_text(example.input)
            for mention in mentions(example):
                for start, end in mention.spans:
                    part = text[start:end]
                    assert part == part.strip() and "\n" not in part, example.id
                assert any(map(str.isalnum, mention.surface(text))), example.id


@pytest.mark.parametrize(
    "name", ["anatem", "bc2gm", "bc5cdr", "linnaeus", "ncbi-disease", "neurotrialner"]
)
def test_mentions_are_whole_words(name: str, data_root: Path) -> None:
    for rows in data(name, data_root).splits.values():
        for example in rows:
            text = f" {source_text(example.input)} "
            for mention in mentions(example):
                for before in (mention.start, mention.end):
                    assert not (text[before].isalnum() and text[before + 1].isalnum()), example.id


def test_conll_and_pubtator_have_the_same_mentions(data_root: Path) -> None:
    """Sentences aligned to abstracts: every mention lies in the abstract that PubTator says."""
    differ = total = 0
    for rows, part in zip(data("bc5cdr", data_root).splits.values(), PARTS, strict=True):
        abstracts = registry.read(
            "pubtator",
            [data_root / PUBTATOR.format(part)],
            {"form": "mentions"},
            root=data_root,
            split="all",
            report=Report(),
        )
        here, there = (
            Counter(
                (example.document, mention.label, mention.surface(source_text(example.input)))
                for example in examples
                for mention in mentions(example)
            )
            for examples in (rows, abstracts)
        )
        differ += (here - there).total()
        total += here.total()
    assert (differ, total) == (19, 28787)


def test_pairs_of_one_concept_pair_agree_with_the_list(data_root: Path) -> None:
    listed, paired = (data(name, data_root).splits for name in ("bc5cdr-cid", "bc5cdr-cid-pair"))
    for split, rows in paired.items():
        labels = Counter(e.answer.label for e in rows if isinstance(e.answer, LabelAnswer))
        assert labels["CID"] == labels["none"] == sum(map(size, listed[split]))


def test_what_is_left_out_is_counted(data_root: Path) -> None:
    assert data("pgr", data_root).report.counts == {
        "repeated row left out": 230,
        "example with wrong offsets left out": 2,
        "pair labelled otherwise in an earlier row, kept": 1,
    }
    for name, skipped in (
        ("bc5cdr-chemical", 4182 + 4246 + 4424),
        ("bc5cdr-cid", 16 + 15 + 10),
        ("linnaeus", 8795),
        ("neurotrialner", 0),
        ("chemprot", 0),
        ("phee", 37 + 96 + 21 + 12 + 7),
    ):
        assert data(name, data_root).report.counts.total() == skipped, name
    every_row = 4083 + 219
    assert sum(map(len, data("pgr", data_root).splits.values())) == every_row - 232


def test_curators_turn_labels_of_the_pgr_test_round(data_root: Path) -> None:
    labels = Counter(
        example.answer.label
        for example in data("pgr", data_root).splits["test"]
        if isinstance(example.answer, LabelAnswer)
    )
    assert labels == {"True": 67 + 85 - 3, "False": 57 + 10}
