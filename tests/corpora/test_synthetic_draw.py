"""Chance: the same everywhere, balanced, and kept apart between splits."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass

import pytest

from clinprompt.corpora.synthetic import KINDS, phrases
from clinprompt.corpora.synthetic.draw import DeadEnd, Draw, Pool, owner, pair_split

SPLITS = ("train", "dev", "test")


@dataclass(frozen=True)
class Term:
    name: str


POOL = Pool([Term(f"t{n}") for n in range(200)])


def test_a_pool_is_divided_in_the_stated_shares() -> None:
    assert {split: len(terms) for split, terms in POOL.parts.items()} == {
        "train": 120,
        "dev": 30,
        "test": 50,
    }
    names = [term.name for terms in POOL.parts.values() for term in terms]
    assert len(set(names)) == 200


def test_groups_are_divided_each_for_itself() -> None:
    pool = Pool([Term(f"{g}{n}") for g in "ab" for n in range(20)], lambda term: term.name[0])
    for part in pool.grouped(lambda term: term.name[0]).values():
        assert [len(part.parts[split]) for split in SPLITS] == [12, 3, 5]


def test_a_part_of_a_pool_keeps_each_term_in_its_split() -> None:
    part = POOL.where(lambda term: term.name.endswith("7"))
    for split in SPLITS:
        assert part.parts[split] == [t for t in POOL.parts[split] if t.name.endswith("7")]


def test_every_pair_belongs_to_one_split_in_any_order() -> None:
    names = [f"t{n}" for n in range(60)]
    found = Counter(pair_split(a, b) for a in names for b in names if a < b)
    assert all(pair_split(a, b) == pair_split(b, a) for a in names for b in names)
    shares = {split: count / sum(found.values()) for split, count in found.items()}
    assert shares == pytest.approx({"train": 0.5, "dev": 0.2, "test": 0.3}, abs=0.04)


def drawn(split: str, index: int, count: int = 4) -> list[str] | None:
    draw = Draw("test", 0, split, index)
    try:
        return [draw.term(POOL).name for _ in range(count)]
    except DeadEnd:
        return None


def test_terms_are_new_fit_the_split_and_begin_with_a_pair_of_it() -> None:
    own = {split: {term.name for term in POOL.parts[split]} for split in SPLITS}
    for split in SPLITS:
        terms = [found for index in range(400) if (found := drawn(split, index))]
        assert len(terms) > 390
        for names in terms:
            assert len(set(names)) == 4
            assert set(names) <= own["train"] | own[split]
            assert pair_split(names[0], names[1]) == split
        share = sum(name in own[split] for names in terms for name in names) / (4 * len(terms))
        if split != "train":
            assert share == pytest.approx({"dev": 1 / 3, "test": 1 / 2}[split], abs=0.06)


def test_no_term_left_is_a_dead_end() -> None:
    draw = Draw("test", 0, "train", 0)
    small = Pool([Term("only")])
    assert draw.term(small).name == "only"
    with pytest.raises(DeadEnd):
        draw.term(small)
    with pytest.raises(DeadEnd):
        draw.term(POOL, lambda term: False)
    with pytest.raises(DeadEnd):
        draw.unused(["only"])


def test_a_question_has_one_split_whatever_its_case_and_signs() -> None:
    for n in range(50):
        text = f"Does the patient take drug {n}?"
        owners = [split for split in SPLITS if Draw("test", 0, split, 0).owns(text)]
        assert len(owners) == 1
        assert Draw("test", 0, owners[0], 1).owns(text.upper().replace("?", " ?"))
    assert owner("a", "b") in SPLITS


def test_labels_are_balanced_in_every_block() -> None:
    for first in range(0, 40, 5):
        turns = [Draw("test", 0, "dev", first + n).balanced("abcde") for n in range(5)]
        assert sorted(turns) == list("abcde")
    orders = {
        "".join(Draw("test", 0, "dev", first + n).balanced("abcde") for n in range(5))
        for first in range(0, 100, 5)
    }
    assert len(orders) > 10


def test_attempts_and_neighbours_differ_but_repeat_exactly() -> None:
    def stream(*name: object) -> list[int]:
        draw = Draw(*name)  # type: ignore[arg-type]
        return [draw.below(1000) for _ in range(8)]

    base = ("test", 0, "train", 5)
    streams = [
        stream(*base, 0),
        stream(*base, 1),
        stream("test", 0, "train", 6),
        stream("test", 0, "test", 5),
        stream("test", 1, "train", 5),
        stream("other", 0, "train", 5),
    ]
    assert len({tuple(values) for values in streams}) == len(streams)
    assert stream(*base, 0) == streams[0]


def test_slips_change_words_of_some_examples_only_and_keep_their_ends() -> None:
    text = "patient complains of abdominal discomfort"
    changed = [Draw("test", 0, "train", n).misspelt(text) for n in range(600)]
    share = sum(word != text for word in changed) / len(changed)
    assert 0.01 < share < 0.08
    for words in changed:
        assert [w[0] for w in words.split()] == [w[0] for w in text.split()]
        assert [w[-1] for w in words.split()] == [w[-1] for w in text.split()]


PROGRAM = """
import hashlib
from clinprompt.corpora.synthetic import KINDS, example
rows = [example(kind, 7, split, n) for kind in KINDS for split in ("train", "test") for n in (0, 9)]
print(hashlib.sha256(repr(rows).encode()).hexdigest())
"""


def test_another_process_with_other_hashes_makes_the_same_examples() -> None:
    outputs = {
        subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1


def test_half_of_the_test_terms_of_the_corpus_are_held_out() -> None:
    pools = (phrases.conditions, phrases.symptoms, phrases.drugs, phrases.operations)
    pools += (phrases.exams, phrases.labs, phrases.occupations, phrases.limb_sites)
    names = {
        split: {entry.name for pool in pools for entry in pool.parts[split]} for split in SPLITS
    }
    found: Counter[str] = Counter()
    for kind, make in KINDS.items():
        for index in range(60):
            draw = Draw(kind, 0, "test", index)
            try:
                make(draw)
            except DeadEnd:
                continue
            for name in draw._terms:
                found.update(split for split in SPLITS if name in names[split])
    assert found["dev"] == 0
    assert 0.35 < found["test"] / (found["test"] + found["train"]) < 0.6
