"""Scores of answers on dev while something is trained: by the tasks' own metrics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from clinprompt.examples import Example
from clinprompt.inference.evaluate import evaluate
from clinprompt.inference.label_bias import balanced, counts_labels_alike
from clinprompt.inference.predictor import Predictor
from clinprompt.inference.requests import PredictorSettings
from clinprompt.tasks.card import Card
from clinprompt.training.loop import Judge
from clinprompt.training.prepare import Prepared
from clinprompt.training.settings import DataSettings

_RESAMPLES = 2  # nobody reads the intervals


@dataclass(frozen=True)
class Judging:
    """Makes judges (`training.loop.Judge`): they answer dev examples as test examples are answered.

    Attributes:
        settings: how examples are answered.
        balance: whether labels of tasks judged by macro F1 are balanced over these examples, if
            they are no fewer than the labels.
    """

    settings: PredictorSettings
    balance: bool = False

    @classmethod
    def like(cls, data: DataSettings) -> Judging:
        """Inputs are cut where training examples are, and nowhere else if they fit the context."""
        cut = data.long_inputs == "truncate"
        return cls(
            PredictorSettings(long_inputs="truncate", max_input=data.max_tokens if cut else None)
        )

    def __call__(
        self, prepared: Prepared, cards: Sequence[Card], examples: Sequence[Sequence[Example]]
    ) -> Judge:
        """What scores these tasks, 0 to 100 each by its main metric, given their prompts.

        Args:
            examples: dev examples of each task.
        """

        def judge(prompts: Tensor | None) -> dict[str, float]:
            predictor = Predictor(prepared, self.settings)
            found = {}
            for k, (card, some) in enumerate(zip(cards, examples, strict=True)):
                predictor.add(card, None if prompts is None else prompts[k])
                scored = evaluate(predictor, card, some, resamples=_RESAMPLES)
                enough = len(some) >= len(card.labels)
                if self.balance and enough and counts_labels_alike(card):
                    scored = balanced(scored, resamples=_RESAMPLES)
                found[card.name] = scored.scores.value
            return found

        return judge
