"""Tasks with an update of the backbone's layers, beside tasks without, in one predictor."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.backbone.test_updates import update_of
from tests.inference import world

from clinprompt.artifacts.meta import Parents, PromptMeta
from clinprompt.artifacts.prompt_set import PromptSet
from clinprompt.backbone.updates import LowRank, Update
from clinprompt.errors import ClinpromptError
from clinprompt.inference.predictor import Predictor
from clinprompt.inference.requests import PredictorSettings, Request
from clinprompt.inference.together import together

READY = world.prepared()
SHORT = PredictorSettings(max_new=6)


def updated(seed: int, *names: str) -> PromptSet:
    """Random prompts with a random update."""
    plain = world.prompt_set(READY, *(world.card(name) for name in names), seed=seed)
    update = update_of(READY.backbone, seed=seed)
    content = plain.meta.model_dump() | {
        "tasks": plain.meta.tasks,
        "kind": "adapted",
        "parents": Parents(metaprompt="a" * 64),
        "update": update.shape,
    }
    return PromptSet(PromptMeta.model_validate(content), {**plain.tensors, "update": update.values})


PLAIN = world.prompt_set(READY, world.card("mentions"), world.card("nli"))
FIRST, SECOND = updated(1, "label", "summary"), updated(2, "pair", "answer")
SETS = [(Path("a"), PLAIN), (Path("b"), FIRST), (Path("c"), SECOND)]


def requests() -> list[Request]:
    found = [
        Request(name, world.an_input(world.card(name), i), f"{name}-{i}")
        for name in ("mentions", "nli", "label", "summary", "pair", "answer")
        for i in range(3)
    ]
    random.Random(4).shuffle(found)
    return found


def test_a_mix_answers_as_each_set_does_alone() -> None:
    before = READY.backbone.model.state_dict()
    before = {name: value.clone() for name, value in before.items()}
    told: list[tuple[int, int]] = []
    asked = requests()
    mixed = together(SETS).predictor(READY, SHORT).answer(asked, lambda *p: told.append(p))
    world.same_as_alone(SETS, READY, SHORT, asked, mixed)
    assert told[-1] == (len(asked), len(asked)) and told == sorted(told)
    after = READY.backbone.model.state_dict()
    assert all(torch.equal(before[name], value) for name, value in after.items())


def test_the_update_matters() -> None:
    """Without it the same prompts have other probabilities."""
    request = Request("label", world.an_input(world.card("label"), 0))
    with_it = Predictor.of(FIRST, SHORT, prepared=READY)
    without = Predictor(READY, SHORT)
    without.add(world.card("label"), FIRST.task_prompt("label"))
    (one,), (other,) = with_it.answer([request]), without.answer([request])
    assert one.probabilities is not None and other.probabilities is not None
    assert max(abs(one.probabilities[k] - other.probabilities[k]) for k in "ynm") > 1e-3


def test_prefixes_on_disk_belong_to_their_update(tmp_path: Path) -> None:
    """The same prompt and instruction under two updates are two files, also if the updates differ
    in their strength alone."""
    card, asked = world.card("label"), [Request("label", world.an_input(world.card("label"), 1))]
    settings = replace(SHORT, kv_cache=tmp_path)
    prompt = FIRST.task_prompt("label")
    found: list[Any] = []
    first = FIRST.update
    assert first is not None
    stronger = Update(first.shape.model_copy(update={"alpha": 20.0}), first.values)
    for update in (None, first, SECOND.update, stronger):
        for _ in range(2):  # computed, then read
            predictor = Predictor(READY, settings)
            predictor.add(card, prompt, update=update)
            found.append(predictor.answer(asked)[0].probabilities)
    assert len(list(tmp_path.iterdir())) == 4
    for computed, read in zip(found[::2], found[1::2], strict=True):
        assert computed == pytest.approx(read, rel=1e-4)
    assert found[0] != pytest.approx(found[2], rel=1e-2)
    assert found[2] != pytest.approx(found[4], rel=1e-2)
    assert found[2] != pytest.approx(found[6], rel=1e-2)


def test_an_update_of_another_backbone_is_refused() -> None:
    predictor = Predictor(READY, SHORT)
    shape = LowRank(rank=1, alpha=1, layers=("q_proj",), numbers=3)
    with pytest.raises(ClinpromptError, match="CP-BACK-120"):
        predictor.add(world.card("nli"), None, update=Update(shape, torch.zeros(3)))


def test_long_texts_are_read_in_windows_with_it() -> None:
    settings = replace(SHORT, long_inputs="window", window=40, overlap=8)
    from clinprompt.inference.windows.predictor import WindowPredictor

    asked = Request("label", replace(world.an_input(world.card("label"), 0), context="pain " * 60))
    both = []
    for update in (FIRST.update, None):
        predictor = WindowPredictor(READY, settings)
        predictor.add(world.card("label"), FIRST.task_prompt("label"), update=update)
        both.append(predictor.answer([asked])[0].probabilities)
    assert both[0] != pytest.approx(both[1], rel=1e-3)
