"""Real datasets the whole way: export, predict, convert, score; `evaluate` says the same."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.inference import world
from typer.testing import CliRunner

from clinprompt.artifacts.fingerprint import fingerprint
from clinprompt.artifacts.meta import PromptMeta
from clinprompt.artifacts.prompt_set import PromptSet
from clinprompt.backbone import model
from clinprompt.backbone.fetch import cached
from clinprompt.cli.app import app
from clinprompt.documents import formats
from clinprompt.examples import (
    Answer,
    Entity,
    EntityAnswer,
    Example,
    Relation,
    RelationAnswer,
    TextAnswer,
    TextInput,
)
from clinprompt.inference.evaluate import evaluate
from clinprompt.inference.notes.collection import Collection
from clinprompt.inference.notes.gold import gold_documents
from clinprompt.inference.notes.journal import NotesJournal
from clinprompt.inference.notes.outputs import place_of, write_format
from clinprompt.inference.notes.plan import Existing, make_plan
from clinprompt.inference.notes.run import answer_notes, results
from clinprompt.inference.predictor import Predictor
from clinprompt.inference.requests import Prediction, PredictorSettings, Progress, Row
from clinprompt.report import Report
from clinprompt.tasks import catalogue
from clinprompt.tasks.loading import load

SETTINGS = PredictorSettings(grounded=True, max_new=40, long_inputs="truncate")
# main metric of the task -> where `score` has it
WHERE = {
    "entity_f1": ("sections", "entities.exact", "micro", "f1"),
    "relation_f1": ("sections", "relations.exact", "micro", "f1"),
    "concept_relation_f1": ("sections", "relations.concept", "micro", "f1"),
    "rougeL": ("fields", "mts-dialog", "metrics", "rougeL"),
}


class Helped(Predictor):
    """A predictor of a random backbone, which is never right: half of gold is added to what it
    says, so that there is something to score."""

    gold: dict[str, Answer]  # by text

    def run(self, rows: Sequence[Row], progress: Progress | None = None) -> list[Prediction]:
        found = super().run(rows, progress)
        return [
            replace(one, answer=self._helped(one.answer, row), confidences=())
            for one, row in zip(found, rows, strict=True)
        ]

    def _helped(self, own: Answer | None, row: Row) -> Answer | None:
        seen = row.seen.input.text  # type: ignore[union-attr]
        (gold,) = [one for text, one in self.gold.items() if text.startswith(seen)]
        match gold, own:
            case EntityAnswer(entities=right), EntityAnswer(entities=wrong):
                return EntityAnswer((*_half(right), *wrong))
            case RelationAnswer(relations=right), RelationAnswer(relations=wrong):
                return RelationAnswer((*(map(_bare, _half(right))), *wrong))
            case TextAnswer(text=right), TextAnswer(text=wrong):
                return TextAnswer(f"{right[: len(right) // 2]} {wrong}")
        return None


def _half(items: Sequence[Any]) -> Sequence[Any]:
    return items[: (len(items) + 1) // 2]


def _bare(relation: Relation) -> Relation:
    """As a prediction is: without the concepts of its mentions."""
    head, tail = (Entity(one.spans, one.label) for one in (relation.head, relation.tail))
    return Relation(head, tail, relation.label)


def run(*arguments: Any) -> None:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output


def answered(
    predictor: Predictor,
    task: str,
    notes: Path,
    source: str,
    existing: Existing,
    out: Path,
    to: str,
) -> Path:
    """What predict makes of the notes, in one format."""
    plan = make_plan({task: catalogue.find(task)}, existing=existing)
    collection = Collection(notes, source)
    out.mkdir()
    journal = NotesJournal(out / "journal.jsonl", plan.identity(), "now")
    outcome = answer_notes(predictor, plan, collection, journal, chunk=2)
    assert outcome.answered and not outcome.summary.complaints
    found = write_format(
        to, out, lambda: results(plan, collection, journal), formats.WriteOptions()
    )
    assert found["written"] == outcome.answered and not found["left_out"]
    journal.close()
    return place_of(out, to)


def scored(gold: Path, predicted: Path, task: str, out: Path) -> float:
    """The task's main figure, as `score` has it."""
    card = catalogue.find(task)
    options = ("--fields", f"{task}=text") if card.form == "text" else ()
    written = ("--json", out, "--resamples", 20)
    run("score", gold, predicted, "--format", "jsonl", *written, *options)
    value: Any = json.loads(out.read_text(encoding="utf-8"))
    for step in WHERE[card.metric]:
        value = value[step]
    return float(value["value"])


