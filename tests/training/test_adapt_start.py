"""Where an adaptation starts from: against the definitions, and against brute force."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tests.backbone import tiny
from tests.training import toy
from tests.training.adapting import SOURCES
from torch.nn import functional as F

from clinprompt.artifacts.prompt_set import PromptSet
from clinprompt.prompts import compose
from clinprompt.tasks import catalogue
from clinprompt.tasks.card import Card
from clinprompt.tasks.resemblance import resemblances
from clinprompt.training import adapt as module
from clinprompt.training.adapt import choose_start, start_losses, starts


def naive_loss(prompt: torch.Tensor, task: Any, rows: list[Any]) -> float:
    """Mean cross-entropy per answer token behind a prompt, from the plain concatenation."""
    backbone, losses = toy.prepared().backbone, []
    for row in rows:
        logits = tiny.naive_logits(backbone, prompt, task.fixed + row.input + row.answer)
        at = logits[-len(row.answer) - 1 : -1]
        losses.append(F.cross_entropy(at, torch.tensor(row.answer), reduction="none"))
    return float(torch.cat(losses).mean())


def by_hand(metaprompt: PromptSet, card: Card) -> dict[str, torch.Tensor]:
    """Every start's prompt, from the definitions."""
    shared, u, v = (metaprompt.tensors[name] for name in ("shared", "u", "v"))
    groups = {"mean": list(range(len(SOURCES)))}
    same = [k for k, source in enumerate(metaprompt.meta.tasks) if source.type == card.type]
    if same:
        groups["type"] = same
    found = {name: shared * (u[own] @ v[own]).mean(0) for name, own in groups.items()}
    for name, own in groups.items():  # back to rank one
        left, values, right = torch.linalg.svd((u[own] @ v[own]).mean(0))
        found[name] = shared * values[0] * torch.outer(left[:, 0], right[0])
    for k, name in enumerate(SOURCES):
        found[name] = shared * (u[k] @ v[k])
    likeness = torch.tensor(resemblances(card, metaprompt.meta.tasks))
    weights = torch.softmax(likeness / 0.15, 0)
    mixed = sum(weights[k] * (u[k] @ v[k]) for k in range(len(SOURCES)))
    left, values, right = torch.linalg.svd(mixed)
    found["blend"] = shared * values[0] * torch.outer(left[:, 0], right[0])
    return found


@pytest.mark.parametrize("which", ["target", "other"])
def test_starts_are_chosen_as_brute_force_chooses(
    metaprompt: PromptSet, which: str, request: pytest.FixtureRequest
) -> None:
    ready, path = toy.prepared(), request.getfixturevalue(which)
    card = catalogue.find(path)
    (task,) = toy.token_tasks([path], ready)
    prompts = by_hand(metaprompt, card)
    names = ["mean", "type", *SOURCES] if which == "target" else ["mean", *SOURCES]
    assert [start.name for start in starts(metaprompt, card)] == names
    for start in starts(metaprompt, card):
        found = compose(metaprompt.tensors["shared"], start.u, start.v)
        torch.testing.assert_close(found, prompts[start.name], rtol=1e-4, atol=1e-5)
    losses = {
        split: {name: naive_loss(prompts[name], task, task.rows[split]) for name in names}
        for split in ("train", "dev")
    }
    likeness = resemblances(card, metaprompt.meta.tasks)
    expected = {
        "mean": "mean",
        "type": "type" if which == "target" else "mean",
        "nearest": min(SOURCES, key=losses["train"].__getitem__),
        "dev": min(names, key=losses["dev"].__getitem__),
        "similar": max(SOURCES, key=lambda k: likeness[SOURCES.index(k)]),
        "blend": "blend",
    }
    for init, name in expected.items():
        recipe = toy.adapt_recipe(adapt={"init": init})
        assert choose_start(recipe, metaprompt, card, task, ready).name == name, init
    blend = choose_start(toy.adapt_recipe(adapt={"init": "blend"}), metaprompt, card, None, ready)
    found = compose(metaprompt.tensors["shared"], blend.u, blend.v)
    torch.testing.assert_close(found, prompts["blend"], rtol=1e-4, atol=1e-5)
    found_losses = start_losses(
        ready, metaprompt, starts(metaprompt, card), task, task.rows["dev"], toy.adapt_recipe()
    )
    assert found_losses == pytest.approx([losses["dev"][name] for name in names], rel=1e-4)


@pytest.mark.parametrize("which", ["target", "other"])
def test_any_source_can_be_the_nearest(
    metaprompt: PromptSet,
    which: str,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first one, too, and where no source has the target's type."""
    ready, path = toy.prepared(), request.getfixturevalue(which)
    (task,) = toy.token_tasks([path], ready)
    for init, open_to in (("nearest", SOURCES), ("dev", ("mean", *SOURCES))):
        for wanted in open_to:

            def losses(*arguments: Any, best: str = wanted, by: str = init) -> list[float]:
                split = "train" if by == "nearest" else "dev"  # the shots, or what selects
                assert arguments[4] == task.rows[split]
                return [0.0 if start.name == best else 1.0 for start in arguments[2]]

            monkeypatch.setattr(module, "start_losses", losses)
            recipe = toy.adapt_recipe(adapt={"init": init})
            found = choose_start(recipe, metaprompt, catalogue.find(path), task, ready)
            assert found.name == wanted
