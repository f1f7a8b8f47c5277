from __future__ import annotations

import random
from bisect import bisect_left, bisect_right
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.inference import world

from clinprompt import verbalize
from clinprompt.documents.sentences import sentences
from clinprompt.examples import Entity, PairInput, PremiseInput, QuestionInput, TextInput
from clinprompt.inference.windows.cutting import Borders, around, windows
from clinprompt.inference.windows.views import view, with_text

PIECES = [
    "fever ",
    "Cough. ",
    "No rash.\n",
    "\n\n",
    "PLAN:\n",
    "- rest\n",
    "naïve",
    "🩺",
    "a" * 30,
    " ",
]
texts = st.text(max_size=200) | st.lists(st.sampled_from(PIECES), max_size=60).map("".join)


def cut(text: str, size: int, overlap: int) -> list[tuple[int, int]] | None:
    """Windows of `size` characters."""
    return windows(
        text,
        lambda a, b: len(text[a:b].strip()) <= size,
        lambda a, b: len(text[a:b].strip()) <= overlap,
    )


@given(texts, st.integers(1, 80), st.data())
def test_windows_cover_the_text_in_order_and_fit(text: str, size: int, data: st.DataObject) -> None:
    overlap = data.draw(st.integers(0, size // 2))
    found = cut(text, size, overlap)
    assert found is not None
    covered = {place for start, end in found for place in range(start, end)}
    assert {i for i, c in enumerate(text) if not c.isspace()} <= covered
    for start, end in found:
        assert 0 < end - start <= size
        assert text[start:end] == text[start:end].strip()
    for (a, b), (c, d) in pairwise(found):
        assert a < c and b < d
        assert len(text[c:b].strip()) <= overlap
    assert found == cut(text, size, overlap)


@given(texts, st.integers(8, 80), st.data())
def test_what_may_be_shared_stands_together_somewhere(
    text: str, size: int, data: st.DataObject
) -> None:
    overlap = data.draw(st.integers(0, size // 2))
    found = cut(text, size, overlap)
    assert found is not None
    borders = Borders.of(text).sentences
    for i, start in enumerate(borders):
        for end in borders[i + 1 :]:
            piece = text[start:end].rstrip()
            if piece and len(piece) <= overlap:
                assert any(a <= start and start + len(piece) <= b for a, b in found)


@given(texts, st.integers(1, 80))
def test_seams_are_at_sentence_ends_where_these_fit(text: str, size: int) -> None:
    found = cut(text, size, 0)
    assert found is not None
    borders = Borders.of(text).sentences
    ends = {len(text[:place].rstrip()) for place in borders}
    for start, end in found:
        following = next((place for place in borders if place > start), len(text))
        if len(text[start:following].strip()) <= size:
            assert end in ends


def test_windows_prefer_the_end_of_a_section() -> None:
    text = "HPI: Fever. Cough. Chills.\nPLAN: Rest. Fluids. Tea."
    found = cut(text, 38, 0)
    assert found is not None
    assert [text[a:b] for a, b in found] == [
        "HPI: Fever. Cough. Chills.",
        "PLAN: Rest. Fluids. Tea.",
    ]
    # A section's end in the first half of a window is passed over.
    text = "HPI: Fever.\nPLAN: Rest. Fluids. Tea. Toast. Soup."
    found = cut(text, 38, 0)
    assert found is not None
    assert [text[a:b] for a, b in found] == [
        "HPI: Fever.\nPLAN: Rest. Fluids. Tea.",
        "Toast. Soup.",
    ]


def test_windows_overlap_by_whole_sentences() -> None:
    text = "Aaaa one. Bbbb two. Cccc three. Dddd four. Eeee five."
    found = cut(text, 32, 12)
    assert found is not None
    assert [text[a:b] for a, b in found] == [
        "Aaaa one. Bbbb two. Cccc three.",
        "Cccc three. Dddd four.",
        "Dddd four. Eeee five.",
    ]


def test_a_long_sentence_is_cut_at_white_space_and_a_long_word_anywhere() -> None:
    text = "one two three four five six"
    found = cut(text, 14, 5)
    assert found is not None
    assert [text[a:b] for a, b in found] == ["one two three", "three four", "four five six"]
    assert cut("abcdefgh", 3, 1) == [(0, 3), (2, 5), (4, 7), (6, 8)]


def test_what_never_fits_gives_nothing() -> None:
    assert windows("ab", lambda a, b: False, lambda a, b: False) is None
    assert windows(" \n", lambda a, b: True, lambda a, b: False) == []


def test_few_tries_are_made() -> None:
    text, tries = "Fever and cough. " * 3000, [0, 0]

    def fits(a: int, b: int) -> bool:
        tries[0] += 1
        tries[1] += b - a
        return b - a <= 3000

    found = windows(text, fits, lambda a, b: b - a <= 300)
    assert found is not None
    assert tries[0] < 40 * len(found)
    assert tries[1] < 30 * len(text)


@given(texts.filter(str.strip), st.integers(1, 90), st.data())
def test_a_window_about_a_place_holds_it_and_can_not_grow(
    text: str, size: int, data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    held = (start, end)

    def fits(a: int, b: int) -> bool:
        assert a <= start and end <= b
        return len(text[a:b].strip()) <= size

    found = around(text, held, fits)
    if len(text[start:end].strip()) > size:
        assert found is None
        return
    assert found is not None
    a, b = found
    assert fits(min(a, start), max(b, end))
    assert not text[start:a].strip() and not text[b:end].strip()
    borders = Borders.of(text).sentences
    first, last = bisect_right(borders, a) - 1, bisect_left(borders, max(b, end))
    if first >= 0 and borders[first] == a and fits(a, borders[last]):  # whole sentences
        assert first == 0 or not fits(borders[first - 1], borders[last])
        assert last == len(borders) - 1 or not fits(a, borders[last + 1])


def test_a_window_about_a_place_has_as_many_sentences_on_both_sides() -> None:
    text = "A one. B two. C three. D four. E five. F six. G seven."
    place = text.index("D")
    found = around(text, (place, place + 1), lambda a, b: len(text[a:b].strip()) <= 26)
    assert found is not None
    assert text[slice(*found)] == "C three. D four. E five."
    found = around(text, (0, 1), lambda a, b: len(text[a:b].strip()) <= 30)
    assert found is not None
    assert text[slice(*found)] == "A one. B two. C three. D four."


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.integers(24, 200), st.integers(0, 12))
def test_windows_fit_exactly_as_the_codec_writes_the_row(
    seed: int, size: int, overlap: int
) -> None:
    codec, random_ = world.prepared().codec, random.Random(seed)
    note = " ".join(world.text(random_) + random_.choice([".", "\n", ""]) for _ in range(20))
    for name, value in (
        ("mentions", TextInput(note)),
        ("span", QuestionInput("why?", note)),
        ("nli", PremiseInput(note, "so")),
    ):
        long, card = view(value), world.card(name)
        assert long is not None and long.text == note

        def tokens(a: int, b: int, card=card, long=long) -> int:
            return len(codec.rows([verbalize.input_text(card, long.shown(a, b))])[0])

        found = windows(
            note,
            lambda a, b, tokens=tokens: tokens(a, b) <= size,
            lambda a, b: len(codec.text(note[a:b].strip())) <= overlap,
        )
        if found is None:
            assert size < tokens(0, 1) + 4  # not even one character of up to four bytes
            continue
        assert all(tokens(a, b) <= size for a, b in found)
        for (_, end), (start, _) in pairwise(found):
            assert len(codec.text(note[start:end].strip())) <= overlap


def test_a_view_of_a_pair_moves_its_mentions() -> None:
    text = "Fever. Aspirin for pain. Cough."
    pair = PairInput(text, Entity(((7, 14),), "Drug"), Entity(((19, 23),), "Sign"))
    long = view(pair)
    assert long is not None and long.held == (7, 23)
    shown = long.shown(7, 24)
    assert isinstance(shown, PairInput)
    assert shown.text == "Aspirin for pain."
    assert (shown.head.surface(shown.text), shown.tail.surface(shown.text)) == ("Aspirin", "pain")


def test_questions_without_context_have_no_view() -> None:
    assert view(QuestionInput("why?", None, ("a", "b"))) is None
    assert with_text(QuestionInput("why?", "a"), "b") == QuestionInput("why?", "b")
    assert with_text(TextInput("a", "q"), "b") == TextInput("b", "q")


def test_borders_are_visible_places() -> None:
    text = " HPI:\n\n Fever. \n\nPLAN: Rest.  "
    places = Borders.of(text).sentences
    assert [text[a:b] for a, b in pairwise(places)] == [
        "HPI:\n\n ",
        "Fever. \n\n",
        "PLAN: ",
        "Rest.  ",
    ]
    assert len(sentences(text)) < len(places)
