"""Prompts of keys and values behind a note: rows see them and the note doesn't."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import DynamicCache

from clinprompt.backbone import answers, decode, engine
from clinprompt.backbone.after import Behind, Notes
from clinprompt.backbone.deep import keyvalues
from clinprompt.backbone.model import Backbone
from tests.backbone import tiny
from tests.backbone.test_placement import ANSWERS, ARCHITECTURES, FIXED, NOTES, RESTS, TASK

P = 3


def prompts(backbone: Backbone) -> Tensor:
    """[T, P, W], of the size that keys and values of tokens have."""
    torch.manual_seed(1)
    like = keyvalues(backbone, [3, 4, 5])
    return (like + torch.randn(3, P, like.shape[1]) * like.std()).requires_grad_()


def naive(backbone: Backbone, note: list[int], prompt: Tensor, ids: list[int]) -> Tensor:
    """The model's own logits of `ids`, with the library's memory: the note was read alone into it,
    and the prompt was put there by hand."""
    layers, heads, size = backbone.keyvalue_shape
    memory, both = DynamicCache(), DynamicCache()
    model: Any = backbone.model
    with torch.no_grad():
        model(input_ids=torch.tensor([note]), past_key_values=memory, use_cache=True)
    for i, parts in enumerate(prompt.view(P, layers, 2, heads, size).unbind(1)):
        keys, values = (parts[:, side].transpose(0, 1)[None] for side in (0, 1))
        seen = memory.layers[i]
        both.update(torch.cat([keys, seen.keys], 2), torch.cat([values, seen.values], 2), i)
    found: Tensor = model(
        input_ids=torch.tensor([ids]), past_key_values=both, use_cache=True
    ).logits[0]
    return found


@pytest.mark.parametrize("split", [False, True])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_loss_and_gradients_are_the_librarys(architecture: str, split: bool) -> None:
    backbone = tiny.backbone(architecture)
    ours, theirs = prompts(backbone), prompts(backbone)
    expected = []
    for note, rest, answer, task in zip(NOTES, RESTS, ANSWERS, TASK, strict=True):
        logits = naive(backbone, note, theirs[task], FIXED[task] + rest + answer)
        at = logits[-len(answer) - 1 : -1]
        expected.append(F.cross_entropy(at, torch.tensor(answer), reduction="none"))
    torch.cat(expected).sum().backward()
    before = Behind(Notes(backbone, 0), ours, FIXED)
    leaves = before.detached()
    found = []
    for part in [[b] for b in range(4)] if split else [list(range(4))]:
        prefix, rows, targets = leaves.rows(
            [(NOTES[b], RESTS[b]) for b in part],
            [ANSWERS[b] for b in part],
            [TASK[b] for b in part],
        )
        states = answers.answer_hidden(backbone, prefix, rows, targets)
        found.append(answers.token_losses(backbone.logits(states), targets.token))
        found[-1].sum().backward()
    before.backward(leaves)
    assert torch.allclose(torch.cat(found), torch.cat(expected), rtol=1e-4, atol=1e-5)
    assert ours.grad is not None and theirs.grad is not None
    for task in range(3):
        # Where windows hide a prompt there is no gradient: in no architecture in all layers.
        assert theirs.grad[task].norm() > 0 or architecture == "mistral"
        error = (ours.grad[task] - theirs.grad[task]).norm()
        assert error <= 1e-4 * theirs.grad[task].norm() + 1e-7


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_decoding_is_the_librarys(architecture: str) -> None:
    """Rows with and without such a prompt in one batch."""
    backbone = tiny.backbone(architecture)
    deep = prompts(backbone).detach()
    held = [*engine.held(backbone, deep).apart()]
    prefix, places = Notes(backbone, 0).prefix(NOTES, [held[0], None, held[2]], TASK)
    assert len(prefix.lengths) == len({(tuple(n), k) for n, k in zip(NOTES, TASK, strict=True)})
    inputs = [FIXED[k] + rest for k, rest in zip(TASK, RESTS, strict=True)]
    found = decode.greedy(backbone, prefix, inputs, places, stops=frozenset({257}), max_new=[5] * 4)
    for b, k in enumerate(TASK):
        new: list[int] = []
        while len(new) < 5 and (not new or new[-1] != 257):
            ids = inputs[b] + new
            if k == 1:  # the bare instruction
                with torch.no_grad():
                    logits = backbone.model(input_ids=torch.tensor([NOTES[b] + ids])).logits[0]
            else:
                logits = naive(backbone, NOTES[b], deep[k], ids)
            new.append(int(logits[-1].argmax()))
        assert found[b].ids == new


def test_notes_are_encoded_once_whatever_prompts_stand_beside_them() -> None:
    backbone = tiny.backbone("llama")
    notes = Notes(backbone, 10**9)
    held = list(engine.held(backbone, prompts(backbone).detach()).apart())
    prefix, places = notes.prefix([NOTES[0]] * 3, held, [0, 1, 2])
    assert (notes.encoded, places) == (1, [0, 1, 2])
    assert prefix.lengths.tolist() == [P + len(NOTES[0])] * 3
