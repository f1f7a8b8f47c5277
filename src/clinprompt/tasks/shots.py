"""Few-shot samples: seeded, nested over k, and covering the labels."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from fractions import Fraction

from clinprompt.errors import ClinpromptError
from clinprompt.examples import EntityAnswer, Example, LabelAnswer, RelationAnswer
from clinprompt.tasks.splits import rank


def labels_of(example: Example) -> frozenset[str]:
    """The labels that stand in an example's answer (none for spans and texts)."""
    match example.answer:
        case LabelAnswer(label=label):
            return frozenset((label,))
        case EntityAnswer(entities=entities):
            return frozenset(entity.label for entity in entities)
        case RelationAnswer(relations=relations):
            return frozenset(relation.label for relation in relations)
    return frozenset()


def few_shot(examples: Sequence[Example], k: int, seed: int, *, task: str = "") -> list[Example]:
    """`k` of the examples, a pure function of the seed and of the examples' ids and labels.

    Nested: the first 4 of 16 shots are the 4 shots. The first shots cover all labels, as fast as
    possible and the most frequent ones first. After that closed answers keep their proportions
    (Sainte-Laguë apportionment); other answers follow in seeded order.

    Args:
        task: its name, for the message.

    Raises:
        ClinpromptError: CP-TASK-021 if k is negative or above the number of examples.
    """
    if not 0 <= k <= len(examples):
        raise ClinpromptError(
            "CP-TASK-021",
            (f"task '{task}': " if task else "")
            + f"{k} shots asked for, but there are {len(examples)} training examples",
            hint=f"use --shots 0 to {len(examples)}",
        )
    shuffled = sorted(examples, key=lambda example: (rank(seed, example.id), example.id))
    first = _covering(shuffled, k)
    if len(first) == k:
        return first
    chosen = {example.id for example in first}
    rest = [example for example in shuffled if example.id not in chosen]
    if all(isinstance(example.answer, LabelAnswer) for example in examples):
        return first + _in_proportion(first, rest, k - len(first))
    return first + rest[: k - len(first)]


def _covering(shuffled: Sequence[Example], k: int) -> list[Example]:
    """At most k examples; each adds the most labels still missing, then the most frequent ones."""
    sets = [labels_of(example) for example in shuffled]
    counts = Counter(label for labels in sets for label in labels)
    missing = set(counts)
    chosen: list[Example] = []
    while missing and len(chosen) < k:
        gains = [labels & missing for labels in sets]
        best = max(
            range(len(sets)),
            key=lambda i: (len(gains[i]), sum(counts[label] for label in gains[i]), -i),
        )
        chosen.append(shuffled[best])
        missing -= gains[best]
    return chosen


def _in_proportion(first: Sequence[Example], rest: Sequence[Example], count: int) -> list[Example]:
    """The next `count` of `rest`, each time of the label that is furthest behind its share.

    Sainte-Laguë: the label with the largest total / (2 · taken + 1) is next.
    """
    taken: dict[str, int] = defaultdict(int)
    waiting: dict[str, list[Example]] = defaultdict(list)
    for example in first:
        taken[next(iter(labels_of(example)))] += 1
    for example in reversed(rest):
        waiting[next(iter(labels_of(example)))].append(example)
    total = {label: taken[label] + len(waiting[label]) for label in {*taken, *waiting}}
    chosen: list[Example] = []
    for _ in range(count):
        label = min(
            (label for label in total if waiting[label]),
            key=lambda label: (-Fraction(total[label], 2 * taken[label] + 1), label),
        )
        chosen.append(waiting[label].pop())
        taken[label] += 1
    return chosen
