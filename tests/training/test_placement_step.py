"""Steps with the prompt after the text against the naive concatenation."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from tests.backbone import tiny
from tests.training import toy
from torch import Tensor
from torch.nn import functional as F

from clinprompt.backbone.after import Notes
from clinprompt.training.batch import (
    Distillation,
    Item,
    notes_for,
    prefix_of,
    row_losses,
    run_step,
    states_of,
)
from clinprompt.training.data import TokenRow
from clinprompt.training.objective import hidden_error, kl_divergence

FIXED = [[1, 2, 3], [4, 5, 6, 7, 8], []]
NOTE = list(range(11, 21))  # longer than the window of 7
# Two tasks ask one note; a task with one row only; a note of a single token.
ITEMS = [
    Item(TokenRow("a", [*NOTE, 17, 18], [40, 41, 257], 10), 0),
    Item(TokenRow("b", [*NOTE, 21], [42, 257], 10), 1),
    Item(TokenRow("c", [30, 29], [43, 44, 45, 46, 47, 48, 49, 50, 51, 257], 1), 2),
    Item(TokenRow("d", [31, 32, 33, 34], [257], 3), 1),
    Item(TokenRow("e", [35] * 12, [60, 61, 62, 257], 8), 0),
]
DISTILLATION = Distillation(weight=0.9, temperature=2.0)


def soft(seed: int) -> Tensor:
    return torch.randn(3, toy.LENGTH, 32, generator=torch.Generator().manual_seed(seed)) * 0.4


def step(prompts: Tensor, tokens: int, notes: Notes | None = None, **options: Any) -> Any:
    backbone = tiny.backbone("mistral")
    before = prefix_of(backbone, prompts, FIXED, notes or Notes(backbone, 0))
    return run_step(backbone, before, ITEMS, microbatch_tokens=tokens, **options)


def naive_states(backbone: Any, prompt: Tensor, item: Item) -> tuple[Tensor, Tensor]:
    """Hidden states and logits at a row's answer positions, from ``[note][prompt][rest]``."""
    note, rest = item.row.parts
    behind = torch.tensor(FIXED[item.slot] + rest + item.row.answer)
    embeddings = torch.cat([backbone.embed(torch.tensor(note)), prompt, backbone.embed(behind)])
    output = backbone.model(
        inputs_embeds=embeddings[None], use_cache=False, output_hidden_states=True
    )
    at = slice(-len(item.row.answer) - 1, -1)
    return output.hidden_states[-1][0, at], output.logits[0, at].float()


def naive_loss(prompts: Tensor, teachers: Tensor | None = None) -> Tensor:
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


def teachers_behind(backbone: Any, order: list[int] | None = None) -> Any:
    """The teachers' prompts; those of all tasks in another order, selected back, if asked."""
    order = order or [0, 1, 2]
    made = prefix_of(
        backbone, soft(2)[order], [FIXED[k] for k in order], Notes(backbone, 10**9, keep="first")
    )
    return made.select([order.index(k) for k in range(3)])


@pytest.mark.parametrize("distil", [False, True])
@pytest.mark.parametrize("tokens", [1, 16, 40, 10_000])
def test_any_split_gives_the_naive_loss_and_gradient(tokens: int, distil: bool) -> None:
    ours, theirs = soft(1).requires_grad_(), soft(1).requires_grad_()
    options: dict[str, Any] = {}
    if distil:
        options["teachers"] = teachers_behind(tiny.backbone("mistral"), [2, 0, 1])
        options["distillation"] = DISTILLATION
    cost = step(ours, tokens, **options)
    expected = naive_loss(theirs, soft(2) if distil else None)
    expected.backward()
    assert cost.loss == pytest.approx(float(expected.detach()), rel=1e-5)
    assert ours.grad is not None
    assert theirs.grad is not None
    for task in range(3):
        assert theirs.grad[task].norm() > 1e-3
        difference = (ours.grad[task] - theirs.grad[task]).norm() / theirs.grad[task].norm()
        assert float(difference) < 1e-5


def test_cached_teacher_answers_give_the_same_step() -> None:
    backbone = tiny.backbone("mistral")
    teachers = teachers_behind(backbone)
    with torch.no_grad():
        cached = {(i.slot, i.row.id): states_of(backbone, teachers, [i])[0] for i in ITEMS}
    one, other = soft(1).requires_grad_(), soft(1).requires_grad_()
    same_pass = step(one, 40, distillation=DISTILLATION, teachers=teachers)
    from_cache = step(other, 40, distillation=DISTILLATION, cached=cached)
    assert from_cache.loss == pytest.approx(same_pass.loss, rel=1e-5)
    assert one.grad is not None
    assert other.grad is not None
    assert float((one.grad - other.grad).norm() / one.grad.norm()) < 1e-5


def test_kept_notes_are_not_read_again_and_change_no_bit() -> None:
    backbone = tiny.backbone("mistral")
    notes = Notes(backbone, 10**9, keep="first")
    found = []
    for store in (None, notes, notes):
        prompts = soft(1).requires_grad_()
        cost = step(prompts, 40, store)
        found.append((cost.loss, prompts.grad))
    assert notes.encoded == 4
    for loss, gradient in found[1:]:
        assert loss == found[0][0]
        assert torch.equal(gradient, found[0][1])


def test_no_gradient_goes_through_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    """The graph holds rows of prompt, instruction, rest and answer, and no column of a note."""
    backbone = tiny.backbone("mistral")
    columns = []
    real = backbone.run

    def watched(embeddings: Tensor, *arguments: Any, **options: Any) -> Tensor:
        if torch.is_grad_enabled():
            columns.append(embeddings.shape[1])
        return real(embeddings, *arguments, **options)

    monkeypatch.setattr(backbone, "run", watched)
    before = prefix_of(backbone, soft(1).requires_grad_(), FIXED, Notes(backbone, 0))
    run_step(backbone, before, ITEMS, microbatch_tokens=1)
    lengths = [
        toy.LENGTH + len(FIXED[i.slot]) + len(i.row.parts[1]) + len(i.row.answer) - 1 for i in ITEMS
    ]
    assert sorted(columns) == sorted(lengths)


def test_row_losses_are_naive_means_per_answer_token() -> None:
    backbone, prompts = tiny.backbone("mistral"), soft(1)
    with torch.no_grad():
        before = prefix_of(backbone, prompts, FIXED, Notes(backbone, 0))
        found = row_losses(backbone, before, ITEMS, microbatch_tokens=16)
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


def test_costs_count_what_a_step_reads() -> None:
    cost = step(soft(1).requires_grad_(), 10_000)
    behind = [len(i.row.parts[1]) + len(i.row.answer) - 1 for i in ITEMS]
    prompt = [toy.LENGTH + len(FIXED[i.slot]) for i in ITEMS]
    rows = [a + b for a, b in zip(behind, prompt, strict=True)]
    assert (cost.examples, cost.text, cost.prompt) == (5, sum(behind), sum(prompt))
    assert cost.padding == 5 * max(rows) - sum(rows)


def test_notes_are_kept_only_in_this_placement() -> None:
    backbone = tiny.backbone("llama")
    assert notes_for(backbone, "before", 10) is None
    notes = notes_for(backbone, "after", 10)
    assert notes is not None
    assert (notes.most_bytes, notes.keep) == (10_000_000, "first")


def test_a_row_has_two_parts() -> None:
    row = ITEMS[0].row
    assert row.parts == (NOTE, [17, 18])
    assert replace(row, shared=0).parts == ([], row.input)
    assert row.length == 14
