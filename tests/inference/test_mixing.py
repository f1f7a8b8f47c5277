"""Rows of different updates share batches where they can, and are answered apart where not."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tests.backbone import tiny
from tests.backbone.test_updates import update_of
from tests.inference import world
from tests.inference.test_updates_predictor import FIRST, PLAIN, READY, SECOND, SETS, SHORT
from torch import nn

from clinprompt.backbone import updates
from clinprompt.backbone.model import Backbone
from clinprompt.errors import ClinpromptError
from clinprompt.inference.mixing import Mixing
from clinprompt.inference.predictor import Predictor
from clinprompt.inference.requests import Request
from clinprompt.inference.together import together


def close(probabilities: Any) -> Any:
    """Equal up to float rounding."""
    return pytest.approx(probabilities, rel=2e-3, abs=1e-30)


def passes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows each pass through the backbone has, as they come."""
    found: list[int] = []
    run = Backbone.run

    def counted(self: Backbone, embeddings: torch.Tensor, *args: Any, **more: Any) -> torch.Tensor:
        found.append(len(embeddings))
        return run(self, embeddings, *args, **more)

    monkeypatch.setattr(Backbone, "run", counted)
    return found


def test_closed_rows_of_three_sets_are_one_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    predictor = together(SETS).predictor(READY, SHORT)
    asked = [
        Request(name, world.an_input(world.card(name), 0)) for name in ("nli", "label", "pair")
    ]
    first = predictor.answer(asked)  # prefixes are there afterwards
    found = passes(monkeypatch)
    assert [one.probabilities for one in predictor.answer(asked)] == [
        one.probabilities for one in first
    ]
    assert found == [3]


def test_open_rows_of_three_sets_are_decoded_together(monkeypatch: pytest.MonkeyPatch) -> None:
    predictor = together(SETS).predictor(READY, SHORT)
    names = ("mentions", "summary", "answer")
    asked = [Request(name, world.an_input(world.card(name), 0)) for name in names]
    alone = [predictor.answer([one])[0] for one in asked]
    found = passes(monkeypatch)
    mixed = predictor.answer(asked)
    assert found[0] == 3 and len(found) <= SHORT.max_new  # type: ignore[operator]
    assert [one.text for one in mixed] == [one.text for one in alone]


def test_it_falls_back_where_masks_stay_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    """There, updates are put into the weights one after the other, and the answers are the same."""
    asked = [
        Request(name, world.an_input(world.card(name), i), f"{name}-{i}")
        for name in ("nli", "label", "pair", "summary")
        for i in range(2)
    ]
    mixed = together(SETS).predictor(READY, SHORT).answer(asked)
    monkeypatch.setattr(updates, "can_stand", lambda *_: False)
    apart = together(SETS).predictor(READY, SHORT)
    found: list[Any] = []
    put = updates.at_work
    monkeypatch.setattr(
        updates, "at_work", lambda backbone, update: found.append(update) or put(backbone, update)
    )
    for one, other in zip(mixed, apart.answer(asked), strict=True):
        assert one.answer == other.answer and one.text == other.text
        assert one.probabilities is None or one.probabilities == close(other.probabilities)
    assert len(found) == 3 and found[0] is None


def test_a_task_that_is_replaced_has_its_new_update() -> None:
    card, value = world.card("label"), world.an_input(world.card("label"), 0)
    prompt = FIRST.task_prompt("label")
    changing, fresh = Predictor(READY, SHORT), Predictor(READY, SHORT)
    changing.add(card, prompt, update=FIRST.update)
    before = changing.answer([Request("label", value)])[0].probabilities
    changing.add(world.card("pair"), SECOND.task_prompt("pair"), update=SECOND.update)
    assert changing.answer([Request("label", value)])[0].probabilities == close(before)
    changing.add(card, prompt, update=SECOND.update)
    fresh.add(card, prompt, update=SECOND.update)
    found, expected = (
        one.answer([Request("label", value)])[0].probabilities for one in (changing, fresh)
    )
    assert found == close(expected) and found != pytest.approx(before, rel=1e-2)
    changing.add(card, prompt)
    bare = changing.answer([Request("label", value)])[0].probabilities
    assert bare != pytest.approx(found, rel=1e-2)


def test_an_update_keeps_its_number_while_it_is_known() -> None:
    backbone = READY.backbone
    one, two, three = (update_of(backbone, seed=seed) for seed in (1, 2, 3))
    mixing = Mixing(backbone, allowed=True)
    mixing.know([one, two])
    first, second = mixing.number(one), mixing.number(two)
    assert first is not None and second is not None and first != second
    mixing.know([two, three, two])
    assert mixing.number(one) is None and mixing.number(None) is None
    assert mixing.number(two) == second and mixing.number(three) not in (None, first, second)


def test_what_does_not_fit_leaves_the_predictor_as_it_was() -> None:
    predictor = Predictor(READY, SHORT)
    card, value = world.card("label"), world.an_input(world.card("label"), 0)
    predictor.add(card, FIRST.task_prompt("label"), update=FIRST.update)
    before = predictor.answer([Request("label", value)])[0].probabilities
    given = FIRST.update
    assert given is not None
    other = updates.Update(given.shape.model_copy(update={"rank": 7}), given.values)
    with pytest.raises(ClinpromptError, match="CP-BACK-120"):
        predictor.add(world.card("nli"), None, update=other)
    assert list(predictor.cards) == ["label"]
    assert predictor.answer([Request("label", value)])[0].probabilities == before


def test_experts_have_updates_of_their_own_time() -> None:
    backbone = tiny.backbone("llama")
    shape = update_of(backbone, layers=("up_proj",)).shape
    assert updates.can_stand(backbone, shape)
    layer = backbone.model.get_decoder().layers[0]
    layer.experts = nn.ModuleList([nn.ModuleDict({"up_proj": nn.Linear(4, 4)})])
    try:
        assert not updates.can_stand(backbone, shape)
    finally:
        del layer.experts


def test_prompts_without_updates_are_as_they_were() -> None:
    predictor = Predictor.of(PLAIN, SHORT, prepared=READY)
    mixing = Mixing(READY.backbone, allowed=True)
    mixing.know([])
    ((at_work, own),) = mixing.parts([None, None])
    with at_work:
        assert READY.backbone.beside is None and own == [0, 1]
    assert list(predictor.cards) == ["mentions", "nli"]
