"""MEDIQA 2019: answers to judge (task 3, XML), and sentence pairs with labels apart (task 1)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from clinprompt.corpora.checks import Ids, expect_files, known_label, need, shown
from clinprompt.corpora.cleaning import tidy
from clinprompt.corpora.delimited import read_rows
from clinprompt.corpora.identity import stem, text_id
from clinprompt.corpora.json_records import field, json_records
from clinprompt.corpora.registry import Options, Source, reader
from clinprompt.corpora.xmlfile import parse_xml, text_of
from clinprompt.errors import ClinpromptError
from clinprompt.examples import Example, LabelAnswer, PremiseInput, QuestionInput
from clinprompt.files import read_bytes

LABELS = {label: label for label in ("entailment", "neutral", "contradiction")}
SCORES = {"1": "incorrect", "2": "incorrect", "3": "correct", "4": "correct"}


class MediqaQaOptions(Options):
    """Options of the reader ``mediqa-qa`` (there are none but the encoding, which XML declares)."""


@reader("mediqa-qa", MediqaQaOptions)
def read_mediqa_qa(source: Source, options: MediqaQaOptions) -> Iterable[Example]:
    """One example an answer: is it correct (reference score 3 or 4) or incorrect (1 or 2)?

    Layout: ``Question QID`` with ``QuestionText`` and ``AnswerList/Answer AID ReferenceScore`` with
    ``AnswerText``. A document is a question.

    Raises:
        ClinpromptError: CP-DATA-050 a repeated id, 051 an unknown score, 052 a missing attribute,
            073 malformed XML.
    """
    ids = Ids()
    for path in source.files:
        for number, asked in enumerate(parse_xml(read_bytes(path), path).iter("Question"), 1):
            qid = need(asked.attrib, "QID", str, path, f"question {number}")
            question = tidy(text_of(asked.find("QuestionText")))
            for place, answer in enumerate(asked.iter("Answer"), 1):
                where = f"question {qid}, answer {place}"
                aid = need(answer.attrib, "AID", str, path, where)
                score = need(answer.attrib, "ReferenceScore", str, path, where).strip()
                label = known_label(score, SCORES, path, what=f"{where}: reference score")
                text = tidy(text_of(answer.find("AnswerText")))
                name = ids.add(f"{stem(path)}:{qid}:{aid}", path)
                if not question or not text:
                    source.report.skip("empty question or answer", path, detail=name)
                    continue
                made = QuestionInput(question, context=text)
                yield Example(name, text_id(question), made, LabelAnswer(label))


class MediqaNliOptions(Options):
    """Options of the reader ``mediqa-nli`` (there are none but the encoding)."""


@reader("mediqa-nli", MediqaNliOptions)
def read_mediqa_nli(source: Source, options: MediqaNliOptions) -> Iterator[Example]:
    """Pairs in MedNLI's JSON lines, their labels in a CSV file of ``pair id, label`` rows.

    Raises:
        ClinpromptError: CP-DATA-053 not two files, CP-DATA-630 a row of labels that isn't one,
            CP-DATA-631 a pair without a label; from JSON lines CP-DATA-027, 028, 059, 060.
    """
    pairs, answers = expect_files(source, "mediqa-nli", "JSON lines of pairs", "CSV of labels")
    gold = _gold(answers, options.encoding)
    ids = Ids()
    for line, record in json_records(pairs, options.encoding):
        name = ids.add(field(record, "pairID", str, pairs, line), pairs, line)
        if name not in gold:
            raise ClinpromptError(
                "CP-DATA-631",
                f"pair {shown(name)} has no label in {answers}",
                file=pairs,
                line=line,
            )
        sides = [field(record, key, str, pairs, line).strip() for key in ("sentence1", "sentence2")]
        if not all(sides):
            source.report.skip("empty sentence", pairs, line, name)
            continue
        yield Example(name, text_id(sides[0]), PremiseInput(*sides), LabelAnswer(gold[name]))


def _gold(path: Path, encoding: str) -> dict[str, str]:
    """Label by pair id; a first row whose second cell is no label is the header."""
    found: dict[str, str] = {}
    for number, (line, row) in enumerate(read_rows(path, encoding=encoding)):
        if len(row) != 2 or (number and row[1].strip() not in LABELS):
            raise ClinpromptError(
                "CP-DATA-630",
                "a row of labels is a pair's id and entailment, neutral or contradiction",
                file=path,
                line=line,
            )
        if row[1].strip() in LABELS:
            found[row[0].strip()] = row[1].strip()
    return found
