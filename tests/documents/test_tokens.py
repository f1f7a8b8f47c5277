"""Text from tokens."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinprompt.documents.tokens import TOKEN, Spacing, join, locate

TOKENS = st.lists(
    st.sampled_from(
        ["IL", "2", "000", "-", "/", "(", ")", ",", ".", "'", '"', "+", "%", "é", "<0>"]
    ),
    min_size=1,
    max_size=12,
)


@given(TOKENS, st.sampled_from(["single", "natural"]))
def test_offsets_are_those_of_the_tokens(tokens: list[str], spacing: Spacing) -> None:
    text, offsets = join(tokens, spacing)
    assert [text[start:end] for start, end in offsets] == tokens
    assert "".join(text.split()) == "".join(tokens)


@given(TOKENS)
def test_natural_spacing_can_be_undone(tokens: list[str]) -> None:
    text, _ = join(tokens, "natural")
    assert TOKEN.findall(text) == tokens or text == " ".join(tokens)


@pytest.mark.parametrize(
    ("tokens", "text"),
    [
        ("the IL - 2 ( CD25 ) gene .", "the IL-2 (CD25) gene."),
        ("5 , 000 mg / kg , 0 . 5 %", "5,000 mg/kg, 0.5%"),
        ("Parkinson ' s disease", "Parkinson's disease"),
        ('the " off " state', 'the "off" state'),
        ("mean + / - 5", "mean +/- 5"),
        ("p < 0 . 05 ; n = 7", "p < 0.05; n = 7"),
        ("100 <FFFD> 104 .", "100 <FFFD> 104 ."),  # not to be undone: single spaces
    ],
)
def test_natural_spacing(tokens: str, text: str) -> None:
    assert join(tokens.split(), "natural")[0] == text


ORIGINALS = {"1": "A cat. It  sat\non mats.", "2": "A cat. It sat.", "3": ""}


def test_sentences_are_found_in_their_documents() -> None:
    sentences = [s.split() for s in ("A cat .", "It sat on mats .", "A cat .", "It sat .")]
    found = list(locate(sentences, ORIGINALS))
    assert [place and place[:2] for place in found] == [
        ("1", "A cat."),
        ("1", "It  sat\non mats."),
        ("2", "A cat."),
        ("2", "It sat."),
    ]
    assert found[1] is not None
    text, offsets = found[1][1:]
    assert [text[start:end] for start, end in offsets] == sentences[1]


@given(st.lists(st.text("ab .", max_size=12), max_size=4), st.randoms())
def test_any_cut_of_any_documents_is_put_back(tails: list[str], random: Random) -> None:
    originals = {str(i): f"{i}{tail}" for i, tail in enumerate(tails)}
    order = random.sample(sorted(originals), len(originals))
    cut = [(name, part) for name in order for part in originals[name].split(" ") if part.strip()]
    found = list(locate([TOKEN.findall(part) for _, part in cut], originals))
    assert [place and place[:2] for place in found] == cut


@pytest.mark.parametrize(
    ("sentences", "good"),
    [
        (["A dog ."], 0),  # starts like a document, but is none
        (["Dogs ."], 0),
        (["A cat .", "It stood ."], 1),
        (["A cat .", "It sat on mats .", "A cat .", "It sat .", "A cat ."], 4),
    ],
)
def test_the_first_sentence_that_fits_nowhere_ends_the_search(
    sentences: list[str], good: int
) -> None:
    found = list(locate([s.split() for s in sentences], ORIGINALS))
    assert [place is None for place in found] == [False] * good + [True]
