"""From a card to examples: read, split, validate, leave out what leaks."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from clinprompt.corpora import registry
from clinprompt.corpora.registry import Report
from clinprompt.errors import ClinpromptError, did_you_mean
from clinprompt.examples import Example
from clinprompt.tasks.card import SPLITS, Card, Split
from clinprompt.tasks.local import ROOT_VARIABLE, card_root, files_of, need_local_copy
from clinprompt.tasks.splits import apply_rules
from clinprompt.tasks.suite import Suite, TaskDrops, bundled_drops
from clinprompt.tasks.validation import complaints

DROPPED = "left out by the leakage check"


@dataclass(frozen=True)
class TaskData:
    """A task's examples.

    Attributes:
        splits: the splits that were asked for, in the order train, dev, test.
        report: what the reader and the leakage check left out or repaired.
    """

    card: Card
    splits: dict[Split, list[Example]]
    report: Report


def resolve_data_root(option: str | Path | None) -> Path | None:
    """The folder with the data: the option, else ``CLINPROMPT_DATA``, else None.

    Raises:
        ClinpromptError: CP-TASK-060 if it is not a folder.
    """
    named = option if option is not None else os.environ.get(ROOT_VARIABLE) or None
    if named is None:
        return None
    root = Path(named).expanduser()
    if not root.is_dir():
        origin = "--data-root" if option is not None else ROOT_VARIABLE
        raise ClinpromptError("CP-TASK-060", f"{origin}: '{root}' is not a folder")
    return root


def wanted(card: Card, splits: Collection[str] | None) -> tuple[Split, ...]:
    """The asked-for splits in order (None: all the task has).

    Raises:
        ClinpromptError: CP-TASK-062 if the task has no such split.
    """
    if splits is None:
        return card.splits
    for split in splits:
        if split not in card.splits:
            raise ClinpromptError(
                "CP-TASK-062",
                f"task '{card.name}' has no split '{split}'",
                hint=did_you_mean(split, card.splits),
            )
    return tuple(split for split in SPLITS if split in splits)


def read(card: Card, data_root: Path | None, splits: Collection[str] | None = None) -> TaskData:
    """Examples as the reader gives them, split, not validated and with nothing left out.

    Only the files behind the asked-for splits are read.

    Raises:
        ClinpromptError: what `wanted`, `card_root`, the reader and the split rules refuse;
            CP-TASK-400 data that each user has to get, and that are not there.
    """
    chosen = wanted(card, splits)
    origins = card.data.origins()
    needed = [split for split in card.data.raw_splits if split in {origins[s] for s in chosen}]
    if (error := need_local_copy(card, data_root, needed)) is not None:
        raise error
    files = files_of(card, data_root)
    root = card_root(card, data_root)
    report = Report()
    raw = {
        split: registry.read(
            card.data.reader,
            files[split],
            card.data.options,
            root=root,
            split=split,
            report=report,
        )
        for split in needed
    }
    made = apply_rules(raw, card.data.split)
    return TaskData(card, {split: made[split] for split in chosen}, report)


def load(
    card: Card,
    data_root: Path | None = None,
    *,
    splits: Collection[str] | None = None,
    suite: Suite | None = None,
    ignore: Path | None = None,
) -> TaskData:
    """A task's validated examples without those that leak.

    What a bundled suite's leakage check left out of a bundled task is always left out, so that
    all commands see the same data; `suite` adds what a suite of one's own leaves out. The list in
    the file `ignore` is passed over: it is about to be made anew.

    Raises:
        ClinpromptError: as `read`; CP-TASK-040 to 055 for the first example that is not right
            (see `validation`); CP-TASK-063, 064 if the list of what to leave out is out of date.
    """
    data = read(card, data_root, splits)
    refuse_first(card, data.splits)
    lists = drop_lists(card, suite, ignore)
    kept = leave_out(card, data.splits, lists, data.report)
    if lists:
        refuse_first(card, kept)
    return TaskData(card, kept, data.report)


def drop_lists(
    card: Card, suite: Suite | None = None, ignore: Path | None = None
) -> dict[Path, TaskDrops]:
    """What is left out of `card`, by the file that says so: for bundled suites and for `suite`."""
    lists = bundled_drops(card, ignore)
    if suite is not None and suite.dropped not in (None, ignore) and card.name in suite.drops():
        lists[suite.dropped] = suite.drops()[card.name]
    return lists


def refuse_first(card: Card, splits: Mapping[Split, Sequence[Example]]) -> None:
    """Raise the first complaint about the examples, if there is one."""
    for complaint in complaints(card, splits):
        raise complaint


def leave_out(
    card: Card,
    splits: Mapping[Split, Sequence[Example]],
    lists: Mapping[Path, TaskDrops],
    report: Report,
) -> dict[Split, list[Example]]:
    """The examples whose ids are on none of the lists; the others are counted in the report.

    A list that doesn't fit is refused, because what leaks could then come in unseen.
    """
    gone: dict[Split, set[str]] = {split: set() for split in splits}
    again = "run 'clinprompt tasks leakage SUITE --write' again"
    for file, drops in lists.items():
        if drops.version != card.version:
            raise ClinpromptError(
                "CP-TASK-063",
                f"made for version {drops.version} of task '{card.name}', which is now version "
                f"{card.version}",
                file=file,
                hint=again,
            )
        for split, rows in splits.items():
            listed = drops.ids.get(split, {})
            missing = listed.keys() - {example.id for example in rows}
            if missing:
                raise ClinpromptError(
                    "CP-TASK-064",
                    f"{len(missing)} of the {len(listed)} ids listed for '{split}' of task "
                    f"'{card.name}' are not in its data, such as '{min(missing)}'",
                    file=file,
                    hint=again,
                )
            for example in sorted(listed.keys() - gone[split]):
                report.skip(DROPPED, file, detail=f"{split} {example}: {listed[example]}")
            gone[split] |= listed.keys()
    return {
        split: [example for example in rows if example.id not in gone[split]]
        for split, rows in splits.items()
    }
