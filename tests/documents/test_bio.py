"""Tags to chunks and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinprompt.documents.bio import Chunk, Scheme, decode, encode, parse_tag


def tags(text: str, scheme: Scheme = "bio2", bare: str | None = None) -> list[tuple[str, str]]:
    parsed = [parse_tag(tag, scheme, bare) for tag in text.split()]
    assert None not in parsed
    return [tag for tag in parsed if tag is not None]


@st.composite
def sentences(draw: st.DrawFn) -> tuple[list[Chunk], int]:
    """Chunks that don't overlap, neighbours and single tokens among them."""
    length = draw(st.integers(1, 12))
    chunks, at = [], 0
    while at < length:
        if draw(st.booleans()):
            last = draw(st.integers(at, length - 1))
            chunks.append(Chunk(at, last, draw(st.sampled_from(["Drug", "I-OTHER", "B"]))))
            at = last
        at += 1
    return chunks, length


@given(sentences(), st.sampled_from(["bio2", "bio1", "bioes"]))
def test_what_is_encoded_is_decoded(sentence: tuple[list[Chunk], int], scheme: Scheme) -> None:
    chunks, length = sentence
    written = encode(chunks, length, scheme)
    assert len(written) == length
    assert decode(tags(" ".join(written), scheme), scheme) == (chunks, [])


@given(sentences())
def test_io_is_exact_where_no_two_chunks_of_a_type_touch(sentence: tuple[list[Chunk], int]) -> None:
    chunks, length = sentence
    apart = [
        chunk
        for i, chunk in enumerate(chunks)
        if i == 0 or chunks[i - 1].last + 1 < chunk.first or chunks[i - 1].label != chunk.label
    ]
    if apart == chunks:
        assert decode(tags(" ".join(encode(chunks, length, "io")), "io"), "io") == (chunks, [])


@pytest.mark.parametrize(
    ("scheme", "text", "chunks", "broken"),
    [
        ("bio2", "B-D I-D B-D O", [(0, 1), (2, 2)], []),
        ("bio2", "O I-D I-D", [(1, 2)], [1]),
        ("bio1", "I-D I-D B-D O I-D", [(0, 1), (2, 2), (4, 4)], []),
        ("io", "I-D I-D O I-D", [(0, 1), (3, 3)], []),
        ("bioes", "S-D B-D I-D E-D S-D", [(0, 0), (1, 3), (4, 4)], []),
        ("bioes", "U-D B-D I-D L-D O", [(0, 0), (1, 3)], []),
        ("bioes", "B-D O E-D", [(0, 0), (2, 2)], [1, 2]),
        ("bioes", "O B-D", [(1, 1)], [1]),
    ],
)
def test_schemes(
    scheme: Scheme, text: str, chunks: list[tuple[int, int]], broken: list[int]
) -> None:
    found, places = decode(tags(text, scheme), scheme)
    assert [(chunk.first, chunk.last) for chunk in found] == chunks
    assert places == broken


def test_an_inside_tag_of_another_type_starts_a_chunk() -> None:
    found, broken = decode(tags("B-D I-E"), "bio2")
    assert found == [Chunk(0, 0, "D"), Chunk(1, 1, "E")]
    assert broken == [1]


@pytest.mark.parametrize(
    ("tag", "scheme", "bare", "expected"),
    [
        ("B-Disease", "bio2", None, ("B", "Disease")),
        ("I-I-OTHER", "bio2", None, ("I", "I-OTHER")),
        ("B", "bio2", "Gene", ("B", "Gene")),
        ("B", "bio2", None, None),
        ("E-Gene", "bio2", None, None),
        ("E-Gene", "bioes", None, ("E", "Gene")),
        ("B-", "bio2", None, None),
        ("", "io", None, None),
        ("Gene", "io", None, ("I", "Gene")),
        ("Gene", "bio2", None, None),
    ],
)
def test_parse_tag(
    tag: str, scheme: Scheme, bare: str | None, expected: tuple[str, str] | None
) -> None:
    assert parse_tag(tag, scheme, bare) == expected


@pytest.mark.parametrize("chunks", [[Chunk(0, 1, "D"), Chunk(1, 2, "D")], [Chunk(2, 3, "D")]])
def test_overlapping_or_outlying_chunks_cannot_be_encoded(chunks: list[Chunk]) -> None:
    with pytest.raises(ValueError, match="overlap or lie outside"):
        encode(chunks, 3, "bio2")
