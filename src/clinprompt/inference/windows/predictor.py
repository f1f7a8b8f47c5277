"""A predictor that reads texts longer than the context window by window.

It is asked as a plain `Predictor` is. An input that fits is answered by the very same code; of a
longer one, the windows become ordinary rows, which are batched with all others.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from clinprompt.errors import ClinpromptError
from clinprompt.examples import Input, Span
from clinprompt.inference.predictor import Predictor
from clinprompt.inference.requests import (
    LongInputs,
    Prediction,
    PredictorSettings,
    Progress,
    Request,
    Row,
    check_texts,
)
from clinprompt.inference.windows.cutting import around, windows
from clinprompt.inference.windows.merging import LongRow, several_rounds, steps
from clinprompt.inference.windows.views import View, view
from clinprompt.tasks.card import Card
from clinprompt.training.data import written
from clinprompt.training.prepare import Prepared
from clinprompt.verbalize.fit import Fitted

# Lists have at most 192 or 256 new tokens (`limits.LIMITS`): a dense note of this size needs them.
LIST_WINDOW = 512
MOST_OVERLAP = 128


class WindowPredictor(Predictor):
    """Answers inputs of any length.

    Args:
        prepared: the backbone, with the codec that rows are written by.
        settings: how inputs are answered; `long_inputs` plays no part.

    Raises:
        ClinpromptError: CP-INF-100 a window or an overlap that makes no sense.
    """

    def __init__(self, prepared: Prepared, settings: PredictorSettings | None = None) -> None:
        super().__init__(prepared, settings)
        window, overlap = self.settings.window, self.settings.overlap or 0
        if (window is not None and (window < 1 or overlap > window // 2)) or overlap < 0:
            raise ClinpromptError(
                "CP-INF-100",
                f"windows of {'default size' if window is None else f'{window} tokens'} that "
                f"share {overlap}",
                hint="a window has at least one token, and two share at most half of one",
            )

    def prepare(self, request: Request) -> Row:
        """Check a request and turn it into token ids; a long one into those of its windows.

        Raises:
            ClinpromptError: CP-INF-101 an input that is too long and has nothing to be read in
                windows, CP-INF-102 one of which nothing fits beside what can't be cut, CP-INF-103
                marked mentions that stand too far apart; what `Predictor.prepare` raises, but
                CP-INF-006 and CP-INF-007.
        """
        task = self._task(request.task)
        check_texts(request)
        card = task.card
        room = self._room(task, self._answers(task, request.input)[2])
        size = room if self.settings.window is None else min(room, self.settings.window)
        if self.settings.window is None and card.lists:
            size = min(size, LIST_WINDOW)
        tokens = self._tokens(card, request.input)
        if tokens <= size:
            return super().prepare(request)
        where = f"task '{request.task}': input '{request.id}' has {tokens} tokens"
        long = view(request.input)
        if long is None:
            raise ClinpromptError(
                "CP-INF-101",
                f"{where}, there is room for {max(0, size)}, and it has no text that could be "
                "read in windows",
                hint="shorten the question or its choices",
            )
        found = self._windows(card, long, size)
        if not found and long.held is not None:
            raise ClinpromptError(
                "CP-INF-103",
                f"{where}, and its two marked mentions do not fit together into {max(0, size)}",
            )
        if not found:
            raise ClinpromptError(
                "CP-INF-102",
                f"{where}, and with room for {max(0, size)} no part of its text fits beside the "
                "rest",
                hint="shorten question, choices or hypothesis, or allow larger windows",
            )
        parts = [
            super(WindowPredictor, self).prepare(
                Request(request.task, long.shown(start, end), request.id)
            )
            for start, end in found
        ]
        left_out = 0 if long.held is None else len(long.text) - (found[0][1] - found[0][0])
        return LongRow(
            request.task,
            Fitted(request.input, [], left_out),
            options=parts[0].options,
            request=request,
            parts=tuple(parts),
            windows=tuple(found),
        )

    def run(self, rows: Sequence[Row], progress: Progress | None = None) -> list[Prediction]:
        """Answers to prepared rows, in their order.

        The rows of all windows go through the same batches. What is made of answers (summaries of
        summaries) goes through further rounds of batches.

        Args:
            rows: as `prepare` gives them.
            progress: called after every batch with inputs done, of those in all; inside a round
                their number is estimated from the share of its rows.

        Raises:
            ClinpromptError: as `Predictor.run`.
        """
        found: dict[int, Prediction] = {}
        going = {i: steps(self, row) for i, row in enumerate(rows)}
        asked = {i: next(one) for i, one in going.items()}
        while asked:
            final = sum(not several_rounds(self, rows[i]) for i in asked)
            told = _share(progress, len(found), final, len(rows))
            flat = [row for part in asked.values() for row in part]
            answered = iter(super().run(flat, told))
            upcoming: dict[int, Sequence[Row]] = {}
            for i, part in asked.items():
                try:
                    upcoming[i] = going[i].send(list(islice(answered, len(part))))
                except StopIteration as ended:
                    found[i] = ended.value
            asked = upcoming
            if progress is not None:
                progress(len(found), len(rows))
        return [found[i] for i in range(len(rows))]

    def _tokens(self, card: Card, value: Input) -> int:
        """Tokens of an input's row, as `prepare` writes it."""
        return len(written(self.codec, card, [value])[0][0])

    def _windows(self, card: Card, long: View, size: int) -> list[Span]:
        """The windows that a text is read in; none where nothing fits."""

        def fits(start: int, end: int) -> bool:
            return self._tokens(card, long.shown(start, end)) <= size

        most = self.settings.overlap
        most = min(size // 8, MOST_OVERLAP) if most is None else min(size // 2, most)

        def shared(start: int, end: int) -> bool:
            return len(self.codec.text(long.text[start:end].strip())) <= most

        if long.held is not None:
            one = around(long.text, long.held, fits)
            return [] if one is None else [one]
        return windows(long.text, fits, shared) or []


def predictor_class(long_inputs: LongInputs) -> type[Predictor]:
    """The predictor that answers as `long_inputs` says."""
    return WindowPredictor if long_inputs == "window" else Predictor


def _share(progress: Progress | None, before: int, final: int, total: int) -> Progress | None:
    """Progress in rows, told as progress in inputs: `final` of them end with these rows."""
    if progress is None:
        return None
    return lambda done, rows: progress(before + final * done // rows, total)
