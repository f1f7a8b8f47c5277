"""Methods that train soft prompts: single-task prompt tuning, and the metaprompt in three ways."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from clinprompt.artifacts.average import average
from clinprompt.artifacts.prompt_set import PromptSet
from clinprompt.backbone.template import Depth, Placement
from clinprompt.experiments.compare.cell import WEIGHTS, Shots
from clinprompt.experiments.compare.methods.base import (
    Fit,
    Given,
    Job,
    Method,
    Rates,
    TrainedSettings,
)
from clinprompt.experiments.compare.recipe import CompareRecipe
from clinprompt.tasks.card import Card
from clinprompt.training.adapt import adapt
from clinprompt.training.loop import Outcome
from clinprompt.training.settings import (
    AdaptRecipe,
    AdaptSettings,
    PromptSettings,
    VectorStart,
    judged_by,
)


class PromptTuningSettings(TrainedSettings):
    """A fresh prompt's shape and start."""

    length: int | None = Field(
        None, ge=1, description="virtual tokens; default: the metaprompt's, else prompt.length"
    )
    init: Literal["vocabulary", "instruction"] | None = Field(
        None, description="default: prompt.init"
    )
    depth: Depth | None = Field(None, description="default: prompt.depth")
    placement: Placement | None = Field(None, description="default: prompt.placement")


class MetapromptSettings(TrainedSettings):
    """Where a metaprompt's task vectors start."""

    init: VectorStart = "mean"
    metaprompt: Path | None = Field(
        None, description="another metaprompt than the comparison's, such as an ablation's"
    )


class GroupedSettings(MetapromptSettings):
    """Which targets share one P*."""

    groups: dict[str, list[str]] | Literal["type", "all"] = Field(
        "type", description="by task type; all in one; or name -> targets (others go alone)"
    )


class _Prompts(Method):
    """What soft prompts have in common: `training.adapt` does the work."""

    def fit(self, job: Job, rates: Rates, out: Path) -> Fit:
        """Adapt, and keep the prompt set."""
        shots = None if job.shots == "full" else job.shots
        result = adapt(
            self._recipe(job, rates),
            job.metaprompt if self.needs_metaprompt else None,
            list(job.cards),
            None,
            out / WEIGHTS,
            shots=shots,
            splits=list(job.splits),
            prepared=job.prepared,
            progress=job.progress,
            judging=job.judging,
            should_stop=job.should_stop,
        )
        meta = result.meta
        metrics: Any = meta.metrics["adapt"]
        start = metrics.pop("start", {})
        trained = meta.trainable_parameters > 0
        return Fit(
            outcome=Outcome(**metrics) if trained else None,
            trainable=meta.trainable_parameters,
            stored_bytes=self._stored(result) if trained else 0,
            context_tokens=meta.length,
            examples_seen=job.steps * job.recipe.training.rows if trained else 0,
            data=dict(meta.training_data),
            details={
                "length": meta.length,
                "rank": meta.rank,
                **({"update": meta.update.model_dump(mode="json")} if meta.update else {}),
                **({"depth": meta.depth} if meta.depth != "input" else {}),
                **({"placement": meta.placement} if meta.placement != "before" else {}),
                **({"start": start} if start else {}),
                **({"metaprompt": meta.parents.metaprompt} if meta.parents.metaprompt else {}),
                **({"shared_by": [card.name for card in job.cards]} if len(job.cards) > 1 else {}),
            },
        )

    def average(self, tries: Sequence[Path], out: Path) -> int:
        """The mean of the task prompts."""
        mean = average([PromptSet.load(one / WEIGHTS) for one in tries])
        mean.save(out / WEIGHTS)
        return sum(t.numel() * t.element_size() for t in mean.tensors.values())

    @contextmanager
    def answering(self, job: Job, out: Path) -> Iterator[dict[str, Given]]:
        """The saved prompts."""
        prompts = PromptSet.load(out / WEIGHTS)
        placement = prompts.meta.placement
        yield {
            card.name: Given(prompts.task_prompt(card.name), placement=placement)
            for card in job.cards
        }

    def _recipe(self, job: Job, rates: Rates) -> AdaptRecipe:
        training = job.recipe.training
        return AdaptRecipe(
            seed=job.seed,
            backbone=job.backbone,
            prompt=self._prompt(job),
            data=job.recipe.data,
            adapt=AdaptSettings(
                steps=job.steps,
                rows=job.rows,
                warmup=training.warmup,
                clip=training.clip,
                weight_decay=training.weight_decay,
                evaluate_every=job.evaluate_every,
                select=judged_by(training.select, job.cards),
                **{f"rate_{name}": rate for name, rate in rates.items()},
                **self._adapt(job.settings),
            ),
            engine=job.recipe.engine,
        )

    def _prompt(self, job: Job) -> PromptSettings:
        return PromptSettings()  # the metaprompt's own

    def _adapt(self, settings: Any) -> dict[str, Any]:
        return {}

    def _stored(self, prompts: PromptSet) -> int:
        return sum(t.numel() * t.element_size() for t in prompts.tensors.values())


