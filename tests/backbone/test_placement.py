"""The prompt after the text against the naive concatenation, for every architecture."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from clinprompt.backbone import answers, decode, engine, notekv
from clinprompt.backbone.after import Behind, Notes, suffixes
from clinprompt.backbone.engine import Soft
from clinprompt.backbone.model import Backbone
from clinprompt.backbone.notekv import NoteKV
from tests.backbone import tiny

ARCHITECTURES = sorted(tiny.CONFIGS)
# Notes longer and shorter than the windows; the first one is asked by two tasks.
NOTES = [list(range(11, 20)), list(range(11, 20)), [20], [21] * 14]
FIXED = [[1, 2, 3], [4, 5, 6, 7, 8, 9, 10], []]
RESTS = [[30, 31], [32], [33, 34, 35, 36, 37], [38]]
ANSWERS = [[40, 41, 257], [42, 257], [43, 44, 45, 46, 47, 48, 49, 50, 257], [257]]
TASK = [0, 1, 2, 1]
P = 5


def prompts(dtype: torch.dtype = torch.float32) -> Tensor:
    torch.manual_seed(1)
    return (torch.randn(3, P, 32) * 0.4).to(dtype).requires_grad_()


def naive(backbone: Backbone, note: list[int], prompt: Tensor, ids: list[int]) -> Tensor:
    """The model's own logits for ``[note][prompt][ids]``, one row, no cache."""
    parts = [backbone.embed(torch.tensor(note)), prompt, backbone.embed(torch.tensor(ids))]
    found: Tensor = backbone.model(inputs_embeds=torch.cat(parts)[None], use_cache=False).logits[0]
    return found


def naive_loss(backbone: Backbone, soft: Tensor) -> Tensor:
    losses = []
    for note, rest, answer, task in zip(NOTES, RESTS, ANSWERS, TASK, strict=True):
        logits = naive(backbone, note, soft[task], FIXED[task] + rest + answer)
        at = logits[-len(answer) - 1 : -1]
        losses.append(F.cross_entropy(at, torch.tensor(answer), reduction="none"))
    return torch.cat(losses)


def loss(backbone: Backbone, soft: Tensor, *, split: bool, notes: Notes | None = None) -> Tensor:
    """Backward too; `split` differentiates each row as a micro-batch of its own."""
    before = Behind(notes or Notes(backbone, 0), soft, FIXED)
    leaves = before.detached()
    losses = []
    for part in [[b] for b in range(4)] if split else [list(range(4))]:
        prefix, rows, targets = leaves.rows(
            [(NOTES[b], RESTS[b]) for b in part],
            [ANSWERS[b] for b in part],
            [TASK[b] for b in part],
        )
        assert not prefix.layers[0][0].requires_grad
        states = answers.answer_hidden(backbone, prefix, rows, targets)
        found = answers.token_losses(backbone.logits(states), targets.token)
        found.sum().backward()
        losses.append(found.detach())
    before.backward(leaves)
    return torch.cat(losses)


def relative(a: Tensor, b: Tensor) -> float:
    return float((a - b).norm() / b.norm())


# float64: but for gpt_oss, whose experts torch multiplies in float32 at most.
KINDS = [(a, torch.float32) for a in ARCHITECTURES]
KINDS += [(a, torch.float64) for a in ARCHITECTURES if a != "gpt_oss"]


@pytest.mark.parametrize("split", [False, True])
@pytest.mark.parametrize(("architecture", "dtype"), KINDS)
def test_loss_and_gradients_equal_naive_concatenation(
    architecture: str, dtype: torch.dtype, split: bool
) -> None:
    backbone = tiny.backbone(architecture)
    backbone.model.to(dtype)
    ours, theirs = prompts(dtype), prompts(dtype)
    expected = naive_loss(backbone, theirs)
    expected.sum().backward()
    found = loss(backbone, ours, split=split)
    close = 1e-5  # norms, rotary tables and logits are float32 whatever the backbone computes in
    assert relative(found, expected.detach()) < close
    assert ours.grad is not None and theirs.grad is not None
    for task in range(3):
        assert theirs.grad[task].norm() > 1e-3
        assert relative(ours.grad[task], theirs.grad[task]) < close


@pytest.mark.parametrize("architecture", ["llama", "gpt_oss"])
def test_kept_notes_change_no_bit(architecture: str) -> None:
    backbone = tiny.backbone(architecture)
    notes = Notes(backbone, 10**9)
    found = []
    for store in (None, notes, notes):
        soft = prompts()
        value = loss(backbone, soft, split=False, notes=store)
        found.append((value, soft.grad))
    assert notes.encoded == 3  # of four rows two share a note, and the second time nothing is read
    for value, gradient in found[1:]:
        assert torch.equal(value, found[0][0])
        assert gradient is not None and torch.equal(gradient, found[0][1])


def soft_of(prompt: Tensor, task: list[int], lengths: list[int] | None = None) -> Soft:
    own = lengths or [P] * len(prompt)
    return Soft(prompt, torch.tensor(own), torch.tensor(task))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("many", [1, 64])  # both ways that rows meet their notes
