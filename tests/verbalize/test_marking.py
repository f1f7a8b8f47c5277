from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinprompt.examples import Span
from clinprompt.verbalize.marking import mark


@pytest.mark.parametrize(
    ("text", "head", "tail", "marked"),
    [
        ("a b", ((0, 1),), ((2, 3),), "<<a>> [[b]]"),
        ("a b", ((0, 3),), ((2, 3),), "<<a [[b]]>>"),  # nested
        ("a b", ((0, 1),), ((0, 3),), "[[<<a>> b]]"),
        ("a b", ((0, 3),), ((0, 3),), "<<[[a b]]>>"),  # the same words
        ("abc", ((0, 2),), ((1, 3),), "<<a[[b>>c]]"),  # overlapping
        ("ab", ((0, 1),), ((1, 2),), "<<a>>[[b]]"),  # side by side
        ("a b c", ((0, 1), (4, 5)), ((2, 3),), "<<a>> [[b]] <<c>>"),  # discontinuous
        ("<<a b", ((2, 3),), ((4, 5),), "<<{{a}} ((b))"),  # the text has the mark
        ("a< {{b", ((0, 1),), ((5, 6),), "<<a>>< {{[[b]]"),
        ("<a ((b", ((1, 2),), ((5, 6),), "<<head1>a</head1> ((<tail1>b</tail1>"),
    ],
)
def test_marks(text: str, head: tuple[Span, ...], tail: tuple[Span, ...], marked: str) -> None:
    assert mark(text, head, tail)[0] == marked


@settings(max_examples=300)
@given(st.data())
def test_taking_the_marks_out_gives_the_text_back(data: st.DataObject) -> None:
    pieces = ["<", ">", "<<", "[[", "]", "{{", "))", "a", " ", "<head1>", "</tail1>", "</"]
    text = "".join(data.draw(st.lists(st.sampled_from(pieces), min_size=1, max_size=12)))
    span = st.lists(st.integers(0, len(text)), min_size=2, max_size=2, unique=True).map(sorted)
    (a, b), (c, d) = data.draw(span), data.draw(span)
    marked, marks = mark(text, ((a, b),), ((c, d),))
    assert all(marked.count(sign) == 1 for sign in marks)
    assert re.sub("|".join(map(re.escape, marks)), "", marked) == text
