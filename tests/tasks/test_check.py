from __future__ import annotations

import json

import pytest

from clinprompt.errors import ClinpromptError
from clinprompt.examples import (
    Entity,
    EntityAnswer,
    Example,
    Relation,
    RelationAnswer,
    SpanAnswer,
    TextInput,
)
from clinprompt.tasks.catalogue import find
from clinprompt.tasks.check import check_card, count_words, percentiles, plain_texts

TRAIN = [
    {"id": "1", "document": "d", "text": "Is it one?", "label": "yes"},
    {"id": "2", "document": "d", "text": "Is it two, then?", "label": "yes"},
    {"id": "x", "skip": True},
]
TEST = [{"id": "3", "text": "Is it three?", "label": "yes"}]


def test_percentiles_are_values_that_occur() -> None:
    lengths = percentiles(range(1, 101))
    assert (lengths.p50, lengths.p95, lengths.max) == (50, 95, 100)
    assert percentiles([7]) == percentiles([7, 7, 7])


def test_a_fine_task(make_card) -> None:
    result = check_card(find(make_card("a", {"train": TRAIN, "test": TEST})), None)
    train = result.splits["train"]
    assert result.errors == []
    assert (train.examples, train.documents, train.dropped) == (2, 1, 0)
    assert train.labels == {"yes": 2, "no": 0}
    assert (train.input.p50, train.input.max) == (4, 5)  # "Answer." and the question
    assert result.report.counts == {"marked to be skipped": 1}


def test_all_errors_of_all_splits_at_once(make_card) -> None:
    bad = [{"id": "1", "text": " ", "label": "yes"}, {"id": "1", "text": "x", "label": "maybe"}]
    result = check_card(find(make_card("a", {"train": TRAIN, "dev": bad, "test": []})), None)
    assert sorted(error.code for error in result.errors) == [
        "CP-TASK-040",
        "CP-TASK-041",
        "CP-TASK-041",
        "CP-TASK-045",
        "CP-TASK-049",
    ]


def test_a_split_that_cannot_be_read_does_not_hide_the_others(make_card, tmp_path) -> None:
    data = {"files": {"train": ["none.xz"], "test": ["none-too.xz"]}, "reader": "nothing"}
    result = check_card(find(make_card("a", {}, data=data)), None)
    assert [error.code for error in result.errors] == ["CP-DATA-006", "CP-DATA-006"]


def test_what_cannot_be_rendered_counts_against_the_task(make_card) -> None:
    def render(card: object, example: Example) -> tuple[str, str]:
        if example.id == "2":
            raise ClinpromptError("CP-TEXT-001", "no words for it")
        return "in put", "answer"

    result = check_card(find(make_card("a", {"train": TRAIN})), None, render=render)
    assert [error.code for error in result.errors] == ["CP-TEXT-001"]
    assert result.splits["train"].input.max == 2


def test_lengths_are_counted_as_told(make_card) -> None:
    card = find(make_card("a", {"train": TRAIN}))
    result = check_card(card, None, count=lambda texts: [len(text) for text in texts])
    assert result.splits["train"].answer.max == len("yes")


def test_json(make_card) -> None:
    path = make_card("a", {"train": TRAIN})
    result = json.loads(json.dumps(check_card(find(path), None).as_dict()))
    assert result["splits"]["train"]["labels"] == {"yes": 2, "no": 0}
    assert result["problems"] == [
        {
            "reason": "marked to be skipped",
            "count": 1,
            "first": f"{path.parent / 'a-train.jsonl'}:3",
        }
    ]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (EntityAnswer((Entity(((0, 2), (3, 5)), "Drug"),)), "Drug ab cd"),
        (
            RelationAnswer((Relation(Entity(((0, 2),), "A"), Entity(((6, 8),), "B"), "of"),)),
            "ab of ef",
        ),
        (SpanAnswer(((3, 8),)), "cd ef"),
        (None, ""),
    ],
)
def test_plain_answers(make_card, answer, expected: str) -> None:
    card = find(make_card("a", {"train": TRAIN}))
    example = Example("e", "d", TextInput("ab cd ef"), answer)
    assert plain_texts(card, example) == ("Answer. ab cd ef", expected)
    assert count_words(plain_texts(card, example)) == [4, len(expected.split())]
