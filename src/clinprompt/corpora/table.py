"""The general reader of tables: CSV, TSV, JSON, JSON lines and XLSX, told by a card alone.

`TableOptions.columns` says which columns make an example; `fields` describes what may stand there.
Rows become NLI pairs, classified texts, questions of all forms, or texts with a summary.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from clinprompt.corpora.checks import Ids
from clinprompt.corpora.registry import Source, reader
from clinprompt.corpora.table_examples import make_example
from clinprompt.corpora.table_options import TableOptions
from clinprompt.corpora.tabular import Record, read_records
from clinprompt.examples import Answer, Example, Input


@reader("table", TableOptions)
def read_table(source: Source, options: TableOptions) -> Iterable[Example]:
    """Examples of the split's files, in order.

    Raises:
        ClinpromptError: CP-DATA-050 repeated id, 051 unknown label, 054 empty field (if refused),
            064 unknown column, 067 to 069 unusable choices, and what `read_records` raises.
    """
    ids = Ids()
    examples = []
    for path in source.files:
        for record in read_records(path, options.layout):
            example = make_example(record, options, source.report)
            if example is not None:
                ids.add(example.id, path, record.line)
                examples.append((record, example))
    if options.contradictions == "skip":
        return _without_contradictions(examples, source)
    return [example for _, example in examples]


def _without_contradictions(
    examples: list[tuple[Record, Example]], source: Source
) -> list[Example]:
    answers: dict[Input, set[Answer | None]] = defaultdict(set)
    for _, example in examples:
        answers[example.input].add(example.answer)
    kept = []
    for record, example in examples:
        if len(answers[example.input]) == 1:
            kept.append(example)
        else:
            source.report.skip(
                "the same text under another label too", record.file, record.line, example.id
            )
    return kept
