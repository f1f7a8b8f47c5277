"""A recipe's plan: every stage with its figures, and what they rest on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from clinprompt.backbone.floats import float_type
from clinprompt.backbone.model import choose_device
from clinprompt.backbone.template import Placement
from clinprompt.experiments.plan.cost import (
    Cost,
    Measured,
    Writing,
    answering_cost,
    stage_memory,
    training_cost,
)
from clinprompt.experiments.plan.machine import Machine, named_gpu, this_machine
from clinprompt.experiments.plan.memory import microbatch_tokens
from clinprompt.experiments.plan.rows import CHARACTERS, Rows
from clinprompt.experiments.plan.shapes import Shape, shape_of
from clinprompt.experiments.plan.stages import (
    Answering,
    Training,
    adapt_training,
    answering,
    evaluations,
    source_trainings,
)
from clinprompt.tasks.card import Card
from clinprompt.tasks.suite import Suite
from clinprompt.training.microbatch import FEWEST
from clinprompt.training.prepare import Prepared
from clinprompt.training.settings import (
    AdaptRecipe,
    BackboneSettings,
    EngineSettings,
    PromptSettings,
    Recipe,
    judged_by,
)

ALIKE = 2  # measured stages that stand for all that are like them


@dataclass(frozen=True)
class Where:
    """What a plan is made for.

    Attributes:
        gpu: name of a GPU of the table; None: this machine.
        measure: run a few steps on this machine.
        budget: seconds of measuring a stage.
        data_root: folder with the data.
    """

    gpu: str | None = None
    measure: bool = True
    budget: float = 30.0
    data_root: Path | None = None
    say: Callable[[str], None] = lambda _: None


@dataclass
class Planned:
    """All stages on one backbone.

    Attributes:
        microbatch: tokens of a micro-batch.
        notes: what the figures assume.
    """

    backbone: str
    shape: Shape
    dtype: str
    machine: Machine
    microbatch: int
    stages: list[Cost] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """Of everything, one after the other."""
        return sum(stage.seconds * stage.repeats for stage in self.stages)

    @property
    def flops(self) -> float:
        """Of everything."""
        return sum(stage.flops * stage.repeats for stage in self.stages)

    @property
    def peak(self) -> float:
        """Most memory of any stage."""
        return max((stage.memory.total for stage in self.stages), default=0.0)

    @property
    def too_large(self) -> list[Cost]:
        """Stages that need more memory than the machine has (none where that is not known)."""
        most = self.machine.memory
        return [] if most is None else [one for one in self.stages if one.memory.total > most]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        shape = {key: value for key, value in vars(self.shape).items() if key != "linears"}
        return {
            "backbone": self.backbone,
            "shape": shape,
            "dtype": self.dtype,
            "machine": vars(self.machine),
            "microbatch_tokens": self.microbatch,
            "stages": [stage.to_json() for stage in self.stages],
            "total": {
                "seconds": self.seconds,
                "flops": self.flops,
                "peak_memory": self.peak,
                "too_large": [one.name for one in self.too_large],
            },
            "notes": self.notes,
        }


class Estimator:
    """Figures of stages on one backbone.

    Args:
        settings: which backbone.
        prompt: shape and place of prompts.
        prepared: a backbone that is loaded already.

    Raises:
        ClinpromptError: CP-EXP-300 to 303; what loading the backbone raises, where it is measured.
    """

    def __init__(
        self,
        settings: BackboneSettings,
        prompt: PromptSettings,
        engine: EngineSettings,
        where: Where,
        *,
        prepared: Prepared | None = None,
    ) -> None:
        self.where, self.prompt = where, prompt
        self.shape = shape_of(settings.name) if prepared is None else _shape_of(prepared)
        self.prepared = prepared
        measuring = where.measure and where.gpu is None
        if measuring and prepared is None and self.shape.source != "published configuration":
            where.say(f"loading {settings.name}")
            self.prepared = Prepared.of(settings).placed(prompt.placement)
        self.dtype = self._dtype(settings)
        if self.prepared is not None:
            self.dtype = str(self.prepared.backbone.dtype).removeprefix("torch.")
        self.machine = self._machine(settings)
        self.microbatch = self._microbatch(engine)
        codec = None if self.prepared is None else self.prepared.codec
        self.rows = Rows(self.shape, settings, where.data_root, codec, prompt.placement)
        self.planned = Planned(settings.name, self.shape, self.dtype, self.machine, self.microbatch)
        self._rates: dict[tuple[object, ...], list[Measured]] = {}
        self._writing: Writing | None = None
        # As `training.loop` does when memory does not suffice for what was chosen automatically.
        self._halves = engine.microbatch_tokens == "auto" and self.machine.device == "cuda"

    def _dtype(self, settings: BackboneSettings) -> str:
        """The float type, as loading would choose it here or on the named GPU."""
        place = torch.device("cuda") if self.where.gpu else choose_device(settings.device)
        stored = getattr(torch, self.shape.dtype)
        return str(float_type(settings.dtype, stored, place)).removeprefix("torch.")

    def _machine(self, settings: BackboneSettings) -> Machine:
        if self.where.gpu is not None:
            return named_gpu(self.where.gpu, mixture=self.shape.mixture)
        device = choose_device(settings.device).type
        return this_machine(dtype=self.dtype, device=device, mixture=self.shape.mixture)

    def _microbatch(self, engine: EngineSettings) -> int:
        if engine.microbatch_tokens != "auto" or self.machine.device == "cpu":
            return engine.tokens
        assert self.machine.memory is not None
        return microbatch_tokens(self.shape, self.machine.memory, self.dtype)

    def train(self, stage: Training) -> None:
        """Add a training stage, measured where that is possible."""
        found = self._measured(stage) if self._measures else None
        cost = training_cost(stage, self.shape, self.machine, self.dtype, self.rows, found)
        while self._halves and not self._fits(cost) and stage.microbatch >= 2 * FEWEST:
            stage.resize(stage.microbatch // 2)
            cost = training_cost(stage, self.shape, self.machine, self.dtype, self.rows, found)
        self.planned.stages.append(cost)

    def _fits(self, cost: Cost) -> bool:
        return self.machine.memory is None or cost.memory.total <= self.machine.memory

    @property
    def _measures(self) -> bool:
        return self.prepared is not None and self.where.measure and self.where.gpu is None

    def _measured(self, stage: Training) -> Measured:
        """Steps of stages that differ in tasks only are like each other; two are enough."""
        from clinprompt.experiments.plan.measure import measured

        assert self.prepared is not None
        known = self._rates.setdefault(_like(stage), [])
        formula = stage_memory(
            stage, self.shape, self.machine.device, self.dtype, list(stage.shapes.values())
        ).total
        if len(known) >= ALIKE:
            return known[-1].elsewhere(formula)
        self.where.say(f"measuring {stage.name}")
        found = measured(self.prepared, stage, self.shape, budget=self.where.budget)
        found = replace(found, formula=formula)
        known.append(found)
        return found

    @property
    def _every_rate(self) -> list[Measured]:
        return [one for known in self._rates.values() for one in known]

    def answer(self, stage: Answering) -> None:
        """Add a stage that answers."""
        rates = self._every_rate
        if self._measures and self._writing is None and any(row.answer for row in stage.rows):
            from clinprompt.experiments.plan.measure import writing

            assert self.prepared is not None
            self.where.say("measuring decoding")
            self._writing = writing(self.prepared.backbone)
        self.planned.stages.append(
            answering_cost(
                stage,
                self.shape,
                self.machine,
                self.dtype,
                self.rows,
                max((one.reading for one in rates), default=None),
                self._writing,
            )
        )

    def rows_at(self, placement: Placement) -> Rows:
        """Rows as they are written for a placement."""
        return self.rows.placed(placement)

    def finished(self) -> Planned:
        """The plan, with what it assumes."""
        notes = self.planned.notes
        if self.shape.source == "published configuration":
            notes.append("no weights here: sizes are those of the published configuration")
        by = self.rows.by
        for source, text in (
            ("characters", f"no tokenizer here: a token is taken for {CHARACTERS} characters"),
            ("assumed", "no data here: sizes and lengths are assumed for "),
        ):
            names = [name for name, how in by.items() if how == source]
            if names:
                notes.append(text + (", ".join(names) if source == "assumed" else ""))
        rates = self._every_rate
        if rates:
            notes.append(
                f"times and memory from {sum(one.steps for one in rates)} timed steps "
                f"({sum(one.seconds for one in rates):.0f} s of measuring)"
            )
        else:
            notes.append(f"times from {self.machine.by}; memory from formulas")
        if any(stage.answers for stage in self.planned.stages if not stage.steps):
            notes.append(
                "where a method is trained, answers are taken to be as long as the gold ones"
            )
        return self.planned


def _like(stage: Training) -> tuple[object, ...]:
    """What stages must have in common to run at one speed."""
    prompt = stage.prompt
    place = None if prompt is None else (prompt.length, prompt.depth, prompt.placement)
    return stage.method, stage.kind, stage.distil is not None, stage.adapters, place


def _shape_of(prepared: Prepared) -> Shape:
    from clinprompt.experiments.plan.shapes import shape_of_config

    return shape_of_config(prepared.backbone.name, prepared.backbone.model.config, "weights")


def plan_source(recipe: Recipe, where: Where, *, prepared: Prepared | None = None) -> Planned:
    """Source training."""
    found = Estimator(recipe.backbone, recipe.prompt, recipe.engine, where, prepared=prepared)
    for stage in source_trainings(recipe, found.shape, found.rows, found.microbatch):
        found.train(stage)
    return found.finished()


def plan_adapt(
    recipe: AdaptRecipe,
    cards: Sequence[Card],
    shots: int | None,
    where: Where,
    *,
    fresh: bool = False,
    suite: Suite | None = None,
    prepared: Prepared | None = None,
) -> Planned:
    """Adaptation to each task, then answering its test examples."""
    found = Estimator(recipe.backbone, recipe.prompt, recipe.engine, where, prepared=prepared)
    for card in cards:
        if shots != 0:
            found.train(
                adapt_training(
                    recipe,
                    [card],
                    found.shape,
                    found.rows,
                    found.microbatch,
                    fresh=fresh,
                    shots=shots,
                    suite=suite,
                )
            )
        length, rounds = recipe.prompt.length, evaluations(recipe.adapt)
        if shots != 0 and judged_by(recipe.adapt.select, [card]) == "metric":
            title, most = f"dev answers: {card.name}", recipe.data.dev_examples
            cut = recipe.data.max_tokens if recipe.data.long_inputs == "truncate" else None
            judging = answering(
                title,
                card,
                found.rows,
                length,
                limit=most,
                most_input=cut,
                split="dev",
                suite=suite,
            )
            judging.repeats = rounds
            found.answer(judging)
        found.answer(answering(f"answers: {card.name}", card, found.rows, length, suite=suite))
    return found.finished()


def plan_comparison(
    recipe: Any, where: Where, *, prepared: dict[str, Prepared] | None = None
) -> list[Planned]:
    """Every backbone's source training, fittings and answers.

    Args:
        recipe: a `CompareRecipe`.

    Raises:
        Unfit: unknown names, all of them at once.
    """
    from clinprompt.experiments.compare.resolve import resolve
    from clinprompt.experiments.compare.run import Unfit
    from clinprompt.experiments.plan import compared

    plan, complaints = resolve(recipe)
    if complaints:
        raise Unfit(complaints)
    plan.fill()
    every = []
    for backbone in recipe.backbones:
        source = plan.sources[backbone.id]
        length = source.length or recipe.prompt.length
        prompt = recipe.prompt.model_copy(update={"length": length})
        ready = (prepared or {}).get(backbone.id)
        found = Estimator(backbone.settings, prompt, recipe.engine, where, prepared=ready)
        if source.recipe is not None:
            for stage in source_trainings(source.recipe, found.shape, found.rows, found.microbatch):
                found.train(stage)
        for stage in compared.trainings(
            plan, backbone, found.shape, found.rows_at, found.microbatch, found.dtype
        ):
            found.train(stage)
        for one in compared.judgings(plan, backbone, found.rows_at):
            found.answer(one)
        for one in compared.answerings(plan, backbone, found.rows_at):
            found.answer(one)
        found.planned.backbone = backbone.id
        every.append(found.finished())
    return every
