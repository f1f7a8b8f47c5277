"""Prompts of keys and values of every layer: trained, distilled, adapted, saved and asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tests.training import toy
from tests.training.adapting import SOURCES, fit

from clinprompt.artifacts.prompt_set import PromptSet
from clinprompt.backbone import engine
from clinprompt.errors import ClinpromptError
from clinprompt.inference.predictor import Predictor
from clinprompt.inference.requests import Request
from clinprompt.tasks import catalogue
from clinprompt.tasks.loading import load
from clinprompt.training.modules import Decomposed, PromptTable
from clinprompt.training.prepare import initial_prompts, unit_of
from clinprompt.training.settings import PromptSettings
from clinprompt.training.source import train_source

DEEP = {"length": 3, "depth": "layers"}


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return toy.write_tasks(tmp_path_factory.mktemp("tasks"), SOURCES)


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy.write_task(tmp_path_factory.mktemp("target"), "asked", "label", seed=1)


def trained(paths: list[Path], out: Path, **more: Any) -> PromptSet:
    recipe = toy.recipe(paths, prompt=DEEP)
    return train_source(recipe, None, out, prepared=toy.prepared(), progress=toy.Lines(), **more)


@pytest.fixture(scope="module")
def metaprompt(paths: list[Path], tmp_path_factory: pytest.TempPathFactory) -> PromptSet:
    return trained(paths, tmp_path_factory.mktemp("meta") / "out")


def test_the_artefact_says_what_it_holds(metaprompt: PromptSet, tmp_path: Path) -> None:
    meta, width = metaprompt.meta, toy.prepared().backbone.keyvalue_width
    assert (meta.depth, meta.width, meta.size) == ("layers", width, width)
    assert metaprompt.tensors["shared"].shape == (3, width)
    assert metaprompt.tensors["v"].shape == (3, 1, width)
    metaprompt.save(tmp_path / "again")
    again = PromptSet.load(tmp_path / "again")
    assert again.meta.to_bytes() == meta.to_bytes()
    assert torch.equal(again.tensors["shared"], metaprompt.tensors["shared"])
    plain: Any = meta.model_dump() | {"width": None}
    with pytest.raises(ValueError, match="width"):
        type(meta).model_validate(plain)


def test_stopped_it_goes_on_to_the_same_bytes(
    paths: list[Path], metaprompt: PromptSet, tmp_path: Path
) -> None:
    from clinprompt.training.loop import Interrupted

    asked = iter([False] * 4 + [True] + [False] * 100)
    with pytest.raises(Interrupted):
        trained(paths, tmp_path / "out", should_stop=lambda: next(asked))
    assert trained(paths, tmp_path / "out").digest == metaprompt.digest


def test_it_learns_and_is_adapted(metaprompt: PromptSet, target: Path, tmp_path: Path) -> None:
    found = fit(tmp_path / "all", metaprompt, target, adapt={"steps": 12, "rate_shared": 0.1})
    history = found.meta.metrics["adapt"]["history"]  # type: ignore[index,call-overload]
    losses = [one["dev_mean"] for one in history]  # type: ignore[index,union-attr,call-overload]
    assert min(losses) < losses[0]
    size = metaprompt.meta.size
    assert found.meta.trainable_parameters == 3 * size + 3 + size
    assert found.meta.depth == "layers"
    vectors = fit(tmp_path / "vectors", metaprompt, target, adapt={"trainable": "vectors"})
    assert torch.equal(vectors.tensors["shared"], metaprompt.tensors["shared"])
    plain = fit(tmp_path / "plain", None, target, prompt=DEEP)
    assert plain.tensors["prompts"].shape == (1, 3, size)
    with pytest.raises(ClinpromptError, match=r"CP-TRAIN-090.*depth"):
        fit(tmp_path / "wrong", metaprompt, target, prompt={"depth": "input"})


def test_predictions_are_those_of_the_prompt_in_a_batch_and_alone(
    metaprompt: PromptSet, target: Path, tmp_path: Path
) -> None:
    """Together with a prompt at the input, which costs a pass of its own."""
    deep = fit(tmp_path / "deep", metaprompt, target)
    flat = fit(tmp_path / "flat", None, target)
    ready = toy.prepared()
    card = catalogue.find(target)
    examples = load(card, None).splits["test"]
    alone = Predictor(ready)
    alone.add(card, deep.task_prompt(card.name))
    both = Predictor(ready)
    other = card.model_copy(update={"name": "other"})
    both.add(card, deep.task_prompt(card.name))
    both.add(other, flat.task_prompt(card.name))
    asked = [Request(card.name, e.input, e.id) for e in examples]
    mixed = [r for one in asked for r in (one, Request("other", one.input, one.id + "-other"))]
    expected = [alone.answer([request])[0] for request in asked]
    for one, together in zip(expected, both.answer(mixed)[::2], strict=True):
        assert together.answer == one.answer
        assert together.probabilities == pytest.approx(one.probabilities, abs=1e-5)


def test_starts_are_keys_and_values_of_tokens() -> None:
    ready = toy.prepared()
    tasks: list[Any] = [None, None]
    settings = PromptSettings(length=4, depth="layers")
    start = initial_prompts(ready, tasks, settings, 0)
    assert start.shape == (2, 4, ready.backbone.keyvalue_width)
    assert torch.equal(start[0], start[1])
    assert engine.is_deep(ready.backbone, start[0])


def test_modules_train_in_units_of_a_layers_spread() -> None:
    ready = toy.prepared()
    unit, scale = unit_of(ready, "layers")
    assert scale == 1.0
    assert unit is not None
    torch.manual_seed(0)
    start = torch.randn(2, 3, ready.backbone.keyvalue_width) * unit
    table = PromptTable(start, unit)
    assert torch.equal(table.prompts([1, 0]), start[[1, 0]])
    assert 0.8 < float(torch.stack(list(table.table)).detach().std()) < 1.2
    one = Decomposed(start[0], torch.ones(1, 3, 1), torch.ones(1, 1, start.shape[2]), unit=unit)
    assert torch.equal(one.prompts([0])[0], start[0])
    assert torch.equal(one.metaprompt, start[0])
    assert set(one.state_dict()) == {"shared", "u.0", "v.0"}
    assert unit_of(ready, "input") == (None, ready.backbone.embedding_scale)
