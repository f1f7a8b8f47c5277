"""A file of inputs to a file of answers: streamed, resumable, and no line is lost unseen."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from clinprompt.errors import ClinpromptError
from clinprompt.inference.evaluate import flags
from clinprompt.inference.journal import Answered, Journal, MadeBy, Pipe
from clinprompt.inference.predictor import Predictor
from clinprompt.inference.records import answer_record
from clinprompt.inference.requests import Prediction, Row
from clinprompt.inference.source import DIGITS, Asked, Entry, Reader, Rejected, chunks

CHUNK = 64  # lines that are answered and written together


@dataclass
class Totals:
    """What became of the lines.

    Attributes:
        answered: in this run.
        before: by an earlier run.
        rejected: could not be answered, in either.
        unaligned, unparsable, truncated, unfinished: of this run's answers, as in `Prediction`.
        in_windows: how many texts were read in windows.
        dropped: mentions and relations whose confidence was below the threshold.
    """

    answered: int = 0
    before: int = 0
    rejected: int = 0
    unaligned: int = 0
    unparsable: int = 0
    truncated: int = 0
    unfinished: int = 0
    in_windows: int = 0
    dropped: int = 0

    def count(self, predictions: Sequence[Prediction]) -> None:
        """Add answers of this run."""
        self.answered += len(predictions)
        for prediction in predictions:
            self.unaligned += prediction.unaligned
            self.unparsable += prediction.unparsable
            self.truncated += prediction.truncated
            self.unfinished += prediction.unfinished
            self.dropped += prediction.dropped
            self.in_windows += prediction.merged is not None


def predict(
    predictor: Predictor,
    lines: Iterable[bytes],
    reader: Reader,
    out: Journal | Pipe,
    made_by: MadeBy,
    *,
    chunk: int = CHUNK,
    reject: Callable[[ClinpromptError], None] = lambda _: None,
    progress: Callable[[int], None] = lambda _: None,
) -> Totals:
    """Answer every line that can be answered, in order.

    A `Journal` that holds answers of an earlier run is compared with the inputs line by line and
    taken up at the first chunk that is not whole. That chunk is computed again: so a run that was
    interrupted and one that was not write the same bytes.

    Args:
        predictor: knows the reader's tasks.
        lines: of the input, with their ends.
        reader: turns them into requests.
        out: where answers go.
        made_by: what they are made by.
        chunk: lines in memory at a time.
        reject: is told what is wrong with a line.
        progress: is called after every batch with the number of answers in this run.

    Raises:
        ClinpromptError: CP-INF-046 to 049 where the journal's answers are not to these inputs;
            what `Predictor.run` raises.
    """
    totals = Totals()
    earlier = out.answered(made_by) if isinstance(out, Journal) else None
    for part in chunks(lines, chunk):
        entries = reader.entries(part)
        if earlier is not None and isinstance(out, Journal):
            start = earlier.end
            found = _answered_before(predictor, reader, entries, earlier)
            if found is not None:
                out.remember(found)
                _tell(found, totals, reject)
                totals.before += len(entries) - len(found)
                continue
            out.begin(start)
            earlier = None
        rows, asked, rejected = _prepared(predictor, reader, entries)
        predictions = predictor.run(rows, lambda done, _: progress(totals.answered + done))
        records = [
            answered_record(one, prediction, row, made_by)
            for one, prediction, row in zip(asked, predictions, rows, strict=True)
        ]
        out.add(records, rejected)
        _tell(rejected, totals, reject)
        totals.count(predictions)
    if earlier is not None and not earlier.exhausted:
        raise earlier.mismatch()
    if isinstance(out, Journal):
        if earlier is not None:
            out.begin(earlier.end)  # a half-written record may stand behind the last one
        out.finish()
    return totals


def answered_record(
    asked: Asked, prediction: Prediction, row: Row, made_by: MadeBy
) -> dict[str, Any]:
    """The record of an answer.

    What the backbone wrote stands in it where not all of that could be used.
    """
    record = {
        "id": asked.request.id,
        "task": asked.request.task,
        "answer": answer_record(
            prediction.answer,
            row.seen.input,
            probabilities=prediction.probabilities,
            confidences=prediction.confidences,
        ),
        **flags(prediction),
    }
    if prediction.truncated:
        record["characters_left_out"] = row.seen.characters
    if prediction.unaligned or prediction.unparsable:
        record["output"] = prediction.text
    return {**record, "made_by": made_by.of(asked)}


def made_by_of(predictor: Predictor, digest: str) -> MadeBy:
    """What answers are made by; batch sizes don't count, they change nothing but rounding."""
    settings = predictor.settings
    words = [str(predictor.backbone.dtype).removeprefix("torch."), settings.long_inputs]
    if settings.grounded:
        words.append("grounded")
    for name in ("max_new", "window", "overlap", "threshold"):
        if (value := getattr(settings, name)) is not None:
            words.append(f"{name}={value}")
    words += [f"{name}={json.dumps(value)}" for name, value in settings.decoding.items()]
    return MadeBy(digest[:DIGITS], " ".join(words))


def _prepared(
    predictor: Predictor, reader: Reader, entries: Iterable[Entry]
) -> tuple[list[Row], list[Asked], list[Rejected]]:
    """Rows with what they are of, and rejected lines, those among them that don't fit."""
    rows, asked, rejected = [], [], []
    for entry in entries:
        if isinstance(entry, Rejected):
            rejected.append(entry)
            continue
        try:
            rows.append(predictor.prepare(entry.request))
        except ClinpromptError as error:
            rejected.append(reader.rejected(entry.line, error, entry.request.id))
        else:
            asked.append(entry)
    return rows, asked, rejected


def _answered_before(
    predictor: Predictor, reader: Reader, entries: Iterable[Entry], earlier: Answered
) -> list[Rejected] | None:
    """The rejected lines of a chunk whose other lines were all answered before, else None.

    Raises:
        ClinpromptError: the answers are not to these inputs.
    """
    rejected = []
    for entry in entries:
        if isinstance(entry, Rejected):
            rejected.append(entry)
        elif not earlier.take(entry):
            refused = _prepared(predictor, reader, [entry])[2]
            if not refused and earlier.exhausted:
                return None
            if not refused:
                raise earlier.mismatch()
            rejected += refused
    return rejected


def _tell(
    rejected: Iterable[Rejected], totals: Totals, reject: Callable[[ClinpromptError], None]
) -> None:
    for entry in rejected:
        totals.rejected += 1
        reject(entry.error)
