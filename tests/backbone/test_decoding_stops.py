"""Texts that end an answer."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinprompt.backbone.codec import Codec
from clinprompt.backbone.decoding import Ask, Settings, StopTexts, generate
from clinprompt.errors import ClinpromptError
from tests.backbone.test_decoding_scheduler import ready

PIECES = ["a", "b", "ab", "\n", "Qu", "estion:", " ", "é"]


def joined(ids: Sequence[int]) -> str:
    return "".join(PIECES[i] for i in ids)


def test_a_text_across_token_borders_is_found() -> None:
    stops = StopTexts(["Question:"], joined)
    assert stops.found([0, 4]) is None
    assert stops.found([0, 4, 5]) == 1
    assert StopTexts(["Question:"], joined, keep=True).found([0, 4, 5]) == 10
    assert StopTexts([], joined).found([0, 4, 5]) is None


@given(
    st.lists(st.integers(0, len(PIECES) - 1), max_size=12),
    st.lists(st.text("ab\nQuestion: é", min_size=1, max_size=4), min_size=1, max_size=3),
    st.booleans(),
)
def test_an_answer_ends_with_the_text_that_is_whole_first(
    ids: list[int], texts: list[str], keep: bool
) -> None:
    """As if it were read character by character, seen token by token."""
    stops = StopTexts(texts, joined, keep=keep)
    whole = joined(ids)
    ends = [n for n in range(len(whole) + 1) if any(whole[:n].endswith(text) for text in texts)]
    found = stops.found(ids)
    if not ends:
        assert found is None
        return
    length = max(len(text) for text in texts if whole[: ends[0]].endswith(text))
    assert found == (ends[0] if keep else ends[0] - length)


def test_characters_of_several_tokens_are_found() -> None:
    """Bytes of one character lie in several tokens of a tokenizer of bytes."""
    backbone, _ = ready("llama")
    codec = Codec(backbone.tokenizer, backbone.template)
    ids = codec.text("naïve → end")
    stops = StopTexts(["→"], codec.decode)
    seen = [stops.found(ids[:n]) for n in range(len(ids) + 1)]
    first = next(n for n, found in enumerate(seen) if found is not None)
    assert codec.decode(ids[:first])[: seen[first]] == "naïve "
    assert codec.decode(ids[:first]) == "naïve →"


def test_a_row_ends_where_a_text_does_and_others_go_on() -> None:
    backbone, before = ready("llama")
    codec = Codec(backbone.tokenizer, backbone.template)
    asks = [Ask([n, n + 1], before, 20, task=n % 3) for n in range(6)]
    free = generate(backbone, asks, Settings(frozenset()))
    text = codec.decode(free[0].ids)
    stop = next(text[n : n + 2] for n in range(3, 18) if text.find(text[n : n + 2]) == n)
    texts = StopTexts([stop], codec.decode)
    found = generate(backbone, asks, Settings(frozenset(), stop_texts=texts, slots=4))
    for one, whole in zip(found, free, strict=True):
        place = codec.decode(whole.ids).find(stop)
        assert one.ids == whole.ids[: len(one.ids)]
        if place < 0:
            assert (len(one.ids), one.characters) == (20, None)
        else:
            assert one.characters == place
            assert stop in codec.decode(one.ids)
            assert stop not in codec.decode(one.ids[:-1])
    assert found[0].characters is not None


def test_an_empty_text_is_refused() -> None:
    with pytest.raises(ClinpromptError, match="CP-BACK-103"):
        StopTexts(["", "a"], joined)
