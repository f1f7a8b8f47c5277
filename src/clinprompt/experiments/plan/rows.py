"""How long a task's rows are: from its data and tokenizer, from its data alone, or assumed.

Costs are counted on the very rows that training will draw, wherever data and tokenizer are here.
Where the tokenizer is not, tokens are characters divided by `CHARACTERS`; where the data are not
(sets that each user has to get), sizes and lengths are assumed, and the plan says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from clinprompt import verbalize
from clinprompt.backbone.codec import Codec
from clinprompt.backbone.model import locate
from clinprompt.backbone.template import Placement, choose_template
from clinprompt.errors import ClinpromptError
from clinprompt.examples import Example
from clinprompt.experiments.plan.shapes import Shape
from clinprompt.inference.evaluate import sample
from clinprompt.tasks.card import Card, Form, Split
from clinprompt.tasks.loading import load
from clinprompt.tasks.local import absent
from clinprompt.tasks.suite import Suite
from clinprompt.training.data import TokenRow, TokenTask, thin_empty, tokenise
from clinprompt.training.prepare import chosen_splits
from clinprompt.training.settings import BackboneSettings, DataSettings, SourceDataSettings

Source = Literal["tokens", "characters", "assumed"]

CHARACTERS = 3.8  # a token's, where there is no tokenizer: clinical English, 128k to 200k words
TEMPLATE = 24  # tokens of a chat template in front of an instruction, and 8 behind an input
TAIL = 8
# Where a set is not here: training examples, and tokens of input and answer by form.
ASSUMED_EXAMPLES, ASSUMED_TEST = 2000, 1000
ASSUMED: dict[Form, tuple[int, int]] = {
    "mentions": (160, 60),
    "list": (200, 60),
    "pair": (160, 6),
    "choice": (220, 3),
    "label": (120, 4),
    "span": (300, 24),
    "text": (300, 80),
}


class EstimatedCodec(Codec):
    """Stands in for a tokenizer that is not here: only lengths are right, and only about.

    Every token is 0; nothing is decoded.
    """

    def __init__(self, placement: Placement = "before") -> None:
        self.end, self.placement = 0, placement

    @property
    def around(self) -> int:
        """Of the template's head, in front of a note."""
        return TEMPLATE if self.placement == "after" else 0

    def texts(self, texts: Sequence[str]) -> list[list[int]]:
        """So many zeros as there may be tokens."""
        return [[0] * max(1, round(len(text) / CHARACTERS)) for text in texts]

    def fixed(self, instruction: str) -> list[int]:
        """Head of the template and instruction; behind a text the instruction alone."""
        return [0] * (TEMPLATE if self.placement == "before" else 0) + self.text(instruction)

    def rows(self, inputs: Sequence[str]) -> list[list[int]]:
        """Inputs with the template's tail."""
        return [[*ids, *[0] * TAIL] for ids in self.texts(inputs)]

    def divided(
        self, notes: Sequence[str], rests: Sequence[str]
    ) -> list[tuple[list[int], list[int]]]:
        """Head and note; and the rest with the tail."""
        return [
            ([0] * TEMPLATE + note, [*rest, *[0] * TAIL])
            for note, rest in zip(self.texts(notes), self.texts(rests), strict=True)
        ]


@dataclass(frozen=True)
class TestRow:
    """One example to answer: tokens of the input, of all options, and of a written answer."""

    __test__ = False  # not a test of pytest's

    input: int
    options: int
    answer: int


