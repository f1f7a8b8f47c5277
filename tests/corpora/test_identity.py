"""Names for files and texts."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinprompt.corpora.identity import draw, question_id, stem, text_id


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a/b.csv", "b"), ("b.csv.xz", "b"), ("b.tar.xz", "b"), ("v1.2.json", "v1.2"), ("x", "x")],
)
def test_stem_drops_the_ending_and_xz(name: str, expected: str) -> None:
    assert stem(Path(name)) == expected


def test_a_text_is_recognised_whatever_its_blanks_case_and_marks() -> None:
    assert text_id("Can diabetics eat sweets?") == text_id("can  diabetics eat sweets ?\n")
    assert text_id("Can diabetics eat sweets?") != text_id("Can diabetics eat sweet?")
    assert text_id("a b", "c") != text_id("a", "b c")
    assert text_id("a").startswith("text:") and len(text_id("a")) == len("text:") + 16


def test_a_question_is_the_same_with_its_choices_in_any_order() -> None:
    assert question_id("Q?", ("a", "b")) == question_id("Q?", ("B", "a"))
    assert question_id("Q?", ("a", "b")) != question_id("Q?", ("a", "c"))


@given(st.text(), st.integers(1, 1000))
def test_a_draw_is_in_range_and_repeatable(key: str, count: int) -> None:
    assert 0 <= draw(key, count) < count
    assert draw(key, count) == draw(key, count)


def test_draws_are_spread() -> None:
    counts = [0] * 4
    for key in range(400):
        counts[draw(f"q{key}", 4)] += 1
    assert min(counts) > 60
    assert draw("q1", 1000) == 106  # the same on every machine, for ever
