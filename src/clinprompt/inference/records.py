"""Typed inputs and answers as JSON objects, and back; strict in both directions.

What an input holds depends on how its task is asked:

========================  ===============================  ==========
form                      needed                           may hold
========================  ===============================  ==========
mentions, list            text
text (summarization)      text                             question
pair                      text, head, tail
choice                    question, choices                context
label, text (questions)   question                         context
span                      question, context
label (NLI)               premise, hypothesis
========================  ===============================  ==========

A mention is ``{"label": ..., "spans": [[start, end], ...], "text": ...}``: offsets count Unicode
code points of the text (or context), the end is exclusive, and ``text`` is what they cover, so that
a shifted offset is seen at once. In an input, label and text of ``head`` and ``tail`` may be left
out. Errors name fields, never what stands in them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import zip_longest
from typing import Any

from clinprompt.errors import ClinpromptError, did_you_mean
from clinprompt.examples import (
    Answer,
    Entity,
    EntityAnswer,
    Input,
    LabelAnswer,
    PairInput,
    PremiseInput,
    QuestionInput,
    Relation,
    RelationAnswer,
    Span,
    SpanAnswer,
    TextAnswer,
    TextInput,
    source_text,
)
from clinprompt.tasks.card import Card

_DIGITS = 6  # of probabilities
_SHOWN = 40  # characters of an unknown field's name that a message quotes


def input_fields(card: Card) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The fields that an input of the task must have, and those that it may have."""
    match card.form:
        case "pair":
            return ("text", "head", "tail"), ()
        case "choice":
            return ("question", "choices"), ("context",)
        case "span":
            return ("question", "context"), ()
        case "mentions" | "list":
            return ("text",), ()
    if card.type == "nli":
        return ("premise", "hypothesis"), ()
    if card.type == "sum":
        return ("text",), ("question",)
    return ("question",), ("context",)


def read_input(card: Card, record: Mapping[str, Any]) -> Input:
    """The input that a JSON object holds.

    Raises:
        ClinpromptError: CP-INF-030 an unknown field, CP-INF-031 a missing one, CP-INF-032 one of
            the wrong type, CP-INF-033 offsets that do not lie in the text in order, CP-INF-034
            offsets that cover another text than the record says.
    """
    _check_fields(record, *input_fields(card), f"input of task '{card.name}'")
    if card.form == "pair":
        text = _string(record, "text")
        return PairInput(text, *(_mention(record[side], side, text) for side in ("head", "tail")))
    if card.type == "nli":
        return PremiseInput(_string(record, "premise"), _string(record, "hypothesis"))
    if card.type != "qa":
        return TextInput(_string(record, "text"), question=_optional(record, "question"))
    choices = _strings(record["choices"], "choices") if card.form == "choice" else ()
    return QuestionInput(_string(record, "question"), _optional(record, "context"), choices)


def input_record(value: Input) -> dict[str, Any]:
    """The JSON object that `read_input` reads back; annotated mentions are left out."""
    match value:
        case TextInput(text=text, question=question):
            return {"text": text} | ({} if question is None else {"question": question})
        case PairInput(text=text, head=head, tail=tail):
            sides = {"head": mention_record(head, text), "tail": mention_record(tail, text)}
            return {"text": text, **sides}
        case PremiseInput(premise=premise, hypothesis=hypothesis):
            return {"premise": premise, "hypothesis": hypothesis}
        case QuestionInput(question=question, context=context, choices=choices):
            record: dict[str, Any] = {"question": question}
            if context is not None:
                record["context"] = context
            return record | ({"choices": list(choices)} if choices else {})