class PromptTuning(_Prompts):
    """A prompt for one target, from sampled vocabulary."""

    name, title = "pt", "prompt tuning"
    settings = PromptTuningSettings
    groups = ("shared",)

    def context_tokens(
        self, settings: PromptTuningSettings, recipe: CompareRecipe, meta_length: int | None
    ) -> int:
        """P."""
        return settings.length or meta_length or recipe.prompt.length

    def _prompt(self, job: Job) -> PromptSettings:
        given, meta = job.settings, job.metaprompt
        length = self.context_tokens(given, job.recipe, None if meta is None else meta.meta.length)
        named = {"init": given.init, "depth": given.depth, "placement": given.placement}
        change = {"length": length} | {key: value for key, value in named.items() if value}
        return job.recipe.prompt.model_copy(update=change)


class Metaprompt(_Prompts):
    """P* and task vectors, all trained; untrained at 0 shots."""

    name, title = "mpt", "metaprompt"
    settings = MetapromptSettings
    needs_metaprompt = True
    groups: ClassVar[tuple[str, ...]] = ("shared", "vectors")

    def shots(self, settings: MetapromptSettings, asked: Sequence[Shots]) -> list[Shots]:
        """All of them; without 0 where tries are averaged, since nothing is tried there."""
        return [shots for shots in asked if shots != 0 or settings.tries == "best"]

    def context_tokens(self, settings: Any, recipe: CompareRecipe, meta_length: int | None) -> int:
        """P."""
        return meta_length or recipe.prompt.length

    def _adapt(self, settings: MetapromptSettings) -> dict[str, Any]:
        return {"init": settings.init}


class Vectors(Metaprompt):
    """Task vectors alone: P* stays as it is and is stored once for all targets."""

    name, title = "mpt-vectors", "metaprompt, task vectors only"
    groups = ("vectors",)

    def shots(self, settings: Any, asked: Sequence[Shots]) -> list[Shots]:
        """Above zero: at zero it is the metaprompt's own cell."""
        return [shots for shots in asked if shots != 0]

    def _adapt(self, settings: MetapromptSettings) -> dict[str, Any]:
        return {"init": settings.init, "trainable": "vectors"}

    def _stored(self, prompts: PromptSet) -> int:
        return sum(
            t.numel() * t.element_size() for n, t in prompts.tensors.items() if n != "shared"
        )


class Grouped(Metaprompt):
    """Several targets fitted together, with one P* and task vectors of their own."""

    name, title = "mpt-grouped", "metaprompt, grouped targets"
    settings = GroupedSettings

    def shots(self, settings: Any, asked: Sequence[Shots]) -> list[Shots]:
        """Above zero: at zero it is the metaprompt's own cell."""
        return [shots for shots in asked if shots != 0]

    def together(self, settings: GroupedSettings, cards: Sequence[Card]) -> list[tuple[Card, ...]]:
        """The groups, in the order of their first target."""
        named: dict[str, list[Card]] = {}
        for card in cards:
            if settings.groups == "all":
                group = "all"
            elif settings.groups == "type":
                group = f"type {card.type}"
            else:
                inside = (g for g, names in settings.groups.items() if card.name in names)
                group = f"group {next(inside, '')}"
                group = f"alone {card.name}" if group == "group " else group
            named.setdefault(group, []).append(card)
        return [tuple(group) for group in named.values()]
