"""The shared-prefix engine against the naive concatenation, for every architecture."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from clinprompt.backbone import answers, decode, engine
from tests.backbone import tiny

ARCHITECTURES = sorted(tiny.CONFIGS)
FIXED = [[1, 2, 3], [4, 5, 6, 7, 8, 9, 10], []]
INPUTS = [[11, 12, 13, 14, 15, 16, 17, 18, 19], [20, 21], [30], [31, 32, 33, 34, 35]]
ANSWERS = [[40, 41, 257], [42, 257], [43, 44, 45, 46, 47, 48, 49, 50, 257], [257]]
TASK = [0, 1, 2, 1]


def prompts() -> torch.Tensor:
    torch.manual_seed(1)
    return (torch.randn(3, 5, 32) * 0.4).requires_grad_()


def relative(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a - b).norm() / b.norm())


def naive_loss(backbone, soft) -> torch.Tensor:
    losses = []
    for given, answer, task in zip(INPUTS, ANSWERS, TASK, strict=True):
        ids = FIXED[task] + given + answer
        logits = tiny.naive_logits(backbone, soft[task], ids)
        at = logits[-len(answer) - 1 : -1]
        losses.append(F.cross_entropy(at, torch.tensor(answer), reduction="none"))
    return torch.cat(losses)


def engine_loss(backbone, soft, *, split: bool) -> torch.Tensor:
    """Backward too; `split` differentiates each row as a micro-batch of its own."""
    before = engine.prefix(backbone, list(soft), FIXED)
    leaves = before.detached()
    parts = [[b] for b in range(len(INPUTS))] if split else [list(range(len(INPUTS)))]
    losses = []
    for part in parts:
        rows, targets = answers.with_answers(
            [INPUTS[b] for b in part],
            [ANSWERS[b] for b in part],
            [TASK[b] for b in part],
            backbone.device,
        )
        states = answers.answer_hidden(backbone, leaves, rows, targets)
        loss = answers.token_losses(backbone.logits(states), targets.token)
        loss.sum().backward()
        losses.append(loss.detach())
    before.backward(leaves)
    return torch.cat(losses)


@pytest.mark.parametrize("split", [False, True])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_loss_and_gradients_equal_naive_concatenation(architecture, split):
    backbone = tiny.backbone(architecture)
    ours, theirs = prompts(), prompts()
    expected = naive_loss(backbone, theirs)
    expected.sum().backward()
    found = engine_loss(backbone, ours, split=split)
    assert relative(found, expected.detach()) < 1e-5
    for task in range(3):
        assert theirs.grad[task].norm() > 1e-3
        assert relative(ours.grad[task], theirs.grad[task]) < 1e-5


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_option_scores_equal_a_pass_for_each_option(architecture):
    backbone, soft = tiny.backbone(architecture), prompts().detach()
    options = [
        [[60, 257], [61, 62, 63, 257], [257]],
        [[60, 61, 257], [60, 61, 62, 63, 64, 65, 66, 67, 257]],
        [[70, 257], [71, 257]],
        [[60, 257], [61, 62, 63, 257], [64, 257], [65, 66, 257]],
    ]
    before = engine.prefix(backbone, list(soft), FIXED)
    found = answers.score_options(backbone, before, INPUTS, options, TASK)
    for b, choices in enumerate(options):
        for n, option in enumerate(choices):
            ids = FIXED[TASK[b]] + INPUTS[b] + option
            logits = tiny.naive_logits(backbone, soft[TASK[b]], ids)[-len(option) - 1 : -1]
            expected = -F.cross_entropy(logits, torch.tensor(option), reduction="sum")
            assert float(found[b][n]) == pytest.approx(float(expected), rel=1e-5)


def naive_greedy(backbone, prompt, ids, count) -> list[int]:
    new: list[int] = []
    while len(new) < count and (not new or new[-1] != 257):
        new.append(int(tiny.naive_logits(backbone, prompt, ids + new)[-1].argmax()))
    return new


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_decoding_is_the_same_alone_in_a_batch_and_naive(architecture):
    backbone, soft = tiny.backbone(architecture), prompts().detach()
    before = engine.prefix(backbone, list(soft), FIXED)
    limits = [12, 1, 9, 15]
    options = {"stops": frozenset({257})}
    batch = decode.greedy(backbone, before, INPUTS, TASK, max_new=limits, **options)
    for b, given in enumerate(INPUTS):
        alone = decode.greedy(backbone, before, [given], [TASK[b]], max_new=[limits[b]], **options)
        naive = naive_greedy(backbone, soft[TASK[b]], FIXED[TASK[b]] + given, limits[b])
        assert batch[b].ids == alone[0].ids == naive
        assert batch[b].logprobs == pytest.approx(alone[0].logprobs, abs=1e-4)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_backbone_never_changes(architecture):
    backbone = tiny.backbone(architecture)
    before = {name: p.clone() for name, p in backbone.model.named_parameters()}
    soft = prompts()
    optimizer = torch.optim.AdamW([soft, *backbone.model.parameters()], lr=0.1)
    engine_loss(backbone, soft, split=False)
    optimizer.step()
    for name, parameter in backbone.model.named_parameters():
        assert parameter.grad is None, name
        assert not parameter.requires_grad, name
        assert torch.equal(parameter, before[name]), name
