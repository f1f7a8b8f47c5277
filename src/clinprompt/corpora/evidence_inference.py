"""Evidence Inference 2.0: what a trial reports about an intervention, from the evidence quoted.

Annotations (a label and an evidence span a row) are joined with prompts (outcome, intervention,
comparator) by PromptID; the official splits are lists of article ids.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from clinprompt.corpora.checks import expect_files, known_label
from clinprompt.corpora.cleaning import plain_html, tidy
from clinprompt.corpora.fields import field_text
from clinprompt.corpora.registry import Options, Source, reader
from clinprompt.corpora.tabular import Layout, Record, read_records
from clinprompt.errors import ClinpromptError
from clinprompt.examples import Example, LabelAnswer, PremiseInput
from clinprompt.files import read_text

LABELS = {
    "significantly increased": "significantly increased",
    "significantly decreased": "significantly decreased",
    "no significant difference": "no significant difference",
    "significantly increase": "significantly increased",  # misspelt so in the data
}
_TRUTH = {"True": "1", "1": "1", "False": "", "0": ""}
REPAIRED = "misspelt label repaired"
DISAGREE = "annotators disagree on the label"


class EvidenceOptions(Options):
    """Options of the reader ``evidence-inference``.

    Attributes:
        annotations, prompts: the two CSV files, below the data root.
        hypothesis: template over the prompt's columns (see the module `fields`).
    """

    annotations: str
    prompts: str
    hypothesis: str = "Compared with {Comparator}, the effect of {Intervention} on {Outcome}."


@dataclass
class _Evidence:
    prompt: str
    article: str
    labels: set[str] = field(default_factory=set)
    quotes: list[str] = field(default_factory=list)

    def add(self, quote: str) -> None:
        """Keep a quote unless another one contains it."""
        if not any(quote in other for other in self.quotes):
            self.quotes = [other for other in self.quotes if other not in quote] + [quote]


@reader("evidence-inference", EvidenceOptions)
def read_evidence_inference(source: Source, options: EvidenceOptions) -> Iterable[Example]:
    """One example a prompt: the quoted evidence as premise, the prompt as hypothesis.

    Rows that the verifier rejected (label or evidence) are left out and counted, as the authors'
    own code does; so are prompts whose annotators disagree. Quotes of several annotators are put
    one below the other, without those that another one contains.

    Raises:
        ClinpromptError: CP-DATA-051 unknown label or truth value, 076 a PromptID without prompt
            or with another article, 077 an article id that is not a number.
    """
    (path,) = expect_files(source, "evidence-inference", "one list of article ids")
    articles = _article_ids(path, options.encoding)
    layout = Layout(encoding=options.encoding)
    prompts = {
        field_text(record, "PromptID"): record
        for record in read_records(source.root / options.prompts, layout)
    }
    evidence: dict[str, _Evidence] = {}
    for record in read_records(source.root / options.annotations, layout):
        if field_text(record, "PMCID") in articles:
            _collect(record, prompts, evidence, source)
    found: Counter[str] = Counter()
    for item in evidence.values():
        if len(item.labels) > 1:
            source.report.skip(DISAGREE, options.annotations, detail=f"prompt {item.prompt}")
            continue
        found[item.article] += 1
        yield Example(
            f"prompt-{item.prompt}",
            f"pmcid:{item.article}",
            PremiseInput(
                "\n".join(item.quotes),
                tidy(plain_html(field_text(prompts[item.prompt], options.hypothesis))),
            ),
            LabelAnswer(*item.labels),
        )
    for article in articles:
        if article not in found:
            source.report.skip("article without a usable annotation", path, detail=article)


def _article_ids(path: Path, encoding: str) -> dict[str, None]:
    """The ids in the file's order."""
    ids: dict[str, None] = {}
    for line, text in enumerate(read_text(path, encoding).splitlines(), 1):
        if not text.strip():
            continue
        if not text.strip().isdecimal():
            raise ClinpromptError(
                "CP-DATA-077", "not an article id (a number)", file=path, line=line
            )
        ids[text.strip()] = None
    return ids


def _collect(
    record: Record, prompts: dict[str, Record], evidence: dict[str, _Evidence], source: Source
) -> None:
    prompt, article = (field_text(record, name) for name in ("PromptID", "PMCID"))
    if prompt not in prompts or field_text(prompts[prompt], "PMCID") != article:
        raise record.error("CP-DATA-076", f"there is no prompt {prompt} of article {article}")
    detail = f"prompt {prompt}"
    raw = field_text(record, "Label")
    label = known_label(raw, LABELS, record.file, record.line)
    if label != raw:
        source.report.skip(REPAIRED, record.file, record.line, detail)
    for column, reason in (
        ("Valid Label", "label rejected by the verifier"),
        ("Valid Reasoning", "evidence rejected by the verifier"),
    ):
        truth = field_text(record, column)
        if not known_label(truth, _TRUTH, record.file, record.line, what=column):
            source.report.skip(reason, record.file, record.line, detail)
            return
    quote = tidy(plain_html(field_text(record, "Annotations")))
    if not quote:
        source.report.skip("empty evidence", record.file, record.line, detail)
        return
    item = evidence.setdefault(prompt, _Evidence(prompt, article))
    item.labels.add(label)
    item.add(quote)
