"""Code points, bytes, line ends and byte-order marks."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinprompt.documents.counting import Scale, Unit, located, ways
from clinprompt.errors import ClinpromptError

PIECES = ["a", " ", "\r\n", "\n", "\r", "é", "e\u0301", "\u20ac", "\U0001f600", "\r\r\n"]
TEXTS = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)


@given(TEXTS)
def test_bytes_are_those_of_utf8(text: str) -> None:
    scale = Scale(text, "bytes")
    starts = {len(text[:i].encode()): i for i in range(len(text) + 1)}
    for offset in range(-1, len(text.encode()) + 3):
        assert scale.index(offset) == starts.get(offset)
        assert scale.outside(offset) == (not 0 <= offset <= len(text.encode()))


@given(TEXTS, st.sampled_from(["characters", "bytes"]))
def test_joined_line_ends_are_those_of_a_file_opened_as_text(text: str, unit: Unit) -> None:
    """What lies left of each place is the same, line ends apart."""
    # As `open(newline=None)` reads, but for the lone \r, which takes one character either way.
    translated = io.IncrementalNewlineDecoder(None, translate=True).decode(text, final=True)
    scale = Scale(text, unit, joined=True)
    for i in range(len(translated) + 1):
        offset = i if unit == "characters" else len(translated[:i].encode())
        at = scale.index(offset)
        assert at is not None and not scale.outside(offset)
        left = io.IncrementalNewlineDecoder(None, translate=True).decode(text[:at], final=True)
        assert left == translated[:i]
        assert scale.nearest(offset) == at
    size = len(translated) if unit == "characters" else len(translated.encode())
    assert scale.outside(size + 1) and scale.index(size + 1) is None


def test_a_counted_mark_shifts_by_one_character_or_three_bytes() -> None:
    assert [Scale("ab", marked=True).index(i) for i in range(5)] == [None, 0, 1, 2, None]
    scale = Scale("éb", "bytes", marked=True)
    assert [scale.index(i) for i in range(8)] == [None, None, None, 0, None, 1, 2, None]
    assert scale.outside(2) and not scale.outside(4) and scale.outside(7)


def test_only_ways_that_differ_are_tried() -> None:
    assert ways("a\nb") == [Scale("a\nb")]
    assert ways("a\r\nb", "bytes") == [
        Scale("a\r\nb", "bytes"),
        Scale("a\r\nb", "bytes", joined=True),
    ]
    assert [(one.joined, one.marked) for one in ways("a\r\nb", marked=True)] == [
        (False, False),
        (True, False),
        (False, True),
        (True, True),
    ]


def test_nearest_takes_what_is_outside_or_inside() -> None:
    scale = Scale("aéb", "bytes")
    assert [scale.nearest(i) for i in (-5, 0, 1, 2, 3, 4, 99)] == [0, 0, 1, 2, 2, 3, 3]


@pytest.mark.parametrize(
    ("pairs", "code"),
    [
        ([(2, 2)], "CP-DOC-101"),
        ([(3, 1)], "CP-DOC-101"),
        ([(0, 3), (2, 4)], "CP-DOC-102"),
        ([(3, 4), (0, 1)], "CP-DOC-102"),
        ([(0, 9)], "CP-DOC-103"),
        ([(-1, 1)], "CP-DOC-103"),
        ([(0, 2)], "CP-DOC-104"),
    ],
)
def test_what_is_refused(pairs: list[tuple[int, int]], code: str) -> None:
    with pytest.raises(ClinpromptError) as caught:
        located(pairs, Scale("aébcd", "bytes"), file="x.ann", line=7, name="T1")
    assert caught.value.code == code
    assert "x.ann:7: T1: " in str(caught.value)


def test_touching_fragments_are_allowed() -> None:
    assert located([(0, 1), (1, 3)], Scale("aéb", "bytes"), file="x") == ((0, 1), (1, 2))
