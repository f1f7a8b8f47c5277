"""What guessing without reading is worth on the synthetic tasks: clearly less than everything."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable
from functools import cache

import pytest
from rouge_score.rouge_scorer import RougeScorer

from clinprompt.corpora.synthetic import example
from clinprompt.corpora.synthetic.lexicon.tables import words
from clinprompt.examples import (
    EntityAnswer,
    Example,
    LabelAnswer,
    RelationAnswer,
    TextAnswer,
    source_text,
)


@cache
def rows(kind: str, split: str = "train", count: int = 400) -> list[Example]:
    return [example(kind, 0, split, index) for index in range(count)]


def label(row: Example) -> str:
    assert isinstance(row.answer, LabelAnswer)
    return row.answer.label


def dictionary_f1(kind: str, train: int = 400) -> tuple[float, float]:
    """F1 of "every mention seen in training, wherever it stands", and the share of new mentions."""
    votes: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows(kind, "train", train):
        assert isinstance(row.answer, EntityAnswer)
        for entity in row.answer.entities:
            votes[entity.surface(source_text(row.input)).lower()][entity.label] += 1
    names = sorted(votes, key=len, reverse=True)
    search = re.compile(r"(?<!\w)(?:" + "|".join(map(re.escape, names)) + r")(?!\w)")
    hits = guessed = gold = new = 0
    for row in rows(kind, "test", 120):
        assert isinstance(row.answer, EntityAnswer)
        text = source_text(row.input).lower()
        found = {
            (((match.start(), match.end()),), votes[match.group()].most_common(1)[0][0])
            for match in search.finditer(text)
        }
        right = {(entity.spans, entity.label) for entity in row.answer.entities}
        hits, guessed, gold = hits + len(found & right), guessed + len(found), gold + len(right)
        new += sum(entity.surface(text) not in votes for entity in row.answer.entities)
    return 2 * hits / (guessed + gold), new / gold


def naive_bayes(kind: str, view: Callable[[Example], str]) -> float:
    """Accuracy of word counts over a part of the input."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    labels: Counter[str] = Counter()
    for row in rows(kind, "train", 600):
        labels[label(row)] += 1
        counts[label(row)].update(set(re.findall(r"\w+", view(row).lower())))
    right = 0
    test = rows(kind, "test", 300)
    for row in test:
        seen = set(re.findall(r"\w+", view(row).lower()))
        scores = {
            name: math.log(number)
            + sum(math.log((counts[name][word] + 0.5) / (number + 1)) for word in seen)
            for name, number in labels.items()
        }
        right += max(scores, key=scores.__getitem__) == label(row)
    return right / len(test)


@pytest.mark.parametrize(
    ("kind", "most", "new"),
    [("problems", 0.70, 0.40), ("medications", 0.90, 0.15), ("findings", 0.90, 0.20)],
)
def test_a_dictionary_of_seen_mentions_is_not_enough(kind: str, most: float, new: float) -> None:
    score, unseen = dictionary_f1(kind)
    assert 0.3 < score < most
    assert unseen > new


@pytest.mark.parametrize(
    "kind", ["history-qa", "choices", "inference", "med-reasons", "smoking-status"]
)
def test_the_commonest_label_is_not_enough(kind: str) -> None:
    labels = Counter(label(row) for row in rows(kind, "test", 120))
    assert max(labels.values()) / 120 < 0.4


@pytest.mark.parametrize(
    ("kind", "most"),
    [("history-qa", 0.65), ("choices", 0.4), ("inference", 0.6), ("med-reasons", 0.5)],
)
def test_words_without_their_order_are_not_enough(kind: str, most: float) -> None:
    def all_text(row: Example) -> str:
        return repr(row.input)

    assert naive_bayes(kind, all_text) < most


def test_seen_pairs_of_drug_and_effect_are_not_enough() -> None:
    def pairs(row: Example) -> set[tuple[str, str]]:
        assert isinstance(row.answer, RelationAnswer)
        text = source_text(row.input)
        return {
            (pair.head.surface(text).lower(), pair.tail.surface(text).lower())
            for pair in row.answer.relations
        }

    known = set[tuple[str, str]]().union(*(pairs(row) for row in rows("drug-effects")))
    hits = guessed = gold = 0
    for row in rows("drug-effects", "test", 120):
        text = source_text(row.input).lower()
        found = {(drug, effect) for drug, effect in known if drug in text and effect in text}
        hits += len(found & pairs(row))
        guessed, gold = guessed + len(found), gold + len(pairs(row))
    assert 2 * hits / (guessed + gold) < 0.5


@pytest.mark.parametrize(("kind", "most"), [("complaint-summary", 0.75), ("dialogue-summary", 0.6)])
def test_the_answer_of_the_nearest_seen_text_is_not_enough(kind: str, most: float) -> None:
    def bag(row: Example) -> set[str]:
        return set(re.findall(r"\w+", source_text(row.input).lower()))

    seen = [(bag(row), row.answer) for row in rows(kind)]
    scorer = RougeScorer(["rougeL"])
    total = 0.0
    for row in rows(kind, "test", 60):
        own = bag(row)
        _, nearest = max(seen, key=lambda pair: len(pair[0] & own) / len(pair[0] | own))
        assert isinstance(nearest, TextAnswer) and isinstance(row.answer, TextAnswer)
        total += scorer.score(row.answer.text, nearest.text)["rougeL"].fmeasure
    assert 0.2 < total / 60 < most


def test_the_hypothesis_alone_says_nothing() -> None:
    assert naive_bayes("inference", lambda row: row.input.hypothesis) < 0.45  # type: ignore[union-attr]


def test_the_question_alone_says_nothing() -> None:
    for kind, chance in (("history-qa", 1 / 3), ("choices", 1 / 4), ("smoking-status", 1 / 4)):
        guessed = naive_bayes(kind, lambda row: row.input.question)  # type: ignore[union-attr]
        assert guessed < chance + 0.1


FRAME_WORDS = frozenset(
    words(
        """added prescribed dropped responds settled appeared view control treat blamed put replaced
        took produced triggered remains ill complicated tried rid whereas relieved price ran blame
        reaction halved account rx plan paused hold disappeared stays latter former why effect
        failed long before"""
    )
)


def test_medicine_and_problem_pairs_differ_in_label_inside_one_wording() -> None:
    """The words around are no give-away: with all names hidden, one text has several labels."""
    by_frame: dict[str, set[str]] = defaultdict(set)
    for row in rows("med-reasons", "train", 1200):
        text = source_text(row.input).lower()
        by_frame[" ".join(sorted(set(re.findall(r"[a-z]+", text)) & FRAME_WORDS))].add(label(row))
    assert sum(len(labels) > 1 for labels in by_frame.values()) > 15
