"""Seeded splits by document: a pure function of (seed, document ids)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence

from clinprompt.errors import ClinpromptError
from clinprompt.examples import Example
from clinprompt.tasks.card import SPLITS, RawSplit, Split, SplitRule


def rank(seed: int, key: str) -> bytes:
    """A place in a seeded order: the same in every Python version and on every machine."""
    return hashlib.blake2b(f"{seed}\0{key}".encode(), digest_size=16).digest()


def assign(documents: Iterable[str], rule: SplitRule) -> dict[str, Split]:
    """Which split each document goes to.

    Documents are sorted by a hash of (seed, id) and cut at the rounded cumulative fractions, in
    the order train, dev, test; so sizes are exact to half a document, and the order in which
    documents come doesn't matter.

    Raises:
        ClinpromptError: CP-TASK-020 if a split would get no document.
    """
    ordered = sorted(set(documents), key=lambda document: (rank(rule.seed, document), document))
    result: dict[str, Split] = {}
    begin, share = 0, 0.0
    for split in SPLITS:
        if split not in rule.fractions:
            continue
        share += rule.fractions[split]
        end = round(share * len(ordered))
        if end <= begin:
            raise ClinpromptError(
                "CP-TASK-020",
                f"split '{split}' would get none of the {len(ordered)} documents of '{rule.of}' "
                f"(its fraction is {rule.fractions[split]:g})",
            )
        result.update(dict.fromkeys(ordered[begin:end], split))
        begin = end
    return result


def apply_rules(
    raw: Mapping[RawSplit, Sequence[Example]], rules: Sequence[SplitRule]
) -> dict[Split, list[Example]]:
    """Splits made from what was read.  Examples keep their order and documents never straddle.

    Rules about splits that were not read are passed over, so that one split can be loaded alone.
    """
    pool: dict[RawSplit, list[Example]] = {split: list(rows) for split, rows in raw.items()}
    for rule in rules:
        if rule.of not in pool:
            continue
        rows = pool.pop(rule.of)
        where = assign((example.document for example in rows), rule)
        for part in rule.fractions:
            pool[part] = [example for example in rows if where[example.document] == part]
    return {split: pool[split] for split in SPLITS if split in pool}
