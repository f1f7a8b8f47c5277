"""Texts that end an answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from clinprompt.errors import ClinpromptError


class StopTexts:
    """Finds the end of an answer in its text, wherever token borders lie.

    Args:
        texts: an answer ends where the first of them begins (or ends, with `keep`).
        decode: token ids to the text that a user is given.
        keep: whether the text that ended the answer is a part of it.

    Raises:
        ClinpromptError: CP-BACK-103 an empty text.
    """

    def __init__(
        self, texts: Sequence[str], decode: Callable[[Sequence[int]], str], *, keep: bool = False
    ) -> None:
        if not all(texts):
            raise ClinpromptError(
                "CP-BACK-103", "an empty stop text would end every answer before it begins"
            )
        self.texts, self.keep = tuple(texts), keep
        self._decode = decode

    def found(self, ids: Sequence[int]) -> int | None:
        """How many characters of the tokens' text are the answer; None if it has not ended.

        Tokens can't be looked at one by one: the bytes of one character may lie in several.
        """
        if not self.texts:
            return None
        text = self._decode(ids)
        places = [(text.find(stop), stop) for stop in self.texts]
        hits = [(place, stop) for place, stop in places if place >= 0]
        if not hits:
            return None
        # What ends first has been whole first, and so ended the answer.
        place, stop = min(hits, key=lambda hit: (hit[0] + len(hit[1]), hit[0]))
        return place + len(stop) if self.keep else place
