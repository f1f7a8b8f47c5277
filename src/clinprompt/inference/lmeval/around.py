"""What stands around the harness's texts, as token ids.

With ``around=card`` a text takes the place of an input: the template and the card's instruction
stand around it, as the prompt was trained. With ``around=none`` it stands as the harness wrote it,
special tokens included, directly behind the prompt.

Shapes: P prompt length, H hidden size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from clinprompt import verbalize
from clinprompt.backbone.codec import Codec
from clinprompt.tasks.card import Card


@dataclass(frozen=True, slots=True)
class Given:
    """What stands before an answer, besides what all rows share.

    Attributes:
        row: token ids that are read behind the shared prefix, or behind the note and the prompt.
        note: ids in front of a prompt that stands after the text; else empty.
    """

    row: tuple[int, ...]
    note: tuple[int, ...] = ()

    @property
    def length(self) -> int:
        """Positions of both."""
        return len(self.row) + len(self.note)


class Around:
    """Writes texts as rows.

    Args:
        codec: the prompt's.
        prompt: [P, H], or None for the bare backbone.
        card: whose instruction stands around a text; None for nothing around it.

    Attributes:
        shared: ids that all rows begin with, behind the prompt.
        length: positions of a row besides those of its text, the prompt's included.
    """

    def __init__(self, codec: Codec, prompt: Tensor | None, card: Card | None) -> None:
        self.codec, self.prompt, self.card = codec, prompt, card
        self.behind = card is not None and codec.placement == "after"
        self.shared: list[int] = []
        self._head: list[int] = []
        self._between: list[int] = []
        self._end: list[int] = []
        if card is not None:
            instruction = codec.fixed(verbalize.instruction(card))
            if self.behind:
                self._between = codec.between
                front, tail = codec.divided([""], [""])[0]
                self._head = front[: len(front) - len(self._between)]
                self._end = instruction + tail
            else:
                self.shared = instruction
                self._end = codec.rows([""])[0]
        own = 0 if prompt is None else len(prompt)
        self.length = own + len(self.shared) + self.given([]).length

    def encode(self, text: str) -> list[int]:
        """A text of the harness."""
        if self.card is not None:
            return self.codec.text(text)
        tokenizer = self.codec.tokenizer
        # As the harness does with its own models: chat templates write their BOS themselves.
        bos = tokenizer.bos_token
        written = bool(bos) and text.startswith(bos)
        return list(tokenizer(text, add_special_tokens=not written).input_ids)

    def given(self, text: Sequence[int]) -> Given:
        """What stands before the answer to a text."""
        if self.behind:
            return Given(tuple(self._end), (*self._head, *text, *self._between))
        return Given((*text, *self._end))
