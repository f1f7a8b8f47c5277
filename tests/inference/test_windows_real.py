"""A long note made of real ones, read by SmolLM2 window by window."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
import torch

from clinprompt.backbone.fetch import cached
from clinprompt.examples import EntityAnswer, PremiseInput, TextAnswer, TextInput
from clinprompt.inference.requests import PredictorSettings, Request
from clinprompt.inference.windows.merging import LongRow
from clinprompt.inference.windows.predictor import LIST_WINDOW, WindowPredictor
from clinprompt.tasks import catalogue
from clinprompt.tasks.loading import load
from clinprompt.training.prepare import Prepared
from clinprompt.training.settings import BackboneSettings

pytestmark = [
    pytest.mark.real,
    pytest.mark.data,
    pytest.mark.skipif(cached("smollm2") is None, reason="run: clinprompt backbone fetch smollm2"),
]
NOTES, WORDS = 40, 10_000


@pytest.fixture(scope="module")
def notes(data_root: Path) -> list[str]:
    examples = load(catalogue.find("aci-bench"), data_root, splits=("test",)).splits["test"]
    answers = [example.answer for example in examples[:NOTES]]
    return [answer.text for answer in answers if isinstance(answer, TextAnswer)]


@pytest.fixture(scope="module")
def predictor() -> WindowPredictor:
    torch.set_num_threads(1)
    prepared = Prepared.of(BackboneSettings(name="smollm2"))
    found = WindowPredictor(prepared, PredictorSettings("window", max_new=4))
    for name in ("bc5cdr-disease", "clinifact"):
        found.add(catalogue.find(name), None)
    return found


def test_twenty_pages_are_cut_into_windows_of_whole_sentences(
    predictor: WindowPredictor, notes: list[str]
) -> None:
    note = "\n\n".join(notes)
    assert len(note.split()) > WORDS
    row = predictor.prepare(Request("bc5cdr-disease", TextInput(note), "long"))
    assert isinstance(row, LongRow)
    sizes = [len(part.seen.ids) for part in row.parts]
    assert max(sizes) <= LIST_WINDOW
    assert sum(sizes) / len(sizes) > LIST_WINDOW / 2
    assert len("".join(note.split())) <= sum(
        len("".join(note[a:b].split())) for a, b in row.windows
    )
    for (start, end), (following, _) in pairwise(row.windows):
        assert start < following
        assert not note[end:following].strip()
        assert note[end - 1] in ".:!?)" or note[end] == "\n"


def test_a_long_note_is_answered(predictor: WindowPredictor, notes: list[str]) -> None:
    note = "\n\n".join(notes[:4])
    assert len(note.split()) > 1000
    asked = [
        Request("bc5cdr-disease", TextInput(note), "mentions"),
        Request("clinifact", PremiseInput(notes[0], "The patient has hypertension."), "claim"),
    ]
    mentions, claim = predictor.answer(asked)
    assert isinstance(mentions.answer, EntityAnswer)
    assert mentions.windows > 3 and mentions.merged == "union"
    assert all(note[a:b].strip() for e in mentions.answer.entities for a, b in e.spans)
    assert claim.windows == 1 and claim.merged is None
    assert sum((claim.probabilities or {}).values()) == pytest.approx(1)
