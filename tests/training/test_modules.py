from __future__ import annotations

import math

import pytest
import torch

from clinprompt.prompts import compose, unit_vectors
from clinprompt.training.modules import Decomposed, PromptTable


def decomposed(p: int, h: int, tasks: int = 1, rank: int = 1, **switches: bool) -> Decomposed:
    """On the meta device: shapes without memory."""
    with torch.device("meta"):
        return Decomposed(
            torch.empty(p, h),
            torch.empty(tasks, p, rank),
            torch.empty(tasks, rank, h),
            **switches,
        )


def test_trainable_counts_are_those_of_the_paper_and_of_smollm2() -> None:
    assert decomposed(100, 576).trainable == 58_276
    assert decomposed(100, 4096).trainable == 4_196 + 409_600
    assert decomposed(100, 2880).trainable == 290_980
    assert decomposed(100, 768).trainable == 77_668  # T5-base, Wang et al., 2023
    assert decomposed(100, 576, train_shared=False).trainable == 676
    assert decomposed(100, 4096, train_shared=False).trainable == 4_196
    assert decomposed(100, 576, tasks=21).trainable == 57_600 + 21 * 676
    assert decomposed(100, 576, tasks=2, rank=3).trainable == 57_600 + 2 * 3 * 676
    assert decomposed(100, 576, train_vectors=False).trainable == 57_600
    with torch.device("meta"):
        assert PromptTable(torch.empty(21, 100, 576)).trainable == 21 * 57_600


def test_prompts_are_composed_in_the_order_asked() -> None:
    shared, u, v = torch.randn(4, 5), torch.randn(3, 4, 2), torch.randn(3, 2, 5)
    found = Decomposed(shared, u, v).prompts([2, 0])
    torch.testing.assert_close(found, torch.stack([shared * (u[k] @ v[k]) for k in (2, 0)]))
    table = torch.randn(3, 4, 5)
    assert torch.equal(PromptTable(table).prompts([1, 2]), table[[1, 2]])


def test_tasks_left_out_get_no_gradient() -> None:
    module = Decomposed(torch.randn(4, 5), torch.randn(3, 4, 1), torch.randn(3, 1, 5))
    module.prompts([1]).square().sum().backward()
    assert module.shared.grad is not None
    assert [p.grad is not None for p in module.u] == [False, True, False]
    assert [p.grad is not None for p in module.v] == [False, True, False]
    table = PromptTable(torch.randn(3, 4, 5))
    table.prompts([0, 2]).sum().backward()
    assert [p.grad is not None for p in table.table] == [True, False, True]


def test_groups_have_what_trains_and_nothing_else() -> None:
    full = decomposed(4, 5, tasks=2)
    assert {name: len(group) for name, group in full.groups().items()} == {
        "shared": 1,
        "vectors": 4,
    }
    assert set(decomposed(4, 5, train_shared=False).groups()) == {"vectors"}
    assert set(decomposed(4, 5, train_vectors=False).groups()) == {"shared"}


def test_the_decomposed_gradient_is_clipped_as_a_whole_and_teachers_one_by_one() -> None:
    module = Decomposed(torch.randn(4, 5), torch.randn(2, 4, 1), torch.randn(2, 1, 5))
    module.prompts([0, 1]).square().sum().backward()
    parameters = [p for group in module.groups().values() for p in group]
    before = torch.cat([p.grad.flatten() for p in parameters])
    assert module.clip(0.5) == pytest.approx(float(before.norm()), rel=1e-6)
    after = torch.cat([p.grad.flatten() for p in parameters])
    torch.testing.assert_close(after, before * 0.5 / before.norm(), rtol=1e-4, atol=1e-6)

    table = PromptTable(torch.stack([torch.full((2, 3), x) for x in (0.01, 5.0, 1.0)]))
    table.prompts([0, 1]).square().sum().backward()
    small = table.table[0].grad.clone()
    assert table.clip(1.0) == pytest.approx(2 * 10.0 * 6**0.5, rel=1e-5)
    assert torch.equal(table.table[0].grad, 2 * small)  # its own norm is below the limit
    assert float(table.table[1].grad.norm()) == pytest.approx(1.0, rel=1e-4)
    assert table.table[2].grad is None


def test_a_teacher_is_clipped_alike_alone_and_among_others() -> None:
    """A step's loss is a mean over its tasks; what bounds a teacher must not depend on that."""
    start = torch.randn(3, 2, 3, generator=torch.Generator().manual_seed(0))
    alone, among = PromptTable(start), PromptTable(start)
    alone.prompts([1]).square().sum().backward()
    (among.prompts([0, 1, 2]).square().sum((1, 2)).mean()).backward()
    alone.clip(1.0)
    among.clip(1.0)
    torch.testing.assert_close(alone.table[1].grad, among.table[1].grad)


def test_a_gradient_that_is_not_finite_is_seen_among_good_ones() -> None:
    table = PromptTable(torch.randn(3, 2, 2))
    for prompt, value in zip(table.table, (1.0, float("nan"), 1.0), strict=True):
        prompt.grad = torch.full((2, 2), value)
    assert math.isnan(table.clip(1.0))


def test_state_of_a_task_is_a_copy_of_its_own_tensors() -> None:
    module = Decomposed(torch.randn(4, 5), torch.randn(2, 4, 1), torch.randn(2, 1, 5))
    state = module.state_of(1)
    assert sorted(state) == ["u.1", "v.1"]
    kept = state["u.1"].clone()
    with torch.no_grad():
        module.u[1].add_(1)
    assert torch.equal(state["u.1"], kept)
    module.load_state_dict({**module.state_dict(), **state})
    assert torch.equal(module.u[1].detach(), kept)
    assert sorted(PromptTable(torch.randn(2, 3, 4)).state_of(0)) == ["table.0"]


def test_the_task_prompt_is_the_one_of_peft() -> None:
    """An independent implementation of the parameterisation."""
    peft = pytest.importorskip("peft")
    from peft.tuners.multitask_prompt_tuning.model import MultitaskPromptEmbedding

    config = peft.MultitaskPromptTuningConfig(
        task_type="CAUSAL_LM",
        num_tasks=3,
        num_ranks=2,
        num_virtual_tokens=4,
        token_dim=5,
        num_transformer_submodules=1,
    )
    theirs = MultitaskPromptEmbedding(config, word_embeddings=None)
    shared, u, v = torch.randn(4, 5), torch.randn(3, 4, 2), torch.randn(3, 2, 5)
    with torch.no_grad():
        theirs.embedding.weight.copy_(shared)
        theirs.prefix_task_cols.copy_(u)
        theirs.prefix_task_rows.copy_(v)
        for task in range(3):
            found = theirs(torch.arange(4)[None], torch.tensor([task]))[0]
            torch.testing.assert_close(found, compose(shared, u[task], v[task]))
        start = theirs(torch.arange(4)[None], torch.tensor([0]))[0]
        torch.testing.assert_close(start, Decomposed(shared, u, v).prompts([0])[0].detach())


def test_unit_vectors_of_a_higher_rank_still_learn() -> None:
    u, v = unit_vectors(4, 5, 3, seed=1)
    module = Decomposed(torch.randn(4, 5), u[None], v[None])
    module.prompts([0]).square().sum().backward()
    assert (module.v[0].grad.norm(dim=1) > 0).all()
