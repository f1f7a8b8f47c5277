"""All chance of the corpus: seeded, split-aware, the same on every machine.

An example depends on (kind, seed, split, index) and on nothing else.  Only ``Random.random`` is
used, whose sequence Python keeps fixed between versions, and SHA-256 where a choice must hang on a
word; never ``hash`` and never the global generator.

What the splits share, and what not (`Pool`, `Draw.term`):

- Vocabulary.  Of every group of terms about 25 % are kept for test and 15 % for dev; train sees
  the other 60 % only.  Test draws half of its terms from its own part, dev a third from its own;
  the rest are shared terms.
- Combinations.  The first two terms of an example form its pair.  Every pair belongs to one split
  (train 50 %, dev 20 %, test 30 %, by a hash of both names), so no pair of one split is ever
  drawn in another, whatever the terms.
- Questions and hypotheses.  Each belongs to one split by a hash of its words (`Draw.owns`), so that
  none is asked in two splits.  Left out are questions that are the same for a whole task.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from functools import cache, partial
from random import Random
from typing import Generic, Protocol, TypeVar

T = TypeVar("T")

TEST_SHARE, DEV_SHARE = 0.25, 0.15  # of every group of terms
OWN_SHARE = {"train": 0.0, "dev": 1 / 3, "test": 0.5}  # of the terms that a split draws
PAIR_SHARES = (("train", 0.5), ("dev", 0.2), ("test", 0.3))


class Named(Protocol):
    """An entry of the vocabulary."""

    @property
    def name(self) -> str:
        """Unique name, by which the entry gets its split."""


N = TypeVar("N", bound=Named)


class DeadEnd(Exception):  # noqa: N818
    """The choices made so far can't be finished; the example is drawn afresh."""


def digest(*parts: object) -> int:
    """A number of 64 bits that hangs on the parts alone."""
    text = "\x1f".join(map(str, parts)).encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "big")


def _has(key: Callable[[N], str], name: str, entry: N) -> bool:
    return key(entry) == name


class Pool(Generic[N]):
    """Terms to draw from, each belonging to train, dev or test by the rank of its hash.

    Args:
        entries: the terms.
        group: name of an entry's group; every group is divided in the same shares.
    """

    def __init__(self, entries: Iterable[N], group: Callable[[N], str] = lambda entry: "") -> None:
        self.parts: dict[str, list[N]] = {"train": [], "dev": [], "test": []}
        groups: dict[str, list[N]] = {}
        for entry in entries:
            groups.setdefault(group(entry), []).append(entry)
        for members in groups.values():
            ranked = sorted(members, key=lambda entry: digest("term", entry.name))
            test = round(TEST_SHARE * len(ranked))
            dev = test + round(DEV_SHARE * len(ranked))
            self.parts["test"] += ranked[:test]
            self.parts["dev"] += ranked[test:dev]
            self.parts["train"] += ranked[dev:]

    def grouped(self, key: Callable[[N], str]) -> dict[str, Pool[N]]:
        """The parts of the pool by the key of their terms."""
        keys = dict.fromkeys(key(entry) for terms in self.parts.values() for entry in terms)
        return {name: self.where(partial(_has, key, name)) for name in keys}

    def where(self, keep: Callable[[N], bool]) -> Pool[N]:
        """The part of the pool that `keep` holds for; every term stays in its split."""
        part: Pool[N] = Pool(())
        part.parts = {split: [e for e in terms if keep(e)] for split, terms in self.parts.items()}
        return part


def owner(*parts: str) -> str:
    """The split that a combination of words belongs to."""
    point = digest(*parts) / 2**64
    for split, share in PAIR_SHARES:
        if point < share:
            return split
        point -= share
    return PAIR_SHARES[-1][0]


@cache
def pair_split(first: str, second: str) -> str:
    """The split that a pair of terms belongs to, whatever their order."""
    return owner("pair", *sorted((first, second)))


