"""Notes that go through predict and come back score as `evaluate` scores the same examples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests.inference import world

from clinprompt.artifacts.fingerprint import fingerprint
from clinprompt.backbone import model
from clinprompt.backbone.codec import Codec
from clinprompt.backbone.fetch import cached
from clinprompt.documents import formats
from clinprompt.documents.formats import WriteOptions
from clinprompt.documents.model import Document, Mention
from clinprompt.examples import Entity, EntityAnswer, Example, TextInput
from clinprompt.inference.evaluate import Evaluation, evaluate
from clinprompt.inference.notes.collection import Collection
from clinprompt.inference.notes.journal import NotesJournal
from clinprompt.inference.notes.outputs import write_format
from clinprompt.inference.notes.plan import make_plan
from clinprompt.inference.notes.run import answer_notes, results
from clinprompt.inference.predictor import Predictor
from clinprompt.inference.requests import PredictorSettings, Request
from clinprompt.metrics.documents import Settings, score_documents
from clinprompt.report import Report
from clinprompt.tasks import catalogue
from clinprompt.tasks.card import Card
from clinprompt.tasks.loading import load
from clinprompt.training.prepare import Prepared

SETTINGS = PredictorSettings(grounded=True, max_new=48)


def gold(example: Example, name: str) -> Document:
    assert isinstance(example.input, TextInput)
    assert isinstance(example.answer, EntityAnswer)
    mentions = (
        Mention(f"T{number}", entity.label, entity.spans)
        for number, entity in enumerate(example.answer.entities, 1)
    )
    return Document(name, example.input.text, tuple(mentions))


def through_notes(
    predictor: Predictor, card: Card, examples: Sequence[Example], folder: Path, form: str
) -> tuple[list[Document], list[Document]]:
    """Gold documents, and what predict writes for their texts, read back from the format."""
    expected = [gold(example, f"{i:03}") for i, example in enumerate(examples)]
    texts = [replace(one, annotations=()) for one in expected]
    formats.write("text", folder / "notes", texts, Report())
    plan, collection = make_plan({card.name: card}), Collection(folder / "notes", "text")
    journal = NotesJournal(folder / "journal.jsonl", plan.identity(), "now")
    outcome = answer_notes(predictor, plan, collection, journal, chunk=5)
    assert outcome.summary.answered == len(examples)
    found = write_format(
        form, folder, lambda: results(plan, collection, journal), WriteOptions(artefact="ab" * 32)
    )
    assert found["written"] == len(examples)
    journal.close()
    return expected, list(formats.read(form, folder / form, Report()))


def entities(document: Document) -> list[Entity]:
    return sorted(Entity(mention.spans, mention.label) for mention in document.mentions)


def require_equal(
    evaluation: Evaluation, expected: Sequence[Document], predicted: Sequence[Document]
) -> float:
    """The same mentions everywhere, and so the same score; which is given back."""
    by_id = {document.id: document for document in predicted}
    for one, item in zip(expected, evaluation.items, strict=True):
        assert by_id[one.id].text == one.text
        assert isinstance(item.predicted, EntityAnswer)
        assert entities(by_id[one.id]) == sorted(item.predicted.entities)
    scores = score_documents(expected, predicted, Settings(resamples=10))
    micro = evaluation.scores.metrics["entity_f1"].value
    assert scores.sections["entities.exact"].micro.f1.value == pytest.approx(micro)
    return micro


@pytest.mark.parametrize("form", ["brat", "jsonl", "bioc-xml", "bioc-json"])
def test_a_random_backbone_on_the_synthetic_corpus(form: str, tmp_path: Path) -> None:
    ready, card = world.prepared(), catalogue.find("syn-medications")
    predictor = Predictor.of(world.prompt_set(ready, card), SETTINGS, prepared=ready)
    drawn = load(card, None, splits=("test",)).splits["test"]
    short = [one for one in drawn if len(one.input.text.encode()) < 150][:8]  # type: ignore[union-attr]
    assert len(short) == 8
    # A random backbone is hardly ever right, so half of its answers are made the right ones.
    own = predictor.answer([Request(card.name, one.input, one.id) for one in short])
    examples = [
        replace(one, answer=prediction.answer) if number % 2 else one
        for number, (one, prediction) in enumerate(zip(short, own, strict=True))
    ]
    evaluation = evaluate(predictor, card, examples, resamples=10)
    f1 = require_equal(evaluation, *through_notes(predictor, card, examples, tmp_path, form))
    assert 0 < f1 < 100


@pytest.mark.data
@pytest.mark.real
@pytest.mark.skipif(cached("smollm2") is None, reason="run 'clinprompt backbone fetch smollm2'")
def test_real_notes_and_a_real_backbone(data_root: Path, tmp_path: Path) -> None:
    torch.set_flush_denormal(True)
    backbone = model.load("smollm2", dtype="float32", device="cpu")
    ready = Prepared(backbone, Codec(backbone.tokenizer, backbone.template), fingerprint(backbone))
    card = catalogue.find("ncbi-disease")
    predictor = Predictor(ready, SETTINGS)
    predictor.add(card, None)
    examples = load(card, data_root, splits=("test",)).splits["test"][:3]
    evaluation = evaluate(predictor, card, examples, resamples=10)
    require_equal(evaluation, *through_notes(predictor, card, examples, tmp_path, "brat"))
    assert sum(len(item.predicted.entities) for item in evaluation.items) > 0  # type: ignore[union-attr]
