"""emrQA: questions generated from i2b2 annotations, in one large JSON file (``data.json``).

Layout, as the generating code documents it: ``data[].title`` (medication, relations, risk, smoking,
obesity); ``.paragraphs[]`` with ``note_id``, ``context`` (the note as a list of lines) and
``qas[]``; a question has paraphrases (``question``, a list), an ``id``, and ``answers[]`` with
``text``, ``evidence`` (the words of the line that holds the answer) and ``evidence_start`` (that
line's number; a list of them in some parts). Versions differ in these details, so numbers only say
which of several places that read as the answer is meant.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from clinprompt.corpora.checks import need
from clinprompt.corpora.identity import text_id
from clinprompt.corpora.jsonfile import load_json
from clinprompt.corpora.registry import Options, Source, reader
from clinprompt.corpora.sampling import kept
from clinprompt.corpora.spans import NOT_FOUND, Unit, locate, window
from clinprompt.errors import ClinpromptError
from clinprompt.examples import Example, QuestionInput, Span, SpanAnswer

COMPLEX = "answer of several entities"


class EmrqaOptions(Options):
    """Options of the reader ``emrqa``.

    Attributes:
        titles: parts of the set to take; empty: all.
        answer: what counts as the answer: the line's words (``evidence``) or the concept's
            (``text``).
        paraphrases: how many wordings of a question become examples.
        share: which share of the questions is kept, chosen by `seed`; the parts hold hundreds of
            thousands made from few templates.
        longest: answers of more words are left out and counted; None keeps all.
        window, unit: as of the reader ``squad``.
    """

    titles: tuple[str, ...] = ()
    answer: Literal["evidence", "text"] = "evidence"
    paraphrases: Annotated[int, Field(ge=1)] = 1
    share: Annotated[float, Field(gt=0, le=1)] = 1.0
    seed: int = 13
    longest: Annotated[int, Field(ge=1)] | None = None
    window: Annotated[int, Field(ge=1)] | None = None
    unit: Unit = "words"


@reader("emrqa", EmrqaOptions)
def read_emrqa(source: Source, options: EmrqaOptions) -> Iterator[Example]:
    """Questions of the split's files; those without an answer that stands in the note are counted.

    The first answer that stands in the note is taken. A document is a note, by the hash of its
    words, since parts share notes.

    Raises:
        ClinpromptError: CP-DATA-052 a missing field, CP-DATA-620 a context that is neither a text
            nor a list of lines, CP-DATA-621 a title that no part has; from JSON CP-DATA-059 to 061.
    """
    for path in source.files:
        parts = need(load_json(path, dict, options.encoding), "data", list, path, "the document")
        titles = [need(part, "title", str, path, f"part {n}") for n, part in enumerate(parts, 1)]
        for title in options.titles:
            if title not in titles:
                raise ClinpromptError(
                    "CP-DATA-621",
                    f"no part is called '{title}'",
                    file=path,
                    hint=f"there are: {', '.join(name[:40] for name in titles[:12])}",
                )
        for title, part in zip(titles, parts, strict=True):
            if not options.titles or title in options.titles:
                yield from _part(title, part, path, options, source)


def _part(
    title: str, part: dict[str, Any], path: Path, options: EmrqaOptions, source: Source
) -> Iterator[Example]:
    for number, note in enumerate(need(part, "paragraphs", list, path, f"part '{title}'"), 1):
        where = f"part '{title}', note {number}"
        lines = _lines(note, path, where)
        context = "".join(lines)
        document = text_id(context)
        for place, item in enumerate(need(note, "qas", list, path, where), 1):
            name = f"{source.place(path, number)}:{title}:{place}"
            if not kept(options.seed, name, options.share):
                source.report.skip("question left out by sampling", path, detail=name)
                continue
            at = f"{where}, question {place}"
            span = _answer(item, context, lines, path, at, options, source)
            wordings = item.get("question")
            wordings = [wordings] if isinstance(wordings, str) else wordings
            if not isinstance(wordings, list) or not all(isinstance(w, str) for w in wordings):
                wordings = [need(item, "question", str, path, at)]
            asked = list(dict.fromkeys(w.strip() for w in wordings if w.strip()))
            if span is None or not asked:
                continue
            more = max(0, len(asked) - options.paraphrases)
            source.report.skip("further wording of a question", path, detail=name, count=more)
            for wording, question in enumerate(asked[: options.paraphrases], 1):
                yield _example(f"{name}:{wording}", document, question, context, span, options)


def _lines(note: Any, path: Path, where: str) -> list[str]:
    """The note's lines, each with its line end."""
    context = note.get("context") if isinstance(note, dict) else None
    if isinstance(context, str):
        return context.splitlines(keepends=True)
    if not isinstance(context, list) or not all(isinstance(line, str) for line in context):
        raise ClinpromptError(
            "CP-DATA-620",
            f"{where}: field 'context' is neither a text nor a list of lines",
            file=path,
        )
    return [line if line.endswith("\n") else f"{line}\n" for line in context]


def _answer(
    item: Any,
    context: str,
    lines: list[str],
    path: Path,
    where: str,
    options: EmrqaOptions,
    source: Source,
) -> Span | None:
    """The first answer that stands in the note; what is wrong with the others is counted."""
    for answer in need(item, "answers", list, path, where):
        text = answer.get(options.answer) if isinstance(answer, dict) else None
        if not isinstance(text, str) or answer.get("answer_entity_type") == "complex":
            source.report.skip(COMPLEX, path, detail=where)
            continue
        start = answer.get("evidence_start")
        start = start[0] if isinstance(start, list) and start else start
        line = start if type(start) is int else 1
        span = locate(context, text, sum(map(len, lines[: max(0, line - 1)])))
        if span is None:
            source.report.skip(NOT_FOUND, path, detail=where)
        elif options.longest and len(context[slice(*span)].split()) > options.longest:
            source.report.skip(f"answer of more than {options.longest} words", path, detail=where)
        else:
            return span
    return None


def _example(
    name: str, document: str, question: str, context: str, span: Span, options: EmrqaOptions
) -> Example:
    begin, end = 0, len(context)
    if options.window is not None:
        begin, end = window(context, span, options.window, options.unit, name)
    moved = (span[0] - begin, span[1] - begin)
    made = QuestionInput(question, context=context[begin:end])
    return Example(name, document, made, SpanAnswer((moved,)))
