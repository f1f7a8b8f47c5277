"""Memory by formulas against what tensors really take, in every architecture and method."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from tests.backbone import tiny
from tests.experiments import allocated

from clinprompt.experiments.plan.memory import (
    KEPT,
    Memory,
    microbatch_tokens,
    path_of,
    step_memory,
    trained_bytes,
)
from clinprompt.experiments.plan.shapes import shape_of, shape_of_config
from clinprompt.experiments.plan.work import Step, shaped
from clinprompt.training.batch import Item, prefix_of, run_step
from clinprompt.training.data import TokenRow
from clinprompt.training.modules import PromptTable

# tasks, virtual tokens, rows, tokens, answer tokens
CASES = {"few": (1, 20, 16, 60, 6), "tasks": (4, 100, 16, 60, 6), "long": (1, 20, 16, 120, 30)}


def items_of(case: tuple[int, ...]) -> list[Item]:
    tasks, _, rows, tokens, answer = case
    return [
        Item(TokenRow(str(n), [5] * (tokens + 1 - answer), [7] * answer), n % tasks)
        for n in range(rows)
    ]


def step_of(case: tuple[int, ...], length: int) -> Step:
    tasks: Any = [SimpleNamespace(fixed=[9])] * case[0]
    return shaped(items_of(case), tasks, length, 10**6)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
@pytest.mark.parametrize("architecture", sorted(tiny.CONFIGS))
def test_what_a_step_keeps(architecture: str, case: tuple[int, ...]) -> None:
    tasks, length, *_ = case
    backbone = tiny.backbone(architecture)
    shape = shape_of_config(architecture, backbone.model.config)
    assert (path_of(shape, "cpu") == "lean") == (backbone.lean is not None)
    module = PromptTable(torch.randn(tasks, length, 32) * 0.1)
    items = items_of(case)

    def step() -> None:
        before = prefix_of(backbone, module.prompts(range(tasks)), [[9]] * tasks)
        run_step(backbone, before, items, microbatch_tokens=10**6)
        module.zero_grad()

    step()
    found = step_memory(shape, [step_of(case, length)], trainable=0, dtype="float32", device="cpu")
    assert found.prefix + found.rows == pytest.approx(allocated.peak(step), rel=0.25)


@pytest.mark.parametrize("method", ["lora", "full"])
def test_what_trained_weights_keep(method: Any) -> None:
    case = CASES["long"]
    backbone = tiny.backbone("llama")
    shape = shape_of_config("llama", backbone.model.config)
    model = backbone.model
    if method == "lora":
        peft = pytest.importorskip("peft")
        config = peft.LoraConfig(r=2, target_modules="all-linear", task_type="CAUSAL_LM")
        model = peft.get_peft_model(model, config)
    else:
        model.requires_grad_(True)
    items = items_of(case)

    def step() -> None:
        before = prefix_of(backbone, None, [[9]])
        run_step(backbone, before, items, microbatch_tokens=10**6)

    step()  # gradients are there from now on
    found = step_memory(
        shape, [step_of(case, 0)], trainable=0, dtype="float32", device="cpu", method=method
    )
    assert found.prefix + found.rows == pytest.approx(allocated.peak(step), rel=0.25)


def test_full_fine_tuning_takes_24_bytes_a_weight() -> None:
    shape = shape_of("meta-llama/Llama-3.1-8B")
    weights = shape.parameters * 2
    assert weights + trained_bytes(shape.parameters, "full", 2) == shape.parameters * 24
    assert trained_bytes(413_796, "prompt", 2) == 413_796 * 20


def test_teachers_are_held_or_cached() -> None:
    shape = shape_of("meta-llama/Llama-3.1-8B")
    step = Step(1, 130, 130, ())

    def total(**more: int) -> Memory:
        return step_memory(shape, [step], trainable=0, dtype="bfloat16", device="cuda", **more)

    # Keys and values of one virtual token: 128 KiB.
    held = total(teachers=21, teacher_prefix=130).prefix - total().prefix
    assert held == 21 * 130 * 128 * 1024
    assert total(cached_tokens=1000).teachers == 1000 * 4096 * 2


def test_a_measured_sum_is_divided_up() -> None:
    parts = Memory(weights=100, trained=10, prefix=30, rows=60, teachers=5, runtime=20)
    for measured in (500.0, 225.0, 150.0, 120.0):
        divided = parts.scaled(measured)
        assert divided.total == pytest.approx(measured)
        assert divided.weights == 100 and min(vars(divided).values()) >= 0
    assert parts.scaled(300).rows == 2 * parts.scaled(300).prefix


def test_micro_batches_that_memory_holds() -> None:
    shape = shape_of("meta-llama/Llama-3.1-8B")
    small, large = (microbatch_tokens(shape, gb * 1e9, "bfloat16") for gb in (24, 80))
    assert 256 <= small < large <= 32768 and large % 256 == 0
    assert microbatch_tokens(shape, 10e9, "bfloat16") == 256  # not even the weights fit
    assert set(KEPT) == {"library", "eager", "lean", "compiled", "library-cuda"}
