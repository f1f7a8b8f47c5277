"""What methods that train weights have in common: one stage of the one loop."""

from __future__ import annotations

import shutil
from abc import abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from pydantic import Field

from clinprompt.backbone.model import Backbone
from clinprompt.backbone.template import Placement
from clinprompt.experiments.compare.cell import WEIGHTS
from clinprompt.experiments.compare.methods.base import (
    Fit,
    Job,
    Method,
    Rates,
    TrainedSettings,
)
from clinprompt.training.loop import Stage, run
from clinprompt.training.modules import Weights
from clinprompt.training.prepare import data_counts, identity_of, prepare_tasks
from clinprompt.training.sampler import Sampler
from clinprompt.training.settings import Optimiser, judged_by


class WeightsSettings(TrainedSettings):
    """Where the instruction stands: there is no prompt to go with it."""

    placement: Placement | None = Field(
        None, description="of the instruction, before or after the text; default: before"
    )

    @property
    def place(self) -> Placement:
        """The placement that is used."""
        return self.placement or "before"


class Trained(Method):
    """What both have in common: one stage of the one loop."""

    groups = ("weights",)
    small = True  # whether the trained weights are few

    def fit(self, job: Job, rates: Rates, out: Path) -> Fit:
        """Train on the same rows, in the same order, as any prompt."""
        recipe, place = job.recipe, job.settings.place
        prepared = job.prepared.placed(place)
        tasks = prepare_tasks(prepared, job.cards, job.splits, recipe.data, 0)
        if place == "after":  # what is known of a note changes with the weights: it is no prefix
            tasks = [task.whole() for task in tasks]
        training = recipe.training
        judged = judged_by(training.select, job.cards)
        settings = Optimiser(
            steps=job.steps,
            rows=job.rows,
            warmup=training.warmup,
            clip=training.clip,
            weight_decay=training.weight_decay,
            evaluate_every=job.evaluate_every,
        )
        sampler = Sampler(
            [len(task.rows["train"]) for task in tasks],
            steps=settings.steps,
            rows=settings.rows,
            seed=job.seed,
        )
        identity = identity_of(
            prepared,
            {
                "method": self.name,
                "settings": job.settings.model_dump(mode="json"),
                "rates": rates,
                "training": settings.model_dump(),
                **({} if judged == "loss" else {"select": judged}),
                "seed": job.seed,
            },
            tasks,
        )
        with self.at_work(prepared.backbone, job.settings, job.seed) as module:
            stage = Stage("weights", module, tasks, rates, sampler, settings, recipe.engine)
            # All weights with their moments are several times the backbone's size on disk.
            stage.checkpoints = self.small or job.steps > recipe.engine.save_every
            if judged == "metric":
                dev = [split["dev"] for split in job.splits]
                stage.judge = job.judging(prepared, job.cards, dev)
            outcome = run(
                prepared.backbone, stage, job.work, identity, job.progress, job.should_stop
            )
            stored = self._save(job, module, out / WEIGHTS)
            trainable = module.trainable
        return Fit(
            outcome=outcome,
            trainable=trainable,
            stored_bytes=stored,
            examples_seen=job.steps * training.rows,
            data=data_counts(tasks),
            details=self._details(job.settings)
            | ({} if place == "before" else {"placement": place}),
        )

    def average(self, tries: Sequence[Path], out: Path) -> int:
        """The mean of each tensor, of LoRA's two factors apart: it has their rank again."""
        folders = [one / WEIGHTS for one in tries]
        shutil.copytree(folders[0], out / WEIGHTS)
        (file,) = (out / WEIGHTS).glob("*.safetensors")
        learned = [safetensors.torch.load_file(one / file.name) for one in folders]
        mean = {
            name: torch.stack([one[name].float() for one in learned]).mean(0).to(first.dtype)
            for name, first in learned[0].items()
        }
        safetensors.torch.save_file(mean, file, metadata={"format": "pt"})
        return file.stat().st_size

    @abstractmethod
    def at_work(
        self, backbone: Backbone, settings: Any, seed: int
    ) -> AbstractContextManager[Weights]:
        """What is trained, at work in the backbone; afterwards the backbone is as it was."""

    @abstractmethod
    def _save(self, job: Job, module: Weights, folder: Path) -> int:
        """Write what was learned; how many bytes it takes."""

    def _details(self, settings: Any) -> dict[str, Any]:
        return {}
