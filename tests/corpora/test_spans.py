"""Finding answers, and windows around them."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from clinprompt.corpora.spans import Unit, locate, stands_at, window

contexts = st.text(alphabet=st.sampled_from("ab  \n."), min_size=1, max_size=60)


def test_a_stated_offset_is_taken_over_an_earlier_place() -> None:
    assert locate("a fever, a fever", "fever", 11) == (11, 16)
    assert locate("a fever, a fever", "fever", 2) == (2, 7)


def test_a_wrong_offset_goes_to_the_nearest_place() -> None:
    assert locate("a fever, a fever", " fever", 12) == (11, 16)
    assert locate("a fever, a fever", "fever", None) == (2, 7)
    assert locate("a\nhigh  fever", "high fever", 0) == (2, 13)
    assert locate("a fever", "cough", 0) is None
    assert locate("a fever", "  ", 1) is None


def test_blanks_around_an_answer_are_not_part_of_it() -> None:
    assert locate("a fever ", " fever ", 1) == (2, 7)
    assert stands_at("a fever ", " fever ", 1)
    assert not stands_at("a fever", "r", -1)


@given(contexts, st.data(), st.integers(-3, 3))
def test_an_answer_of_the_context_is_found_at_its_place(
    context: str, data: st.DataObject, shift: int
) -> None:
    start = data.draw(st.integers(0, len(context) - 1))
    end = data.draw(st.integers(start + 1, len(context)))
    answer = context[start:end]
    assume(answer.strip())
    exact = locate(context, answer, start)
    assert exact is not None
    assert context[exact[0] : exact[1]] == answer.strip() and start <= exact[0] < exact[1] <= end
    moved = locate(context, answer, max(0, start + shift))
    assert moved is not None
    assert context[moved[0] : moved[1]].split() == answer.split()


@given(contexts, st.data(), st.integers(1, 20), st.sampled_from(["words", "characters"]), st.text())
def test_a_window_holds_the_answer_and_no_more_than_asked_for(
    context: str, data: st.DataObject, size: int, unit: Unit, key: str
) -> None:
    answer = None
    if context.strip() and data.draw(st.booleans()):
        start = data.draw(st.integers(0, len(context) - 1))
        answer = locate(context, context[start:], start)
        assume(answer is not None)
        assert answer is not None
        answer = (answer[0], data.draw(st.integers(answer[0] + 1, answer[1])))
        assume(not context[answer[1] - 1].isspace())
    begin, end = window(context, answer, size, unit, key)
    assert 0 <= begin <= end <= len(context)
    assert window(context, answer, size, unit, key) == (begin, end)
    part = context[begin:end]
    length = 0
    if answer is not None:
        assert begin <= answer[0] and answer[1] <= end
        length = answer[1] - answer[0]
    if (begin, end) == (0, len(context)):
        return
    if unit == "characters":
        assert len(part) <= max(size, length)
    else:
        words = [word.span() for word in re.finditer(r"\S+", context)]
        touched = sum(answer is not None and a < answer[1] and b > answer[0] for a, b in words)
        assert len(part.split()) == max(size, touched)


@pytest.mark.parametrize("unit", ["words", "characters"])
def test_the_answers_place_in_the_window_varies(unit: Unit) -> None:
    context = " ".join(f"w{n}" for n in range(500))
    start = context.index("w250")
    answer = (start, start + 4)
    places = {
        start - window(context, answer, 40 if unit == "words" else 160, unit, f"q{n}")[0]
        for n in range(60)
    }
    assert len(places) > 15


def test_short_contexts_stay_whole_and_words_stay_whole() -> None:
    assert window(" a b ", (1, 2), 2, "words", "q") == (0, 5)
    assert window("abc", None, 3, "characters", "q") == (0, 3)
    context = "alpha beta gamma delta epsilon"
    for n in range(20):
        begin, end = window(context, (11, 16), 14, "characters", f"q{n}")
        assert set(context[begin:end].split()) <= set(context.split())


def test_a_long_answer_makes_the_window_grow() -> None:
    assert window("a b c d e", (2, 7), 1, "words", "q") == (2, 7)
    assert window("a b c d e", (2, 7), 1, "characters", "q") == (2, 7)
