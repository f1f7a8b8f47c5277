"""The bundled synthetic cards as a whole: exact, stable, balanced, varied, and split cleanly."""

from __future__ import annotations

import hashlib
import json
import re
import statistics
import time
from collections import Counter
from dataclasses import asdict
from functools import cache

import pytest

from clinprompt import verbalize
from clinprompt.corpora.synthetic import KINDS, example
from clinprompt.examples import (
    EntityAnswer,
    Example,
    LabelAnswer,
    PairInput,
    RelationAnswer,
    TextAnswer,
    source_text,
)
from clinprompt.tasks.card import FORMS, Card
from clinprompt.tasks.leakage import find_links
from clinprompt.tasks.loading import TaskData, load
from clinprompt.tasks.suite import Suite, find_suite

SUITE = "synthetic"
NAMES = [f"syn-{kind}" for kind in KINDS]
CLOSED = [
    f"syn-{kind}"
    for kind in ("history-qa", "choices", "inference", "med-reasons", "smoking-status")
]

# SHA-256 of the first 20 training examples: any change to them is a change of the corpus and needs
# a new version of the card.
GOLDEN: dict[str, str] = {
    "syn-problems": "f09f469f556fdfe4",
    "syn-medications": "7f60eaf9420af119",
    "syn-drug-effects": "b5780458947e56d0",
    "syn-history-qa": "b5316501c5e0f45b",
    "syn-choices": "2983101e7a43ca03",
    "syn-inference": "3c1e480847f54138",
    "syn-complaint-summary": "402c76b67f9e90e6",
    "syn-findings": "1fcdd17fb7f0a50a",
    "syn-med-reasons": "9e9b7f71b9d2d02e",
    "syn-smoking-status": "01c37a73373c7d88",
    "syn-dialogue-summary": "c10ff14140e34ef6",
}


@cache
def suite() -> Suite:
    return find_suite(SUITE)


@cache
def data(name: str) -> TaskData:
    return load(next(card for card in suite().cards if card.name == name))


def everything(name: str) -> list[Example]:
    return [row for rows in data(name).splits.values() for row in rows]


def shown(row: Example) -> str:
    """The whole input as the model reads it, without the instruction."""
    card = data(f"syn-{row.id.rsplit('-', 3)[0]}").card
    return verbalize.input_text(card, row.input)


def test_the_suite_has_all_types_and_unseen_forms() -> None:
    sources, targets = suite().sources, suite().targets
    assert [card.name for card in (*sources, *targets)] == NAMES
    assert {card.type for card in sources} == set(FORMS)
    assert len(sources) >= 7
    assert len({card.form for card in targets}) >= 3
    assert "pair" not in {card.form for card in sources}
    findings = next(card for card in targets if card.name == "syn-findings")
    asked = {label for card in sources if card.type == "ner" for label in card.labels}
    assert asked.isdisjoint(findings.labels)


@pytest.mark.parametrize("name", NAMES)
def test_the_splits_have_the_counts_of_the_card(name: str) -> None:
    task = data(name)
    counts = {split: len(rows) for split, rows in task.splits.items()}
    assert counts == task.card.data.options["counts"] == {"train": 400, "dev": 60, "test": 120}
    assert not task.report.counts


@pytest.mark.parametrize("name", NAMES)
def test_examples_are_the_same_as_ever(name: str) -> None:
    rows = [asdict(row) for row in data(name).splits["train"][:20]]
    digest = hashlib.sha256(json.dumps(rows, sort_keys=True).encode()).hexdigest()[:16]
    assert digest == GOLDEN[name]


def covered(card: Card, row: Example) -> list[tuple[str, str]]:
    """(label, words) of every mention."""
    text = source_text(row.input)
    found = []
    if isinstance(row.answer, EntityAnswer):
        found = list(row.answer.entities)
    elif isinstance(row.answer, RelationAnswer):
        found = [end for pair in row.answer.relations for end in (pair.head, pair.tail)]
    elif isinstance(row.input, PairInput):
        found = [row.input.head, row.input.tail]
    for mention in found:
        for start, end in mention.spans:
            piece = text[start:end]
            assert piece == piece.strip() and piece
            # A mention starts and ends where a word does.
            assert not re.match(r"\w\w", text[max(start - 1, 0) : start + 1]) or start == 0
            assert not re.match(r"\w\w", text[end - 1 : end + 1])
    return [(mention.label, mention.surface(text).lower()) for mention in found]


@pytest.mark.parametrize("name", NAMES)
def test_mentions_lie_on_whole_words(name: str) -> None:
    card = data(name).card
    count = sum(len(covered(card, row)) for row in everything(name))
    if card.type in ("ner", "re"):
        assert count > 400


