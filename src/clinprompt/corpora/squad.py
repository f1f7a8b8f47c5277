"""SQuAD-like JSON: questions whose answers are spans of a paragraph or of a whole article."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator

from clinprompt.corpora.checks import Ids, need
from clinprompt.corpora.jsonfile import load_json
from clinprompt.corpora.registry import Options, Source, reader
from clinprompt.corpora.spans import MOVED, NOT_FOUND, Unit, locate, stands_at, window
from clinprompt.examples import Example, QuestionInput, Span, SpanAnswer

WINDOWED = "context cut to a window"
ALTERNATIVE = "further answer to a question"


class SquadOptions(Options):
    """Options of the reader ``squad``.

    Attributes:
        window: cut a context of more than this many units to a part with the answer in it (see
            `spans.window`); every cut is counted. None keeps whole contexts. Whoever reports
            scores on windows must say so: finding the right part of the article is half the task.
        unit: ``words`` or ``characters``.
        head: how many characters at a context's start `documents` looks at.
        documents: prefix -> pattern whose first group is the document's identifier there, tried
            in this order: ``{pmcid: 'PMC(\\d+)'}`` makes ``pmcid:2752805``. If none is found, the
            document is named by ``document_id`` or ``title``, else by its place in the file.
    """

    window: int | None = Field(default=None, gt=0)
    unit: Unit = "words"
    head: int = 1000
    documents: dict[str, str] = Field(default_factory=dict)

    @field_validator("documents")
    @classmethod
    def _patterns_compile(cls, patterns: dict[str, str]) -> dict[str, str]:
        for pattern in patterns.values():
            try:
                groups = re.compile(pattern).groups
            except re.error as error:
                raise ValueError(f"'{pattern}' is not a pattern: {error}") from error
            if groups != 1:
                raise ValueError(f"'{pattern}' must have one group, the identifier")
        return patterns


@dataclass(frozen=True)
class _Paragraph:
    context: str
    document: str
    questions: list[Any]


@reader("squad", SquadOptions)
def read_squad(source: Source, options: SquadOptions) -> Iterable[Example]:
    """Questions of the split's files, article by article.

    A question without an answer (``is_impossible``) has the empty span answer. Answers that don't
    stand at their offset are looked for nearby and counted; ones that stand nowhere are left out
    and counted. Of several answers to a question the first counts.

    Raises:
        ClinpromptError: CP-DATA-050 a repeated question id, 052 a missing field.
    """
    ids = Ids()
    for path in source.files:
        for paragraph in _paragraphs(path, options):
            for item in paragraph.questions:
                qid = str(need(item, "id", (str, int), path, f"{paragraph.document}, a question"))
                ids.add(qid, path)
                example = _example(qid, item, paragraph, path, options, source)
                if example is not None:
                    yield example


def _paragraphs(path: Path, options: SquadOptions) -> Iterator[_Paragraph]:
    articles = need(load_json(path, dict, options.encoding), "data", list, path, "the document")
    for number, article in enumerate(articles, 1):
        where = f"article {number}"
        for place, item in enumerate(need(article, "paragraphs", list, path, where), 1):
            context = need(item, "context", str, path, f"{where}, paragraph {place}")
            name = item.get("document_id") or article.get("title") or number
            document = f"{path.parent.name}/{name}"
            for prefix, pattern in options.documents.items():
                match = re.search(pattern, context[: options.head])
                if match:
                    document = f"{prefix}:{match[1].lower()}"
                    break
            questions = need(item, "qas", list, path, f"{where}, paragraph {place}")
            yield _Paragraph(context, document, questions)


def _example(
    qid: str,
    item: dict[str, Any],
    paragraph: _Paragraph,
    path: Path,
    options: SquadOptions,
    source: Source,
) -> Example | None:
    where = f"question {qid}"
    question = need(item, "question", str, path, where).strip()
    context = paragraph.context
    if not question or not context.strip():
        source.report.skip("empty question or context", path, detail=qid)
        return None
    span: Span | None = None
    if not item.get("is_impossible"):
        answers = need(item, "answers", list, path, where)
        if not answers:
            source.report.skip("question without an answer", path, detail=qid)
            return None
        source.report.skip(ALTERNATIVE, path, detail=qid, count=len(answers) - 1)
        text = need(answers[0], "text", str, path, where)
        start = need(answers[0], "answer_start", int, path, where)
        span = locate(context, text, start)
        if span is None:
            source.report.skip(NOT_FOUND, path, detail=qid)
            return None
        if not stands_at(context, text, start):
            source.report.skip(MOVED, path, detail=qid)
    begin, end = 0, len(context)
    if options.window is not None:
        begin, end = window(context, span, options.window, options.unit, qid)
        if end - begin < len(context.strip()):
            source.report.skip(WINDOWED, path, detail=qid)
    spans = () if span is None else ((span[0] - begin, span[1] - begin),)
    return Example(
        qid,
        paragraph.document,
        QuestionInput(question, context=context[begin:end]),
        SpanAnswer(spans),
    )