class Draw:
    """The choices of one example.

    Args:
        kind: which grammar draws.
        seed, split, index: name the example.
        attempt: raised by one each time the choices ran into a dead end.
    """

    def __init__(self, kind: str, seed: int, split: str, index: int, attempt: int = 0) -> None:
        self.kind, self.seed, self.split, self.index = kind, seed, split, index
        self._random = Random(digest("example", kind, seed, split, index, attempt)).random
        self._terms: list[str] = []
        self._used: set[str] = set()
        self._links = 0
        self.misspells = self.chance(0.08)

    # ---- plain chance --------------------------------------------------------------------------

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return self._random() < probability

    def below(self, n: int) -> int:
        """A whole number in ``[0, n)``."""
        return int(self._random() * n)

    def between(self, low: int, high: int) -> int:
        """A whole number in ``[low, high]``."""
        return low + self.below(high - low + 1)

    def pick(self, options: Sequence[T]) -> T:
        """One of the options."""
        return options[self.below(len(options))]

    def sample(self, options: Sequence[T], count: int) -> list[T]:
        """`count` different places of `options`, in random order."""
        rest = list(options)
        return [rest.pop(self.below(len(rest))) for _ in range(count)]

    def shuffled(self, options: Sequence[T]) -> list[T]:
        """The options in random order."""
        return self.sample(options, len(options))

    def balanced(self, options: Sequence[T]) -> T:
        """The example's turn among `options`: equally often each, in shuffled blocks.

        Each block of ``len(options)`` consecutive indices holds every option once.
        """
        block, turn = divmod(self.index, len(options))
        order = Random(digest("block", self.kind, self.seed, self.split, block)).random
        rest = list(options)
        chosen = rest[0]
        for _ in range(turn + 1):
            chosen = rest.pop(int(order() * len(rest)))
        return chosen

    def link(self) -> str:
        """A new name for a mention."""
        self._links += 1
        return f"m{self._links}"

    # ---- terms ---------------------------------------------------------------------------------

    def term(self, pool: Pool[N], where: Callable[[N], bool] | None = None) -> N:
        """A term of the pool that the split may use and that the example has not used yet.

        The second term of an example completes its pair and is drawn so that the pair belongs to
        the split.

        Raises:
            DeadEnd: no term is left.
        """
        own = self.chance(OWN_SHARE[self.split])
        parts = [pool.parts[self.split], pool.parts["train"]]
        for part in parts if own else reversed(parts):
            for _ in range(30):
                entry = part[self.below(len(part))] if part else None
                if entry is None or not self._fits(entry.name) or (where and not where(entry)):
                    continue
                self._terms.append(entry.name)
                self._used.add(entry.name)
                return entry
            if self.split == "train":
                break
        raise DeadEnd

    def _fits(self, name: str) -> bool:
        if name in self._used:
            return False
        return len(self._terms) != 1 or pair_split(self._terms[0], name) == self.split

    @property
    def paired(self) -> bool:
        """Whether two terms were drawn, so that the example's pair is one of its split."""
        return len(self._terms) > 1

    def owns(self, question: str) -> bool:
        """Whether a question or hypothesis belongs to the split."""
        return owner("question", *re.findall(r"[a-z0-9]+", question.lower())) == self.split

    def unused(self, names: Sequence[str]) -> str:
        """One of `names` (effects of a drug, ...) that the example has not used yet.

        Raises:
            DeadEnd: all were used.
        """
        rest = [name for name in names if name not in self._used]
        if not rest:
            raise DeadEnd
        name = self.pick(rest)
        self._used.add(name)
        return name

    # ---- slips ---------------------------------------------------------------------------------

    def misspelt(self, text: str) -> str:
        """`text`, with now and then a slip in a longer word if this example is one with slips."""
        if not self.misspells:
            return text
        words = text.split(" ")
        for i, word in enumerate(words):
            if len(word) > 5 and word.isalpha() and self.chance(0.12):
                at = self.between(1, len(word) - 3)
                swapped = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
                words[i] = swapped if self.chance(0.5) else word[:at] + word[at + 1 :]
        return " ".join(words)
