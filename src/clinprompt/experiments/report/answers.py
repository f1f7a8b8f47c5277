"""How many answers were bad, and in which way, by method and target."""

from __future__ import annotations

from collections import Counter

from clinprompt.experiments.report.looks import look
from clinprompt.experiments.report.reading import Results
from clinprompt.experiments.report.tables import (
    AnyBlock,
    Cell,
    Column,
    Section,
    Table,
    Text,
)

KINDS = {
    "unanswered": "nothing could be made of the whole answer",
    "unparsable": "parts of an answer that do not have its form",
    "unaligned": "mentions that are not in the note",
    "truncated": "inputs cut to fit",
    "unfinished": "answers cut at the most new tokens",
}


def bad_answers_section(results: Results) -> Section:
    """One table a backbone: methods x targets, summed over shots and seeds."""
    kinds = "; ".join(f"{kind}: {what}" for kind, what in KINDS.items())
    blocks: list[AnyBlock] = [
        Text(
            "Counts over all finished cells of a method and target (all shots, all seeds), beside "
            "the number of test examples they are of. What could not be read or found is "
            f"scored as wrong or missed. {kinds}."
        )
    ]
    for backbone in results.backbones:
        rows = []
        for method in results.methods:
            cells = [_cell(results, backbone, target, method) for target in results.targets]
            rows.append((Cell(results.title(method), look=look(results.number(method))), *cells))
        names = ("Method", *results.targets)
        columns = tuple(Column(name, number=False) for name in names)
        blocks.append(Table.plain(f"Bad answers, {backbone}", columns, rows))
    return Section("answers", "Bad answers", tuple(blocks))


def counted(results: Results, backbone: str, target: str, method: str) -> tuple[Counter[str], int]:
    """Bad answers by kind, and examples, of the finished cells of a method and target."""
    total: Counter[str] = Counter()
    examples = 0
    for shots in results.shots:
        for slot in results.seeds(backbone, target, method, shots):
            if slot.done is not None:
                counts = slot.done.counts
                examples += counts.get("examples", 0)
                total.update({kind: counts.get(kind, 0) for kind in KINDS})
    return total, examples


def _cell(results: Results, backbone: str, target: str, method: str) -> Cell:
    total, examples = counted(results, backbone, target, method)
    if not examples:
        return Cell("–", kind="absent")
    said = [f"{count:,} {kind}" for kind, count in total.items() if count]
    if not said:
        return Cell("none", f"of {examples:,}", "tie")
    return Cell(", ".join(said), f"of {examples:,}")
