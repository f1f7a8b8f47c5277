"""Line and token to characters: exact for any text, and back."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinprompt.documents.align import nearest
from clinprompt.documents.tokenlines import TokenLines, reads_as, shown

# U+2028, form feed and NEL end lines for str.splitlines(), but not in these files.
TEXTS = st.text(alphabet=" \n\t\r.aB9é\u2028\x0c\x85🍺\u0301", max_size=60)


@given(TEXTS)
def test_every_token_is_found_by_line_and_number(text: str) -> None:
    lines = TokenLines(text)
    seen = []
    for number, line in enumerate(text.split("\n"), 1):
        words = line.split()
        for place, word in enumerate(words):
            span = lines.token(number, place)
            assert span is not None and text[slice(*span)] == word
            seen.append(span)
        assert lines.token(number, len(words)) is None
    assert lines.count == text.count("\n") + 1
    assert lines.token(lines.count + 1, 0) is None and lines.token(0, 0) is None
    assert seen == [match.span() for match in re.finditer(r"\S+", text)]


@given(TEXTS, st.data())
def test_a_stretch_of_tokens_covers_exactly_them(text: str, data: st.DataObject) -> None:
    places = [
        (line, token)
        for line, row in enumerate(text.split("\n"), 1)
        for token in range(len(row.split()))
    ]
    if not places:
        assert TokenLines(text).span((1, 0), (1, 0)) is None
        return
    first = data.draw(st.integers(0, len(places) - 1))
    last = data.draw(st.integers(first, len(places) - 1))
    span = TokenLines(text).span(places[first], places[last])
    assert span is not None
    assert text[slice(*span)].split() == text.split()[first : last + 1]
    if first < last:
        assert TokenLines(text).span(places[last], places[first]) is None


@given(TEXTS, st.data())
def test_the_nearest_occurrence_is_the_words_themselves(text: str, data: st.DataObject) -> None:
    words = text.split()
    if not words:
        return
    first = data.draw(st.integers(0, len(words) - 1))
    last = data.draw(st.integers(first, len(words) - 1))
    quoted = " ".join(words[first : last + 1])
    start = data.draw(st.integers(0, len(text)))
    span = nearest(text, quoted.upper(), start, words=True)
    if span is not None:  # case folding is not one to one for every letter
        assert reads_as(text[slice(*span)], quoted.upper())
    exact = nearest(text, quoted, start, words=True)
    assert exact is not None and reads_as(text[slice(*exact)], quoted)


def test_nearest_takes_whole_words_and_the_nearest_place() -> None:
    text = "painful pain, no pain"
    assert nearest(text, "Pain", 0, words=True) == (8, 12)
    assert nearest(text, "pain", 21, words=True) == (17, 21)
    assert (
        nearest(text, "gone", 3, words=True) is None and nearest(text, " ", 3, words=True) is None
    )


def test_messages_show_at_most_forty_characters() -> None:
    assert shown("a\n b") == "'a b'"
    assert len(shown("x" * 200)) == 42


@pytest.mark.parametrize(
    ("covered", "quoted", "same"),
    [
        ("A  Dry\ncough", "a dry cough", True),
        ("drycough", "dry cough", True),
        ("dry", "wet", False),
    ],
)
def test_reads_as(covered: str, quoted: str, same: bool) -> None:
    assert reads_as(covered, quoted) is same