def answer_record(
    answer: Answer | None,
    value: Input,
    *,
    probabilities: Mapping[str, float] | None = None,
    confidences: Sequence[float | None] = (),
) -> dict[str, Any] | None:
    """The JSON object of an answer to `value`, with the text that offsets cover.

    Args:
        answer: None gives None: nothing could be made of what the backbone wrote.
        value: what was asked.
        probabilities: of every label, for closed answers; rounded to six digits.
        confidences: of every mention or relation, or of the span, where they are known.
    """
    text = source_text(value)
    sure = [_sure(one) for one in confidences]
    match answer:
        case EntityAnswer(entities=entities):
            return {
                "entities": [
                    {**mention_record(entity, text), **(more or {})}
                    for entity, more in zip_longest(entities, sure[: len(entities)])
                ]
            }
        case RelationAnswer(relations=relations):
            return {
                "relations": [
                    {
                        "label": relation.label,
                        "head": mention_record(relation.head, text),
                        "tail": mention_record(relation.tail, text),
                        **(more or {}),
                    }
                    for relation, more in zip_longest(relations, sure[: len(relations)])
                ]
            }
        case LabelAnswer(label=label):
            if probabilities is None:
                return {"label": label}
            shares = {name: round(share, _DIGITS) for name, share in probabilities.items()}
            return {"label": label, "probabilities": shares}
        case SpanAnswer(spans=spans):
            covered = " ".join(text[start:end] for start, end in spans)
            more = sure[0] if sure else {}
            return {"spans": [list(span) for span in spans], "text": covered, **more}
        case TextAnswer(text=written, references=references):
            return {"text": written, **({"references": list(references)} if references else {})}
    return None


def _sure(confidence: float | None) -> dict[str, float]:
    return {} if confidence is None else {"confidence": round(confidence, _DIGITS)}


def read_answer(card: Card, record: Mapping[str, Any], value: Input) -> Answer:
    """The answer that a JSON object holds.

    Args:
        card: the task.
        record: as `answer_record` writes it; probabilities and confidences are not kept.
        value: the input it answers.

    Raises:
        ClinpromptError: as `read_input`, and CP-INF-035 a label that the task does not have.
    """
    text, where = source_text(value), f"answer of task '{card.name}'"
    match card.form:
        case "mentions":
            _check_fields(record, ("entities",), (), where)
            entities = _list(record["entities"], "entities")
            names = [f"entities[{i}]" for i in range(len(entities))]
            found = [
                _mention(e, n, text, card.labels) for e, n in zip(entities, names, strict=True)
            ]
            return EntityAnswer(tuple(found))
        case "list":
            _check_fields(record, ("relations",), (), where)
            relations = _list(record["relations"], "relations")
            return RelationAnswer(
                tuple(_relation(r, f"relations[{i}]", text, card) for i, r in enumerate(relations))
            )
        case "span":
            _check_fields(record, ("spans",), ("text", "confidence"), where)
            spans = _spans(record["spans"], "spans", text)
            _check_covered(record, "", spans, text)
            return SpanAnswer(spans)
        case "text":
            _check_fields(record, ("text",), ("references",), where)
            references = _strings(record.get("references") or [], "references")
            return TextAnswer(_string(record, "text"), references)
    _check_fields(record, ("label",), ("probabilities",), where)
    choices = value.choices if isinstance(value, QuestionInput) else ()
    letters = [chr(ord("A") + i) for i in range(len(choices))]
    return LabelAnswer(_label(record, "", letters if card.form == "choice" else card.labels))


def mention_record(entity: Entity, text: str) -> dict[str, Any]:
    """A mention as a JSON object; an empty label and an unknown concept are left out."""
    return {
        **({"label": entity.label} if entity.label else {}),
        "spans": [list(span) for span in entity.spans],
        "text": entity.surface(text),
        **({} if entity.concept is None else {"concept": entity.concept}),
    }


def _mention(value: Any, name: str, text: str, labels: Collection[str] | None = None) -> Entity:
    """A mention; `labels` are those it may have (None: any, or none at all)."""
    record = _object(value, name)
    needed, possible = ("spans",), ("text", "concept")
    if labels is None:
        _check_fields(record, needed, (*possible, "label"), name)
        label = _optional(record, "label", f"{name}.") or ""
    else:
        _check_fields(record, ("label", *needed), (*possible, "confidence"), name)
        label = _label(record, f"{name}.", labels)
    spans = _spans(record["spans"], f"{name}.spans", text)
    if not spans:
        raise _bad_offsets(f"{name}.spans", "there are none")
    _check_covered(record, f"{name}.", spans, text)
    return Entity(spans, label, _optional(record, "concept", f"{name}."))


def _relation(value: Any, name: str, text: str, card: Card) -> Relation:
    record = _object(value, name)
    _check_fields(record, ("label", "head", "tail"), ("confidence",), name)
    label = _label(record, f"{name}.", card.labels)
    head, tail = (
        _mention(record[side], f"{name}.{side}", text, (kind,))
        for side, kind in zip(("head", "tail"), card.arguments[label], strict=True)
    )
    return Relation(head, tail, label)


