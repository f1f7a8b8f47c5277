"""One row of decoding, held to its note by llguidance's masks."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from clinprompt.backbone.codec import Codec
from clinprompt.errors import ClinpromptError
from clinprompt.examples import Input, source_text
from clinprompt.inference.grounding.grammar import grammar
from clinprompt.inference.grounding.lines import Lines
from clinprompt.tasks.card import Card, Form

if TYPE_CHECKING:
    from llguidance import LLMatcher, LLTokenizer

GROUNDED: tuple[Form, ...] = ("mentions", "list", "span")  # open forms that quote their text


class Grounder:
    """Makes the constraints of rows; one for a backbone.

    The grammar begins where the answer does: behind the template's tail, and so, in Harmony's
    format, behind the header of the final channel.

    Args:
        codec: how rows are written.
        vocabulary: number of logits, which may exceed the tokenizer's tokens.

    Raises:
        ClinpromptError: CP-INF-200 llguidance is not installed, CP-INF-201 it can't use the
            backbone's tokenizer.
    """

    def __init__(self, codec: Codec, vocabulary: int) -> None:
        self.codec, self.vocabulary = codec, vocabulary
        try:
            import llguidance  # noqa: F401
        except ImportError as error:
            raise ClinpromptError(
                "CP-INF-200",
                "grounded decoding needs the package llguidance, which is not installed",
                hint="pip install 'clinprompt[grounded]', or answer without (--free)",
            ) from error
        _ = self.tokenizer

    @cached_property
    def tokenizer(self) -> LLTokenizer:
        """The backbone's tokenizer as llguidance knows it; its end tokens are the codec's stops."""
        from llguidance.hf import from_tokenizer

        first = self.codec.end
        stops = [first, *sorted(self.codec.stops - {first})]
        try:
            return from_tokenizer(
                self.codec.tokenizer,
                n_vocab=max(self.vocabulary, len(self.codec.tokenizer)),
                eos_token=stops,
            )
        except Exception as error:  # a tokenizer that isn't "fast", or of an unknown kind
            raise ClinpromptError(
                "CP-INF-201",
                f"llguidance can't use the backbone's tokenizer: {str(error)[:120]}",
                hint="answer without grounding (--free)",
            ) from error

    def __call__(self, card: Card, value: Input) -> Grounding | None:
        """The constraint for one answer; None for forms whose answers quote nothing.

        Args:
            card: the task.
            value: the input as the backbone sees it: what was cut off can't be quoted.

        Raises:
            ClinpromptError: CP-INF-202 llguidance refuses the text's grammar (too large).
        """
        if card.form not in GROUNDED:
            return None
        from llguidance import LLMatcher

        matcher = LLMatcher(self.tokenizer, grammar(card, source_text(value)), log_level=0)
        return Grounding(self, matcher, Lines(card, value))


class Grounding:
    """A `decode.Constraint`: the answer's grammar, and the lines that can be read.

    Attributes:
        whole: the text up to the last line that has ended: all of it can be read.
        ended: whether the answer has ended.
    """

    def __init__(self, grounder: Grounder, matcher: LLMatcher, lines: Lines) -> None:
        self._grounder, self._matcher, self._lines = grounder, matcher, lines
        self._line = b""
        self.whole: list[str] = []
        self.ended = False
        self._check("compile")

    def mask(self) -> Tensor:
        """[V] tokens that the grammar lets through."""
        bits = np.frombuffer(self._matcher.compute_bitmask(), dtype=np.uint8)
        self._check("mask")
        unpacked = np.unpackbits(bits, bitorder="little")[: self._grounder.vocabulary]
        return torch.from_numpy(unpacked).bool()

    def advance(self, token: int) -> bool:
        """Take a token, if a line that can be read can still come of it."""
        if token in self._grounder.codec.stops:
            last = self._line.decode(errors="replace")
            if not self._lines.end(last):
                return False
            self.whole.append(last)
            self._line, self.ended = b"", True
            return True
        written = self._line + self._grounder.tokenizer.decode_bytes([token])
        line, newline, after = written.partition(b"\n")
        if newline:
            # No tokenizer joins the end of a line with the next line's first letters.
            text = line.decode(errors="replace")
            if after or not self._lines.end(text, more=True):
                return False
            self.whole.append(text)
        elif not self._lines.possible(*_characters(written)):
            return False
        self._line = after if newline else written
        self._matcher.consume_token(token)
        self._check("advance")
        return True

    def _check(self, step: str) -> None:
        # llguidance's own message may show the grammar, and so the note.
        if self._matcher.is_error():
            raise ClinpromptError(
                "CP-INF-202",
                f"llguidance gave up on the grammar of a text (step: {step})",
                hint="answer without grounding (--free), or in shorter texts",
            )


def _characters(written: bytes) -> tuple[str, bytes]:
    """Whole characters, and the first bytes of one that is not yet whole."""
    for cut in range(4):
        try:
            return written[: len(written) - cut].decode(), written[len(written) - cut :]
        except UnicodeDecodeError:
            continue
    return written.decode(errors="replace"), b""
