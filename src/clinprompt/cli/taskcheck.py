"""``clinprompt tasks check``: read everything, report what is in it and what is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from clinprompt.cli.options import AsJson, DataRoot
from clinprompt.cli.output import heading, note, number, print_json, print_table

if TYPE_CHECKING:
    from clinprompt.examples import Example
    from clinprompt.tasks.card import Card
    from clinprompt.tasks.check import Count, TaskCheck

SHOWN = 5  # errors and labels shown of each task


def check(
    card_or_suite: Annotated[
        str, typer.Argument(help="Name of a task or suite, or path of its YAML file.")
    ],
    backbone: Annotated[
        str | None,
        typer.Option(
            help="Count tokens of this backbone. Default: smollm2 if it is cached, else words.",
            show_default=False,
        ),
    ] = None,
    data_root: DataRoot = None,
    as_json: AsJson = False,
) -> None:
    """Read all of a task or suite: counts, lengths, labels, problems.

    Leaves with 1 if a task is refused, and with 2 if one needs a local copy of its data.
    """
    from clinprompt.tasks.card import Card
    from clinprompt.tasks.check import check_card
    from clinprompt.tasks.loading import resolve_data_root
    from clinprompt.tasks.local import need_local_copy
    from clinprompt.tasks.suite import Suite, find_any

    found = find_any(card_or_suite)
    suite = found if isinstance(found, Suite) else None
    cards = found.cards if isinstance(found, Suite) else (found,)
    if suite is not None:
        suite.drops()  # a list that can't be read is one mistake, not one for each task
    root = resolve_data_root(data_root)
    missing = [(card, error) for card in cards if (error := need_local_copy(card, root))]
    if isinstance(found, Card) and missing:
        raise missing[0][1]
    there = [card for card in cards if card not in [absent for absent, _ in missing]]
    unit, count = counter(backbone)
    results = []
    for place, card in enumerate(there, 1):
        if len(there) > 1:
            note(f"[{place}/{len(there)}] {card.name}")
        results.append(check_card(card, root, render=as_written, count=count, suite=suite))
    refused = [result for result in results if result.errors]
    if as_json:
        tasks = [result.as_dict() for result in results]
        absent = {card.name: " ".join(card.obtain.split()) for card, _ in missing}
        document = {"unit": unit, "refused": len(refused), "tasks": tasks}
        print_json({**document, "need a local copy": absent})
    else:
        _print_splits(results, unit)
        _print_labels(results)
        _print_problems(results)
        _print_errors(refused)
        if missing:
            heading("needs a local copy of its data")
            rows = [(card.name, " ".join(card.obtain.split())) for card, _ in missing]
            print_table(("task", "how to get it"), rows)
        print(f"\n{len(results) - len(refused)} of {len(cards)} tasks are fine")
    if refused:
        raise typer.Exit(1)
    if missing:
        raise typer.Exit(2)


def as_written(card: Card, example: Example) -> tuple[str, str]:
    """Instruction and input, and answer, as the backbone will see them."""
    from clinprompt import verbalize

    assert example.answer is not None  # complaints about it come first
    given = f"{verbalize.instruction(card)}\n{verbalize.input_text(card, example.input)}"
    return given, verbalize.answer_text(card, example.input, example.answer)


def counter(backbone: str | None) -> tuple[str, Count]:
    """("tokens", how to count them), or words where no backbone is named nor cached.

    Raises:
        ClinpromptError: CP-BACK-004, 005 no such backbone.
    """
    from pathlib import Path

    from clinprompt.backbone.fetch import cached
    from clinprompt.tasks.check import count_words

    folder = cached("smollm2")
    if backbone is not None:
        from clinprompt.backbone.model import locate

        folder = Path(locate(backbone))
    if folder is None:
        return "words", count_words
    if (folder / "tokenizer.json").exists():
        from tokenizers import Tokenizer

        fast = Tokenizer.from_file(str(folder / "tokenizer.json"))

        def count_fast(texts: Sequence[str]) -> list[int]:
            rows = fast.encode_batch_fast(list(texts), add_special_tokens=False)
            return [len(row.ids) for row in rows]

        return "tokens", count_fast
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(str(folder))

    def count(texts: Sequence[str]) -> list[int]:
        return [len(ids) for ids in tokenizer(list(texts), add_special_tokens=False).input_ids]

    return "tokens", count


def _print_splits(results: Sequence[TaskCheck], unit: str) -> None:
    columns = ("task", "split", "examples", "documents", "left out")
    sides = ("input p50", "p95", "max", "answer p50", "p95 ", "max ")
    rows = [
        (
            result.card.name,
            split,
            number(stats.examples),
            number(stats.documents),
            number(stats.dropped),
            *(number(n) for n in (stats.input.p50, stats.input.p95, stats.input.max)),
            *(number(n) for n in (stats.answer.p50, stats.answer.p95, stats.answer.max)),
        )
        for result in results
        for split, stats in result.splits.items()
    ]
    heading(f"examples; lengths in {unit}; left out: by the leakage check")
    print_table((*columns, *sides), rows, right=(*columns[2:], *sides))


def _print_labels(results: Sequence[TaskCheck]) -> None:
    rows = []
    for result in results:
        for split, stats in result.splits.items():
            if not stats.labels:
                continue
            total = max(1, sum(stats.labels.values()))
            limit = None if len(results) == 1 else SHOWN
            shown = list(stats.labels.items())[:limit]
            cells = [
                f"{_readable(label, result.card)} {number(n)} ({100 * n / total:.0f}%)"
                for label, n in shown
            ]
            if len(shown) < len(stats.labels):
                cells.append(f"and {len(stats.labels) - len(shown)} more")
            empty = f"{100 * stats.empty / stats.examples:.0f}%" if stats.empty else ""
            rows.append((result.card.name, split, ", ".join(cells), empty))
    if rows:
        heading("labels in the answers")
        print_table(("task", "split", "labels", "empty answers"), rows, right=("empty answers",))


def _readable(label: str, card: Card) -> str:
    """A label, with its words where it says nothing by itself (such as "3")."""
    return label if any(map(str.isalpha, label)) else f"{label} = {card.labels[label]}"


def _print_problems(results: Sequence[TaskCheck]) -> None:
    from clinprompt.tasks.check import first_place

    rows = [
        (result.card.name, number(count), reason, first_place(result.report, reason))
        for result in results
        for reason, count in result.report.counts.most_common()
    ]
    if rows:
        heading("left out or repaired")
        print_table(("task", "count", "reason", "first at"), rows, right=("count",))


def _print_errors(refused: Sequence[TaskCheck]) -> None:
    for result in refused:
        heading(f"{result.card.name} is refused ({number(len(result.errors))} errors)")
        for error in result.errors[:SHOWN]:
            print(error)
        if len(result.errors) > SHOWN:
            print(f"... and {number(len(result.errors) - SHOWN)} more")
