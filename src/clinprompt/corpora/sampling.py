"""Seeded choices that depend on names only, never on the order of the files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable


def rank(seed: int, name: str) -> int:
    """A name's place in a seeded order, uniform in [0, 2**64), the same on every machine."""
    digest = hashlib.blake2b(f"{seed}\0{name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big")


def kept(seed: int, name: str, share: float) -> bool:
    """Whether `name` is in a sample that holds each name with probability `share`."""
    return rank(seed, name) < share * 2**64


def sample(seed: int, names: Iterable[str], size: int) -> set[str]:
    """`size` of the distinct names (all, if there are fewer)."""
    return set(sorted(set(names), key=lambda name: (rank(seed, name), name))[:size])
