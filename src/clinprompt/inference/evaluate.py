"""Scores of a task's examples, with everything that the numbers depend on."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from clinprompt.artifacts.meta import library_versions
from clinprompt.artifacts.prompt_set import PromptSet
from clinprompt.errors import ClinpromptError
from clinprompt.examples import Example
from clinprompt.inference.predictor import Predictor
from clinprompt.inference.records import answer_record
from clinprompt.inference.requests import Prediction, Progress, Request
from clinprompt.metrics import Item, Scores, check_metrics, score
from clinprompt.tasks.card import Card
from clinprompt.tasks.splits import rank

SHORT = 12  # digits of a digest that are shown


@dataclass(frozen=True)
class Evaluation:
    """Scored answers.

    Attributes:
        scores: what `metrics.score` says.
        items: answers beside their gold answers, in the order of the examples.
        predictions: the same answers with what was generated and flagged.
        seconds: time that answering took, without loading and scoring.
        setup: what the numbers depend on: backbone, float type, long inputs, versions.
    """

    card: Card
    scores: Scores
    items: tuple[Item, ...]
    predictions: tuple[Prediction, ...]
    seconds: float
    setup: dict[str, Any]

    @property
    def examples_per_second(self) -> float:
        """Speed of answering."""
        return len(self.items) / max(self.seconds, 1e-9)

    @property
    def counts(self) -> dict[str, int]:
        """The scores' counts; how many answers were cut short at their most new tokens, how many
        items were dropped for their confidence, how many texts were read in windows, and
        windows in all (a text read as a whole is one).
        """
        return {
            **self.scores.counts,
            "unfinished": sum(prediction.unfinished for prediction in self.predictions),
            "below_threshold": sum(prediction.dropped for prediction in self.predictions),
            "in_windows": sum(prediction.merged is not None for prediction in self.predictions),
            "windows": sum(prediction.windows for prediction in self.predictions),
        }

    def to_json(self, **extra: Any) -> dict[str, Any]:
        """Everything but the answers themselves, as plain values.

        Args:
            extra: what the caller knows besides (split, limit, prompt, command); it stands first.
        """
        scores = self.scores.to_json()
        del scores["counts"]
        return {
            "task": self.card.name,
            "card_version": self.card.version,
            **extra,
            "n": len(self.items),
            "scores": scores,
            "counts": self.counts,
            **self.setup,
            "seconds": round(self.seconds, 3),
            "examples_per_second": round(self.examples_per_second, 3),
        }

    def lines(self) -> Iterator[str]:
        """One JSON line an example: id, gold and given answer. They hold text of the data."""
        for item, prediction in zip(self.items, self.predictions, strict=True):
            record = {
                "id": item.id,
                "document": item.document,
                "task": self.card.name,
                "gold": answer_record(item.gold, item.input),
                "answer": answer_record(
                    item.predicted,
                    item.input,
                    probabilities=prediction.probabilities,
                    confidences=prediction.confidences,
                ),
                "output": prediction.text,
                **flags(prediction),
            }
            yield json.dumps(record, ensure_ascii=False)


def flags(prediction: Prediction) -> dict[str, Any]:
    """What is to be known about an answer besides the answer, for a record."""
    return {
        "unaligned": prediction.unaligned,
        "unparsable": prediction.unparsable,
        "truncated": prediction.truncated,
        "unfinished": prediction.unfinished,
        "windows": prediction.windows,
        **({} if not prediction.dropped else {"below_threshold": prediction.dropped}),
        **({} if prediction.merged is None else {"merged": prediction.merged}),
    }


def evaluate(
    predictor: Predictor,
    card: Card,
    examples: Sequence[Example],
    *,
    resamples: int = 1000,
    seed: int = 0,
    progress: Progress | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> Evaluation:
    """Answer examples of one task and score the answers.

    Args:
        predictor: knows the card's task.
        examples: with gold answers.
        resamples: bootstrap draws behind the intervals.
        seed: of these draws.
        progress: called after every batch with examples done and examples in all.

    Raises:
        ClinpromptError: CP-INF-020 an example without gold answer, CP-INF-203 a threshold for a
            task that lists nothing; what `Predictor.answer` and
            `metrics.score` raise. The metrics are checked before anything is computed.
    """
    check_metrics(card)
    if predictor.settings.threshold is not None and not card.lists:
        raise ClinpromptError(
            "CP-INF-203",
            f"a threshold drops mentions and relations, and task '{card.name}' (form {card.form}) "
            "lists none",
        )
    requests = []
    for example in examples:
        if example.answer is None:
            raise ClinpromptError(
                "CP-INF-020", f"task '{card.name}': example '{example.id}' has no gold answer"
            )
        requests.append(Request(card.name, example.input, example.id))
    begin = clock()
    predictions = predictor.answer(requests, progress)
    seconds = clock() - begin
    items = tuple(
        item_of(example, prediction)
        for example, prediction in zip(examples, predictions, strict=True)
    )
    return Evaluation(
        card=card,
        scores=score(card, items, resamples=resamples, seed=seed),
        items=items,
        predictions=tuple(predictions),
        seconds=seconds,
        setup=setup_of(predictor),
    )


def item_of(example: Example, prediction: Prediction) -> Item:
    """An answer beside its gold answer, which must be there."""
    assert example.answer is not None
    return Item(
        id=example.id,
        document=example.document,
        input=example.input,
        gold=example.answer,
        predicted=prediction.answer,
        unaligned=prediction.unaligned,
        unparsable=prediction.unparsable,
        truncated=prediction.truncated,
    )


def sample(examples: Sequence[Example], limit: int | None, seed: int) -> list[Example]:
    """A seeded sample of at most `limit` examples, nested over `limit`, in their own order.

    Which ones are taken depends on the seed and their ids alone.
    """
    if limit is None or limit >= len(examples):
        return list(examples)
    ordered = sorted(examples, key=lambda example: (rank(seed, example.id), example.id))
    chosen = {example.id for example in ordered[:limit]}
    return [example for example in examples if example.id in chosen]


def setup_of(predictor: Predictor) -> dict[str, Any]:
    """What answers depend on besides prompt and data, for the record."""
    backbone, fingerprint = predictor.backbone, predictor.prepared.fingerprint
    return {
        "backbone": {
            "name": backbone.name,
            "model_type": fingerprint.model_type,
            "parameters": fingerprint.parameters,
            "weights": fingerprint.weights[:SHORT],
            "tokenizer": fingerprint.tokenizer[:SHORT],
            "config": fingerprint.config[:SHORT],
            "dtype": str(backbone.dtype).removeprefix("torch."),
            "device": str(backbone.device),
        },
        "long_inputs": predictor.settings.long_inputs,
        "window": predictor.settings.window,
        "overlap": predictor.settings.overlap,
        "max_new": predictor.settings.max_new,
        "grounded": predictor.settings.grounded,
        "threshold": predictor.settings.threshold,
        **({"decoding": predictor.settings.decoding} if predictor.settings.decoding else {}),
        "versions": library_versions(),
    }


def prompt_record(prompts: PromptSet | None, task: str) -> dict[str, Any] | None:
    """Which prompt answers were given with; None for the bare backbone."""
    if prompts is None:
        return None
    meta = prompts.meta
    return {
        "digest": prompts.digest,
        "kind": meta.kind,
        "task": task,
        "length": meta.length,
        "trainable_parameters": meta.trainable_parameters,
        "share": meta.share,
        **({"label_bias": bias} if (bias := meta.label_bias.get(task)) else {}),
    }
