"""Tokens and FLOPs: against a count of the operations that torch really does, and by hand."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from tests.training import toy
from torch.utils.flop_counter import FlopCounterMode

from clinprompt.experiments.plan.rows import Rows
from clinprompt.experiments.plan.shapes import Shape, shape_of_config
from clinprompt.experiments.plan.stages import Training, adapt_training, source_trainings
from clinprompt.experiments.plan.work import Pass, Step, forward, shaped, spread, training
from clinprompt.tasks import catalogue
from clinprompt.training.batch import Item, prefix_of, run_step
from clinprompt.training.modules import PromptTable
from clinprompt.training.settings import BackboneSettings, EngineSettings


@pytest.fixture(scope="module")
def shape() -> Shape:
    return shape_of_config("tiny", toy.prepared().backbone.model.config)


def rows_of(shape: Shape) -> Rows:
    return Rows(shape, BackboneSettings(), None, toy.prepared().codec)


def stages(shape: Shape, cards: list[Path], **changes: object) -> list[Training]:
    recipe = toy.recipe(cards, **changes)
    return source_trainings(recipe, shape, rows_of(shape), recipe.engine.tokens)


def test_steps_have_the_tokens_that_training_counts(shape: Shape, cards: list[Path]) -> None:
    teachers, _ = stages(shape, cards)
    ready = toy.prepared()
    for number, step in teachers.shapes.items():
        draws = teachers.sampler[number]
        items = [
            Item(teachers.tasks[d.task].rows["train"][i], slot)
            for slot, d in enumerate(draws)
            for i in d.examples
        ]
        fixed = [teachers.tasks[d.task].fixed for d in draws]
        soft = torch.randn(len(draws), toy.LENGTH, 32, requires_grad=True)
        before = prefix_of(ready.backbone, soft, fixed)
        cost = run_step(ready.backbone, before, items, microbatch_tokens=teachers.microbatch)
        assert step.text == cost.text
        assert step.prompt == cost.prompt
        assert step.padding == cost.padding
        assert step.tasks == len(draws)


def test_flops_are_those_of_the_operations(shape: Shape, cards: list[Path]) -> None:
    """The lean decoder skips padding and, in the last layer, what nobody reads: a little less."""
    teachers, _ = stages(shape, cards, engine={"microbatch_tokens": 4096})
    ready = toy.prepared()
    some = teachers.tasks[:2]
    items = [Item(row, slot) for slot, task in enumerate(some) for row in task.rows["train"]]
    module = PromptTable(torch.randn(2, toy.LENGTH, 32))
    fixed = [task.fixed for task in some]

    def step() -> None:
        before = prefix_of(ready.backbone, module.prompts([0, 1]), fixed)
        run_step(ready.backbone, before, items, microbatch_tokens=4096)

    with FlopCounterMode(display=False) as counter:
        step()
    found = training(shape, shaped(items, some, toy.LENGTH, 4096))
    assert 0.75 < counter.get_total_flops() / found < 1.05


def test_what_is_trained_says_how_many_passes(shape: Shape) -> None:
    step = Step(0, 0, 0, (Pass(2, 5, 3, 10),))
    one = forward(shape, step)
    assert training(shape, step, "prompt") > 1.99 * one
    assert training(shape, step, "full") > 2.9 * one
    adapted = training(shape, step, "lora", 1000) - training(shape, step, "prompt")
    assert adapted == pytest.approx(6 * 1000 * 10)
    by_hand = 2 * shape.body * 10 + 4 * 4 * 32 * 2 * 5 * 5 + 2 * 32 * 260 * 3
    assert one == pytest.approx(by_hand)


def test_a_large_backbone_takes_four_flops_a_weight_and_token() -> None:
    from clinprompt.experiments.plan.shapes import shape_of

    shape = shape_of("meta-llama/Llama-3.1-8B")
    step = Step(1, 120, 120, (Pass(32, 200, 32 * 8, 6400),))
    tokens = 120 + 6400
    assert training(shape, step) == pytest.approx(4 * shape.body * tokens, rel=0.05)
    assert training(shape, step, "full") == pytest.approx(6 * shape.body * tokens, rel=0.05)


def test_distillation_asks_teachers_in_every_step_or_once(shape: Shape, cards: list[Path]) -> None:
    asked = stages(shape, cards, distil={"teacher_answers": "same_pass"})[-1]
    cached = stages(shape, cards, distil={"teacher_answers": "cached"})[-1]
    assert asked.same_pass and not asked.cached and asked.teacher_prefix > toy.LENGTH
    assert not cached.same_pass and cached.cached > 0 and cached.once > asked.once
    rows = [row for task in cached.tasks for row in task.rows["train"]]
    assert cached.cached <= sum(len(row.answer) for row in rows) + len(cached.tasks)
    alone = stages(shape, cards, distil={"distillation": False, "start": "vocabulary"})
    assert [stage.name for stage in alone] == ["distil"]


def test_what_stages_train_and_keep(shape: Shape, cards: list[Path]) -> None:
    teachers, distil = stages(shape, cards)
    count, p, h = len(cards), toy.LENGTH, 32
    assert teachers.trainable == count * p * h
    assert distil.trainable == p * h + count * (p + h)
    assert distil.stored == 4 * distil.trainable
    shared = stages(shape, cards, distil={"decomposition": False})[-1]
    assert shared.trainable == p * h
    assert teachers.evaluations == 1 + math.ceil(6 / 2)


@pytest.mark.parametrize(
    ("fresh", "trainable"), [(False, "all"), (False, "vectors"), (True, "all")]
)
def test_adaptation_counts_what_adaptation_trains(
    shape: Shape, cards: list[Path], fresh: bool, trainable: str, tmp_path: Path
) -> None:
    from tests.training.adapting import fit, random_set

    from clinprompt.artifacts.prompt_set import PromptSet

    changes = {} if trainable == "all" else {"adapt": {"trainable": trainable, "steps": 1}}
    recipe = toy.adapt_recipe(**changes)
    card = catalogue.find(cards[2])
    stage = adapt_training(
        recipe, [card], shape, rows_of(shape), 256, fresh=fresh, shots=4
    )  # fmt: skip
    parent = None if fresh else random_set([catalogue.find(path) for path in cards])
    fit(tmp_path / "out", parent, cards[2], shots=4, **changes)
    made = PromptSet.load(tmp_path / "out")
    assert stage.trainable == made.meta.trainable_parameters
    assert len(stage.tasks[0].rows["train"]) == made.meta.training_data[card.name]["train"]  # type: ignore[index,call-overload]


def test_long_stages_are_looked_at_in_parts() -> None:
    assert spread(5) == [0, 1, 2, 3, 4]
    some = spread(10_000)
    assert len(some) == 48 and some[0] == 0 and some[-1] > 9_700


def test_automatic_micro_batches_are_numbers() -> None:
    assert EngineSettings().tokens >= 16
