"""How much two task cards ask for the same: known before there is a single example."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

from clinprompt.tasks.card import Card

_WORD = re.compile(r"[a-z0-9]+")


def resemblances(card: Card, others: Sequence[Card]) -> list[float]:
    """How much the words of each other card's question resemble the card's: cosine, 0 to 1.

    The words are those of the instruction and of the labels, weighted by the logarithm of how
    rare they are among all these cards (tf-idf; Salton and Buckley, 1988). Cards of the same type
    and form go before all others, and cards of the same type before the rest: 2 and 1 are added,
    so that a note's entities are never found with a summary's prompt.
    """
    bags = [_words(one) for one in (card, *others)]
    held_by = Counter(word for bag in bags for word in bag)
    weights = [
        {word: count * math.log(1 + len(bags) / held_by[word]) for word, count in bag.items()}
        for bag in bags
    ]
    mine = weights[0]
    return [
        _cosine(mine, theirs) + (other.type == card.type) * (1 + (other.form == card.form))
        for other, theirs in zip(others, weights[1:], strict=True)
    ]


def shares(likenesses: Sequence[float], temperature: float = 0.15) -> list[float]:
    """Weights that sum to 1, larger for what resembles more: a softmax of `resemblances`.

    At the default temperature a card of the same type and form counts about 800 times as much as
    one of the same type alone, and a difference of 0.1 in the words about doubles a weight.
    """
    top = max(likenesses)
    grown = [math.exp((one - top) / temperature) for one in likenesses]
    whole = sum(grown)
    return [one / whole for one in grown]


def _words(card: Card) -> Counter[str]:
    text = " ".join((card.instruction, *card.labels.values())).casefold()
    return Counter(word.removesuffix("s") for word in _WORD.findall(text))


def _cosine(a: dict[str, float], b: dict[str, float]) -> float:
    product = sum(weight * b.get(word, 0.0) for word, weight in a.items())
    return product / (math.hypot(*a.values()) * math.hypot(*b.values()) or 1.0)
