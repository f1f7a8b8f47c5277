"""Text to token ids and back, piece by piece.

Pieces of the template may hold special tokens; texts of users never do: a note that spells out
``<|im_end|>`` is ordinary characters to the backbone.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from clinprompt.backbone.template import Placement, Template, no_end_token


class Codec:
    """Token ids of the parts of a row.

    Args:
        tokenizer: the backbone's.
        template: the text around instruction, input and answer.
        placement: where the soft prompt stands; the template's pieces are of that placement.

    Attributes:
        end: the token that ends an answer.
        stops: tokens that end a generated answer: `end` and EOS.

    Raises:
        ClinpromptError: CP-BACK-020 if no token can end an answer.
    """

    def __init__(self, tokenizer: Any, template: Template, placement: Placement = "before") -> None:
        self.tokenizer, self.template, self.placement = tokenizer, template, placement
        self._line_ends: dict[int, int] = {}
        self._plain = _without_markers(tokenizer)
        bos = [int(tokenizer.bos_token_id)] if template.bos else []
        self._head = bos + self._special(template.head)
        self._between = self._special(template.between)
        self._tail = self._special(template.tail)
        eos = tokenizer.eos_token_id
        self.end = self._end_token(eos)
        self.stops = frozenset({self.end} if eos is None else {self.end, int(eos)})

    def _end_token(self, eos: int | None) -> int:
        """The first special token of the template's end, else EOS.

        Ordinary characters may stand before it (`` </s>``); answers may hold those themselves.
        """
        special = self.tokenizer.added_tokens_decoder
        marked = next((i for i in self._special(self.template.end) if i in special), eos)
        if marked is None:
            raise no_end_token()
        return int(marked)

    def _special(self, text: str) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False).input_ids) if text else []

    def text(self, text: str) -> list[int]:
        """A user's text; special tokens in it are taken apart."""
        return self.texts([text])[0] if text else []

    def texts(self, texts: Sequence[str]) -> list[list[int]]:
        """Many users' texts at once, which is faster."""
        if not texts:
            return []
        if self._plain is not None:
            found = self._plain.encode_batch(list(texts), add_special_tokens=False)
            return [list(encoding.ids) for encoding in found]
        encoded = self.tokenizer(list(texts), add_special_tokens=False, split_special_tokens=True)
        return [list(ids) for ids in encoded.input_ids]

    def fixed(self, instruction: str) -> list[int]:
        """What follows the soft prompt in all rows of a task: head, instruction, between; behind a
        text the instruction alone."""
        if self.placement == "after":
            return self.text(instruction)
        return self._head + self.text(instruction) + self._between

    @property
    def between(self) -> list[int]:
        """What stands between instruction and input."""
        return list(self._between)

    def rows(self, inputs: Sequence[str]) -> list[list[int]]:
        """Inputs, each with the tail that asks for the answer."""
        return [ids + self._tail for ids in self.texts(inputs)]

    def divided(
        self, notes: Sequence[str], rests: Sequence[str]
    ) -> list[tuple[list[int], list[int]]]:
        """Inputs in front of and behind the prompt that stands after the text.

        Returns:
            For each, head, note and between, which are the same for all tasks; and what a task
            asks besides its instruction, with the tail that asks for the answer.
        """
        behind = self.texts([f"\n\n{rest}" if rest else "" for rest in rests])
        return [
            (self._head + note + self._between, rest + self._tail)
            for note, rest in zip(self.texts(notes), behind, strict=True)
        ]

    @property
    def around(self) -> int:
        """Tokens around a text that count as its row's, though they come from the template: those
        in front of a prompt that stands after the text."""
        return len(self._head) + len(self._between) if self.placement == "after" else 0

    def answers(self, answers: Sequence[str]) -> list[list[int]]:
        """Answers, each with the token that ends it."""
        return [[*ids, self.end] for ids in self.texts(answers)]

    @property
    def tail_length(self) -> int:
        """Tokens at the end of every row that do not come from its input."""
        return len(self._tail)

    def line_ends(self, token: int) -> int:
        """How many lines end in the text of a token."""
        if token not in self._line_ends:
            self._line_ends[token] = self.decode([token]).count("\n")
        return self._line_ends[token]

    def decode(self, ids: Sequence[int]) -> str:
        """Generated ids to text; the end token and what follows it are left out."""
        kept: list[int] = []
        for token in ids:
            if token in self.stops:
                break
            kept.append(token)
        return str(
            self.tokenizer.decode(
                kept, skip_special_tokens=True, clean_up_tokenization_spaces=False
            )
        )


def _without_markers(tokenizer: Any) -> Any | None:
    """A copy of a fast tokenizer that takes markers such as ``</think>`` apart.

    They are added tokens that are not declared special, so `split_special_tokens` leaves them
    whole: in the copy they are. Added runs of white space are no markers and stay what they are.
    None where there is no marker.
    """
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return None
    content = json.loads(backend.to_str())
    added = content.get("added_tokens") or []
    if not any(_marker(token) for token in added):
        return None
    # Not taken out: ids of the others would shift.
    content["added_tokens"] = [
        {**token, "special": bool(token["content"].strip())} for token in added
    ]
    copy = type(backend).from_str(json.dumps(content))
    copy.encode_special_tokens = True
    copy.no_padding()
    copy.no_truncation()
    return copy


def _marker(token: dict[str, Any]) -> bool:
    return not token["special"] and bool(token["content"].strip())
