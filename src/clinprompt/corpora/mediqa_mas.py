"""MEDIQA-MAS: a consumer question, the answers a search system found, and one summary of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from clinprompt.corpora.checks import Ids, expect_files
from clinprompt.corpora.cleaning import plain_html, tidy
from clinprompt.corpora.fields import field_text
from clinprompt.corpora.registry import Options, Source, reader
from clinprompt.corpora.tabular import Layout, read_records
from clinprompt.errors import ClinpromptError
from clinprompt.examples import Example, TextAnswer, TextInput
from clinprompt.files import read_text


class MediqaMasOptions(Options):
    """Options of the reader ``mediqa-mas``.

    Attributes:
        between: what stands between two answers.
    """

    between: str = "\n\n"


@reader("mediqa-mas", MediqaMasOptions)
def read_mediqa_mas(source: Source, options: MediqaMasOptions) -> Iterable[Example]:
    """One example a question: its answers, in the file's order, and their summary.

    The split's files are the answers (XLSX: question id, answer id, answer), the questions and
    the summaries (text, ``id||text`` a line).

    Raises:
        ClinpromptError: CP-DATA-050 a repeated id, 085 a line without ``||``, 086 a question
            without answers or summary, or the other way round.
    """
    answers_path, questions_path, summaries_path = expect_files(
        source, "mediqa-mas", "answers", "questions", "summaries"
    )
    answers: dict[str, list[str]] = defaultdict(list)
    seen = Ids()
    for record in read_records(answers_path, Layout(header=["question", "answer id", "answer"])):
        if record.row == 1:  # the two files name their columns differently
            continue
        seen.add(field_text(record, "answer id"), answers_path, record.line)
        text = tidy(plain_html(field_text(record, "answer")))
        if text:
            answers[field_text(record, "question")].append(text)
        else:
            source.report.skip("empty answer", answers_path, record.line)
    questions = _lines(questions_path, options.encoding)
    summaries = _lines(summaries_path, options.encoding)
    for name, path in (("answer", answers_path), ("summary", summaries_path)):
        there = answers if name == "answer" else summaries
        odd = sorted(set(questions) ^ set(there))
        if odd:
            raise ClinpromptError(
                "CP-DATA-086",
                f"questions and {path.name} don't match: {', '.join(odd[:8])}",
                file=questions_path,
                hint="give the files of one split, in the order answers, questions, summaries",
            )
    for qid, question in questions.items():
        if not question or not summaries[qid]:
            source.report.skip("empty question or summary", questions_path, detail=qid)
            continue
        yield Example(
            f"question-{qid}",
            f"mediqa2021:{qid}",
            TextInput(options.between.join(answers[qid]), question=question),
            TextAnswer(summaries[qid]),
        )


def _lines(path: Path, encoding: str) -> dict[str, str]:
    """Text by id."""
    ids = Ids()
    result = {}
    for number, line in enumerate(read_text(path, encoding).split("\n"), 1):
        if not line.strip():
            continue
        qid, bars, text = line.partition("||")
        if not bars:
            raise ClinpromptError(
                "CP-DATA-085", "no '||' between id and text", file=path, line=number
            )
        result[ids.add(qid.strip(), path, number)] = tidy(text)
    return result