@pytest.mark.data
@pytest.mark.real
@pytest.mark.parametrize(
    ("task", "longest", "notes", "existing", "over"),
    [
        ("ncbi-disease", 120, "brat", "replace", "brat"),
        ("bc5cdr-disease", 120, "conll", "replace", "bioc-json"),
        ("bc5cdr-cid", 270, "pubtator", "mentions", "bioc-xml"),
        ("phee", 120, "bioc-json", "replace", "brat"),
        ("neurotrialner", 160, "bioc-xml", "replace", "brat"),
        ("mts-dialog", 120, "jsonl", "replace", "bioc-json"),
    ],
)
def test_scores_equal_those_of_evaluate(
    task: str,
    longest: int,
    notes: str,
    existing: Existing,
    over: str,
    data_root: Path,
    tmp_path: Path,
) -> None:
    card = catalogue.find(task)
    drawn = load(card, data_root, splits=("test",)).splits["test"]
    short = [
        one
        for one in drawn
        if 40 < len(one.input.text) < longest and _long_enough(one.answer)  # type: ignore[union-attr]
    ]
    examples = _as_notes_have_them(short[:3], notes, tmp_path)
    assert len(examples) >= 2

    ready = world.prepared()
    predictor = Helped.of(world.prompt_set(ready, card), SETTINGS, prepared=ready)
    predictor.gold = {one.input.text: one.answer for one in examples}  # type: ignore[union-attr,misc]
    evaluation = evaluate(predictor, card, examples, resamples=20)

    # gold as `tasks export` writes it; the notes in the form that the dataset has
    gold, asked = tmp_path / "gold.jsonl", tmp_path / f"notes.{notes}"
    documents = list(gold_documents(card, examples))
    formats.write("jsonl", gold, documents, Report())
    formats.write(notes, asked, documents, Report())
    predicted = answered(predictor, task, asked, notes, existing, tmp_path / "out", "jsonl")
    there, again = tmp_path / f"there-{over}", tmp_path / "again.jsonl"
    run("convert", predicted, there, "--from", "jsonl", "--to", over)
    run("convert", there, again, "--from", over, "--to", "jsonl")
    value = scored(gold, again, task, tmp_path / "scores.json")
    assert value == pytest.approx(evaluation.scores.value, abs=1e-9)
    assert 0 < value < 100


def _long_enough(answer: Answer | None) -> bool:
    match answer:
        case EntityAnswer(entities=items) | RelationAnswer(relations=items):
            return len(items) > 0
        case TextAnswer(text=text):
            return len(text.split()) > 3
    return False


def _as_notes_have_them(examples: Sequence[Example], notes: str, folder: Path) -> Sequence[Example]:
    """The examples themselves; from CoNLL, where white space is lost, with their tokens as text."""
    if notes != "conll":
        return examples
    card = catalogue.find("bc5cdr-disease")
    formats.write(notes, folder / "tokens", list(gold_documents(card, examples)), Report())
    by_id = {one.id: one for one in formats.read(notes, folder / "tokens", Report())}
    found = []
    for example in examples:
        document = by_id[example.id.replace(":", "-")]
        entities = tuple(Entity(one.spans, one.label) for one in document.mentions)
        found.append(
            replace(example, input=TextInput(document.text), answer=EntityAnswer(entities))
        )
    return found


@pytest.mark.data
@pytest.mark.real
@pytest.mark.skipif(cached("smollm2") is None, reason="run 'clinprompt backbone fetch smollm2'")
def test_the_commands_on_a_real_backbone(data_root: Path, tmp_path: Path) -> None:
    """As the guide has them; the prompt is words of the vocabulary."""
    torch.set_flush_denormal(True)
    backbone = model.load("smollm2", dtype="float32", device="cpu")
    meta = PromptMeta(
        kind="prompt-tuning",
        form="plain",
        tasks=(catalogue.find("mts-dialog"),),
        length=2,
        backbone="smollm2",
        fingerprint=fingerprint(backbone),
        template=backbone.template,
        trainable_parameters=2 * backbone.hidden_size,
    )
    words = backbone.tokenizer("Summary:", add_special_tokens=False)["input_ids"][:2]
    vectors = backbone.model.get_input_embeddings().weight[words].detach().float().clone()
    shape = meta.shapes()["prompts"]
    PromptSet(meta, {"prompts": vectors.reshape(shape)}).save(tmp_path / "prompt")
    sample = ("--limit", 2, "--seed", 1, "--data-root", data_root)
    asked = ("--max-new", 24, "--threads", 1)
    gold, out, scores = tmp_path / "gold.jsonl", tmp_path / "out", tmp_path / "evaluate.json"
    run("tasks", "export", "mts-dialog", "--to", "jsonl", "-o", gold, *sample)
    run("predict", tmp_path / "prompt", "-i", gold, "-o", out, "--from", "jsonl", *asked)
    there, again = tmp_path / "notes.xml", tmp_path / "notes.jsonl"
    run("convert", out / "jsonl", there, "--from", "jsonl", "--to", "bioc-xml")
    run("convert", there, again, "--from", "bioc-xml", "--to", "jsonl")
    run("evaluate", tmp_path / "prompt", "--json", scores, "--resamples", 20, *sample, *asked)
    expected = json.loads(scores.read_text(encoding="utf-8"))["scores"]["metrics"]["rougeL"]
    value = scored(gold, again, "mts-dialog", tmp_path / "scores.json")
    assert value == pytest.approx(expected["value"], abs=1e-9)
    assert 0 < value < 100
