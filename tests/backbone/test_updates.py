"""Updates of a backbone's layers: against PEFT's own forward; and nothing left behind."""

from __future__ import annotations

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import nn

from clinprompt.backbone import engine, updates
from clinprompt.backbone.lean.decoder import changed
from clinprompt.backbone.updates import LowRank, Update
from clinprompt.errors import ClinpromptError
from tests.backbone import tiny

LAYERS = ("q_proj", "v_proj")
IDS = [5 * k % tiny.VOCABULARY for k in range(30)]


def logits(backbone):
    """The library's own forward of one row."""
    with torch.no_grad():
        return backbone.model(input_ids=torch.tensor([IDS]), use_cache=False).logits[0].clone()


def states(backbone, ids=IDS):
    """The engine's last states, behind a prefix."""
    with torch.no_grad():
        before = engine.prefix(backbone, [None], [ids[:9]])
        rows = engine.Rows.of([ids[9:]], [0], backbone.device)
        return engine.hidden(backbone, before, rows)[0]


def numbers(backbone, rank, layers=LAYERS):
    linears = updates.sites(backbone.model, layers).values()
    return sum(rank * (one.in_features + one.out_features) for one in linears)


def update_of(backbone, rank=2, alpha=3.0, layers=LAYERS, seed=1):
    """A random one, large enough to matter."""
    count = numbers(backbone, rank, layers)
    values = torch.randn(count, generator=torch.Generator().manual_seed(seed)) * 0.3
    return Update(LowRank(rank=rank, alpha=alpha, layers=layers, numbers=count), values)


def by_peft(backbone, update):
    """Logits with the same factors in a PEFT model around the backbone's."""
    factors = updates.factors(backbone, update)
    config = LoraConfig(
        r=update.shape.rank,
        lora_alpha=update.shape.alpha,
        target_modules=list(update.shape.layers),
        task_type="CAUSAL_LM",
    )
    adapted = get_peft_model(backbone.model, config)
    try:
        for name, module in adapted.base_model.model.named_modules():
            if hasattr(module, "lora_A"):
                a, b = factors[name]
                module.lora_A["default"].weight.data.copy_(a)
                module.lora_B["default"].weight.data.copy_(b)
        adapted.eval()
        return logits(backbone)
    finally:
        adapted.unload()
        backbone.model.requires_grad_(False)


@pytest.mark.parametrize("architecture", list(tiny.CONFIGS))
@pytest.mark.parametrize(("rank", "layers"), [(1, LAYERS), (3, ("k_proj", "o_proj"))])
def test_it_is_what_peft_computes(architecture, rank, layers):
    backbone = tiny.backbone(architecture)
    names = {name.split(".")[-1] for name, _ in backbone.model.named_modules()}
    if not set(layers) <= names:
        pytest.skip(f"{architecture} has no layers of these names")
    update = update_of(backbone, rank=rank, layers=layers)
    bare, expected = logits(backbone), by_peft(backbone, update)
    with updates.at_work(backbone, update):
        found = logits(backbone)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    assert not torch.allclose(found, bare, atol=1e-2)


def test_the_engine_runs_it_and_keeps_its_fast_layers():
    backbone = tiny.backbone("llama")
    assert backbone.lean is not None
    update = update_of(backbone)
    with updates.at_work(backbone, update):
        assert changed(backbone.lean.decoder) is None
        found = backbone.logits(states(backbone))
        torch.testing.assert_close(found, logits(backbone)[9:], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("fails", [False, True])
def test_weights_are_the_same_to_the_last_bit_afterwards(fails):
    backbone = tiny.backbone("llama")
    backbone.model.to(torch.bfloat16)  # a sum that is taken back would not be what it was
    before = {name: p.detach().clone() for name, p in backbone.model.named_parameters()}
    try:
        with updates.at_work(backbone, update_of(backbone)):
            moved = [n for n, p in backbone.model.named_parameters() if not p.equal(before[n])]
            if fails:
                raise KeyError("in between")
    except KeyError:
        assert fails
    assert {name.split(".")[-2] for name in moved} == set(LAYERS)
    for name, p in backbone.model.named_parameters():
        assert p.equal(before[name]) and not p.requires_grad


def test_a_digest_tells_updates_apart_by_content():
    backbone = tiny.backbone("llama")
    one, same, other = (update_of(backbone, seed=seed) for seed in (1, 1, 2))
    assert one.digest == same.digest != other.digest
    stronger = Update(one.shape.model_copy(update={"alpha": 4.0}), one.values)
    assert stronger.digest not in (one.digest, other.digest)


def test_without_an_update_nothing_is_touched():
    backbone = tiny.backbone("llama")
    before = logits(backbone)
    with updates.at_work(backbone, None):
        assert torch.equal(logits(backbone), before)


def test_factors_are_what_was_made_flat():
    backbone = tiny.backbone("llama")
    update = update_of(backbone, rank=3)
    found = updates.factors(backbone, update)
    assert torch.equal(updates.flat(found), update.values)
    linears = updates.sites(backbone.model, LAYERS)
    assert list(found) == list(linears)
    for name, (a, b) in found.items():
        linear = linears[name]
        assert a.shape == (3, linear.in_features) and b.shape == (linear.out_features, 3)


def test_one_that_does_not_fit_is_refused_before_any_weight_changes():
    backbone = tiny.backbone("llama")
    before = logits(backbone)
    shape = LowRank(rank=1, alpha=2, layers=LAYERS, numbers=7)
    with (
        pytest.raises(ClinpromptError, match="CP-BACK-120") as caught,
        updates.at_work(backbone, Update(shape, torch.zeros(7))),
    ):
        pass
    assert f"take {numbers(backbone, 1)} at rank 1" in caught.value.message
    assert torch.equal(logits(backbone), before)


def test_sites_are_linear_layers_by_the_last_part_of_their_names():
    model = nn.ModuleDict(
        {"a_proj": nn.Linear(2, 2), "b": nn.ModuleDict({"proj": nn.Linear(2, 3)})}
    )
    assert list(updates.sites(model, ("proj",))) == ["b.proj"]