def test_mentions_of_medicines_are_of_the_kind_their_label_says() -> None:
    from clinprompt.corpora.synthetic.lexicon.dosing import RHYTHMS, ROUTES
    from clinprompt.corpora.synthetic.lexicon.drugs import DRUGS

    names = {name.lower() for drug in DRUGS for name in drug.surfaces}
    doses = {dose.lower() for drug in DRUGS for dose in drug.doses}
    routes = {way.lower() for ways in ROUTES.values() for way in ways}
    rhythms = {way.lower() for ways in RHYTHMS.values() for way in ways}
    forms = r" (inhaler|nasal spray|(eye|ophthalmic) drop|cream|ointment|patch)(e?s)?$"
    task = data("syn-medications")
    seen: Counter[str] = Counter()
    for row in everything(task.card.name):
        for label, words in covered(task.card, row):
            bare = re.sub(forms, "", f" {words}").strip()
            kinds = {
                "Drug": bare in names,
                "Dose": words in doses,
                "Route": words in routes or not bare,
                "Frequency": words in rhythms or words.startswith(("every", "q")),
            }
            assert kinds[label], (label, words)
            seen[label] += 1
    assert min(seen.values()) > 200


def test_medicines_have_nested_and_discontinuous_mentions() -> None:
    nested = broken = 0
    for row in everything("syn-medications"):
        assert isinstance(row.answer, EntityAnswer)
        spans = [entity.spans for entity in row.answer.entities]
        broken += any(len(parts) > 1 for parts in spans)
        nested += any(
            a != b and a[0][0] <= b[0][0] and b[-1][1] <= a[-1][1] for a in spans for b in spans
        )
    assert nested > 40
    assert broken > 30


@pytest.mark.parametrize("name", NAMES)
def test_answers_survive_the_way_to_text_and_back(name: str) -> None:
    card = data(name).card
    for row in everything(name):
        assert row.answer is not None
        text = verbalize.answer_text(card, row.input, row.answer)
        parsed = verbalize.parse(card, row.input, text)
        assert parsed.answer == verbalize.canonical(row.answer)
        assert (parsed.unaligned, parsed.unparsable) == (0, 0)


@pytest.mark.parametrize("name", CLOSED)
def test_closed_answers_are_balanced_in_every_split(name: str) -> None:
    card = data(name).card
    assert card.closed
    for rows in data(name).splits.values():
        labels = Counter(row.answer.label for row in rows if isinstance(row.answer, LabelAnswer))
        assert len(labels) == (4 if card.form == "choice" else len(card.labels))
        assert max(labels.values()) - min(labels.values()) <= max(3, len(rows) // 20)


def test_open_answers_are_sometimes_empty() -> None:
    for name, low, high in (("syn-problems", 0.02, 0.1), ("syn-drug-effects", 0.12, 0.35)):
        rows = data(name).splits["train"]
        empty = sum(
            not (
                row.answer.entities
                if isinstance(row.answer, EntityAnswer)
                else row.answer.relations
            )  # type: ignore[union-attr]
            for row in rows
        )
        assert low < empty / len(rows) < high


@pytest.mark.parametrize("name", NAMES)
def test_texts_are_short(name: str) -> None:
    rows = data(name).splits["train"]
    lengths = [len(shown(row).split()) for row in rows]
    assert 15 <= statistics.median(lengths) <= 60
    assert max(lengths) <= 90
    answers = [len(row.answer.text.split()) for row in rows if isinstance(row.answer, TextAnswer)]
    if answers:
        assert 5 <= statistics.median(answers) <= 15
        assert min(answers) >= 4 and max(answers) <= 18


@pytest.mark.parametrize("name", NAMES)
def test_texts_are_clean(name: str) -> None:
    faults = re.compile(r"  | [,;:?!]| \.|,,|\.\.|[,;:]\.|[{}\[\]|]|\s$|^\s|\ban? an? ")
    for row in everything(name):
        for text in (source_text(row.input) or shown(row), getattr(row.answer, "text", "x")):
            assert text.isascii()
            assert not faults.search(text), (row.id, text)


def shingles(text: str) -> list[tuple[str, ...]]:
    words = re.findall(r"\w+", text.lower())
    return [tuple(words[i : i + 8]) for i in range(len(words) - 7)]


@pytest.mark.parametrize("name", NAMES)
def test_texts_are_varied(name: str) -> None:
    rows = data(name).splits["train"]
    runs = [run for row in rows for run in shingles(source_text(row.input) or shown(row))]
    assert len(set(runs)) / len(runs) > (0.8 if name.endswith("summary") else 0.93)
    test = [run for row in data(name).splits["test"] for run in shingles(shown(row))]
    known = set(runs)
    assert sum(run in known for run in test) / len(test) < 0.3


def test_no_text_stands_twice() -> None:
    texts = Counter(
        (source_text(row.input) or shown(row)).lower() for name in NAMES for row in everything(name)
    )
    assert [text for text, count in texts.items() if count > 1] == []


def test_the_leakage_check_finds_nothing() -> None:
    assert find_links([data(name) for name in NAMES], suite().roles) == []


@pytest.mark.parametrize("kind", KINDS)
def test_examples_are_made_quickly(kind: str) -> None:
    begun = time.process_time()
    for index in range(200):
        example(kind, 11, "test", index)
    assert time.process_time() - begun < 0.5  # usually 0.02 to 0.08: thousands a second
