from __future__ import annotations

import time

import pytest

from clinprompt.examples import Span
from clinprompt.verbalize.fragments import Fragment, Masked
from clinprompt.verbalize.mentions import Index, describe, locate


def found(text: str, words: str) -> tuple[Span, ...] | None:
    index = Index(text)
    return locate(index, Masked.of(words).fragments(), index.first)


def written(text: str, *spans: Span) -> list[tuple[str, int | None]]:
    index = Index(text)
    return [(part.core, part.number) for part in describe(index, spans, index.first)]


@pytest.mark.parametrize(
    ("text", "words", "spans"),
    [
        ("painting, pain", "pain", ((10, 14),)),  # whole words first
        ("painting", "pain", ((0, 4),)),  # but part of a word rather than nothing
        ("PAIN and painful", "pain", ((0, 4),)),  # a whole word in another case before a part
        ("PAINTING", "pain", ((0, 4),)),
        ("Pain, pain", "pain", ((6, 10),)),  # exact case before any case
        ("chest\r\n  pain", "Chest Pain", ((0, 13),)),
        ("a\n\nb  c", "b c", ((3, 7),)),
        ("a x\nx", r"\nx", ((3, 5),)),  # escaped white space is exact
        ("y. y x", r"y\s", ((3, 5),)),
        ("cold, cold, colds", "cold [2]", ((6, 10),)),
        ("cold, cold, colds", "cold [3]", ((12, 16),)),  # parts of words are numbered last
        ("cold, cold, colds", "cold [4]", None),
        ("cold", "cold [0]", None),
        ("Cold cold", "COLD [2]", ((5, 9),)),
        ("arm pain, leg pain", "leg ... pain", ((10, 13), (14, 18))),
        ("pain in arm", "arm ... pain", ((8, 11), (0, 4))),  # not behind it: anywhere
        ("pain", "fever", None),
        ("pain", "pain ... fever", None),
        ("ababa", "aba [2]", ((2, 5),)),  # overlapping occurrences count
        ("ΟΔΟΣ", "οδος", ((0, 4),)),
        ("İx y", "Y", ((3, 4),)),  # folding must not move offsets
        ("发热头痛", "头痛", ((2, 4),)),
        ("cafe\u0301, cafe", "cafe", ((7, 11),)),  # a combining mark belongs to the word
    ],
)
def test_where_words_are_found(text: str, words: str, spans: tuple[Span, ...] | None) -> None:
    assert found(text, words) == spans


def test_a_number_is_written_only_where_the_default_is_wrong() -> None:
    assert written("cold, cold", (0, 4)) == [("cold", None)]
    assert written("cold, cold", (6, 10)) == [("cold", 2)]
    assert written("colds, cold", (0, 4)) == [("cold", 2)]
    assert written("arm pain, leg pain", (0, 3), (4, 8)) == [("arm", None), ("pain", None)]
    assert written("arm pain, leg pain", (0, 3), (14, 18)) == [("arm", None), ("pain", 2)]
    assert written("chest pain, chest\npain", (12, 22)) == [("chest pain", 2)]


def test_a_number_can_be_forced() -> None:
    index = Index("none")
    parts = describe(index, ((0, 4),), index.first, force=True)
    assert parts == (Fragment("none", number=1),)


@pytest.mark.parametrize("space", [" ", "\r\n"])
def test_two_hundred_lines_over_a_long_note_take_no_time(space: str) -> None:
    words = [f"w{n % 977}" for n in range(6000)]
    text = space.join(words)
    assert len(text) > 25_000
    start = time.perf_counter()
    index = Index(text)
    for word in words[:200]:
        assert index.first(Fragment(word)) is not None
        assert index.first(Fragment(word + "!")) is None
    assert time.perf_counter() - start < 1.0  # some 20 ms on a quiet machine
