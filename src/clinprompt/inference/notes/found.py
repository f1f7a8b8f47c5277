"""What was found for one question about a note: kept as JSON, without the note's text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from clinprompt.examples import Answer, Input, PairInput
from clinprompt.inference.reading import sure_of
from clinprompt.inference.records import answer_record, input_record, read_answer, read_input
from clinprompt.inference.requests import Prediction
from clinprompt.tasks.card import Card

_COUNTS = ("unaligned", "unparsable", "truncated", "unfinished", "windowed", "dropped")
_TEXTS = {"qa": "context", "nli": "premise"}  # what an input calls the note; else "text"


@dataclass(frozen=True, slots=True)
class Found:
    """An answer about a note.

    Attributes:
        task: which task was asked.
        input: what was asked.
        answer: None if nothing could be made of what the backbone wrote.
        confidence: of the answer's items in their order; None where none is known. A closed answer
            is one item.
        unaligned, unparsable, truncated, unfinished: as in `Prediction`, in numbers.
        windowed: 1 if the note was read in several windows.
        dropped: items left out because of their low confidence.
    """

    task: str
    input: Input
    answer: Answer | None
    confidence: tuple[float | None, ...] = ()
    unaligned: int = 0
    unparsable: int = 0
    truncated: int = 0
    unfinished: int = 0
    windowed: int = 0
    dropped: int = 0

    @classmethod
    def of(cls, task: str, asked: Input, prediction: Prediction) -> Found:
        """From a prediction."""
        return cls(
            task,
            asked,
            prediction.answer,
            sure_of(prediction),
            unaligned=prediction.unaligned,
            unparsable=prediction.unparsable,
            truncated=int(prediction.truncated),
            unfinished=int(prediction.unfinished),
            windowed=int(prediction.merged is not None),
            dropped=prediction.dropped,
        )


def found_record(found: Found, card: Card) -> dict[str, Any]:
    """As a JSON object, from which `read_found` makes the same again."""
    asked = input_record(found.input)
    del asked[_text_field(card)]
    confidence = {"confidence": list(found.confidence)} if found.confidence else {}
    counts = {name: getattr(found, name) for name in _COUNTS if getattr(found, name)}
    answer = answer_record(found.answer, found.input)
    return {"task": found.task, **asked, "answer": answer, **confidence, **counts}


def read_found(record: Mapping[str, Any], card: Card, text: str) -> Found:
    """From `found_record`.

    Args:
        record: what was kept.
        card: of its task.
        text: the note's.

    Raises:
        ClinpromptError: CP-INF-030 to CP-INF-035 for a record that does not fit text and card.
    """
    fields = {**record, _text_field(card): text}
    counts = {name: int(fields.pop(name, 0)) for name in _COUNTS}
    answer, confidence = fields.pop("answer"), tuple(fields.pop("confidence", ()))
    task = str(fields.pop("task"))
    asked = read_input(card, fields)
    read = None if answer is None else read_answer(card, answer, asked)
    return Found(task, asked, read, confidence, **counts)


def is_pair(found: Found) -> bool:
    """Whether the relation of two mentions was asked."""
    return isinstance(found.input, PairInput)


def _text_field(card: Card) -> str:
    return _TEXTS.get(card.type, "text")
