from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.backbone import tiny
from tests.training import toy
from torch import Tensor
from torch.nn import functional as F

from clinprompt.backbone import answers
from clinprompt.training.batch import (
    Distillation,
    Item,
    microbatches,
    prefix_of,
    row_losses,
    run_step,
    token_weights,
)
from clinprompt.training.data import TokenRow
from clinprompt.training.objective import hidden_error, kl_divergence

FIXED = [[1, 2, 3], [4, 5, 6, 7, 8], [9]]
# Answers of very different lengths, a task with one row only, rows longer than the window of 7.
ITEMS = [
    Item(TokenRow("a", [11, 12, 13, 14, 15, 16, 17, 18], [40, 41, 257]), 0),
    Item(TokenRow("b", [20, 21], [42, 257]), 1),
    Item(TokenRow("c", [30], [43, 44, 45, 46, 47, 48, 49, 50, 51, 257]), 2),
    Item(TokenRow("d", [31, 32, 33, 34], [257]), 1),
    Item(TokenRow("e", [35] * 12, [60, 61, 62, 257]), 0),
]


def soft(seed: int) -> Tensor:
    return torch.randn(3, toy.LENGTH, 32, generator=torch.Generator().manual_seed(seed)) * 0.4


def step(prompts: Tensor, tokens: int, **options: Any) -> Any:
    backbone = tiny.backbone(options.pop("architecture", "mistral"))
    before = prefix_of(backbone, prompts, FIXED)
    return run_step(backbone, before, ITEMS, microbatch_tokens=tokens, **options)


def naive_states(backbone: Any, prompt: Tensor, item: Item) -> tuple[Tensor, Tensor]:
    """Hidden states and logits at a row's answer positions, from the concatenation."""
    ids = torch.tensor(FIXED[item.slot] + item.row.input + item.row.answer)
    embeddings = torch.cat([prompt, backbone.embed(ids)])[None]
    output = backbone.model(inputs_embeds=embeddings, use_cache=False, output_hidden_states=True)
    at = slice(-len(item.row.answer) - 1, -1)
    return output.hidden_states[-1][0, at], output.logits[0, at].float()


def naive_loss(prompts: Tensor, teachers: Tensor | None = None) -> Tensor:
    """Mean over tasks of the mean over their answer tokens; the teachers' terms as in the paper."""
    backbone = tiny.backbone("mistral")
    by_task: dict[int, list[Tensor]] = {}
    for item in ITEMS:
        states, logits = naive_states(backbone, prompts[item.slot], item)
        loss = F.cross_entropy(logits, torch.tensor(item.row.answer), reduction="none")
        if teachers is not None:
            with torch.no_grad():
                theirs, their_logits = naive_states(backbone, teachers[item.slot], item)
            terms = kl_divergence(logits, their_logits, 2.0) + hidden_error(states, theirs)
            loss = loss + 0.9 * terms
        by_task.setdefault(item.slot, []).append(loss)
    return torch.stack([torch.cat(losses).mean() for losses in by_task.values()]).mean()


@pytest.mark.parametrize("distil", [False, True])
@pytest.mark.parametrize("tokens", [1, 13, 40, 10_000])
def test_any_split_gives_the_naive_loss_and_gradient(tokens: int, distil: bool) -> None:
    ours, theirs = soft(1).requires_grad_(), soft(1).requires_grad_()
    options: dict[str, Any] = {}
    if distil:
        with torch.no_grad():
            options["teachers"] = prefix_of(tiny.backbone("mistral"), soft(2), FIXED)
        options["distillation"] = Distillation(weight=0.9, temperature=2.0)
    cost = step(ours, tokens, **options)
    expected = naive_loss(theirs, soft(2) if distil else None)
    expected.backward()
    assert cost.loss == pytest.approx(float(expected.detach()), rel=1e-5)
    for task in range(3):
        assert theirs.grad[task].norm() > 1e-3
        difference = (ours.grad[task] - theirs.grad[task]).norm() / theirs.grad[task].norm()
        assert float(difference) < 2e-5  # float32: 1.03e-5 was seen


def test_the_cross_entropy_is_told_apart_from_the_total() -> None:
    with torch.no_grad():
        teachers = prefix_of(tiny.backbone("mistral"), soft(2), FIXED)
    plain = step(soft(1).requires_grad_(), 40)
    distilled = step(
        soft(1).requires_grad_(), 40, distillation=Distillation(0.9, 2.0), teachers=teachers
    )
    assert plain.loss == pytest.approx(plain.cross_entropy)
    assert distilled.cross_entropy == pytest.approx(plain.loss, rel=1e-6)
    assert distilled.loss > plain.loss + 0.1


