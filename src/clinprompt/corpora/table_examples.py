"""From a row of a table to an example."""

from __future__ import annotations

from collections.abc import Iterator

from clinprompt.corpora.checks import known_label, shown
from clinprompt.corpora.cleaning import plain_html, tidy
from clinprompt.corpora.fields import field_text, field_texts, raw_text
from clinprompt.corpora.identity import question_id, text_id
from clinprompt.corpora.registry import Report
from clinprompt.corpora.spans import MOVED, NOT_FOUND, locate, stands_at
from clinprompt.corpora.table_options import ROLES, Columns, TableOptions
from clinprompt.corpora.tabular import Record
from clinprompt.examples import (
    Answer,
    Example,
    Input,
    LabelAnswer,
    PremiseInput,
    QuestionInput,
    SpanAnswer,
    TextAnswer,
    TextInput,
)

MAX_CHOICES = 26  # letters A to Z


def make_example(record: Record, options: TableOptions, report: Report) -> Example | None:
    """What a row asks and answers; None if it is left out, which `report` then counts.

    Raises:
        ClinpromptError: CP-DATA-051 unknown label, 054 an empty field (if refused), 064 unknown
            column, 067 to 069 unusable choices or offsets, 083 a field that isn't text.
    """
    for column, values in options.only.items():
        if field_text(record, column) not in values:
            reason = f"row with another {column} than asked for"
            report.skip(reason, record.file, record.line)
            return None
    empty = next(_empty_fields(record, options), None)
    if empty is not None:
        if options.empty == "refuse":
            raise record.error("CP-DATA-054", f"its {empty} is empty")
        report.skip(f"empty {empty}", record.file, record.line, f"row {record.row}")
        return None
    made = _input(record, options)
    answer = _answer(record, options, made, report)
    if answer is None:
        return None
    document = options.columns.document
    return Example(
        field_text(record, options.columns.id),
        _document(made) if document is None else field_text(record, document),
        made,
        answer,
    )


def _document(made: Input) -> str:
    match made:
        case PremiseInput(premise=text) | TextInput(text=text):
            return text_id(text)
        case QuestionInput(question=question, context=context, choices=choices):
            return question_id(question, choices) if context is None else text_id(context)
    raise TypeError(type(made))


def _empty_fields(record: Record, options: TableOptions) -> Iterator[str]:
    """Names of the fields that may not be empty and are."""
    for name in ("id", "document", *ROLES[options.example][0]):
        spec = getattr(options.columns, name)
        if isinstance(spec, str) and name != "choices" and not _text(record, spec, options):
            yield name
    if options.example == "choice" and not all(_choices(record, options)):
        yield "choice"


def _text(record: Record, spec: str | None, options: TableOptions) -> str:
    assert spec is not None  # the options' validator has seen to it
    return _clean(field_text(record, spec), options)


def _clean(text: str, options: TableOptions) -> str:
    return tidy(plain_html(text)) if options.html else text


def _optional(record: Record, spec: str | None, options: TableOptions) -> str | None:
    return None if spec is None else _text(record, spec, options) or None


def _choices(record: Record, options: TableOptions) -> tuple[str, ...]:
    spec = options.columns.choices
    if isinstance(spec, list):
        choices = tuple(_text(record, part, options) for part in spec)
    else:
        assert spec is not None
        choices = tuple(_clean(text, options) for text in field_texts(record, spec))
    if not 2 <= len(choices) <= MAX_CHOICES:
        raise record.error(
            "CP-DATA-069", f"it has {len(choices)} choices; 2 to {MAX_CHOICES} are possible"
        )
    return choices


def _input(record: Record, options: TableOptions) -> Input:
    columns = options.columns
    match options.example:
        case "nli":
            return PremiseInput(
                _text(record, columns.premise, options), _text(record, columns.hypothesis, options)
            )
        case "summary":
            return TextInput(
                _text(record, columns.text, options),
                question=_optional(record, columns.question, options),
            )
        case "span":
            assert columns.context is not None
            return QuestionInput(
                _text(record, columns.question, options), context=raw_text(record, columns.context)
            )
        case kind:
            return QuestionInput(
                _text(record, columns.question, options),
                context=_optional(record, columns.context, options),
                choices=_choices(record, options) if kind == "choice" else (),
            )


def _answer(record: Record, options: TableOptions, made: Input, report: Report) -> Answer | None:
    """The gold answer; None (counted) if it is a span that isn't in the context."""
    columns = options.columns
    if columns.label is not None:
        raw = field_text(record, columns.label)
        if options.example == "choice":
            assert isinstance(made, QuestionInput)
            return LabelAnswer(_letter(raw, made.choices, options, record))
        if options.labels:
            return LabelAnswer(known_label(raw, options.labels, record.file, record.line))
        return LabelAnswer(raw)
    assert columns.answer is not None
    if options.example == "span":
        assert isinstance(made, QuestionInput)
        assert made.context is not None
        return _span(record, made.context, columns, report)
    answer = _text(record, columns.answer, options)
    specs = columns.references or []
    texts = [
        _clean(text, options)
        for spec in ([specs] if isinstance(specs, str) else specs)
        for text in field_texts(record, spec)
    ]
    return TextAnswer(answer, tuple(text for text in texts if text))


def _span(record: Record, context: str, columns: Columns, report: Report) -> SpanAnswer | None:
    assert columns.answer is not None
    answer = raw_text(record, columns.answer)
    start = _start(record, columns.start)
    span = locate(context, answer, start)
    if span is None:
        report.skip(NOT_FOUND, record.file, record.line, f"row {record.row}")
        return None
    if start is not None and not stands_at(context, answer, start):
        report.skip(MOVED, record.file, record.line, f"row {record.row}")
    return SpanAnswer((span,))


def _start(record: Record, spec: str | None) -> int | None:
    raw = "" if spec is None else field_text(record, spec)
    if not raw:
        return None
    if not raw.isdecimal():
        raise record.error("CP-DATA-068", f"the answer's start is {shown(raw)}, not a number")
    return int(raw)


def _letter(raw: str, choices: tuple[str, ...], options: TableOptions, record: Record) -> str:
    letters = [chr(65 + number) for number in range(len(choices))]
    names = {
        "letter": letters,
        "number0": [str(number) for number in range(len(choices))],
        "number1": [str(number + 1) for number in range(len(choices))],
        "text": list(choices),
    }[options.correct]
    wanted = raw.upper() if options.correct == "letter" else raw
    if names.count(wanted) != 1:
        found = "more than one choice" if wanted in names else "none of the choices"
        raise record.error(
            "CP-DATA-067",
            f"the right answer, {shown(raw)}, is {found}",
            f"data.options.correct is '{options.correct}': letter, number0, number1 or text",
        )
    return letters[names.index(wanted)]
