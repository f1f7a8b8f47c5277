"""Open answers: rows go to the decoder one by one, and come back as they end."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import torch

from clinprompt.backbone.codec import Codec
from clinprompt.backbone.decode import Constraint, Generated
from clinprompt.backbone.decoding import Ask, Decoder, Settings, StopTexts
from clinprompt.backbone.model import Backbone
from clinprompt.errors import ClinpromptError
from clinprompt.inference import emptiness, repetition
from clinprompt.inference.notewise import Laid
from clinprompt.inference.requests import PredictorSettings, Row


class OpenAnswers:
    """Decodes the rows of a predictor.

    Args:
        backbone: the frozen model.
        codec: how rows are written.
        settings: how inputs are answered.
        tokens: positions that are held at a time.

    Raises:
        ClinpromptError: CP-INF-450, CP-INF-452, CP-INF-453 and CP-BACK-100 to CP-BACK-103 draws,
            repeats, limits or stop texts that make no sense.
    """

    def __init__(
        self, backbone: Backbone, codec: Codec, settings: PredictorSettings, tokens: int
    ) -> None:
        repetition.check(settings.no_repeat_ngram)
        emptiness.check(settings.empty_above)
        self.backbone, self.seed = backbone, settings.seed
        texts = StopTexts(settings.stop, codec.decode) if settings.stop else None
        self.settings = Settings(codec.stops, settings.sampling(), texts, tokens)
        self._decoder: Decoder | None = None

    def run(
        self,
        rows: Sequence[Row],
        columns: Sequence[int],
        asks: Callable[[int], Ask],
        held: Callable[[Row], Constraint | None],
    ) -> Iterator[tuple[int, Generated, Constraint | None]]:
        """Decode rows.

        Where the device's memory does not suffice, what has not ended begins again with less.

        Args:
            columns: positions of each row in all, prefix and new tokens included.
            asks: what is asked of the decoder for the row at a place.
            held: makes what a row is held to; it is called when the row enters.

        Yields:
            Place of a row, its tokens, and what they were held to, in the order of ending.

        Raises:
            ClinpromptError: CP-INF-008 the memory does not suffice for one row.
        """
        left = sorted(range(len(rows)), key=lambda i: (-columns[i], i))
        while left:
            if self._decoder is None:
                self._decoder = Decoder(self.backbone, self.settings)
            live: dict[int, Constraint | None] = {}
            ended: set[int] = set()
            coming = (_entered(i, asks, held(rows[i]), live) for i in left)
            try:
                for place, new in self._decoder.stream(coming, len(left)):
                    ended.add(left[place])
                    yield left[place], new, live.pop(left[place])
            except torch.OutOfMemoryError as error:
                tokens = self._decoder.settings.tokens
                left = [i for i in left if i not in ended]
                if tokens <= columns[left[0]]:  # the widest row was alone
                    raise no_memory(rows[left[0]]) from error
                self._decoder = Decoder(self.backbone, replace(self.settings, tokens=tokens // 2))
            else:
                return

    def release(self) -> None:
        """Give the decoder's memory back."""
        self._decoder = None

    def seed_of(self, row: Row) -> int:
        """Of a row's draws: the same for the same question, in whatever company."""
        if self.settings.sampling is None:
            return 0
        told = json.dumps([self.seed, row.task, list(row.seen.ids)])
        return int.from_bytes(hashlib.sha256(told.encode()).digest()[:8], "big")


def _entered(
    i: int,
    asks: Callable[[int], Ask],
    held: Constraint | None,
    live: dict[int, Constraint | None],
) -> Ask:
    live[i] = held
    return replace(asks(i), constraint=held)


def ask_behind(batch: Laid, place: int, max_new: int, seed: int) -> Ask:
    """One row of a batch, with the soft prompt that it begins with, if it does."""
    soft = None
    if batch.soft is not None:
        own = int(batch.soft.of[place])
        soft = batch.soft.prompts[own, : int(batch.soft.lengths[own])]
    return Ask(
        batch.inputs[place][0 if soft is None else len(soft) :],
        batch.prefix,
        max_new,
        task=batch.places[place],
        seed=seed,
        soft=soft,
    )


def no_memory(row: Row) -> ClinpromptError:
    """The error for a row that is too large for the device."""
    return ClinpromptError(
        "CP-INF-008",
        f"the device's memory does not suffice for a text of {len(row.seen.ids)} tokens",
        hint="use another device, or long_inputs=truncate with a shorter context",
    )
