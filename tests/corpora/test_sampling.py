"""Seeded choices."""

from __future__ import annotations

from clinprompt.corpora.sampling import kept, rank, sample

NAMES = [f"pmid:{i}" for i in range(2000)]


def test_choices_do_not_change_between_versions() -> None:
    assert rank(13, "pmid:1") == 10677450303033784003
    assert sorted(sample(13, NAMES[:10], 3)) == ["pmid:0", "pmid:3", "pmid:9"]


def test_share_is_kept_and_order_does_not_matter() -> None:
    chosen = {name for name in NAMES if kept(7, name, 0.25)}
    assert 430 < len(chosen) < 570
    assert chosen == {name for name in reversed(NAMES) if kept(7, name, 0.25)}
    assert chosen != {name for name in NAMES if kept(8, name, 0.25)}


def test_ends_of_the_range() -> None:
    assert all(kept(1, name, 1.0) for name in NAMES)
    assert not any(kept(1, name, 0.0) for name in NAMES)


def test_sample_size() -> None:
    assert len(sample(1, NAMES, 17)) == 17
    assert sample(1, NAMES[:3], 17) == set(NAMES[:3])
    assert sample(1, NAMES, 0) == set()
