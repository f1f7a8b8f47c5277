"""What a method of the comparison is: how it is fitted to a target, and how it answers then.

To add a method, write a class with these functions and name it in `methods/__init__.py`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field
from torch import Tensor

from clinprompt.artifacts.prompt_set import PromptSet
from clinprompt.backbone.codec import Codec
from clinprompt.backbone.template import Placement
from clinprompt.errors import ClinpromptError
from clinprompt.examples import Example
from clinprompt.experiments.compare.cell import Shots
from clinprompt.experiments.compare.recipe import CompareRecipe, EvaluationSettings
from clinprompt.inference.judging import Judging
from clinprompt.inference.requests import PredictorSettings
from clinprompt.tasks.card import Card
from clinprompt.training.loop import Outcome
from clinprompt.training.prepare import Prepared
from clinprompt.training.progress import Progress
from clinprompt.training.settings import BackboneSettings, Settings

Rates = dict[str, float]


class MethodSettings(Settings):
    """What a recipe may say about any method."""

    id: str = Field("", description="name in tables and folders; default: the method's")
    title: str = Field("", description="name for people; default: the method's")
    rates: list[Rates] = Field(
        default_factory=list, description="grid of learning rates; each entry is one try"
    )


class TrainedSettings(MethodSettings):
    """What a recipe may say about a method that trains something."""

    tries: Literal["best", "average"] = Field(
        "best",
        description="dev chooses the best of the grid's tries; or what all of them learned is "
        "averaged, and dev chooses none",
    )


@dataclass(frozen=True)
class Entry:
    """A method as a recipe names it."""

    method: Method
    settings: MethodSettings

    @property
    def id(self) -> str:
        """In folders and tables."""
        return self.settings.id or self.method.name

    @property
    def title(self) -> str:
        """For people."""
        return self.settings.title or self.method.title

    @property
    def averages(self) -> bool:
        """Whether its tries are averaged."""
        return getattr(self.settings, "tries", "best") == "average"


@dataclass
class Job:
    """One fitting: a method, the targets that are fitted together, their examples.

    Attributes:
        splits: of each target, chosen train and dev examples; the same for all methods.
        steps: updates.
        work: folder for checkpoints.
        backbone: settings of the backbone, for records.
    """

    recipe: CompareRecipe
    settings: Any
    prepared: Prepared
    backbone: BackboneSettings
    metaprompt: PromptSet | None
    cards: tuple[Card, ...]
    splits: tuple[dict[str, list[Example]], ...]
    shots: Shots
    seed: int
    steps: int
    work: Path
    progress: Progress
    should_stop: Callable[[], bool] = lambda: False

    @property
    def evaluate_every(self) -> int:
        """Steps between dev losses."""
        return max(1, -(-self.steps // self.recipe.training.evaluations))

    @property
    def judging(self) -> Judging:
        """Makes what scores dev answers, as test examples are answered (`predictor_settings`)."""
        evaluation = self.recipe.evaluation
        return Judging(predictor_settings(evaluation), evaluation.balance)

    @property
    def rows(self) -> int:
        """Examples of an update: those of each target."""
        return self.recipe.training.rows * len(self.cards)


def predictor_settings(evaluation: EvaluationSettings) -> PredictorSettings:
    """How examples are answered; the same for all methods."""
    return PredictorSettings(
        long_inputs=evaluation.long_inputs,
        max_input=evaluation.max_input,
        max_new=evaluation.max_new,
        batch_tokens=evaluation.batch_tokens,
        grounded=evaluation.grounded,
        no_repeat_ngram=evaluation.no_repeat_ngram,
        empty_above=evaluation.empty_above,
    )


@dataclass
class Fit:
    """What fitting reached.

    Attributes:
        outcome: the training curve; None if nothing was trained.
        trainable: parameters that were trained.
        stored_bytes: what has to be kept besides the backbone (and the metaprompt).
        context_tokens: positions that the method takes besides the instruction.
        examples_seen: training examples of each target that were drawn.
        data: counts of the examples used.
        details: what else is worth knowing.
    """

    outcome: Outcome | None = None
    trainable: int = 0
    stored_bytes: int = 0
    context_tokens: int = 0
    examples_seen: int = 0
    data: dict[str, Any] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Given:
    """What stands before an input.

    Attributes:
        prompt: soft prompt [P, H]; None for none.
        shown: token ids between instruction and input (examples in the context).
        placement: where the prompt stands.
    """

    prompt: Tensor | None = None
    shown: tuple[int, ...] = ()
    placement: Placement = "before"


@dataclass(frozen=True)
class Outline:
    """What can be known of a comparison on a backbone before its weights are loaded.

    Attributes:
        codec: of the backbone's tokenizer and template.
        context: positions the backbone knows.
        layers: names of its linear layers, the output head left out.
        cards: the targets whose data are at hand.
        splits: the train and dev examples of a target at some shots and seed.
    """

    recipe: CompareRecipe
    codec: Codec
    context: int
    layers: tuple[str, ...]
    cards: tuple[Card, ...]
    splits: Callable[[Card, Shots, int], dict[str, list[Example]]]


class Method(ABC):
    """One way to make a backbone do a target task."""

    name: ClassVar[str]
    title: ClassVar[str]
    settings: ClassVar[type[MethodSettings]] = MethodSettings
    needs_metaprompt: ClassVar[bool] = False
    placements: ClassVar[tuple[Placement, ...]] = ("before", "after")  # of metaprompts it can use
    groups: ClassVar[tuple[str, ...]] = ()  # names of learning rates; none: nothing is trained

    def rates(self, settings: Any) -> tuple[str, ...]:
        """Names of the learning rates that an entry of the grid has to give."""
        return self.groups

    def shots(self, settings: Any, asked: Sequence[Shots]) -> list[Shots]:
        """The numbers of shots that the method has a cell for, of those that are asked for."""
        return [shots for shots in asked if shots != 0]

    def together(self, settings: Any, cards: Sequence[Card]) -> list[tuple[Card, ...]]:
        """The targets that are fitted together; each alone, if not said otherwise."""
        return [(card,) for card in cards]

    def complaints(self, entry: Entry, outline: Outline) -> Iterator[ClinpromptError]:
        """What can't work on a backbone, beyond what every method is checked for."""
        yield from ()

    def context_tokens(self, settings: Any, recipe: CompareRecipe, meta_length: int | None) -> int:
        """Positions before the input that the method takes besides the instruction."""
        return 0

    @abstractmethod
    def fit(self, job: Job, rates: Rates, out: Path) -> Fit:
        """Fit the method and write what was learned to `out` (a folder, made here if needed).

        The backbone is left as it was. The backbone's weights may be changed in between.
        """

    def average(self, tries: Sequence[Path], out: Path) -> int:
        """Write the mean of what was learned in `tries` to `out`; how many bytes it takes.

        For methods whose settings are `TrainedSettings`.
        """
        raise NotImplementedError

    @abstractmethod
    def answering(self, job: Job, out: Path) -> AbstractContextManager[dict[str, Given]]:
        """The backbone as fitted to `out`, within the context; what stands before each target."""
