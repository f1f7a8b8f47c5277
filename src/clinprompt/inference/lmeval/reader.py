"""The harness's rows through the shared-prefix engine: scores of continuations, and new tokens.

A batch holds rows of different lengths and a row holds all continuations of its text side by side;
positions and masks are explicit, so neither changes a result but for float rounding.

Shapes: B rows, P prompt length, H hidden size, D head size.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

import torch

from clinprompt.backbone import answers, engine
from clinprompt.backbone.after import Notes, suffixes
from clinprompt.backbone.decoding import Ask, Decoder, Generated, Settings
from clinprompt.backbone.engine import Prefix, Soft
from clinprompt.backbone.model import Backbone
from clinprompt.errors import ClinpromptError
from clinprompt.inference.batches import Size, batches
from clinprompt.inference.lmeval.around import Around, Given

Score = tuple[float, bool]  # log-probability, whether greedy decoding would write it


def empty_prefix(backbone: Backbone) -> Prefix:
    """A prefix of no tokens, for rows that stand alone."""
    with torch.no_grad():
        one = engine.prefix(backbone, [None], [[0]])
    layers = [(k[:, :, :0], v[:, :, :0]) for k, v in one.layers]
    return Prefix(layers, torch.zeros_like(one.lengths))


class Reader:
    """Runs rows behind one prompt.

    Args:
        backbone: the frozen model.
        around: how rows are written, with the prompt.
        rows: rows of a batch; None fills `tokens`.
        tokens: padded tokens of a batch, or of the memory that decoding takes.
    """

    def __init__(self, backbone: Backbone, around: Around, rows: int | None, tokens: int) -> None:
        self.backbone, self.around, self.rows, self.tokens = backbone, around, rows, tokens
        prompt = around.prompt
        self._prompt = None if prompt is None else prompt.detach().to(backbone.device)
        self._held: Prefix | None = None  # what is seen beside a note, not in front of a row
        if prompt is not None and around.behind and engine.is_deep(backbone, prompt):
            self._held = engine.held(backbone, prompt.detach()[None].to(backbone.device))
            self._prompt = None

    @cached_property
    def _shared(self) -> Prefix:
        """What all rows are read behind."""
        if self.around.behind or (self._prompt is None and not self.around.shared):
            return empty_prefix(self.backbone)
        with torch.no_grad():
            return engine.prefix(self.backbone, [self._prompt], [self.around.shared])

    def score(
        self,
        given: Sequence[Given],
        continuations: Sequence[Sequence[Sequence[int]]],
        progress: Callable[[int], object] = lambda _: None,
    ) -> list[list[Score]]:
        """Scores of each row's continuations.

        Args:
            given: what stands before them.
            continuations: of each row, token ids (none empty).
            progress: is told how many continuations a batch had.

        Raises:
            ClinpromptError: CP-INF-408 the device's memory does not suffice for one row, CP-INF-409
                the backbone computes NaN.
        """
        found: dict[int, list[Score]] = {}
        sizes = [
            self._size(one, answers.option_columns(own))
            for one, own in zip(given, continuations, strict=True)
        ]
        for batch in self._batches(sizes):
            scores = self._score([given[i] for i in batch], [continuations[i] for i in batch])
            found.update(zip(batch, scores, strict=True))
            progress(sum(len(continuations[i]) for i in batch))
        return [found[i] for i in range(len(given))]

    def generate(
        self,
        given: Sequence[Given],
        max_new: Sequence[int],
        seeds: Sequence[int],
        settings: Callable[[int | None, int], Settings],
        progress: Callable[[int], None] = lambda _: None,
    ) -> list[Generated]:
        """New tokens of each row.

        Args:
            max_new: of each row, the most new tokens.
            seeds: of each row's draws.
            settings: how rows are decoded, given the most rows and tokens at a time.
            progress: is told how many rows have ended, in all.

        Raises:
            ClinpromptError: CP-INF-409 the backbone computes NaN.
        """
        asks = [
            self._ask(one, most, seed)
            for one, most, seed in zip(given, max_new, seeds, strict=True)
        ]
        generated = Decoder(self.backbone, settings(self.rows, self.tokens)).generate(
            asks, progress
        )
        self._require_finite([value for one in generated for value in one.logprobs])
        return generated

    def _ask(self, given: Given, max_new: int, seed: int) -> Ask:
        before, soft = self._shared, None
        if self.around.behind:
            before, soft = self._note([given])[0], self._prompt
        return Ask(given.row, before, max_new, seed=seed, soft=soft)

    def _size(self, given: Given, answer: int) -> Size:
        prompt = 0 if self._prompt is None else len(self._prompt)
        if self.around.behind:
            held = 0 if self._held is None else self._held.layers[0][0].shape[2]
            return Size(held + len(given.note), prompt + len(given.row), answer)
        return Size(prompt + len(self.around.shared), len(given.row), answer)

    def _batches(self, sizes: Sequence[Size]) -> list[list[int]]:
        """Indices of rows, batch by batch, the longest first."""
        if self.rows is None:
            return batches(sizes, self.tokens)
        order = sorted(range(len(sizes)), key=lambda i: (-sizes[i].total, i))
        return [order[first : first + self.rows] for first in range(0, len(order), self.rows)]

    def _note(self, given: Sequence[Given]) -> tuple[Prefix, list[int]]:
        """The texts in front of a prompt that stands behind them."""
        of = [0] * len(given)
        return Notes(self.backbone, 0).prefix([one.note for one in given], [self._held], of)

    def _score(
        self, given: Sequence[Given], continuations: Sequence[Sequence[Sequence[int]]]
    ) -> list[list[Score]]:
        """One batch; halved as long as the device's memory does not suffice."""
        try:
            return self._scored(given, continuations)
        except torch.OutOfMemoryError as error:
            if len(given) == 1:
                raise ClinpromptError(
                    "CP-INF-408",
                    f"the device's memory does not suffice for a text of {given[0].length} tokens",
                ) from error
        half = len(given) // 2
        first = self._score(given[:half], continuations[:half])
        return first + self._score(given[half:], continuations[half:])

    def _scored(
        self, given: Sequence[Given], continuations: Sequence[Sequence[Sequence[int]]]
    ) -> list[list[Score]]:
        rows, places, soft = [list(one.row) for one in given], [0] * len(given), None
        before = self._shared
        if self.around.behind:
            before, places = self._note(given)
            if self._prompt is not None:
                length, device = len(self._prompt), self.backbone.device
                rows = suffixes([length], rows, [[]] * len(rows), [0] * len(rows))
                of = torch.zeros(len(rows), dtype=torch.long, device=device)
                soft = Soft(self._prompt[None], torch.tensor([length], device=device), of)
        scores = answers.score_continuations(
            self.backbone, before, rows, continuations, places, soft
        )
        self._require_finite([value for sums, _ in scores for value in sums.tolist()])
        return [list(zip(sums.tolist(), greedy.tolist(), strict=True)) for sums, greedy in scores]

    def _require_finite(self, values: Sequence[float]) -> None:
        if not torch.isfinite(torch.tensor(values)).all():
            raise ClinpromptError(
                "CP-INF-409",
                "the backbone computes values that are NaN or infinite",
                hint="load it in another float type: dtype=float32",
            )
