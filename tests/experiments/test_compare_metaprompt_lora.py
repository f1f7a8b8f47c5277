"""LoRA behind a frozen metaprompt: exact gradients, the zero-shot prompt as its start."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tests.experiments import compare_world as cw
from tests.training import toy
from tests.training.adapting import SOURCES, random_set

from clinprompt.artifacts.prompt_set import PromptSet
from clinprompt.experiments.compare import run
from clinprompt.experiments.compare.methods import METHODS
from clinprompt.experiments.compare.plan import Unit
from clinprompt.prompts import compose, mean_update
from clinprompt.tasks import catalogue
from clinprompt.tasks.resemblance import resemblances, shares
from clinprompt.training.batch import Item, prefix_of, row_losses, run_step
from clinprompt.training.lora import Joined, adapters
from clinprompt.training.modules import Decomposed
from clinprompt.training.prepare import prepare_tasks

METHOD = METHODS["mpt-lora"]
ENTRY = {"name": "mpt-lora", "rates": [{"weights": 0.02}]}


@pytest.fixture(scope="module")
def fields(tmp_path_factory):
    return cw.write_world(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    paths = toy.write_tasks(tmp_path_factory.mktemp("sources"), SOURCES)
    return [catalogue.find(path) for path in paths]


def job_of(fields, out: Path, number: int = 0, **changes):
    """Its cell at 4 shots on one of the targets."""
    world = cw.planned(fields, out, **{"methods": [ENTRY], "shots": [4]} | changes)
    plan = world.plan
    return world.job(
        Unit(plan.recipe.backbones[0], plan.entries[0], (plan.cards[number],), 4, 0), out / "work"
    )


def expected_prompt(metaprompt: PromptSet, card) -> torch.Tensor:
    """P* with the source tasks' updates, weighted by how much their cards resemble the target's."""
    weights = torch.tensor(shares(resemblances(card, metaprompt.meta.tasks)))
    u, v, _ = mean_update(metaprompt.tensors["u"], metaprompt.tensors["v"], weights)
    return compose(metaprompt.tensors["shared"], u, v)


def test_gradients_equal_those_of_prompt_and_row_as_one_sequence(fields, tmp_path):
    job = job_of(fields, tmp_path)
    backbone = job.prepared.backbone
    (task,) = prepare_tasks(job.prepared, job.cards, job.splits, job.recipe.data, toy.LENGTH)
    frozen = expected_prompt(job.metaprompt, job.cards[0])
    one = torch.ones(1, toy.LENGTH, 1), torch.ones(1, 1, 32)
    with adapters(backbone, 1, 2.0, ["q_proj", "v_proj"], job.seed) as weights:
        soft = Decomposed(frozen, *one, train_shared=False, train_vectors=False)
        module = Joined(soft, weights)
        for name, p in weights.trained.items():
            if "lora_B" in name:
                torch.nn.init.normal_(p, std=0.3)
        before = prefix_of(backbone, module.prompts([0]), [task.fixed])
        items = [Item(row, 0) for row in task.rows["train"]]
        run_step(backbone, before, items, microbatch_tokens=64)
        assert list(module.groups()) == ["weights"]
        trained = module.groups()["weights"]
        ours = [p.grad.clone() for p in trained]
        for p in trained:
            p.grad = None
        losses, tokens = [], 0
        for row in task.rows["train"]:
            ids = torch.tensor([*task.fixed, *row.input, *row.answer])
            embedded = torch.cat([frozen, backbone.embed(ids)])[None]
            logits = backbone.model(inputs_embeds=embedded, use_cache=False).logits[0].float()
            n = len(row.answer)
            tokens += n
            losses.append(
                torch.nn.functional.cross_entropy(logits[-n - 1 : -1], ids[-n:], reduction="sum")
            )
        (torch.stack(losses).sum() / tokens).backward()
        for mine, p in zip(ours, trained, strict=True):
            assert float(p.grad.norm()) > 0
            assert float((mine - p.grad).norm() / p.grad.norm()) < 1e-4


@pytest.mark.parametrize("depth", ["input", "layers"])
def test_it_begins_where_the_metaprompt_is_at_no_shots(fields, sources, tmp_path, depth):
    given = random_set(sources, depth=depth, **_width(depth))
    given.save(tmp_path / "metaprompt")
    source = {"metaprompt": str(tmp_path / "metaprompt")}
    job = job_of(fields, tmp_path, source=source)
    fit = METHOD.fit(job, {"weights": 0.02}, tmp_path / "try")
    prompt = expected_prompt(given, job.cards[0])
    (task,) = prepare_tasks(job.prepared, job.cards, job.splits, job.recipe.data, toy.LENGTH)
    backbone = job.prepared.backbone
    items = [Item(row, 0) for row in task.rows["dev"]]

    def loss() -> float:
        with torch.no_grad():
            before = prefix_of(backbone, prompt[None], [task.fixed])
            return row_losses(backbone, before, items, microbatch_tokens=256)[0]

    first = fit.outcome.history[0]["dev_mean"]
    assert first == pytest.approx(loss(), rel=1e-5)
    with METHOD.answering(job, tmp_path / "try") as answering:
        one = answering[job.cards[0].name]
        assert torch.equal(one.prompt, prompt)
        assert loss() == pytest.approx(fit.outcome.best["mean"], rel=1e-5)
    assert fit.outcome.best["mean"] < first
    assert fit.context_tokens == toy.LENGTH
    assert fit.trainable == 4 * ((32 + 32) + (32 + 16))  # rank 1 on q and v of 4 layers
    assert fit.details["metaprompt"] == given.digest
    assert fit.details["update"]["layers"] == ["q_proj", "v_proj"]


def _width(depth: str) -> dict[str, int]:
    return {} if depth == "input" else {"width": toy.prepared().backbone.keyvalue_width}


def test_what_it_stores_is_the_update_alone(fields, tmp_path):
    job = job_of(fields, tmp_path)
    fit = METHOD.fit(job, {"weights": 0.02}, tmp_path / "try")
    prompts = PromptSet.load(tmp_path / "try" / "weights")
    assert prompts.meta.update.numbers == prompts.meta.trainable_parameters == fit.trainable
    assert fit.stored_bytes == 4 * fit.trainable
    assert torch.equal(prompts.tensors["shared"], job.metaprompt.tensors["shared"])


def test_the_prompt_may_be_trained_with_it(fields, tmp_path):
    rates = [{"weights": 0.02, "shared": 0.05, "vectors": 0.03}]
    entry = ENTRY | {"trainable": "all", "rates": rates}
    cells = cw.compared(fields, tmp_path / "out", methods=[entry], shots=[4])
    assert {cell.status for cell in cells.values()} == {"done"}
    update = 4 * ((32 + 32) + (32 + 16))
    prompt = toy.LENGTH * 32 + toy.LENGTH + 32
    assert {cell.parameters.trainable for cell in cells.values()} == {update + prompt}
    assert {cell.parameters.stored_bytes for cell in cells.values()} == {4 * (update + prompt)}


def test_each_trained_part_needs_a_rate(fields, tmp_path):
    entry = ENTRY | {"trainable": "vectors"}
    with pytest.raises(run.Unfit) as caught:
        cw.planned(fields, tmp_path, methods=[entry])
    (error,) = caught.value.complaints
    assert error.code == "CP-EXP-109" and "vectors, weights" in error.message


def test_a_metaprompt_of_its_own(fields, sources, tmp_path):
    random_set(sources, length=5).save(tmp_path / "own")
    entry = ENTRY | {"metaprompt": str(tmp_path / "own")}
    cells = cw.compared(
        fields, tmp_path / "out", methods=[entry], shots=[0, 4], only=("*/asked/*",)
    )
    (cell,) = cells.values()  # none at 0 shots: that is the metaprompt's own cell
    assert (cell.status, cell.key.shots, cell.parameters.context_tokens) == ("done", 4, 5)


def test_a_metaprompt_behind_the_text_is_refused(fields, sources, tmp_path):
    template = toy.prepared().placed("after").backbone.template
    random_set(sources, placement="after", template=template).save(tmp_path / "late")
    with pytest.raises(run.Unfit) as caught:
        job_of(fields, tmp_path, source={"metaprompt": str(tmp_path / "late")})
    assert [one.code for one in caught.value.complaints] == ["CP-EXP-127"]
    assert "before" in caught.value.complaints[0].hint