def _check_fields(
    record: Mapping[str, Any], needed: Collection[str], possible: Collection[str], where: str
) -> None:
    known = (*needed, *possible)
    for name in record:
        if name not in known:
            raise ClinpromptError(
                "CP-INF-030",
                f"{where}: unknown field '{name[:_SHOWN]}'",
                hint=did_you_mean(name[:_SHOWN], known),
            )
    for name in needed:
        if name not in record:
            raise _missing(where, name, needed)


def _wrong_type(name: str, value: Any, wanted: str) -> ClinpromptError:
    kinds = {type(None): "null", bool: "true or false", str: "a text", list: "a list"}
    found = kinds.get(type(value), "an object" if isinstance(value, Mapping) else "a number")
    return ClinpromptError("CP-INF-032", f"field '{name}' is {found}, not {wanted}")


def _object(value: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise _wrong_type(name, value, "an object")
    return value


def _list(value: Any, name: str) -> list[Any]:
    if not isinstance(value, list):
        raise _wrong_type(name, value, "a list")
    return value


def needed_text(record: Mapping[str, Any], name: str) -> str:
    """A field that must be there and hold a text that is not empty.

    Raises:
        ClinpromptError: CP-INF-031, CP-INF-032.
    """
    if name not in record:
        raise _missing("the record", name, (name,))
    text = _string(record, name)
    if not text.strip():
        raise _wrong_type(name, text, "one with characters in it")
    return text


def _missing(where: str, name: str, needed: Collection[str]) -> ClinpromptError:
    return ClinpromptError(
        "CP-INF-031",
        f"{where}: field '{name}' is missing",
        hint=f"needed: {', '.join(needed)}",
    )


def _string(record: Mapping[str, Any], name: str, above: str = "") -> str:
    value = record[name]
    if not isinstance(value, str):
        raise _wrong_type(above + name, value, "a text")
    return value


def _optional(record: Mapping[str, Any], name: str, above: str = "") -> str | None:
    """A field that may be missing or null."""
    return None if record.get(name) is None else _string(record, name, above)


def _strings(value: Any, name: str) -> tuple[str, ...]:
    for place, item in enumerate(_list(value, name)):
        if not isinstance(item, str):
            raise _wrong_type(f"{name}[{place}]", item, "a text")
    return tuple(value)


def _label(record: Mapping[str, Any], above: str, labels: Collection[str]) -> str:
    label = _string(record, "label", above)
    if label not in labels:
        raise ClinpromptError(
            "CP-INF-035",
            f"field '{above}label' holds a label that is not possible here",
            hint=f"possible: {', '.join(labels)}",
        )
    return label


def _spans(value: Any, name: str, text: str) -> tuple[Span, ...]:
    spans: list[Span] = []
    for place, pair in enumerate(_list(value, name)):
        # bool is an int to Python, and not one to anybody else
        if not isinstance(pair, list) or [type(number) for number in pair] != [int, int]:
            raise _wrong_type(f"{name}[{place}]", pair, "a list of two whole numbers")
        start, end = pair
        if not 0 <= start < end <= len(text):
            raise _bad_offsets(name, f"{start}-{end} is empty or outside {len(text)} characters")
        if spans and start < spans[-1][1]:
            raise _bad_offsets(name, f"{start}-{end} starts before {spans[-1][1]}")
        spans.append((start, end))
    return tuple(spans)


def _bad_offsets(name: str, why: str) -> ClinpromptError:
    return ClinpromptError(
        "CP-INF-033",
        f"field '{name}': {why}",
        hint="offsets count characters (Unicode code points), the end is exclusive",
    )


def _check_covered(
    record: Mapping[str, Any], above: str, spans: tuple[Span, ...], text: str
) -> None:
    """The covered text is the one that the record says, if it says one."""
    said = _optional(record, "text", above)
    if said is not None and said != " ".join(text[start:end] for start, end in spans):
        places = ", ".join(f"{start}-{end}" for start, end in spans)
        raise ClinpromptError(
            "CP-INF-034",
            f"field '{above}text' differs from what its offsets {places} cover",
            hint="do the offsets count bytes, or UTF-16 units? They must count code points",
        )
