"""Prompts held as keys and values give what the same prompts at the input give."""

from __future__ import annotations

import pytest
import torch

from clinprompt.backbone import engine
from clinprompt.backbone.deep import keyvalue_spread, keyvalues
from clinprompt.backbone.kvstore import KVStore
from tests.backbone import tiny
from tests.backbone.test_engine import ARCHITECTURES, FIXED, prompts, relative


def held(backbone, soft: torch.Tensor) -> list[torch.Tensor]:
    """Prompts [P, W] of the keys and values that prompts [T, P, H] have, with their graph."""
    found = engine.prefix(backbone, list(soft), [()] * len(soft))
    parts = [x.transpose(1, 2).flatten(2) for pair in found.layers for x in pair]
    return list(torch.cat(parts, dim=2))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_held_prompt_equals_the_prompt_at_the_input(architecture):
    backbone = tiny.backbone(architecture)
    soft = prompts()
    expected = engine.prefix(backbone, list(soft), FIXED)
    found = engine.prefix(backbone, held(backbone, soft), FIXED)
    assert found.lengths.tolist() == expected.lengths.tolist()
    for own, naive in zip(found.layers, expected.layers, strict=True):
        for a, b in zip(own, naive, strict=True):
            for task, length in enumerate(expected.lengths.tolist()):
                assert relative(a[task, :, :length], b[task, :, :length]) < 1e-5
    weights = [torch.randn_like(k[:, :, :5]) for k, _ in expected.layers]
    gradients = []
    for one in (expected, found):
        total = sum((k[:, :, :5] * w).sum() for (k, _), w in zip(one.layers, weights, strict=True))
        last = one.layers[-1][1][:2, :, 5]  # the first token behind, where there is one
        gradients.append(torch.autograd.grad(total + last.pow(2).sum(), soft)[0])
    assert relative(gradients[1], gradients[0]) < 1e-4


def test_prompts_of_different_shapes_are_refused():
    backbone = tiny.backbone("llama")
    long, short = held(backbone, prompts())[0], held(backbone, prompts()[:, :3])[0]
    with pytest.raises(ValueError, match="alike"):
        engine.prefix(backbone, [long, short], [[1], [2]])
    with pytest.raises(ValueError, match="alike"):
        engine.prefix(backbone, [long, None], [[1], [2]])


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_keys_and_values_of_tokens(architecture):
    backbone = tiny.backbone(architecture)
    ids = [5, 9, 2]
    deep = keyvalues(backbone, ids)
    assert deep.shape == (3, backbone.keyvalue_width)
    assert engine.is_deep(backbone, deep)
    assert not engine.is_deep(backbone, prompts())
    assert not engine.is_deep(backbone, None)
    found = engine.prefix(backbone, [deep], [FIXED[0]])
    expected = engine.prefix(backbone, [None], [[*ids, *FIXED[0]]])
    for own, naive in zip(found.layers, expected.layers, strict=True):
        assert relative(own[0], naive[0]) < 1e-5
        assert relative(own[1], naive[1]) < 1e-5


def test_the_spread_is_of_each_layers_keys_and_values():
    backbone = tiny.backbone("llama")
    layers, heads, size = backbone.keyvalue_shape
    deep = torch.randn(2, 7, backbone.keyvalue_width)
    parts = deep.view(2, 7, layers, 2, heads, size)
    parts *= torch.arange(1, 2 * layers + 1).view(1, 1, layers, 2, 1, 1) ** 2
    found = keyvalue_spread(backbone, deep).view(layers, 2, heads, size)
    for layer in range(layers):
        for side in range(2):
            spread = float(parts[:, :, layer, side].std())
            (unit,) = found[layer, side].unique().tolist()
            assert 0.7 < unit / spread < 1.42
            assert torch.tensor(unit).log2() % 1 == 0


def test_held_prompts_are_kept_on_disk(tmp_path):
    backbone = tiny.backbone("llama")
    prompt = held(backbone, prompts().detach())[0].detach()
    store = KVStore(tmp_path, backbone, "some backbone")
    first, again = store.prefix(prompt, [1, 2]), store.prefix(prompt, [1, 2])
    assert (store.computed, store.read) == (1, 1)
    assert torch.equal(first.layers[0][0], again.layers[0][0])
    assert int(again.lengths[0]) == 7