def test_option_scores_equal_a_pass_for_each_option(
    architecture: str, many: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notekv, "_MANY", many)
    backbone, soft = tiny.backbone(architecture), prompts().detach()
    options = [
        [[60, 257], [61, 62, 63, 257], [257]],
        [[60, 61, 257], [60, 61, 62, 63, 64, 65, 66, 67, 257]],
        [[70, 257], [71, 257]],
        [[60, 257], [61, 62, 63, 257], [64, 257], [65, 66, 257]],
    ]
    prefix, places = Notes(backbone, 0).prefix(NOTES)
    rows = suffixes([P] * 3, [FIXED[k] for k in TASK], RESTS, TASK)
    found = answers.score_options(backbone, prefix, rows, options, places, soft_of(soft, TASK))
    for b, choices in enumerate(options):
        for n, option in enumerate(choices):
            ids = FIXED[TASK[b]] + RESTS[b] + option
            logits = naive(backbone, NOTES[b], soft[TASK[b]], ids)[-len(option) - 1 : -1]
            expected = -F.cross_entropy(logits, torch.tensor(option), reduction="sum")
            assert float(found[b][n]) == pytest.approx(float(expected), rel=1e-5)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("part", [1, 2**21])  # rows of a note one by one, or together
def test_decoding_with_prompts_of_any_lengths_is_naive(
    architecture: str, part: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notekv, "_PART", part)
    backbone, soft = tiny.backbone(architecture), prompts().detach()
    lengths = [2, 5, 3]
    prefix, places = Notes(backbone, 0).prefix(NOTES)
    rows = suffixes(lengths, [FIXED[k] for k in TASK], RESTS, TASK)
    found = decode.greedy(
        backbone,
        prefix,
        rows,
        places,
        stops=frozenset({257}),
        max_new=[7] * 4,
        soft=soft_of(soft, TASK, lengths),
    )
    for b, k in enumerate(TASK):
        new: list[int] = []
        while len(new) < 7 and (not new or new[-1] != 257):
            ids = FIXED[k] + RESTS[b] + new
            new.append(int(naive(backbone, NOTES[b], soft[k][: lengths[k]], ids)[-1].argmax()))
        assert found[b].ids == new


def test_a_bare_instruction_may_stand_behind_a_note() -> None:
    backbone = tiny.backbone("llama")
    before = Behind(Notes(backbone, 0), None, FIXED)
    prefix, rows, targets = before.rows(list(zip(NOTES, RESTS, strict=True)), ANSWERS, TASK)
    with torch.no_grad():
        states = answers.answer_hidden(backbone, prefix, rows, targets)
        found = answers.token_losses(backbone.logits(states), targets.token)
        expected = naive_loss(backbone, torch.zeros(3, 0, 32))
    assert relative(found, expected) < 1e-5
    before.backward(before.detached())  # nothing to differentiate is no error


def sizes(backbone: Backbone, *lengths: int) -> int:
    with torch.no_grad():
        one = engine.prefix(backbone, [None], [[1]])
    each = sum(x.numel() * x.element_size() for pair in one.layers for x in pair)
    return each * sum(lengths)


@pytest.mark.parametrize(
    ("keep", "encoded_again"),
    [("last", [0, 0, 1]), ("first", [1, 0, 0])],
)
def test_notes_stay_within_their_memory(keep: Any, encoded_again: list[int]) -> None:
    """Room for seven tokens: of notes of 3, 3 and 4 tokens the last or the first ones stay."""
    backbone = tiny.backbone("llama")
    notes = Notes(backbone, sizes(backbone, 7), keep=keep)
    one, two, four, large = [1, 2, 3], [4, 5, 6], [7, 8, 9, 10], [1] * 8
    for note in (one, two, large, four):
        notes.prefix([note])
        assert notes.bytes <= notes.most_bytes
    assert notes.encoded == 4
    encoded = []
    for note in (four, one, two) if keep == "first" else (two, four, one):
        before = notes.encoded
        notes.prefix([note])
        encoded.append(notes.encoded - before)
    assert encoded == encoded_again


@pytest.mark.parametrize("many", [1, 1000])
@pytest.mark.parametrize("windowed", [False, True])
def test_shared_notes_are_what_copies_of_them_are(
    windowed: bool, many: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two passes over rows of two notes in any order, one row leaving between them."""
    monkeypatch.setattr(notekv, "_MANY", many)
    torch.manual_seed(0)
    notes = [(torch.randn(2, 2, 9, 4), torch.randn(2, 2, 9, 4))]
    lengths, rows = torch.tensor([9, 6]), torch.tensor([1, 0, 1, 0])
    shared = NoteKV(notes, lengths, rows, 8, windowed=windowed)
    copied = NoteKV(notes, lengths, rows, 8, windowed=windowed)
    for columns, leave in ((5, True), (1, False)):
        b = len(shared.rows)
        query, k, v = torch.randn(b, 6, columns, 4), *torch.randn(2, b, 2, columns, 4)
        keys, values = copied.update(k, v, 0)
        seen = torch.ones(b, 1, columns, keys.shape[2], dtype=torch.bool)
        seen[:, :, :, 9:] = torch.ones(columns, keys.shape[2] - 9).tril(keys.shape[2] - 9 - columns)
        seen &= (torch.arange(keys.shape[2]) < lengths[shared.rows][:, None])[:, None, None] | (
            torch.arange(keys.shape[2]) >= 9
        )
        if windowed:
            seen[:, :, :, :3] = False
        bias = torch.zeros(seen.shape).masked_fill(~seen, -torch.inf)
        found = shared.attend(query, k, v, bias, 0)
        expected = F.scaled_dot_product_attention(
            query, keys, values, attn_mask=bias, scale=1.0, enable_gqa=True
        )
        assert torch.allclose(found, expected, atol=1e-5)
        for memory in (shared, copied):
            memory.advance(columns)
            if leave:
                memory.select(torch.tensor([0, 1, 3]))
