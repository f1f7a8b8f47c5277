"""A training step on the paths of CUDA, on a CPU, against the ones of a CPU."""

from __future__ import annotations

import pytest
import torch
from tests.backbone import exact_flex, tiny
from torch import Tensor

from clinprompt.backbone.model import Backbone
from clinprompt.backbone.template import Placement
from clinprompt.training.batch import Item, notes_for, prefix_of, row_losses, run_step
from clinprompt.training.data import TokenRow

pytestmark = pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")

ROWS = [([5, 6, 7, 8], [9, 10, 257]), ([11], [12]), ([13] * 9, [14, 15]), ([16, 17], [18, 19])]
FIXED = [(1, 2), (3,)]


def stepped(backbone: Backbone, placement: Placement, tokens: int) -> tuple[list[float], Tensor]:
    """Losses with and without gradients, and the gradient at the prompts."""
    torch.manual_seed(0)
    prompts = torch.randn(2, 6, 32, requires_grad=True)
    shared = 1 if placement == "after" else 0
    items = [
        Item(TokenRow(str(n), given, answer, shared), n % 2)
        for n, (given, answer) in enumerate(ROWS)
    ]
    notes = notes_for(backbone, placement, 100)
    before = prefix_of(backbone, prompts, FIXED, notes)
    cost = run_step(backbone, before, items, microbatch_tokens=tokens)
    with torch.no_grad():
        again = prefix_of(backbone, prompts, FIXED, notes)
        alone = row_losses(backbone, again, items, microbatch_tokens=tokens)
    assert prompts.grad is not None
    return [cost.loss, cost.cross_entropy, *alone.values()], prompts.grad


@pytest.mark.parametrize("tokens", [16, 512])
@pytest.mark.parametrize("placement", ["before", "after"])
@pytest.mark.parametrize("architecture", ["mistral", "gpt_oss"])
def test_losses_and_gradients_are_the_same(
    architecture: str, placement: Placement, tokens: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    exact_flex.allow(monkeypatch)
    backbone = tiny.backbone(architecture)
    losses, gradient = stepped(backbone, placement, 512)
    exact_flex.as_on_cuda(backbone, compiled=architecture != "gpt_oss")
    ours, found = stepped(backbone, placement, tokens)
    assert ours == pytest.approx(losses, rel=1e-4)
    assert float((found - gradient).norm() / gradient.norm()) < 1e-4
