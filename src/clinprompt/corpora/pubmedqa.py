"""PubMedQA: yes/no/maybe questions that are titles of articles, answered from the abstract.

The abstract comes without its conclusion, which is the ``LONG_ANSWER`` and would give the answer
away: this reader never touches that field.
"""

from __future__ import annotations

from collections.abc import Iterable

from clinprompt.corpora.checks import expect_files, known_label, need
from clinprompt.corpora.cleaning import tidy
from clinprompt.corpora.jsonfile import load_json
from clinprompt.corpora.registry import Options, Source, reader
from clinprompt.errors import ClinpromptError
from clinprompt.examples import Example, LabelAnswer, QuestionInput

DECISIONS = {"yes": "yes", "no": "no", "maybe": "maybe"}


class PubmedqaOptions(Options):
    """Options of the reader ``pubmedqa``.

    Attributes:
        test_ids: JSON file, below the data root, whose keys are the official test set's PubMed
            ids and whose values are their answers. The split ``test`` is these, any other split
            the rest. None: each split has all of its file.
        sections: whether to name each section of the abstract ("METHODS: ...").
    """

    test_ids: str | None = None
    sections: bool = False


@reader("pubmedqa", PubmedqaOptions)
def read_pubmedqa(source: Source, options: PubmedqaOptions) -> Iterable[Example]:
    """Questions of the split's one file, in its order.

    Raises:
        ClinpromptError: CP-DATA-051 unknown decision, 052 missing field, 060 a PubMed id twice,
            072 a test id that isn't in the file or has another answer there.
    """
    (path,) = expect_files(source, "pubmedqa", "one JSON file by PubMed id")
    items = load_json(path, dict, options.encoding)
    chosen = list(items)
    if options.test_ids is not None:
        truth_path = source.root / options.test_ids
        truth = load_json(truth_path, dict, options.encoding)
        for pmid, decision in truth.items():
            if items.get(pmid, {}).get("final_decision") != decision:
                raise ClinpromptError(
                    "CP-DATA-072",
                    f"test id {pmid} is not in {path.name} with the same answer",
                    file=truth_path,
                )
        chosen = [pmid for pmid in items if (pmid in truth) == (source.split == "test")]
    for pmid in chosen:
        where = f"article {pmid}"
        item = items[pmid]
        question = tidy(need(item, "QUESTION", str, path, where))
        parts = [str(part) for part in need(item, "CONTEXTS", list, path, where)]
        if options.sections:
            labels = need(item, "LABELS", list, path, where)
            parts = [f"{label}: {part}" for label, part in zip(labels, parts, strict=False)]
        context = tidy("\n".join(parts))
        if not question or not context:
            source.report.skip("empty question or abstract", path, detail=pmid)
            continue
        decision = known_label(
            need(item, "final_decision", str, path, where), DECISIONS, path, what="decision"
        )
        yield Example(
            pmid, f"pmid:{pmid}", QuestionInput(question, context=context), LabelAnswer(decision)
        )
