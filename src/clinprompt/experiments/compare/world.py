"""What cells need while they run, loaded once: backbone, metaprompt, data."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from clinprompt.artifacts.prompt_set import PromptSet
from clinprompt.errors import ClinpromptError
from clinprompt.examples import Example
from clinprompt.experiments.compare.cell import Shots, Source, read_sources
from clinprompt.experiments.compare.methods.base import Job
from clinprompt.experiments.compare.plan import Plan, Unit
from clinprompt.experiments.compare.recipe import NamedBackbone
from clinprompt.tasks.card import Card
from clinprompt.tasks.loading import TaskData, load
from clinprompt.tasks.shots import few_shot
from clinprompt.training.prepare import Prepared, chosen_splits
from clinprompt.training.progress import Progress
from clinprompt.training.source import train_source

_MOST_SHOWN = 64  # examples of full data that a method without training may look at


@dataclass
class World:
    """One process's share of a comparison.

    Attributes:
        say: where lines of progress go.
        prepared_of: backbones that are loaded already, by id (for tests).
    """

    plan: Plan
    data_root: Path | None
    out: Path
    say: Callable[[str], None]
    should_stop: Callable[[], bool] = lambda: False
    prepared_of: dict[str, Prepared] = field(default_factory=dict)
    _data: dict[str, TaskData] = field(default_factory=dict)
    _metaprompts: dict[str, PromptSet] = field(default_factory=dict)
    _progress: tuple[str, Progress] | None = None

    def prepared(self, backbone: NamedBackbone) -> Prepared:
        """The loaded backbone; only one is kept.

        It is loaded in the template of the metaprompt, which all methods then share.

        Raises:
            ClinpromptError: what loading raises.
        """
        if backbone.id not in self.prepared_of:
            self.prepared_of.clear()
            given = self.plan.sources[backbone.id].metaprompt
            template = None if given is None else given.meta.template
            self.prepared_of[backbone.id] = Prepared.of(backbone.settings, template)
        return self.prepared_of[backbone.id]

    def progress(self, backbone: NamedBackbone) -> Progress:
        """Lines of training, a few a minute."""
        if self._progress is None or self._progress[0] != backbone.id:
            made = Progress(self.prepared(backbone).backbone, self.say, every=30.0)
            self._progress = backbone.id, made
        return self._progress[1]

    def data(self, card: Card) -> TaskData:
        """A target's examples of all splits, what leaks left out."""
        if card.name not in self._data:
            self._data[card.name] = load(card, self.data_root, splits=("train", "dev", "test"))
        return self._data[card.name]

    def splits(
        self, card: Card, shots: Shots, seed: int, *, trains: bool
    ) -> dict[str, list[Example]]:
        """The examples that a cell may learn from; a function of card, shots and seed alone.

        Args:
            trains: false for a method that only shows examples: of full data, the first.
        """
        if shots == 0:
            return {"train": [], "dev": []}
        settings = self.plan.recipe.data
        count = None if shots == "full" else shots
        data = self.data(card).splits
        found = chosen_splits(dict(data), settings, seed, shots=count, task=card.name)
        if not trains and count is None:
            found["train"] = few_shot(found["train"], min(_MOST_SHOWN, len(found["train"])), seed)
        return found

    def metaprompt(self, unit: Unit) -> PromptSet | None:
        """The metaprompt of a fitting, trained before if it has to be."""
        source = self.plan.source(unit)
        if source.metaprompt is not None or source.recipe is None:
            return source.metaprompt
        return self.train(unit.backbone)

    def train(self, backbone: NamedBackbone) -> PromptSet:
        """The metaprompt that this comparison trains for a backbone."""
        if backbone.id not in self._metaprompts:
            recipe = self.plan.sources[backbone.id].recipe
            assert recipe is not None
            folder = self.out / "sources" / backbone.id / "metaprompt"
            fresh, begin = not folder.exists(), time.monotonic()
            found = train_source(
                recipe,
                self.data_root,
                folder,
                prepared=self.prepared(backbone),
                progress=self.progress(backbone),
                should_stop=self.should_stop,
            )
            self._metaprompts[backbone.id] = found
            seconds = time.monotonic() - begin if fresh else None
            self.record(backbone, found, Path("sources") / backbone.id / "metaprompt", seconds)
        return self._metaprompts[backbone.id]

    def record(
        self, backbone: NamedBackbone, found: PromptSet, place: Path, seconds: float | None
    ) -> None:
        """Write down where a metaprompt came from."""
        trained = self.plan.sources[backbone.id].recipe is not None
        meta = found.meta
        if trained and seconds is None and backbone.id in read_sources(self.out):
            return  # the time it took stands there
        Source(
            backbone=backbone.id,
            metaprompt=str(place),
            digest=found.digest,
            trained=trained,
            seconds=seconds,
            names=meta.names,
            metrics=meta.metrics,
            configuration=meta.configuration,
        ).write(self.out)

    def job(self, unit: Unit, work: Path) -> Job:
        """Everything that a method needs for a fitting.

        Raises:
            ClinpromptError: CP-EXP-123 a target without one of the splits.
        """
        for card in unit.cards:
            missing = {"train", "dev", "test"} - set(card.splits)
            if missing:
                raise ClinpromptError(
                    "CP-EXP-123", f"task '{card.name}' has no {', '.join(sorted(missing))} split"
                )
        trains = bool(unit.entry.method.groups)
        return Job(
            recipe=self.plan.recipe,
            settings=unit.entry.settings,
            prepared=self.prepared(unit.backbone),
            backbone=unit.backbone.settings,
            metaprompt=self.metaprompt(unit),
            cards=unit.cards,
            splits=tuple(
                self.splits(card, unit.shots, unit.seed, trains=trains) for card in unit.cards
            ),
            shots=unit.shots,
            seed=unit.seed,
            steps=self.plan.steps(unit.shots),
            work=work,
            progress=self.progress(unit.backbone),
            should_stop=self.should_stop,
        )
