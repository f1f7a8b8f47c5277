"""The mean of prompts that were fitted to the same tasks from the same start."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from clinprompt.artifacts.meta import PromptMeta
from clinprompt.artifacts.prompt_set import PromptSet
from clinprompt.errors import ClinpromptError

_ALIKE = ("names", "length", "placement", "depth", "template", "fingerprint", "update")


def average(sets: Sequence[PromptSet]) -> PromptSet:
    """Task by task the mean of the sets' task prompts (model soups, Wortsman et al., ICML 2022).

    What was trained from one start, with other rates or other draws, lies near enough together
    for its mean to answer well, and the mean has less of the noise of each (docs/experiments.md,
    section 20). The mean is taken over the products P* ∘ (u v): a set of plain prompts. It has no
    label biases: those of its parts were measured with other prompts. Of updates of the backbone's
    layers the mean is taken factor by factor: it has their rank again.

    Raises:
        ClinpromptError: CP-ART-540 nothing to average, CP-ART-541 prompts that don't belong
            together.
    """
    if not sets:
        raise ClinpromptError("CP-ART-540", "no prompts to average", hint="name two or more")
    first = sets[0].meta
    for one in sets:
        wrong = (
            "it is a metaprompt, not fitted to any task" if one.meta.kind == "metaprompt" else ""
        )
        for name in _ALIKE:
            if getattr(one.meta, name) != getattr(first, name):
                wrong = wrong or f"its {name} is not that of the first set"
        if wrong:
            raise ClinpromptError(
                "CP-ART-541",
                f"can't be averaged: {wrong}",
                file=one.file,
                hint="average results of 'clinprompt adapt' for the same tasks, shape and backbone",
            )
    found = [torch.stack([one.task_prompt(name) for name in first.names]) for one in sets]
    content = first.model_dump() | {
        "form": "plain",
        "rank": None,
        "tasks": first.tasks,
        "label_bias": {},
        "metrics": {"averaged": [one.digest for one in sets]},
    }
    tensors = {"prompts": torch.stack(found).mean(0)}
    if first.update is not None:
        tensors["update"] = torch.stack([one.tensors["update"] for one in sets]).mean(0)
    return PromptSet(PromptMeta.model_validate(content), tensors)
