"""Once on real weights: the engine against the plain concatenation, and steps that help."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tests.backbone import tiny
from tests.training import toy
from torch.nn import functional as F

from clinprompt.artifacts.fingerprint import fingerprint
from clinprompt.backbone import model
from clinprompt.backbone.codec import Codec
from clinprompt.backbone.fetch import cached
from clinprompt.examples import Entity, EntityAnswer, Example, TextInput
from clinprompt.tasks.card import Card, DataSpec
from clinprompt.training import loop
from clinprompt.training.batch import Item, prefix_of, run_step
from clinprompt.training.data import TokenTask, tokenise
from clinprompt.training.loop import Stage
from clinprompt.training.modules import PromptTable
from clinprompt.training.prepare import Prepared, initial_prompts
from clinprompt.training.sampler import Sampler
from clinprompt.training.settings import EngineSettings, Optimiser, PromptSettings

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(
        cached("smollm2") is None, reason="run 'clinprompt backbone fetch smollm2' first"
    ),
]
NOTES = {
    "Pt. with T2DM and CKD 3 was started on metformin 500 mg; denies chest pain.": (
        "T2DM",
        "CKD 3",
    ),
    "No evidence of pneumonia. Chronic heart failure is stable on furosemide.": (
        "pneumonia",
        "heart failure",
    ),
}


@pytest.fixture(scope="module")
def ready() -> Prepared:
    torch.set_flush_denormal(True)  # as commands do; twice as fast
    backbone = model.load("smollm2", dtype="float32", device="cpu")
    return Prepared(backbone, Codec(backbone.tokenizer, backbone.template), fingerprint(backbone))


@pytest.fixture(scope="module")
def task(ready: Prepared) -> TokenTask:
    card = Card(
        name="problems",
        type="ner",
        form="mentions",
        title="Problems",
        instruction="List the problems of the note.",
        labels={"Problem": "problem"},
        metric="entity_f1",
        data=DataSpec(reader="none", files={"train": ["x"]}),
        license="none",
        citation="none",
    )
    examples = []
    for text, words in NOTES.items():
        spans = [(text.index(word), text.index(word) + len(word)) for word in words]
        answer = EntityAnswer(tuple(Entity((span,), "Problem") for span in spans))
        examples.append(Example(text[:8], text[:8], TextInput(text), answer))
    return tokenise(
        ready.codec,
        card,
        {"train": examples, "dev": examples[:1]},
        max_tokens=128,
        long_inputs="refuse",
        context=ready.backbone.context_length,
        prompt_length=4,
    )


def test_loss_and_gradient_are_those_of_the_concatenation(ready: Prepared, task: TokenTask) -> None:
    torch.set_flush_denormal(True)
    start = initial_prompts(ready, [task], PromptSettings(length=4), 0)
    ours, theirs = start.clone().requires_grad_(), start.clone().requires_grad_()
    rows = task.rows["train"]
    before = prefix_of(ready.backbone, ours, [task.fixed])
    cost = run_step(ready.backbone, before, [Item(row, 0) for row in rows], microbatch_tokens=256)
    losses = []
    for row in rows:
        logits = tiny.naive_logits(ready.backbone, theirs[0], task.fixed + row.input + row.answer)
        at = logits[-len(row.answer) - 1 : -1]
        losses.append(F.cross_entropy(at, torch.tensor(row.answer), reduction="none"))
    expected = torch.cat(losses).mean()
    expected.backward()
    assert cost.loss == pytest.approx(float(expected.detach()), rel=1e-5)
    assert float(theirs.grad.norm()) > 0
    assert float((ours.grad - theirs.grad).norm() / theirs.grad.norm()) < 2e-5
    assert all(p.grad is None for p in ready.backbone.model.parameters())


def test_three_steps_help(ready: Prepared, task: TokenTask, tmp_path: Path) -> None:
    torch.set_flush_denormal(True)
    progress = toy.Lines()
    stage = Stage(
        name="adapt",
        module=PromptTable(initial_prompts(ready, [task], PromptSettings(length=4), 0)),
        tasks=[task],
        rates={"shared": 0.15 * ready.backbone.embedding_scale},
        sampler=Sampler([2], steps=3, rows=2, seed=0),
        settings=Optimiser(steps=3, rows=2, evaluate_every=3),
        engine=EngineSettings(),
        best_by_task=True,
    )
    outcome = loop.run(ready.backbone, stage, tmp_path, "real", progress)
    assert progress.losses == sorted(progress.losses, reverse=True)
    assert progress.losses[-1] < 0.9 * progress.losses[0]
    assert outcome.best_step == {"problems": 3}
