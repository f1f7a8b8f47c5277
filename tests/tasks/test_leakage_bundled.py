"""The leakage check on bundled suites: what is known to overlap is found, and then it is gone."""

from __future__ import annotations

from pathlib import Path

import pytest

from clinprompt.tasks.drops import load_suite
from clinprompt.tasks.leakage import LEAKS, find_links, leaks
from clinprompt.tasks.loading import load
from clinprompt.tasks.suite import Suite, find_suite

TASKS = ("bc5cdr-cid", "medical-abstracts-tc", "mts-dialog", "phee")


@pytest.fixture(scope="module")
def suite() -> Suite:
    return find_suite("open")


@pytest.mark.data
def test_phee_overlaps_with_sources_and_does_not_after_dropping(
    data_root: Path, suite: Suite
) -> None:
    cards = [card for card in suite.cards if card.name in TASKS]
    raw = [load(card, data_root, ignore=suite.dropped) for card in cards]
    found = leaks(find_links(raw, suite.roles))

    pmids = {link.left.document for link in found if link.left.task == "bc5cdr-cid"}
    assert len(pmids) == 21  # as intersecting the lists of PMIDs gives
    (inside,) = [link for link in found if link.left.task == "medical-abstracts-tc"]
    assert (inside.reason, inside.right_example) == ("text", "2224786_1")  # a sentence in a text
    assert {link.kind for link in found} == set(LEAKS)

    clean = [load(card, data_root) for card in cards]
    assert leaks(find_links(clean, suite.roles)) == []
    assert sum(data.report.counts["left out by the leakage check"] for data in clean) > 21


def test_the_synthetic_suite_has_no_leak() -> None:
    suite = find_suite("synthetic")
    assert leaks(find_links(load_suite(suite, None), suite.roles)) == []
