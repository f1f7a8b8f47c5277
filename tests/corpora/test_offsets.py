"""Offsets: checked, and carried through HTML character references."""

from __future__ import annotations

import html

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinprompt.corpora.offsets import Unescaped, mention_problem, misplaced
from clinprompt.examples import Entity

TEXT = "secret pain and secret rash"


@pytest.mark.parametrize(
    ("start", "end", "surface", "expected"),
    [
        (7, 11, "pain", None),
        (7, 11, None, None),
        (8, 12, "pain", "offsets 8-12: the text there is not the mention's; the nearest that is "
         "lies -1 from it"),
        (15, 21, "secret", "offsets 15-21: the text there is not the mention's; the nearest that "
         "is lies +1 from it"),
        (7, 11, "fever", "offsets 7-11: the text there is not the mention's, which stands nowhere "
         "in it"),
        (11, 7, "pain", "offsets 11-7: the end lies before the start"),
        (7, 7, "", "offsets 7-7 are empty"),
        (20, 99, "rash", "offsets 20-99 are outside the text, which has 27 characters"),
        (-4, -1, "ras", "offsets -4--1 are outside the text, which has 27 characters"),
    ],
)  # fmt: skip
def test_misplaced(start: int, end: int, surface: str | None, expected: str | None) -> None:
    problem = misplaced(TEXT, start, end, surface)
    assert problem == expected
    assert problem is None or "secret" not in problem


@pytest.mark.parametrize(
    ("spans", "surface", "part"),
    [
        (((0, 6), (12, 15)), "secret and", None),
        (((0, 6), (12, 15)), None, None),
        ((), None, "without offsets"),
        (((0, 6), (5, 9)), None, "overlap at 5"),
        (((0, 6), (12, 15)), "secret pain", "do not read"),
        (((0, 6), (12, 99)), None, "outside"),
        (((0, 5),), "secret", "0-5"),
    ],
)
def test_mention_problem(
    spans: tuple[tuple[int, int], ...], surface: str | None, part: str | None
) -> None:
    problem = mention_problem(TEXT, Entity(spans, "Sign"), surface)
    assert (part is None and problem is None) or (part or "") in (problem or "")


@given(
    st.lists(st.sampled_from(["a", " ", "é", "&lt;", "&amp;", "&quot", "&#945;", "&", "&bogus;"]))
)
def test_offsets_move_with_the_text(pieces: list[str]) -> None:
    raw = "".join(pieces)
    unescaped = Unescaped(raw)
    known = [piece for piece in pieces if html.unescape(piece) != piece]
    if "&quot" not in pieces:  # before letters html.unescape may read it otherwise
        assert unescaped.text == html.unescape(raw)
    assert len(raw) - len(unescaped.text) == sum(len(p) - len(html.unescape(p)) for p in known)
    at = 0
    for piece in pieces:
        start, end = unescaped.offset(at), unescaped.offset(at + len(piece))
        assert start is not None and end is not None
        assert unescaped.text[start:end] == html.unescape(piece)
        at += len(piece)


def test_an_offset_inside_a_reference_has_no_place() -> None:
    unescaped = Unescaped("p &lt; 5")
    assert unescaped.text == "p < 5"
    places = [unescaped.offset(i) for i in range(9)]
    assert places == [0, 1, 2, None, None, None, 3, 4, 5]
