"""Inputs that are longer than there is room for: what is cut, where one may.

Only the end of the text is ever cut, so the offsets of an answer count in the whole text as well.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from clinprompt.examples import (
    Input,
    PairInput,
    PremiseInput,
    QuestionInput,
    TextInput,
)

# No text worth reading has more characters a token; cutting one that has is safe, if not sparing.
_CHARACTERS_A_TOKEN = 32
_WORD = 40  # characters that are given up at most so that no word is cut in two


@dataclass(frozen=True, slots=True)
class Fitted:
    """What the backbone is shown.

    Attributes:
        input: the input, its text cut if `truncated`.
        ids: its token ids, template's tail included.
        characters: how many characters were cut off.
    """

    input: Input
    ids: list[int]
    characters: int = 0

    @property
    def truncated(self) -> bool:
        """Whether the backbone sees only a part of the text."""
        return self.characters > 0


def cut(value: Input, most: int, encode: Callable[[Input], list[int]]) -> Fitted | None:
    """As much of the input as has at most `most` tokens.

    The end of the text is cut, at white space where there is some near: of the text, of a
    question's context, of a premise. Questions, choices and hypotheses stay whole, and so do the
    two mentions of a pair.

    Args:
        most: tokens that there is room for.
        encode: token ids of an input as the backbone reads it.

    Returns:
        What fits; None if nothing would be left of the text.
    """
    found = _cuttable(value)
    if found is None:
        return None
    text, least, shorten = found

    def fitting(end: int) -> list[int] | None:
        ids = encode(shorten(text[:end]))
        return ids if len(ids) <= most else None

    low, high = least, min(len(text), _CHARACTERS_A_TOKEN * max(0, most) + least)
    best = fitting(low)
    if best is None:
        return None
    while high - low > 1:  # `low` fits; the length in tokens need not grow with every character
        middle = (low + high) // 2
        ids = fitting(middle)
        if ids is None:
            high = middle
        else:
            low, best = middle, ids
    first = len(text) - len(text.lstrip())  # a cut before it would leave nothing
    spaces = range(max(least, low - _WORD, first), low)
    space = max((i for i in spaces if text[i].isspace()), default=low)
    if not text[low : low + 1].isspace() and (ids := fitting(space)) is not None:
        low, best = space, ids
    if not text[:low].strip():
        return None
    return Fitted(shorten(text[:low]), best, len(text) - low)


def _cuttable(value: Input) -> tuple[str, int, Callable[[str], Input]] | None:
    """The text whose end may go, how many characters must stay, and the input with another one."""
    match value:
        case TextInput(text=text):
            return text, 0, lambda part: replace(value, text=part)
        case PairInput(text=text, head=head, tail=tail):
            return text, max(head.end, tail.end), lambda part: replace(value, text=part)
        case QuestionInput(context=str(context)):
            return context, 0, lambda part: replace(value, context=part)
        case PremiseInput(premise=premise):
            return premise, 0, lambda part: replace(value, premise=part)
    return None
