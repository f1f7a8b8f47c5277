"""Tag sequences (BIO2, BIO1, IO, BIOES/BILOU) to chunks of tokens and back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

Scheme = Literal["bio2", "bio1", "io", "bioes"]

# Letters of a scheme. BILOU is BIOES with other letters, so both are read as "bioes".
LETTERS: dict[Scheme, str] = {"bio2": "BI", "bio1": "BI", "io": "I", "bioes": "BIESLU"}
_STARTS, _ENDS = "BSU", "ESLU"


@dataclass(frozen=True, slots=True)
class Chunk:
    """Tokens ``first`` to ``last``, both included, of type ``label``."""

    first: int
    last: int
    label: str


def parse_tag(tag: str, scheme: Scheme, bare_label: str | None = None) -> tuple[str, str] | None:
    """Letter and label of a tag: ``("O", "")``, ``("B", "Disease")``; None if it is neither.

    Args:
        bare_label: label of tags that are a letter alone (``B``, ``I``), as in files of one type.
            In scheme "io" a tag without ``I-`` is a label by itself.
    """
    if tag == "O":
        return "O", ""
    letter, dash, label = tag.partition("-")
    if dash and letter in LETTERS[scheme] and len(letter) == 1:
        return (letter, label) if label else None
    if bare_label is not None and tag in LETTERS[scheme] and len(tag) == 1:
        return tag, bare_label
    return ("I", tag) if scheme == "io" and tag else None


def decode(tags: Sequence[tuple[str, str]], scheme: Scheme) -> tuple[list[Chunk], list[int]]:
    """Chunks of a sentence, and the tokens where the scheme's rules were broken.

    A broken place is read in the usual lenient way: an inside tag that continues nothing starts a
    chunk, and a chunk that is not closed ends before the next one.
    """
    chunks: list[Chunk] = []
    broken: list[int] = []
    first: int | None = None  # start of the open chunk
    label = ""

    def close(last: int) -> None:
        nonlocal first
        if first is not None:
            chunks.append(Chunk(first, last, label))
        first = None

    for i, (letter, name) in enumerate(tags):
        starts = letter != "O" and (letter in _STARTS or first is None or name != label)
        if first is not None and (starts or letter == "O"):
            if scheme == "bioes":  # an end tag would have closed it
                broken.append(i)
            close(i - 1)
        if starts:
            if letter not in _STARTS and scheme in ("bio2", "bioes"):
                broken.append(i)
            first, label = i, name
        if letter in _ENDS:
            close(i)
    if first is not None and scheme == "bioes":
        broken.append(len(tags) - 1)
    close(len(tags) - 1)
    return chunks, sorted(set(broken))


def encode(chunks: Iterable[Chunk], length: int, scheme: Scheme) -> list[str]:
    """Tags of `length` tokens.

    Scheme "io" can't tell two neighbouring chunks of one type apart; all others are exact.

    Raises:
        ValueError: chunks overlap or lie outside, which no tag sequence can say.
    """
    tags = ["O"] * length
    previous: Chunk | None = None
    for chunk in sorted(chunks, key=lambda item: item.first):
        follows = previous is not None and chunk.first <= previous.last
        if follows or not 0 <= chunk.first <= chunk.last < length:
            raise ValueError(f"tokens {chunk.first}-{chunk.last} overlap or lie outside {length}")
        letters = ["I"] * (chunk.last - chunk.first + 1)
        touches = previous is not None and previous.last + 1 == chunk.first
        same = touches and previous is not None and previous.label == chunk.label
        if scheme in ("bio2", "bioes") or (scheme == "bio1" and same):
            letters[0] = "B"
        if scheme == "bioes":
            letters[-1] = "S" if len(letters) == 1 else "E"
        tags[chunk.first : chunk.last + 1] = [f"{letter}-{chunk.label}" for letter in letters]
        previous = chunk
    return tags
