"""The mutations themselves: the same for the same seed, and of many kinds."""

from __future__ import annotations

import pytest
from tests.documents.fuzzing import mutated, survives

from clinprompt.errors import ClinpromptError

SEEDS = [b"T1\tDrug 0 7\taspirin\nT2\tDose 8 14\t100 mg\n", b"a\tO\nb\tB-X\n"]


def test_the_same_seed_gives_the_same_files() -> None:
    first = list(mutated(SEEDS, 500, 1))
    assert first == list(mutated(SEEDS, 500, 1))
    assert first != list(mutated(SEEDS, 500, 2))
    assert len(set(first)) > 400
    assert any(b"\x00" in raw for raw in first) and any(b"\r\n" in raw for raw in first)


def test_empty_seeds_are_no_trouble() -> None:
    assert len(list(mutated([b""], 300, 3))) == 300


def test_what_survives() -> None:
    def read(raw: bytes) -> None:
        if b"x" in raw:
            raise ClinpromptError("CP-X-001", "wrong")
        if b"y" in raw:
            raise KeyError("y")

    assert survives(read, [b"a", b"x", b"b"]) == (2, 1)
    with pytest.raises(AssertionError, match=r"KeyError: 'y'\nwhile reading b'ay'"):
        survives(read, [b"a", b"ay"])
