"""``clinprompt tasks leakage``: find what stands on both sides, leave it out, prove it is gone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clinprompt.cli.options import AsJson, DataRoot
from clinprompt.cli.output import heading, note, number, print_json, print_table

if TYPE_CHECKING:
    from clinprompt.tasks.leakage import Kind, Link, Shared
    from clinprompt.tasks.suite import Drops


def leakage(
    suite: Annotated[str, typer.Argument(help="Name of a suite, or path of its YAML file.")],
    write: Annotated[
        bool,
        typer.Option("--write", help="Search again and write the ids to leave out to the suite."),
    ] = False,
    show: Annotated[int, typer.Option(min=0, help="How many of the findings to list.")] = 10,
    data_root: DataRoot = None,
    as_json: AsJson = False,
) -> None:
    """Check that no document stands in a source and a target, nor in two splits of a task.

    Leaves with 1 if something is left.
    """
    from clinprompt.tasks.drops import load_suite, write_drops
    from clinprompt.tasks.leakage import count_pairs, find_links, leaks
    from clinprompt.tasks.loading import resolve_data_root
    from clinprompt.tasks.suite import find_suite

    found = find_suite(suite)
    root = resolve_data_root(data_root)
    say = None if as_json else note
    written = write_drops(found, root, say) if write else None
    tasks = load_suite(found, root, say)
    links = find_links(tasks, found.roles)
    left = leaks(links)
    pairs = count_pairs(links)
    if as_json:
        print_json(
            {
                "suite": found.name,
                "left": len(left),
                "pairs": [
                    {"kind": kind, "tasks": [a, b], **shared._asdict()}
                    for (kind, a, b), shared in pairs.items()
                ],
                "links": [_as_dict(link) for link in left],
                "dropped": None if written is None else written.model_dump(mode="json"),
            }
        )
    else:
        if written is not None:
            _print_drops(written)
        _print_pairs(pairs)
        _print_links(left[:show], len(left))
        examples = sum(len(rows) for data in tasks for rows in data.splits.values())
        print(
            f"\nleaks left: {number(len(left))} ({len(tasks)} tasks, {number(examples)} examples)"
        )
    if left:
        raise typer.Exit(1)


def _as_dict(link: Link) -> dict[str, Any]:
    return {
        "kind": link.kind,
        "reason": link.reason,
        "containment": round(link.containment, 3),
        "left": {**link.left._asdict(), "example": link.left_example},
        "right": {**link.right._asdict(), "example": link.right_example},
    }


def _print_drops(drops: Drops) -> None:
    rows = []
    for task, entry in drops.tasks.items():
        for split, ids in entry.ids.items():
            against = Counter(" ".join(why.split(" ")[1:3]) for why in ids.values())
            because = ", ".join(f"{side} {number(n)}" for side, n in against.most_common(4))
            rows.append((task, split, number(len(ids)), because))
    heading("examples left out, and what they also stand in")
    print_table(("task", "split", "examples", "because of"), rows, right=("examples",))


def _print_pairs(pairs: Mapping[tuple[Kind, str, str], Shared]) -> None:
    from clinprompt.tasks.leakage import LEAKS

    columns = ("", "kind", "task", "also in", "documents", "train against dev or test")
    rows = [
        (
            "LEAK" if kind in LEAKS else "allowed",
            *(kind, a, b, number(shared.documents), number(shared.crossing)),
        )
        for (kind, a, b), shared in pairs.items()
    ]
    if rows:
        heading("documents that stand in two places")
        print_table(columns, rows, right=columns[4:])


def _print_links(links: Sequence[Link], total: int) -> None:
    if not links:
        return
    heading(f"{len(links)} of {number(total)} leaks")
    rows = [
        (
            link.reason,
            f"{link.containment:.2f}",
            f"{link.left.task} {link.left.split} {link.left_example}",
            f"{link.right.task} {link.right.split} {link.right_example}",
        )
        for link in links
    ]
    print_table(("reason", "containment", "example", "also in"), rows)
