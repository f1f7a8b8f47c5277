"""What is decoded, and how."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from clinprompt.backbone.decode import Constraint
from clinprompt.backbone.decoding.sampling import Sampling
from clinprompt.backbone.decoding.stops import StopTexts
from clinprompt.backbone.engine import Prefix


@dataclass(frozen=True, slots=True, eq=False)
class Ask:
    """One row: its text is read behind a prefix, and then continued.

    Attributes:
        ids: token ids of its text (not empty).
        before: keys and values that it reads its text behind; many rows may share them.
        max_new: most new tokens.
        task: which of the prefixes in `before`.
        constraint: what its tokens are held to; it lives as long as the row.
        seed: of its draws. Two rows with the same seed and the same text draw the same.
        soft: embeddings [P, H] that are read between prefix and text, if any.
    """

    ids: Sequence[int]
    before: Prefix
    max_new: int
    task: int = 0
    constraint: Constraint | None = None
    seed: int = 0
    soft: Tensor | None = None

    @property
    def length(self) -> int:
        """Positions of the text, soft ones included."""
        return len(self.ids) + (0 if self.soft is None else len(self.soft))

    @property
    def columns(self) -> int:
        """Positions that prefix, text and new tokens take.

        The last new token is only predicted, never read.
        """
        return int(self.before.lengths[self.task]) + self.length + max(self.max_new, 1) - 1


@dataclass(frozen=True, slots=True)
class Settings:
    """How rows are decoded.

    Attributes:
        stops: token ids that end a row; they are part of what is returned.
        sampling: how the next token is chosen; None is the most probable one.
        stop_texts: texts that end a row.
        tokens: the memory: so many positions are kept at a time, of all rows in it. A row that
            needs more than that goes alone.
        slots: most rows at a time; None is as many as the memory holds.
        prefill: most padded tokens of the texts that are read in one pass; one text at least.
    """

    stops: frozenset[int]
    sampling: Sampling | None = None
    stop_texts: StopTexts | None = None
    tokens: int = 8192
    slots: int | None = None
    prefill: int = 2048
