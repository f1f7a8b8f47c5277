"""Training of weights through the shared prefix: exact gradients, and nothing left behind."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tests.backbone import tiny
from tests.experiments import compare_world as cw

from clinprompt.backbone.after import Notes
from clinprompt.backbone.lean.decoder import changed
from clinprompt.experiments.compare.methods import METHODS
from clinprompt.experiments.compare.methods.fine_tuning import Masters
from clinprompt.experiments.compare.plan import Unit
from clinprompt.training.batch import Item, prefix_of, row_losses, run_step
from clinprompt.training.prepare import prepare_tasks


@pytest.fixture(scope="module")
def fields(tmp_path_factory):
    return cw.write_world(tmp_path_factory.mktemp("world"))


def job_of(fields, out: Path, method: str, *, number: int = 0, **changes):
    """What a method is given for its cell at 4 shots on the first target."""
    world = cw.planned(fields, out, **changes)
    plan = world.plan
    entry = next(one for one in plan.entries if one.method.name == method)
    unit = Unit(plan.recipe.backbones[0], entry, (plan.cards[number],), 4, 0)
    return world.job(unit, out / "work")


def logits_of(backbone) -> torch.Tensor:
    """The bare backbone's own, by the library's forward."""
    with torch.no_grad():
        ids = torch.arange(40)[None] * 5 % tiny.VOCABULARY
        return backbone.model(input_ids=ids).logits.clone()


def naive_gradients(backbone, tasks, parameters):
    """Mean over tasks of the loss per answer token, each row alone and as a whole."""
    total = torch.zeros(())
    for task in tasks:
        losses = []
        for row in task.rows["train"]:
            ids = torch.tensor([*task.fixed, *row.input, *row.answer])
            logits = backbone.model(input_ids=ids[None], use_cache=False).logits[0].float()
            n = len(row.answer)
            losses.append(
                torch.nn.functional.cross_entropy(logits[-n - 1 : -1], ids[-n:], reduction="sum")
            )
        tokens = sum(len(row.answer) for row in task.rows["train"])
        total = total + torch.stack(losses).sum() / tokens / len(tasks)
    total.backward()
    found = [p.grad.clone() for p in parameters]
    for p in parameters:
        p.grad = None
    return found


@pytest.mark.parametrize("method", ["lora", "fine-tuning"])
def test_gradients_equal_those_of_a_forward_without_shared_prefix(fields, tmp_path, method):
    job = job_of(fields, tmp_path, method)
    other = job_of(fields, tmp_path, method, number=1)
    backbone = job.prepared.backbone
    tasks = prepare_tasks(
        job.prepared, job.cards + other.cards, job.splits + other.splits, job.recipe.data, 0
    )
    with METHODS[method].at_work(backbone, job.settings, job.seed) as module:
        if method == "lora":  # at B = 0 the gradient of A is 0 and tells nothing
            for name, p in module.trained.items():
                if "lora_B" in name:
                    torch.nn.init.normal_(p, std=0.3)
        before = prefix_of(backbone, module.prompts([0, 1]), [task.fixed for task in tasks])
        items = [Item(row, k) for k, task in enumerate(tasks) for row in task.rows["train"]]
        run_step(backbone, before, items, microbatch_tokens=64)
        ours = [p.grad.clone() for p in module.groups()["weights"]]
        if isinstance(module, Masters):
            used = [weight for weight, _ in module._pairs]
            by_master = {id(master): weight for weight, master in module._pairs}
            used = [by_master[id(p)] for p in module.groups()["weights"]]
            module.remove()
            for weight in used:
                weight.requires_grad_(True)
        else:
            used = module.groups()["weights"]
            for p in used:
                p.grad = None
        theirs = naive_gradients(backbone, tasks, used)
    assert len(ours) >= 8
    for mine, naive in zip(ours, theirs, strict=True):
        assert float(naive.norm()) > 0
        assert float((mine - naive).norm() / naive.norm()) < 1e-4


@pytest.mark.parametrize("method", ["lora", "mpt-lora", "fine-tuning"])
def test_the_backbone_is_the_same_to_the_last_bit_afterwards(fields, tmp_path, method):
    job = job_of(fields, tmp_path, method)
    backbone = job.prepared.backbone
    before, names = logits_of(backbone), list(dict(backbone.model.named_parameters()))
    weights = {n: p.detach().clone() for n, p in backbone.model.named_parameters()}
    rates = {"weights": 0.05}
    METHODS[method].fit(job, rates, tmp_path / "try")
    assert torch.equal(logits_of(backbone), before)
    with METHODS[method].answering(job, tmp_path / "try"):
        assert not torch.equal(logits_of(backbone), before)
        assert not any(p.requires_grad for p in backbone.model.parameters())
    assert torch.equal(logits_of(backbone), before)
    assert list(dict(backbone.model.named_parameters())) == names
    assert not any(p.requires_grad or p.grad is not None for p in backbone.model.parameters())
    assert all(torch.equal(p, weights[n]) for n, p in backbone.model.named_parameters())
    # The lean decoder knows again that all layers are as they were.
    assert backbone.lean is not None
    assert changed(backbone.lean.decoder) is None


@pytest.mark.parametrize("method", ["lora", "fine-tuning"])
def test_the_backbone_is_restored_after_a_failure(fields, tmp_path, method):
    job = job_of(fields, tmp_path, method)
    before = logits_of(job.prepared.backbone)
    fitted, failure = METHODS[method], RuntimeError("in between")
    fitted.fit(job, {"weights": 0.05}, tmp_path / "try")
    working = fitted.at_work(job.prepared.backbone, job.settings, job.seed)
    for context in (working, fitted.answering(job, tmp_path / "try")):
        with pytest.raises(RuntimeError, match="in between"), context:
            raise failure
        assert torch.equal(logits_of(job.prepared.backbone), before)


@pytest.mark.parametrize("method", ["lora", "mpt-lora", "fine-tuning"])
def test_what_is_saved_gives_the_dev_loss_that_was_reached(fields, tmp_path, method):
    """The best state is what is saved, and what is loaded is what was saved."""
    from clinprompt.training.batch import row_losses

    job = job_of(fields, tmp_path, method)
    backbone = job.prepared.backbone
    fit = METHODS[method].fit(job, {"weights": 0.02}, tmp_path / "try")
    tasks = prepare_tasks(job.prepared, job.cards, job.splits, job.recipe.data, 0)
    with METHODS[method].answering(job, tmp_path / "try") as given, torch.no_grad():
        prompt = given[job.cards[0].name].prompt
        assert (prompt is None) == (method != "mpt-lora")
        before = prefix_of(backbone, None if prompt is None else prompt[None], [tasks[0].fixed])
        items = [Item(row, 0) for row in tasks[0].rows["dev"]]
        loss = row_losses(backbone, before, items, microbatch_tokens=256)[0]
    assert loss == pytest.approx(fit.outcome.best["mean"], abs=1e-5)
    assert fit.outcome.best["mean"] < fit.outcome.history[0]["dev_mean"]


def test_lora_is_counted_by_its_shapes(fields, tmp_path):
    job = job_of(fields, tmp_path, "lora")
    fit = METHODS["lora"].fit(job, {"weights": 0.01}, tmp_path / "try")
    # rank 2 on q (32 -> 32) and v (32 -> 16) of 4 layers
    assert fit.trainable == 4 * 2 * ((32 + 32) + (32 + 16))
    saved = (tmp_path / "try" / "weights" / "adapter_model.safetensors").stat().st_size
    assert saved == fit.stored_bytes >= 4 * fit.trainable


def test_fine_tuning_counts_every_weight_once(fields, tmp_path):
    job = job_of(fields, tmp_path, "fine-tuning")
    fit = METHODS["fine-tuning"].fit(job, {"weights": 0.01}, tmp_path / "try")
    assert fit.trainable == job.prepared.backbone.parameters
    assert fit.stored_bytes == 4 * job.prepared.backbone.parameters


def test_masters_hold_more_than_bfloat16_can():
    """Updates too small for bfloat16 add up in the copies and reach the weight."""
    weight = torch.nn.Parameter(torch.ones(4, dtype=torch.bfloat16))
    module = Masters({"layer.weight": weight})
    (master,) = module.groups()["weights"]
    for _ in range(100):
        with torch.no_grad():
            master -= 1e-4  # bfloat16 steps below 1 are 2 ** -8
        module.write()
    assert weight[0].item() == pytest.approx(0.99, abs=2**-8)
    assert master[0].item() == pytest.approx(0.99, abs=1e-5)


def test_masters_add_up_gradients_in_float32():
    weight = torch.nn.Parameter(torch.zeros(1, dtype=torch.bfloat16))
    module = Masters({"w": weight})
    for part in (1.0, 2.0**-10):  # their sum is no bfloat16
        (weight * part).sum().backward()
    (master,) = module.groups()["weights"]
    assert weight.grad is None
    assert float(master.grad) == 1 + 2.0**-10
    module.remove()
    (weight.float() * torch.ones(1, requires_grad=True)).sum().backward()
    assert weight.grad is None
    assert float(master.grad) == 1 + 2.0**-10


def test_all_methods_draw_the_same_examples(fields, tmp_path, monkeypatch):
    """Rows of every step, as the loop gets them, are equal for prompts, LoRA and fine-tuning."""
    from clinprompt.training import loop

    seen: dict[str, list[list[str]]] = {}
    for method in ("pt", "mpt", "mpt-vectors", "mpt-lora", "lora", "fine-tuning"):
        steps = seen.setdefault(method, [])

        def noting(backbone, before, items, *, steps=steps, **rest):
            steps.append([item.row.id for item in items])
            return run_step(backbone, before, items, **rest)

        monkeypatch.setattr(loop, "run_step", noting)
        job = job_of(fields, tmp_path / method, method)
        rates = dict.fromkeys(METHODS[method].groups, 0.01)
        METHODS[method].fit(job, rates, tmp_path / method / "try")
    assert len(seen["pt"]) == 2
    assert all(steps == seen["pt"] for steps in seen.values())


@pytest.mark.parametrize("method", ["lora", "fine-tuning"])
def test_the_instruction_may_stand_behind_the_text(fields, tmp_path, method):
    """Before the first step the loss is the bare backbone's there."""
    rates = {"name": method, "rates": [{"weights": 0.01}], "placement": "after"}
    job = job_of(fields, tmp_path, method, methods=[rates], shots=[4])
    placed = job.prepared.placed("after")
    tasks = prepare_tasks(placed, job.cards, job.splits, job.recipe.data, 0)
    (task,) = tasks
    notes = Notes(placed.backbone, 0)
    before = prefix_of(placed.backbone, None, [task.fixed], notes)
    items = [Item(row, 0) for row in task.rows["dev"]]
    expected = row_losses(placed.backbone, before, items, microbatch_tokens=1024)[0]
    whole = task.whole()
    for own, row in zip(task.rows["train"], whole.rows["train"], strict=True):
        note, rest = own.parts
        assert [*whole.fixed, *row.input] == [*note, *task.fixed, *rest]
        assert row.input and row.answer == own.answer
    fit = METHODS[method].fit(job, {"weights": 0.01}, tmp_path / "out")
    assert fit.details["placement"] == "after"
    assert fit.outcome.history[0]["dev_mean"] == pytest.approx(expected, rel=1e-5)
    with METHODS[method].answering(job, tmp_path / "out") as given:
        assert {one.placement for one in given.values()} == {"after"}
