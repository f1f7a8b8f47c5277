"""Units cover the text, hold every annotation whole, and keep to their size where they can."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinprompt.corpora.units import Unit, units

TEXTS = st.text(alphabet="aB.! \n?9🍺", max_size=80)


@given(TEXTS, st.data(), st.sampled_from(["document", "line", "window"]), st.integers(1, 6))
def test_whole_annotations_and_all_the_text(
    text: str, data: st.DataObject, unit: Unit, size: int
) -> None:
    held = []
    for _ in range(data.draw(st.integers(0, 3)) if text else 0):
        start = data.draw(st.integers(0, len(text) - 1))
        held.append((start, data.draw(st.integers(start + 1, len(text)))))
    parts = units(text, held, unit, size)
    assert parts == sorted(parts)
    for (_, end), (start, _) in pairwise(parts):
        assert end <= start
    covered = "".join(text[start:end] for start, end in parts)
    assert covered.split() == text.split() or "".join(covered.split()) == "".join(text.split())
    for start, end in held:
        if text[start:end].strip():
            assert any(low <= start and end <= high for low, high in parts)
    for low, high in parts:
        inside = [(a, b) for a, b in held if low <= a and b <= high]
        if not inside:
            assert text[low:high] == text[low:high].strip()
            if unit == "window":
                assert len(text[low:high].split()) <= size
            if unit == "line":
                assert "\n" not in text[low:high]


@pytest.mark.parametrize(
    ("unit", "size", "parts"),
    [
        ("document", 1, ["One two. Three 3.5 mg.\nFour"]),
        ("line", 1, ["One two. Three 3.5 mg.", "Four"]),
        ("window", 9, ["One two. Three 3.5 mg.\nFour"]),
        ("window", 5, ["One two. Three 3.5 mg.", "Four"]),
        ("window", 3, ["One two.", "Three 3.5 mg.", "Four"]),
        ("window", 2, ["One two.", "Three 3.5", "mg.\nFour"]),
        ("window", 1, ["One", "two.", "Three", "3.5", "mg.", "Four"]),
    ],
)
def test_whole_sentences(unit: Unit, size: int, parts: list[str]) -> None:
    text = "  One two. Three 3.5 mg.\nFour \n\n"
    assert [text[start:end] for start, end in units(text, [], unit, size)] == parts


def test_an_annotation_over_a_line_end_joins_the_lines() -> None:
    text = "a b\nc d\ne"
    assert units(text, [(2, 5)], "line", 1) == [(0, 7), (8, 9)]
    assert units(text, [(2, 5)], "window", 1) == [(0, 1), (2, 5), (6, 7), (8, 9)]
