"""Quoted text against covered text."""

from __future__ import annotations

from typing import Literal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from clinprompt.documents.align import REALIGNED, agrees, check, nearest, placed
from clinprompt.documents.counting import Scale
from clinprompt.documents.formats import ReadOptions
from clinprompt.errors import ClinpromptError
from clinprompt.examples import Span
from clinprompt.report import Report

TEXT = "chest pain, left\r\n arm pain; no\tfever \U0001f600 e\u0301"


def checked(
    spans: list[Span],
    quoted: str | list[str],
    mismatch: Literal["refuse", "realign"] = "refuse",
    text: str = TEXT,
) -> tuple[tuple[Span, ...], Report]:
    report = Report()
    options = ReadOptions(mismatch=mismatch)
    found = check(text, spans, quoted, options, report, file="x.ann", line=3, name="T9")
    return found, report


@pytest.mark.parametrize(
    ("spans", "quoted"),
    [
        ([(0, 10)], "chest pain"),
        ([(0, 5), (23, 27)], "chest pain"),
        ([(0, 5), (23, 27)], ["chest", "pain"]),
        ([(12, 22)], "left arm"),
        ([(12, 22)], "left\r\n arm"),
        ([(12, 16), (18, 22)], "left  arm"),
        ([(12, 16), (19, 22)], "left arm"),
        ([(0, 3), (3, 5)], "che st"),
        ([(0, 3), (3, 5)], "chest"),
        ([(29, 37)], "no fever"),
        ([(38, 39)], "\U0001f600"),
        ([(40, 42)], "e\u0301"),
    ],
)
def test_what_agrees(spans: list[Span], quoted: str | list[str]) -> None:
    assert checked(spans, quoted)[0] == tuple(spans)


@pytest.mark.parametrize(
    ("spans", "quoted"),
    [
        ([(1, 11)], "chest pain"),
        ([(0, 11)], "chest pain"),
        ([(0, 6)], "chest"),
        ([(5, 10)], "pain"),
        ([(0, 10)], "Chest pain"),
        ([(40, 42)], "\u00e9"),
        ([(0, 5), (6, 10)], ["chest pain"]),
        ([(0, 5), (18, 22)], "chest"),
        ([(0, 3), (4, 6)], "chest"),
        ([(0, 5)], ""),
    ],
)
def test_what_does_not(spans: list[Span], quoted: str | list[str]) -> None:
    assert not agrees(TEXT, spans, quoted)
    with pytest.raises(ClinpromptError) as caught:
        checked(spans, quoted)
    assert (caught.value.code, caught.value.line) == ("CP-DOC-100", 3)


def test_both_texts_are_shown_shortened_and_on_one_line() -> None:
    with pytest.raises(ClinpromptError) as caught:
        checked([(0, 17)], "x" * 80)
    message = caught.value.message
    assert message == f"T9: the text at 0 17 is 'chest pain, left ', not '{'x' * 37}...'"
    assert len(str(caught.value).split("\n")) == 1


@pytest.mark.parametrize(
    ("spans", "quoted", "moved"),
    [
        ([(2, 6)], "pain", [(6, 10)]),
        ([(19, 23)], "pain", [(23, 27)]),
        ([(16, 20)], "pain", [(23, 27)]),
        ([(500, 505)], "fever", [(32, 37)]),
        ([(13, 21)], "left arm", [(12, 22)]),
        ([(1, 6), (24, 28)], "chest pain", [(0, 5), (23, 27)]),
        ([(1, 6), (24, 28)], ["chest", "pain"], [(0, 5), (23, 27)]),
    ],
)
def test_realigning_takes_the_nearest_place_and_counts(
    spans: list[Span], quoted: str | list[str], moved: list[Span]
) -> None:
    found, report = checked(spans, quoted, "realign")
    assert found == tuple(moved)
    assert report.counts == {REALIGNED: 1}
    assert (report.problems[0].file, report.problems[0].line) == ("x.ann", 3)


@pytest.mark.parametrize(
    ("spans", "quoted"),
    [([(0, 5)], "cough"), ([(0, 5)], " "), ([(0, 5), (6, 9)], "chest arms and legs")],
)
def test_what_stands_nowhere_is_refused_even_then(spans: list[Span], quoted: str) -> None:
    with pytest.raises(ClinpromptError, match="comes up nowhere") as caught:
        checked(spans, quoted, "realign")
    assert caught.value.code == "CP-DOC-100"


@pytest.mark.parametrize("mismatch", ["refuse", "realign"])
def test_impossible_spans_are_refused_in_both(mismatch: Literal["refuse", "realign"]) -> None:
    with pytest.raises(ClinpromptError) as caught:
        checked([(5, 5)], "", mismatch)
    assert caught.value.code == "CP-DOC-101"


def test_outside_the_text_is_its_own_error() -> None:
    with pytest.raises(ClinpromptError) as caught:
        checked([(30, 99)], "no fever")
    assert caught.value.code == "CP-DOC-103"


def test_a_byte_offset_inside_a_character_can_be_realigned() -> None:
    report, text = Report(), "né é pain"
    scale = Scale(text, "bytes")
    with pytest.raises(ClinpromptError) as caught:
        placed([(2, 6)], scale, "é", ReadOptions(), report, file="x")
    assert caught.value.code == "CP-DOC-104"
    options = ReadOptions(mismatch="realign")
    assert placed([(5, 8)], scale, "é", options, report, file="x") == ((3, 4),)
    assert placed([(7, 11)], scale, "pain", options, report, file="x") == ((5, 9),)
    assert report.counts == {REALIGNED: 1}


def test_overlapping_occurrences_are_all_seen() -> None:
    assert nearest("aaaa", "aa", 1) == (1, 3)
    assert nearest("abaaba", "aba", 9) == (3, 6)
    assert nearest("ab ab", "ab", 0, floor=1) == (3, 5)
    assert nearest("a a", "a", 1) == (0, 1)  # both are as near: the earlier
    assert nearest("aab", "ab", 5) == (1, 3)


@pytest.mark.parametrize("far", [0, 90, 99, 100, 101, 102, 9_999, 10_001, 30_000])
@pytest.mark.parametrize("side", [-1, 1])
def test_occurrences_near_and_far(far: int, side: int) -> None:
    text = list("." * 70_000)
    place = 35_000 + side * far
    text[place : place + 6] = "ab  cd"
    text[100:105] = text[69_000:69_005] = "ab cd"
    assert nearest("".join(text), "ab cd", 35_000) == (place, place + 6)
    assert nearest("".join(text), "ab cd", -5) == (100, 105)
    assert nearest("".join(text), "xy", 35_000) is None


@given(st.text("ab \n", min_size=1, max_size=30), st.data())
def test_a_shift_is_undone_where_the_text_is_unique(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text) - 1))
    length = data.draw(st.integers(1, min(6, len(text) - start)))
    quoted = text[start : start + length]
    assume(quoted.strip())
    shift = data.draw(st.integers(-start, 40))
    found, report = checked([(start + shift, start + shift + length)], quoted, "realign", text)
    assert agrees(text, found, quoted)
    # Nothing that reads the same is nearer.
    others = [i for i in range(len(text)) if agrees(text, [(i, i + length)], quoted)]
    assert abs(found[0][0] - start - shift) <= min(abs(i - start - shift) for i in others)
    if shift == 0:
        assert found == ((start, start + length),) and not report.counts
