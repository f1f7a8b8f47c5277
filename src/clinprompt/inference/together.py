"""Several folders of prompts for one backbone: one load, and batches that mix all their tasks."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from clinprompt.artifacts.fingerprint import difference
from clinprompt.artifacts.prompt_set import PromptSet
from clinprompt.backbone.codec import Codec
from clinprompt.errors import ClinpromptError, did_you_mean
from clinprompt.inference.predictor import Predictor
from clinprompt.inference.requests import PredictorSettings
from clinprompt.inference.windows.predictor import predictor_class
from clinprompt.tasks.card import Card
from clinprompt.training.prepare import Prepared


@dataclass(frozen=True)
class Together:
    """Prompts that can be asked together, and which of their tasks are.

    Attributes:
        sets: folder and prompts.
        tasks: by task that is asked, the place of its prompts in `sets`.
    """

    sets: tuple[tuple[Path, PromptSet], ...]
    tasks: dict[str, int]

    @property
    def first(self) -> PromptSet:
        """The prompts that say which backbone is loaded, and in what template."""
        return self.sets[0][1]

    @property
    def digest(self) -> str:
        """Identity of all prompts: that of the set if there is one, else a hash over them."""
        digests = [prompts.digest for _, prompts in self.sets]
        if len(digests) == 1:
            return digests[0]
        return hashlib.sha256("\n".join(digests).encode()).hexdigest()

    def digests(self) -> dict[str, str]:
        """By task that is asked, the digest of its prompts."""
        return {name: self.sets[place][1].digest for name, place in self.tasks.items()}

    @property
    def cards(self) -> dict[str, Card]:
        """The cards of the tasks that are asked, by name."""
        return {
            name: next(card for card in self.sets[place][1].meta.tasks if card.name == name)
            for name, place in self.tasks.items()
        }

    def predictor(self, prepared: Prepared, settings: PredictorSettings | None = None) -> Predictor:
        """A predictor of all tasks that are asked.

        Raises:
            ClinpromptError: CP-ART-020 another backbone than the prompts were trained on; what
                `Predictor.add` raises.
        """
        meta = self.first.meta
        codec = Codec(prepared.backbone.tokenizer, meta.template, meta.placement)
        chosen = settings or PredictorSettings()
        predictor = predictor_class(chosen.long_inputs)(replace(prepared, codec=codec), chosen)
        for _, prompts in self.sets:
            prompts.require_backbone(prepared.fingerprint)
        for name, card in self.cards.items():
            own = self.sets[self.tasks[name]][1]
            prompt, bias = own.task_prompt(name), own.meta.label_bias.get(name)
            predictor.add(card, prompt, bias=bias, update=own.update)
        return predictor


def together(
    sets: Sequence[tuple[Path, PromptSet]], tasks: Sequence[str] | None = None
) -> Together:
    """Check that prompts can be asked together.

    Args:
        sets: folder and prompts, at least one.
        tasks: only these tasks; None for all there are.

    Raises:
        ClinpromptError: CP-INF-350 prompts of different backbones, CP-INF-470 of different
            placements, CP-INF-351 of different templates, CP-INF-352 two prompts for one task,
            CP-INF-353 a task without a prompt.
    """
    first_folder, first = sets[0]
    for folder, prompts in sets[1:]:
        lines = difference(first.meta.fingerprint, prompts.meta.fingerprint)
        if lines:
            raise ClinpromptError(
                "CP-INF-350",
                f"'{first_folder}' and '{folder}' were trained on different backbones "
                f"({', '.join(lines)}): [{first.meta.fingerprint}] and "
                f"[{prompts.meta.fingerprint}]",
                hint="ask them in runs of their own",
            )
        if prompts.meta.placement != first.meta.placement:
            raise ClinpromptError(
                "CP-INF-470",
                f"the prompts in '{first_folder}' stand {first.meta.placement} the text, and those "
                f"in '{folder}' stand {prompts.meta.placement} it",
                hint="ask them in runs of their own",
            )
        if prompts.meta.template != first.meta.template:
            raise ClinpromptError(
                "CP-INF-351",
                f"'{first_folder}' and '{folder}' were trained with different templates around "
                "instruction, input and answer",
                hint="ask them in runs of their own",
            )
    places: dict[str, list[int]] = {}
    for place, (_, prompts) in enumerate(sets):
        for name in prompts.meta.names:
            places.setdefault(name, []).append(place)
    asked = list(places) if tasks is None else list(dict.fromkeys(tasks))
    for name in asked:
        if name not in places:
            raise ClinpromptError(
                "CP-INF-353", f"no prompt for task '{name}'", hint=did_you_mean(name, places)
            )
        if len(places[name]) > 1:
            folders = " and ".join(f"'{sets[place][0]}'" for place in places[name])
            raise ClinpromptError(
                "CP-INF-352",
                f"there are prompts for task '{name}' in {folders}",
                hint="give one of them, or name the tasks to ask with --task",
            )
    return Together(tuple(sets), {name: places[name][0] for name in asked})
