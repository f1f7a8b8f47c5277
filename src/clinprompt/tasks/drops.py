"""What is left out so that nothing leaks, and the file that says so.

It goes by document: from the source if a target has it; from dev if test has it; from train if dev
or test has it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from clinprompt.errors import ClinpromptError
from clinprompt.tasks.card import Split
from clinprompt.tasks.leakage import Link, Unit, find_links, leaks
from clinprompt.tasks.loading import TaskData, load
from clinprompt.tasks.suite import Drops, Suite, TaskDrops


def _priority(link: Link) -> int:
    """Source against target first, then dev against test, then train against both."""
    if link.kind == "source and target":
        return 0
    return 1 if link.left.split == "dev" else 2


def resolve(links: Sequence[Link]) -> dict[Unit, Link]:
    """The units to drop, each with the link that is the reason.

    Nothing is dropped for a document that is itself gone already, so as much as can be is kept.
    """
    gone: dict[Unit, Link] = {}
    for link in sorted(leaks(links), key=_priority):
        if link.left not in gone and link.right not in gone:
            gone[link.left] = link
    return gone


def make_drops(suite: str, tasks: Sequence[TaskData], gone: Mapping[Unit, Link]) -> Drops:
    """The ids of all examples of the units to drop."""
    result: dict[str, TaskDrops] = {}
    for data in tasks:
        ids: dict[Split, dict[str, str]] = {}
        for split, examples in data.splits.items():
            for example in examples:
                link = gone.get(Unit(data.card.name, split, example.document))
                if link is not None:
                    ids.setdefault(split, {})[example.id] = link.why
        if ids:
            result[data.card.name] = TaskDrops(version=data.card.version, ids=ids)
    return Drops(suite=suite, tasks=dict(sorted(result.items())))


def load_suite(
    suite: Suite, data_root: Path | None, say: Callable[[str], None] | None = None
) -> list[TaskData]:
    """All tasks of a suite as training and evaluation see them."""
    loaded = []
    for place, card in enumerate(suite.cards, 1):
        if say is not None:
            say(f"[{place}/{len(suite.cards)}] {card.name}")
        loaded.append(load(card, data_root, suite=suite))
    return loaded


def write_drops(
    suite: Suite, data_root: Path | None, say: Callable[[str], None] | None = None
) -> Drops:
    """Search a suite from scratch and write the ids to leave out to the file that it names.

    What other bundled suites leave out of a bundled task stays out of it.

    Raises:
        ClinpromptError: CP-TASK-070 if the suite names no file; as `loading.load`.
    """
    if suite.dropped is None:
        raise ClinpromptError(
            "CP-TASK-070",
            "the suite does not say where the ids to leave out are to be written",
            file=suite.file,
            hint=f"add the line 'dropped: {suite.name}.dropped.json'",
        )
    loaded = []
    for place, card in enumerate(suite.cards, 1):
        if say is not None:
            say(f"searching [{place}/{len(suite.cards)}] {card.name}")
        loaded.append(load(card, data_root, ignore=suite.dropped))
    drops = make_drops(suite.name, loaded, resolve(find_links(loaded, suite.roles)))
    text = json.dumps(drops.model_dump(mode="json"), indent=1, ensure_ascii=False) + "\n"
    scratch = suite.dropped.with_name(f".{suite.dropped.name}.tmp")
    try:
        scratch.write_text(text, encoding="utf-8")
        scratch.replace(suite.dropped)
    finally:
        scratch.unlink(missing_ok=True)
    return drops
