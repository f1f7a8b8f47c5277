"""Answers of a cell as the metrics take them, rebuilt from its file of predictions.

The file holds gold and given answers, but not what was asked. Of that, metrics need no more than
the text that spans cover, and answers quote it: it is put back at its offsets.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from clinprompt.examples import (
    Entity,
    Input,
    PairInput,
    PremiseInput,
    QuestionInput,
    TextInput,
)
from clinprompt.experiments.report.worst import predictions
from clinprompt.inference.records import read_answer
from clinprompt.metrics import Item
from clinprompt.tasks.card import Card

_CHOICES = ("?",) * 26
_NOTHING = Entity(((0, 1),), "")


def rebuilt(card: Card, path: Path) -> list[Item]:
    """The scored items of a file of predictions, in its order; empty if there is no file.

    Raises:
        ClinpromptError: CP-INF codes for a line that does not fit the card.
    """
    return [_item(card, line) for line in predictions(path) if line.get("gold") is not None]


def _item(card: Card, line: Mapping[str, Any]) -> Item:
    gold, answer = line["gold"], line.get("answer")
    asked = _input(card, _text((gold, answer)))
    return Item(
        id=str(line["id"]),
        document=str(line.get("document", line["id"])),
        input=asked,
        gold=read_answer(card, gold, asked),
        predicted=None if answer is None else read_answer(card, answer, asked),
        unaligned=int(line.get("unaligned", 0)),
        unparsable=int(line.get("unparsable", 0)),
        truncated=bool(line.get("truncated", False)),
    )


def _input(card: Card, text: str) -> Input:
    """Something that could have been asked, with a text that is long enough."""
    match card.form:
        case "mentions" | "list":
            return TextInput(text)
        case "pair":
            return PairInput(text, _NOTHING, _NOTHING)
        case "choice":
            return QuestionInput("", choices=_CHOICES)
        case "span":
            return QuestionInput("", context=text)
        case "label" if card.type == "nli":
            return PremiseInput("", "")
        case "text" if card.type == "sum":
            return TextInput(text)
    return QuestionInput("")


def _text(records: Iterable[Any]) -> str:
    """A text in which all spans of the records cover what they say."""
    found: list[str] = [" "]
    for spans, covered in (pair for record in records for pair in _quoted(record)):
        at = 0
        for start, end in spans:
            found += [" "] * (end - len(found))
            found[start:end] = covered[at : at + end - start].ljust(end - start)
            at += end - start + 1  # fragments are joined by a space
    return "".join(found)


def _quoted(record: Any) -> Iterator[tuple[list[list[int]], str]]:
    """Spans and the text that they cover, wherever they stand in a record."""
    if isinstance(record, Mapping):
        spans = record.get("spans")
        if isinstance(spans, list):
            yield spans, str(record.get("text", ""))
        for value in record.values():
            yield from _quoted(value)
    elif isinstance(record, list):
        for value in record:
            yield from _quoted(value)