def test_cached_teacher_answers_give_the_same_step() -> None:
    backbone = tiny.backbone("mistral")
    with torch.no_grad():
        teachers = prefix_of(backbone, soft(2), FIXED)
        cached = {}
        for item in ITEMS:  # each row by itself, as if it came from another batch
            rows, targets = answers.with_answers(
                [item.row.input], [item.row.answer], [item.slot], backbone.device
            )
            states = answers.answer_hidden(backbone, teachers, rows, targets)
            cached[item.slot, item.row.id] = states
    distillation = Distillation(0.9, 2.0)
    one, other = soft(1).requires_grad_(), soft(1).requires_grad_()
    same_pass = step(one, 40, distillation=distillation, teachers=teachers)
    from_cache = step(other, 40, distillation=distillation, cached=cached)
    assert from_cache.loss == pytest.approx(same_pass.loss, rel=1e-5)
    assert float((one.grad - other.grad).norm() / one.grad.norm()) < 1e-5


def test_a_step_teaches_the_teacher_nothing_and_is_quiet_at_equality() -> None:
    """A student that is its teacher gets no gradient from the distillation terms."""
    prompts = soft(1).requires_grad_()
    with torch.no_grad():
        teachers = prefix_of(tiny.backbone("mistral"), soft(1), FIXED)
    with_terms = step(prompts, 40, distillation=Distillation(50.0, 2.0), teachers=teachers)
    plain = soft(1).requires_grad_()
    without = step(plain, 40)
    assert with_terms.loss == pytest.approx(without.loss, abs=1e-4)
    assert float((prompts.grad - plain.grad).norm() / plain.grad.norm()) < 1e-4


def test_tasks_count_equally_whatever_their_lengths() -> None:
    weights = token_weights(ITEMS)
    assert weights == {0: 1 / (7 * 3), 1: 1 / (3 * 3), 2: 1 / (10 * 3)}
    total = dict.fromkeys(weights, 0.0)
    for item in ITEMS:
        total[item.slot] += weights[item.slot] * len(item.row.answer)
    for share in total.values():
        assert share == pytest.approx(1 / 3)


def test_row_losses_are_naive_means_per_answer_token() -> None:
    backbone, prompts = tiny.backbone("mistral"), soft(1)
    with torch.no_grad():
        before = prefix_of(backbone, prompts, FIXED)
        found = row_losses(backbone, before, ITEMS, microbatch_tokens=13)
        for slot in range(3):
            losses = [
                F.cross_entropy(
                    naive_states(backbone, prompts[slot], item)[1],
                    torch.tensor(item.row.answer),
                    reduction="none",
                )
                for item in ITEMS
                if item.slot == slot
            ]
            assert found[slot] == pytest.approx(float(torch.cat(losses).mean()), rel=1e-5)
    assert sorted(found) == [0, 1, 2]


def test_costs_are_counted() -> None:
    cost = step(soft(1).requires_grad_(), 10_000)
    lengths = [10, 3, 10, 4, 15]  # inputs and all answer tokens but the last
    assert [item.row.length for item in ITEMS] == lengths
    assert cost.examples == 5
    assert cost.text == sum(lengths)
    assert cost.prompt == sum(len(fixed) + toy.LENGTH for fixed in FIXED)
    assert cost.padding == 5 * 15 - sum(lengths)
    assert step(soft(1).requires_grad_(), 1).padding == 0


row = st.tuples(st.integers(1, 30), st.integers(1, 9), st.integers(0, 3))


@given(st.lists(row, min_size=1, max_size=20), st.integers(1, 90), st.randoms())
def test_microbatches_hold_every_row_once_within_the_limit(
    shapes: list[tuple[int, int, int]], tokens: int, random_: Any
) -> None:
    items = [
        Item(TokenRow(f"r{n}", [1] * given_, [2] * answer), slot)
        for n, (given_, answer, slot) in enumerate(shapes)
    ]
    batches = microbatches(items, tokens)
    assert sorted(i.row.id for batch in batches for i in batch) == sorted(i.row.id for i in items)
    for batch in batches:
        assert batch
        longest = max(item.row.length for item in batch)
        assert len(batch) == 1 or longest * len(batch) <= tokens
    shuffled = list(items)
    random_.shuffle(shuffled)
    assert microbatches(shuffled, tokens) == batches  # the order drawn doesn't matter
