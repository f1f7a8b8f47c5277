from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinprompt.errors import ClinpromptError
from clinprompt.examples import (
    Entity,
    EntityAnswer,
    Example,
    LabelAnswer,
    QuestionInput,
    TextAnswer,
    TextInput,
)
from clinprompt.tasks.shots import few_shot, labels_of


def closed(labels: str) -> list[Example]:
    return [
        Example(f"e{i}", f"d{i}", QuestionInput("?"), LabelAnswer(label))
        for i, label in enumerate(labels)
    ]


def tagged(rows: list[str]) -> list[Example]:
    """One example a string; each letter is the type of a mention."""
    result = []
    for i, types in enumerate(rows):
        entities = tuple(Entity(((n, n + 1),), label) for n, label in enumerate(types))
        result.append(Example(f"e{i}", f"d{i}", TextInput("x" * 9), EntityAnswer(entities)))
    return result


POOL = closed("a" * 60 + "b" * 30 + "c" * 9 + "d")


@given(st.integers(0, 100), st.integers(0, 100), st.integers(0, 3))
def test_fewer_shots_are_the_first_of_more(k: int, more: int, seed: int) -> None:
    k, more = min(k, more), max(k, more)
    assert few_shot(POOL, more, seed)[:k] == few_shot(POOL, k, seed)


@given(st.integers(0, 100), st.integers(0, 3))
def test_no_example_comes_twice(k: int, seed: int) -> None:
    assert len({example.id for example in few_shot(POOL, k, seed)}) == k


@given(st.permutations(POOL[:12]), st.integers(0, 12))
def test_the_order_of_examples_does_not_matter(pool: list[Example], k: int) -> None:
    assert few_shot(pool, k, 0) == few_shot(POOL[:12], k, 0)


def test_four_shots_cover_four_labels_most_frequent_first() -> None:
    assert [labels_of(e) for e in few_shot(POOL, 4, 0)] == [{"a"}, {"b"}, {"c"}, {"d"}]


@pytest.mark.parametrize("seed", range(4))
def test_proportions_are_kept(seed: int) -> None:
    counts = Counter(next(iter(labels_of(e))) for e in few_shot(POOL, 20, seed))
    assert counts == {"a": 11, "b": 6, "c": 2, "d": 1}


def test_seeds_differ() -> None:
    assert few_shot(POOL, 8, 0) != few_shot(POOL, 8, 1)


def test_entity_types_are_covered_with_few_examples() -> None:
    pool = tagged(["A"] * 40 + [""] * 40 + ["B", "ABC", "D", "C"])
    chosen = few_shot(pool, 2, 0)
    assert [labels_of(e) for e in chosen] == [{"A", "B", "C"}, {"D"}]
    assert set.union(*(set(labels_of(e)) for e in few_shot(pool, 10, 0))) == set("ABCD")


def test_free_answers_follow_the_seed() -> None:
    pool = [Example(f"e{i}", f"d{i}", TextInput("text"), TextAnswer(str(i))) for i in range(20)]
    assert len(few_shot(pool, 16, 0)) == 16
    assert few_shot(pool, 16, 0) != few_shot(pool, 16, 1)


@pytest.mark.parametrize("k", [-1, 5])
def test_more_shots_than_there_are(k: int) -> None:
    with pytest.raises(ClinpromptError, match=rf"CP-TASK-021\] {k} shots.*there are 4"):
        few_shot(closed("abab"), k, 0)
