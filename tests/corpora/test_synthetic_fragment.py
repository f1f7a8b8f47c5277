"""Text with labelled pieces, and sentence patterns: offsets stay exact whatever is put together."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinprompt.corpora.synthetic.draw import Draw
from clinprompt.corpora.synthetic.fragment import Fragment, concat, entities, join, mark, mentions
from clinprompt.corpora.synthetic.grammar import fill, parse, sentence
from clinprompt.examples import Entity

WORDS = st.text("abcXYZ", min_size=1, max_size=6)
GAPS = st.sampled_from(["", " ", "  ", ", ", ". ", ".", " (", ")", "\n"])


def draw(index: int = 0) -> Draw:
    return Draw("test", 0, "train", index)


@given(st.lists(st.tuples(GAPS, WORDS, st.booleans()), max_size=12))
def test_marks_cover_exactly_their_words_after_joining(parts: list[tuple[str, str, bool]]) -> None:
    pieces: list[str | Fragment] = []
    expected = {}
    for number, (gap, word, marked) in enumerate(parts):
        pieces += [gap, mark(word, "X", f"m{number}") if marked else word]
        if marked:
            expected[f"m{number}"] = word
    half = len(pieces) // 2
    for whole in (concat(pieces), concat((concat(pieces[:half]), concat(pieces[half:])))):
        found = mentions(whole)
        assert {link: entity.surface(whole.text) for link, entity in found.items()} == expected


def test_seams_leave_no_double_blanks_or_signs() -> None:
    assert concat(("a ", " b", " ", ", c", ",", ".")).text == "a b, c."
    assert concat(("take it ", mark("b.i.d.", "F", "f"), ".")).text == "take it b.i.d."
    assert entities(concat(("take it ", mark("b.i.d.", "F", "f"), "."))) == (
        Entity(((8, 14),), "F"),
    )
    assert join("; ", ["", Fragment(""), "x", "", "y"]).text == "x; y"


def test_nested_and_discontinuous_mentions() -> None:
    route = mark("inhaler", "Route", "r")
    shared = mark(route, "Drug", "a", 1)
    text = concat((mark("x", "Drug", "a", 0), " and ", mark(concat(("y ", shared)), "Drug", "b")))
    assert text.text == "x and y inhaler"
    assert entities(text) == (
        Entity(((0, 1), (8, 15)), "Drug"),
        Entity(((6, 15),), "Drug"),
        Entity(((8, 15),), "Route"),
    )


def test_a_mention_that_stands_twice_is_a_fault() -> None:
    twice = mark("x", "X", "m1")
    with pytest.raises(AssertionError, match="stands twice"):
        mentions(concat((twice, twice)))


def test_patterns_choose_leave_out_and_fill() -> None:
    texts = {fill("(a|b(c|d))[ x] {y}", draw(i), {"y": "z"}).text for i in range(300)}
    assert texts == {f"{a}{x} z" for a in ("a", "bc", "bd") for x in ("", " x")}


def test_a_filler_is_called_at_each_of_its_places_and_may_be_capitalised() -> None:
    made = iter(range(9))
    slots = {"m": lambda: mark("word", "X", str(next(made)))}
    text = fill("{m}, {M} and {m}.", draw(), slots)
    assert text.text == "word, Word and word."
    assert [entity.start for entity in entities(text)] == [0, 6, 15]


def test_a_sentence_begins_with_a_capital_and_keeps_its_marks() -> None:
    text = sentence("{x} seen.", draw(), {"x": mark("cyst", "X", "m")})
    assert (text.text, entities(text)) == ("Cyst seen.", (Entity(((0, 4),), "X"),))


@pytest.mark.parametrize("pattern", ["a|b", "a)", "(a", "[a|b", "{a", "a]b", "(a|b))"])
def test_a_pattern_that_is_not_closed_is_a_fault(pattern: str) -> None:
    with pytest.raises((AssertionError, IndexError, ValueError)):
        parse(pattern)
