from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinprompt.errors import ClinpromptError
from clinprompt.examples import Example, TextInput
from clinprompt.tasks.card import SplitRule
from clinprompt.tasks.splits import apply_rules, assign, rank


def rule(**changes: Any) -> SplitRule:
    return SplitRule(**{"fractions": {"train": 0.8, "dev": 0.1, "test": 0.1}, **changes})


def examples(documents: list[str]) -> list[Example]:
    return [Example(f"e{i}", name, TextInput("text")) for i, name in enumerate(documents)]


def test_the_order_is_fixed_for_all_time() -> None:
    """Published splits hang on these values: they must never change."""
    assert rank(13, "pmid:1").hex() == "676a689f0b7448815952e2e5a339780f"
    thirds = rule(fractions={"train": 0.6, "dev": 0.2, "test": 0.2})
    split = assign([f"d{i}" for i in range(10)], thirds)
    assert [name for name in sorted(split) if split[name] == "dev"] == ["d0", "d7"]
    assert [name for name in sorted(split) if split[name] == "test"] == ["d4", "d9"]


@given(st.sets(st.text(max_size=5), min_size=10, max_size=60), st.integers(0, 9))
def test_sizes_are_exact_and_every_document_goes_somewhere(names: set[str], seed: int) -> None:
    result = assign(names, rule(seed=seed))
    assert set(result) == names
    sizes = {split: list(result.values()).count(split) for split in ("train", "dev", "test")}
    assert abs(sizes["train"] - 0.8 * len(names)) <= 1
    assert abs(sizes["dev"] - 0.1 * len(names)) <= 1
    assert abs(sizes["test"] - 0.1 * len(names)) <= 1


@given(st.permutations([f"d{i}" for i in range(30)]))
def test_the_order_of_documents_does_not_matter(names: list[str]) -> None:
    assert assign(names, rule()) == assign(sorted(names), rule())


def test_another_seed_is_another_split() -> None:
    names = [f"d{i}" for i in range(100)]
    assert assign(names, rule(seed=1)) != assign(names, rule(seed=2))


@given(st.lists(st.sampled_from([f"d{i}" for i in range(20)]), min_size=60, max_size=90))
def test_documents_never_straddle_and_no_example_is_lost(names: list[str]) -> None:
    rows = examples([*names, *(f"d{i}" for i in range(20))])
    made = apply_rules({"all": rows}, [rule()])
    owners: dict[str, str] = {}
    for split, part in made.items():
        for example in part:
            assert owners.setdefault(example.document, split) == split
    assert sorted(e.id for part in made.values() for e in part) == sorted(e.id for e in rows)


def test_examples_keep_their_order() -> None:
    made = apply_rules({"all": examples([f"d{i}" for i in range(50)])}, [rule()])
    for part in made.values():
        numbers = [int(example.id[1:]) for example in part]
        assert numbers == sorted(numbers)


def test_rules_about_other_splits_are_passed_over() -> None:
    rows = examples(["a", "b"])
    rules = [rule(of="train", fractions={"train": 0.5, "dev": 0.5})]
    assert apply_rules({"test": rows}, rules) == {"test": rows}


def test_too_few_documents() -> None:
    with pytest.raises(ClinpromptError, match=r"CP-TASK-020.*'dev'.*none of the 2 documents"):
        assign(["a", "b"], rule())