class Rows:
    """Tasks as rows of token ids, remembered, with where each task's came from.

    Args:
        shape: the backbone's.
        settings: which backbone and template.
        placement: where the prompt stands.
        data_root: folder with the data, or None.
        codec: the backbone's own; None: made of its tokenizer if that is here, else estimated.
    """

    def __init__(
        self,
        shape: Shape,
        settings: BackboneSettings,
        data_root: Path | None,
        codec: Codec | None = None,
        placement: Placement = "before",
    ) -> None:
        self.shape, self.data_root, self.placement = shape, data_root, placement
        self._settings = settings
        self._other: Rows | None = None
        self.codec = codec or codec_of(settings, placement)
        self.by: dict[str, Source] = {}
        self._data: dict[tuple[str, tuple[Split, ...]], dict[Split, list[Example]]] = {}
        self._tasks: dict[tuple[object, ...], TokenTask] = {}
        self._answered: dict[tuple[object, ...], list[TestRow]] = {}

    def placed(self, placement: Placement) -> Rows:
        """The same, written for another placement; made once."""
        if placement == self.placement:
            return self
        if self._other is None:
            codec = self.codec
            if isinstance(codec, EstimatedCodec):
                codec = EstimatedCodec(placement)
            else:
                pieces = choose_template(codec.tokenizer, codec.template.kind, placement)
                codec = Codec(codec.tokenizer, pieces, placement)
            self._other = Rows(self.shape, self._settings, self.data_root, codec, placement)
            self._other.by, self._other._data = self.by, self._data
        return self._other

    def task(
        self,
        card: Card,
        settings: DataSettings,
        length: int,
        seed: int,
        *,
        shots: int | None = None,
        suite: Suite | None = None,
    ) -> TokenTask:
        """Training and dev rows, as `training.prepare` would make them.

        Raises:
            ClinpromptError: what loading and tokenising refuse; not that data are missing which
                each user has to get.
        """
        key = (card.name, settings, length, seed, shots)
        if key not in self._tasks:
            self._tasks[key] = self._made(card, settings, length, seed, shots, suite)
        return self._tasks[key]

    def _made(
        self,
        card: Card,
        settings: DataSettings,
        length: int,
        seed: int,
        shots: int | None,
        suite: Suite | None,
    ) -> TokenTask:
        if self._away(card, ("train", "dev")):
            return self._assumed(card, settings, length, shots)
        data = self._load(card, ("train", "dev"), suite)
        self._note(card)
        task = tokenise(
            self.codec,
            card,
            chosen_splits(data, settings, seed, shots=shots, task=card.name),
            max_tokens=settings.max_tokens,
            # An estimate is no reason to refuse a recipe.
            long_inputs="truncate" if self._estimates else settings.long_inputs,
            context=self.shape.context,
            prompt_length=length,
        )
        if isinstance(settings, SourceDataSettings) and settings.most_empty is not None:
            thin_empty(self.codec, task, settings.most_empty, seed)
        return task

    def _load(
        self, card: Card, splits: tuple[Split, ...], suite: Suite | None
    ) -> dict[Split, list[Example]]:
        """A task's examples, read once."""
        key = (card.name, splits)
        if key not in self._data:
            self._data[key] = load(card, self.data_root, splits=splits, suite=suite).splits
        return self._data[key]

    def test(
        self,
        card: Card,
        limit: int | None,
        split: Split = "test",
        suite: Suite | None = None,
    ) -> list[TestRow]:
        """What is answered when the task is scored."""
        key = (card.name, limit, split)
        if key not in self._answered:
            self._answered[key] = self._asked(card, limit, split, suite)
        return self._answered[key]

    def _asked(
        self, card: Card, limit: int | None, split: Split, suite: Suite | None
    ) -> list[TestRow]:
        split = split if split in card.splits else card.splits[-1]
        if self._away(card, (split,)):
            given, written = ASSUMED[card.form]
            count = ASSUMED_TEST if limit is None else min(limit, ASSUMED_TEST)
            options = 4 * written if card.closed else 0
            return [TestRow(given, options, 0 if card.closed else written)] * count
        examples = sample(self._load(card, (split,), suite)[split], limit, seed=0)
        self._note(card)
        inputs = self.codec.rows([verbalize.input_text(card, e.input) for e in examples])
        if card.closed:
            known: dict[tuple[str, ...], int] = {}
            sizes = []
            for example in examples:
                words = tuple(text for _, text in verbalize.options(card, example.input))
                if words not in known:
                    known[words] = sum(len(ids) for ids in self.codec.answers(words))
                sizes.append(known[words])
            return [TestRow(len(ids), size, 0) for ids, size in zip(inputs, sizes, strict=True)]
        texts = [
            "" if e.answer is None else verbalize.answer_text(card, e.input, e.answer)
            for e in examples
        ]
        answers = self.codec.answers(texts)
        return [
            TestRow(len(ids), 0, len(answer)) for ids, answer in zip(inputs, answers, strict=True)
        ]

    @property
    def _estimates(self) -> bool:
        return isinstance(self.codec, EstimatedCodec)

    def _away(self, card: Card, splits: Sequence[str]) -> bool:
        """Whether data that are needed are not on this machine."""
        origins = card.data.origins()
        needed = {origins[s] for s in splits if s in origins}  # type: ignore[index]
        away = bool(absent(card, self.data_root, needed))
        if away and card.name not in self.by:
            self.by[card.name] = "assumed"
        return away

    def _note(self, card: Card) -> None:
        self.by.setdefault(card.name, "characters" if self._estimates else "tokens")

    def _assumed(
        self, card: Card, settings: DataSettings, length: int, shots: int | None
    ) -> TokenTask:
        fixed = self.codec.fixed(verbalize.instruction(card))
        room = min(settings.max_tokens, self.shape.context - length - len(fixed))
        given, written = ASSUMED[card.form]
        written = min(written, room // 2)
        given = max(1, min(given, room - written))

        shared = max(1, given - TAIL) if self.codec.placement == "after" else 0

        def rows(count: int) -> list[TokenRow]:
            return [TokenRow(str(n), [0] * given, [0] * written, shared) for n in range(count)]

        train = ASSUMED_EXAMPLES if shots is None else shots
        if shots is None and settings.train_examples is not None:
            train = min(train, settings.train_examples)
        dev = settings.dev_examples if shots is None else min(shots, settings.dev_examples)
        return TokenTask(card, fixed, {"train": rows(train), "dev": rows(dev)})


def codec_of(settings: BackboneSettings, placement: Placement) -> Codec:
    """The backbone's codec if its tokenizer is on this machine, else an estimate."""
    from transformers import AutoTokenizer

    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(locate(settings.name))
    except (ClinpromptError, OSError, ValueError):
        return EstimatedCodec(placement)
    pieces = choose_template(tokenizer, settings.template, placement)
    return Codec(tokenizer, pieces, placement)
