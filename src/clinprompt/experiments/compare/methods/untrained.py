"""Methods that train nothing: the bare backbone, and examples shown in the context."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field

from clinprompt import verbalize
from clinprompt.backbone.codec import Codec
from clinprompt.errors import ClinpromptError
from clinprompt.examples import Example
from clinprompt.experiments.compare.cell import Shots
from clinprompt.experiments.compare.methods.base import (
    Entry,
    Fit,
    Given,
    Job,
    Method,
    MethodSettings,
    Outline,
    Rates,
)
from clinprompt.experiments.compare.recipe import CompareRecipe
from clinprompt.tasks.card import Card
from clinprompt.training.data import tokenise

_LONG_ANSWER = 256  # room for an answer where the recipe does not limit it


class Bare(Method):
    """The instruction alone."""

    name, title = "bare", "bare backbone"

    def shots(self, settings: Any, asked: Sequence[Shots]) -> list[Shots]:
        """Zero."""
        return [0]

    def fit(self, job: Job, rates: Rates, out: Path) -> Fit:
        """Nothing to fit."""
        return Fit()

    @contextmanager
    def answering(self, job: Job, out: Path) -> Iterator[dict[str, Given]]:
        """Nothing before the input but the instruction."""
        yield {card.name: Given() for card in job.cards}


class InContextSettings(MethodSettings):
    """How many examples are shown."""

    k: int | None = Field(
        None, ge=1, description="most examples shown; default: all shots of the cell that fit"
    )
    max_tokens: int | None = Field(
        None, ge=8, description="most tokens of all shown examples; default: what the context has"
    )


class InContext(Method):
    """Solved examples between the instruction and the input, nothing trained.

    With `k`, a single cell at k shots; without, one at each number of shots above 0.
    """

    name, title = "in-context", "in-context examples"
    settings = InContextSettings

    def shots(self, settings: InContextSettings, asked: Sequence[Shots]) -> list[Shots]:
        """``[k]``, or all above zero."""
        return [settings.k] if settings.k else [shots for shots in asked if shots != 0]

    def complaints(self, entry: Entry, outline: Outline) -> Iterator[ClinpromptError]:
        """Examples that don't fit into the context: all `k` have to, or at least one."""
        recipe, settings = outline.recipe, entry.settings
        assert isinstance(settings, InContextSettings)
        for card in outline.cards:
            for shots in self.shots(settings, recipe.shots):
                for seed in recipe.seeds:
                    try:
                        train = outline.splits(card, shots, seed)["train"]
                        found = show(outline.codec, outline.context, recipe, settings, card, train)
                    except ClinpromptError as error:
                        yield error
                        continue
                    if settings.k and found.count < min(settings.k, found.of):
                        yield ClinpromptError(
                            "CP-EXP-118",
                            f"method '{entry.id}', task '{card.name}', seed {seed}: {found.count} "
                            f"of {settings.k} examples fit into the context",
                            hint="lower k, data.max_tokens or evaluation.max_input, or leave k out "
                            "for as many as fit",
                        )

    def fit(self, job: Job, rates: Rates, out: Path) -> Fit:
        """Choose what is shown."""
        found = self._shown(job)
        return Fit(
            context_tokens=len(found.ids),
            details={"k": found.count, "of": found.of, "shown_as": found.form},
        )

    @contextmanager
    def answering(self, job: Job, out: Path) -> Iterator[dict[str, Given]]:
        """The examples, between instruction and input."""
        yield {job.cards[0].name: Given(shown=tuple(self._shown(job).ids))}

    def _shown(self, job: Job) -> Shown:
        (card,), (splits,) = job.cards, job.splits
        context = job.prepared.backbone.context_length
        codec = job.prepared.codec
        return show(codec, context, job.recipe, job.settings, card, splits["train"])


@dataclass(frozen=True)
class Shown:
    """Solved examples as they stand in the context.

    Attributes:
        ids: their tokens.
        count: how many there are, `of` how many that could be.
        form: "turns" of a conversation, or plain "text".
    """

    ids: list[int]
    count: int
    of: int
    form: str


def in_turns(codec: Codec) -> bool:
    """Whether examples can be turns of the conversation.

    They can where what closes the instruction closes an answer, too: then what stands between
    instruction and input may stand between an answer and the next input.
    """
    return codec.between[:1] == [codec.end]


def show(
    codec: Codec,
    context: int,
    recipe: CompareRecipe,
    settings: InContextSettings,
    card: Card,
    train: Sequence[Example],
) -> Shown:
    """The first examples, as many as fit before the longest input and answer.

    Raises:
        ClinpromptError: CP-EXP-120 not even one fits; what tokenising raises.
    """
    data, evaluation = recipe.data, recipe.evaluation
    rows = tokenise(
        codec,
        card,
        {"train": list(train)[: settings.k or len(train)]},
        max_tokens=data.max_tokens,
        long_inputs=data.long_inputs,
        context=context,
        prompt_length=0,
    ).rows["train"]
    left = context - len(codec.fixed(verbalize.instruction(card)))
    left -= (evaluation.max_input or context // 2) + (evaluation.max_new or _LONG_ANSWER)
    if settings.max_tokens is not None:
        left = min(left, settings.max_tokens)
    after = codec.between if in_turns(codec) else codec.text("\n\n")
    ids: list[int] = []
    count = 0
    for row in rows:
        answer = row.answer[:-1] if row.answer[-1:] == [codec.end] else row.answer
        own = row.input + answer + after  # a turn's `after` begins with the end token
        if len(ids) + len(own) > left:
            break
        ids, count = ids + own, count + 1
    if not count:
        raise ClinpromptError(
            "CP-EXP-120",
            f"task '{card.name}': no example fits into the {max(0, left)} tokens that the context "
            "has for examples",
            hint="lower evaluation.max_input or data.max_tokens, or leave in-context out",
        )
    return Shown(ids, count, len(rows), "turns" if in_turns(codec) else "text")
