"""The bundled QA, NLI and SUM cards over the real files: counts and traps.

Splits, labels and counts are those that the sets' own papers and README files state.
"""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import openpyxl
import pytest

from clinprompt.corpora.workbook import read_sheet
from clinprompt.examples import Example, LabelAnswer
from clinprompt.tasks import catalogue
from clinprompt.tasks.card import Card
from clinprompt.tasks.loading import TaskData, read
from clinprompt.tasks.validation import complaints

pytestmark = pytest.mark.data

COUNTS = {
    "headqa": (2657 - 68, 1366 - 30, 2742 - 67),
    "pubmedqa": (450, 50, 500),
    "mmlu-medical": (1794, 197, 45),
    "medquad": (14725, 888, 794),
    "covid-qa": (949, 217, 214),
    "k-qa": (141, 30, 30),
    "medical-abstracts-tc": (2126, 265, 266),
    "rqe": (8155, 432, 302),
    "clinifact": (1260, 316, 394),
    "k-qa-nli": (233, 88, 78),
    "scinli": (2000, 2000, 4000),
    "evidence-inference": (1906, 229, 247),
    "meqsum": (700, 150, 150),
    "mediqa-qs": (40, 10, 100),
    "mediqa-mas": (40, 10, 80),
    "mediqa-mas-extractive": (40, 10, 80),
    "primock57": (40, 8, 9),
    "k-qa-keypoints": (141, 30, 30),
    "mts-dialog": (1201, 100, 400),
    "aci-bench": (67, 20, 120),
}
# Sets without an official split (or with an own one of a part): all their examples.
TOTALS = {
    "medquad": 16407,
    "covid-qa": 1380,
    "k-qa": 201,
    "k-qa-nli": 399,
    "k-qa-keypoints": 201,
    "meqsum": 1000,
    "primock57": 57,
    "medical-abstracts-tc": 2888 - 231,
}
LEFT_OUT = {
    "headqa": {"question about an image": 165},
    "medquad": {"empty answer": 5},
    "covid-qa": {"context cut to a window": 1380, "answer's offset repaired": 234},
    "medical-abstracts-tc": {"the same text under another label too": 231},
    "rqe": {"empty question": 1},
    "evidence-inference": {
        "misspelt label repaired": 687,
        "label rejected by the verifier": 331,
        "evidence rejected by the verifier": 72,
        "annotators disagree on the label": 17,
        "article without a usable annotation": 19,
    },
    "primock57": {
        "unintelligible passage": 2173,
        "mark of an unsure transcription removed": 2264,
        "utterance of unintelligible passages only": 381,
    },
}


@lru_cache(maxsize=1)  # tests of one card follow each other
def load(name: str, data_root: Path) -> TaskData:
    return read(catalogue.find(name), data_root)


def everything(data: TaskData) -> list[Example]:
    return [example for examples in data.splits.values() for example in examples]


def labels(examples: list[Example]) -> Counter[str]:
    found: Counter[str] = Counter()
    for example in examples:
        assert isinstance(example.answer, LabelAnswer)
        found[example.answer.label] += 1
    return found


@pytest.mark.parametrize("name", COUNTS)
def test_counts_and_what_is_left_out(name: str, data_root: Path) -> None:
    data = load(name, data_root)
    assert tuple(len(examples) for examples in data.splits.values()) == COUNTS[name]
    assert data.report.counts == LEFT_OUT.get(name, {})
    assert len(everything(data)) == TOTALS.get(name, len(everything(data)))
    assert next(complaints(data.card, data.splits), None) is None


def made_by_a_seed(card: Card) -> set[str]:
    return {part for rule in card.data.split for part in rule.fractions}


@pytest.mark.parametrize("name", COUNTS)
def test_documents_don_t_straddle_seeded_splits(name: str, data_root: Path) -> None:
    data = load(name, data_root)
    seeded = made_by_a_seed(data.card)
    places: dict[str, set[str]] = {}
    for split, examples in data.splits.items():
        for example in examples:
            places.setdefault(example.document, set()).add(split)
    assert not [document for document, splits in places.items() if len(splits & seeded) > 1]


