"""Text from tokens: joined again, or found in the texts they were cut from."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from clinprompt.examples import Span

Spacing = Literal["single", "natural"]

# What most biomedical CoNLL files were tokenised with: words, and each other mark by itself.
TOKEN = re.compile(r"\w+|[^\w\s]")
_NO_SPACE_BEFORE = frozenset(",;:.)]}%?!/-'")
_NO_SPACE_AFTER = frozenset("([{/-'.")


def join(tokens: Sequence[str], spacing: Spacing = "single") -> tuple[str, list[Span]]:
    """The text of a sentence, and each token's ``[start, end)`` in it.

    "natural" writes punctuation as people do: ``( IL - 2 ) .`` becomes ``(IL-2).``  This is done
    only where it can be undone: if cutting the result with `TOKEN` does not give the same tokens,
    the sentence is joined with single spaces.
    """
    if spacing == "natural":
        text, offsets = _join(tokens, _spaces(tokens))
        if TOKEN.findall(text) == list(tokens):
            return text, offsets
    return _join(tokens, [i > 0 for i in range(len(tokens))])


def _join(tokens: Sequence[str], spaces: Sequence[bool]) -> tuple[str, list[Span]]:
    parts: list[str] = []
    offsets: list[Span] = []
    at = 0
    for token, space in zip(tokens, spaces, strict=True):
        if space:
            parts.append(" ")
            at += 1
        parts.append(token)
        offsets.append((at, at + len(token)))
        at += len(token)
    return "".join(parts), offsets


def _spaces(tokens: Sequence[str]) -> list[bool]:
    """Whether a space stands before each token, by the common rules of English typesetting."""
    spaces: list[bool] = []
    quotes = 0
    for i, token in enumerate(tokens):
        before = tokens[i - 1] if i else ""
        space = i > 0 and token not in _NO_SPACE_BEFORE and before not in _NO_SPACE_AFTER
        if before == '"' and quotes % 2:  # just opened
            space = False
        if token == '"':
            quotes += 1
            space = i > 0 and bool(quotes % 2) and before not in _NO_SPACE_AFTER
        if before == "," and i > 1 and _thousands(tokens[i - 2], token):
            space = False
        if before == "-" and i > 1 and tokens[i - 2] == "/" and token[0].isalnum():
            space = True  # the tokens + / - 5
        spaces.append(space)
    return spaces


def _thousands(left: str, right: str) -> bool:
    return left.isdecimal() and len(left) <= 3 and right.isdecimal() and len(right) == 3


def locate(
    sentences: Sequence[Sequence[str]], originals: Mapping[str, str]
) -> Iterator[tuple[str, str, list[Span]] | None]:
    """For each sentence its document, its text there, and its tokens' offsets in that text.

    The sentences must be those of whole documents in any order of documents, each document's
    sentences together and in order, with nothing but white space lost. Where two documents fit,
    one being the beginning of the other, the longer is taken.

    Args:
        originals: document id -> text.

    Yields:
        one triple a sentence; None, and then nothing more, for the first that stands in no
        document.
    """
    stripped = {name: "".join(text.split()) for name, text in originals.items()}
    stream = "".join(token for sentence in sentences for token in sentence)
    name, text, at, left, done = "", "", 0, 0, 0
    for sentence in sentences:
        if not left:
            found = _best(stream[done:], stripped)
            if found is None:
                yield None
                return
            name, text, at, left = found, originals[found], 0, len(stripped.pop(found))
            done += left
        places: list[Span] = []
        for token in sentence:
            while at < len(text) and text[at].isspace():
                at += 1
            if not text.startswith(token, at):  # runs over the document's end
                yield None
                return
            places.append((at, at + len(token)))
            at += len(token)
            left -= len(token)
        begin, end = places[0][0], places[-1][1]
        yield name, text[begin:end], [(start - begin, stop - begin) for start, stop in places]


def _best(stream: str, documents: Mapping[str, str]) -> str | None:
    """The longest document that `stream` starts with; else the one it starts like for longest."""
    fitting = [name for name, text in documents.items() if text and stream.startswith(text)]
    if fitting:
        return max(fitting, key=lambda name: len(documents[name]))
    alike = {name: _alike(text, stream) for name, text in documents.items()}
    best = max(alike, key=lambda name: alike[name], default=None)
    return best if best is not None and alike[best] else None


def _alike(left: str, right: str) -> int:
    """How many first characters are the same."""
    pairs = enumerate(zip(left, right, strict=False))
    return next((i for i, (a, b) in pairs if a != b), min(len(left), len(right)))