@pytest.mark.parametrize(
    ("name", "split", "expected"),
    [
        ("pubmedqa", "test", {"yes": 276, "no": 169, "maybe": 55}),
        ("rqe", "test", {"true": 129, "false": 173}),
        ("clinifact", "train", {"2": 632, "1": 366, "0": 262}),
        ("clinifact", "test", {"2": 227, "1": 113, "0": 54}),
        (
            "scinli",
            "test",
            dict.fromkeys(("contrasting", "reasoning", "entailment", "neutral"), 1000),
        ),
        (
            "scinli",
            "train",
            dict.fromkeys(("contrasting", "reasoning", "entailment", "neutral"), 500),
        ),
        ("k-qa-nli", None, {"Neutral": 234, "Entailment": 153, "Contradiction": 12}),
        ("pubmedqa", None, {"yes": 552, "no": 338, "maybe": 110}),
    ],
)
def test_label_counts(
    name: str, split: str | None, expected: dict[str, int], data_root: Path
) -> None:
    data = load(name, data_root)
    assert labels(everything(data) if split is None else data.splits[split]) == expected


def test_headqa_has_five_choices_in_train_and_four_after(data_root: Path) -> None:
    data = load("headqa", data_root)
    counts = {
        split: {len(example.input.choices) for example in examples}
        for split, examples in data.splits.items()
    }
    assert counts == {"train": {5}, "dev": {4}, "test": {4}}


def test_pubmedqa_contexts_hold_no_conclusion(data_root: Path) -> None:
    from clinprompt.corpora.jsonfile import load_json

    items = load_json(data_root / "QA/pubmedqa/ori_pqal.json.xz", dict)
    for example in everything(load("pubmedqa", data_root)):
        assert items[example.id]["LONG_ANSWER"] not in example.input.context


def test_covid_answers_lie_in_their_windows(data_root: Path) -> None:
    examples = everything(load("covid-qa", data_root))
    assert len({example.document for example in examples}) == 98
    for example in examples:
        ((start, end),) = example.answer.spans
        assert example.input.context[start:end] == example.input.context[start:end].strip() != ""
        assert len(example.input.context.split()) == 150


def test_openpyxl_alone_loses_the_strict_workbook(data_root: Path) -> None:
    path = data_root / "SUM/mediqa-mas/MEDIQA2021_Task2_ValidationSet_Answers.xlsx"
    with pytest.warns(UserWarning, match="invalid specification"):
        assert openpyxl.load_workbook(path).sheetnames == []
    rows = list(read_sheet(path))
    assert rows[0] == (1, ["QuestionID", "AnswerID", "Answer"])
    assert len(rows) - 1 == 192
    test = data_root / "SUM/mediqa-mas/MEDIQA2021_Task2_MAS_TestSet_Answers.xlsx"
    assert len(list(read_sheet(test))) - 1 == 303


def test_mts_dialog_tests_are_both_official_ones(data_root: Path) -> None:
    data = load("mts-dialog", data_root)
    files = Counter(example.id.split(":")[0] for example in data.splits["test"])
    assert files == {
        "MTS-Dialog-TestSet-1-MEDIQA-Chat-2023": 200,
        "MTS-Dialog-TestSet-2-MEDIQA-Sum-2023": 200,
    }
    assert all("\r" not in example.input.text for example in data.splits["train"])


def test_primock57_dialogues_hold_both_speakers_and_no_tags(data_root: Path) -> None:
    for example in everything(load("primock57", data_root)):
        turns = example.input.text.split("\n")
        speakers = [turn.split(": ", 1)[0] for turn in turns]
        assert set(speakers) == {"Doctor", "Patient"}
        assert all(one != two for one, two in pairwise(speakers))
        assert "UNIN" not in example.input.text and "UNSURE" not in example.input.text


def test_k_qa_sets_name_their_questions_alike(data_root: Path) -> None:
    documents = {
        name: {example.document for example in everything(load(name, data_root))}
        for name in ("k-qa", "k-qa-keypoints", "k-qa-nli")
    }
    assert documents["k-qa"] == documents["k-qa-keypoints"]
    assert len(documents["k-qa-nli"]) == 50
    assert len(documents["k-qa-nli"] & documents["k-qa"]) == 49


def test_mediqa_sets_name_their_questions_alike(data_root: Path) -> None:
    documents = {
        (name, split): {example.document for example in examples}
        for name in ("mediqa-qs", "mediqa-mas")
        for split, examples in load(name, data_root).splits.items()
    }
    assert documents["mediqa-qs", "train"] == documents["mediqa-mas", "train"]
    assert not documents["mediqa-qs", "test"] & documents["mediqa-mas", "test"]


@pytest.mark.parametrize("name", COUNTS)
def test_cards_say_what_they_must(name: str) -> None:
    card = catalogue.find(name)
    assert card.license and card.citation and card.homepage and card.notes and card.description
    assert all("seed" in note for note in card.notes if "No official split" in note)
    if name == "mmlu-medical":
        assert any("must NOT be reported on MMLU" in note for note in card.notes)
