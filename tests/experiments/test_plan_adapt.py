"""Plans of target adaptation, computed and measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.training import toy

from clinprompt.experiments.plan import measure
from clinprompt.experiments.plan.estimate import Where, plan_adapt
from clinprompt.tasks import catalogue

QUICK = Where(measure=False)


def test_an_adaptation_and_its_answers(cards: list[Path], model: Path) -> None:
    recipe = toy.adapt_recipe(backbone={"name": str(model)})
    targets = [catalogue.find(path) for path in cards[1:3]]
    found = plan_adapt(recipe, targets, 4, QUICK)
    assert [stage.steps > 0 for stage in found.stages] == [True, False] * 2
    assert found.stages[0].trainable == 3 * 32 + 3 + 32
    zero = plan_adapt(recipe, targets, 0, QUICK)
    assert all(not stage.trainable for stage in zero.stages) and len(zero.stages) == 2
    fresh = plan_adapt(recipe, targets, 4, QUICK, fresh=True)
    assert fresh.stages[0].trainable == 3 * 32
    nearest = toy.adapt_recipe(backbone={"name": str(model)}, adapt={"init": "nearest"})
    assert plan_adapt(nearest, targets, 4, QUICK).stages[0].forward > found.stages[0].forward


def test_an_adaptation_of_the_layers_is_planned_as_it_is_trained(
    cards: list[Path], model: Path
) -> None:
    lora = {"trainable": "none", "lora": {"rank": 2, "layers": ["o_proj"]}}
    recipe = toy.adapt_recipe(backbone={"name": str(model)}, adapt=lora)
    targets = [catalogue.find(cards[1])]
    found = plan_adapt(recipe, targets, 4, QUICK).stages[0]
    assert found.trainable == 4 * 2 * (32 + 32)
    assert found.prompt > 0  # the frozen prompt is read
    both = toy.adapt_recipe(backbone={"name": str(model)}, adapt=lora | {"trainable": "all"})
    numbers = plan_adapt(both, targets, 4, QUICK).stages[0].trainable
    assert numbers == found.trainable + 3 * 32 + 3 + 32
    ready = toy.prepared()
    measured = plan_adapt(recipe, targets, 4, Where(budget=0), prepared=ready).stages[0]
    assert measured.measured is not None and measured.seconds > 0
    assert not any(p.requires_grad for p in ready.backbone.model.parameters())


LORA = {"rank": 2, "layers": ["o_proj"]}


@pytest.mark.parametrize("rank", [1, 2])
@pytest.mark.parametrize(
    ("trainable", "lora"),
    [("all", None), ("vectors", None), ("all", LORA), ("vectors", LORA), ("none", LORA)],
)
def test_what_is_measured_trains_what_is_planned(
    cards: list[Path],
    model: Path,
    trainable: str,
    lora: dict[str, Any] | None,
    rank: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    modules: list[Any] = []
    real = measure._steps
    monkeypatch.setattr(
        measure, "_steps", lambda *given: (modules.append(given[3]), real(*given))[1]
    )
    adapt = {"trainable": trainable, "lora": lora}
    prompt = {"length": toy.LENGTH, "rank": rank}
    recipe = toy.adapt_recipe(backbone={"name": str(model)}, adapt=adapt, prompt=prompt)
    targets = [catalogue.find(cards[1])]
    found = plan_adapt(recipe, targets, 4, Where(budget=0), prepared=toy.prepared()).stages[0]
    assert [module.trainable for module in modules] == [found.trainable]


def test_an_adaptation_by_metric_counts_its_dev_answers(cards: list[Path], model: Path) -> None:
    target = [catalogue.find(cards[1])]
    fields = {"select": "metric", "steps": 5, "evaluate_every": 2}
    recipe = toy.adapt_recipe(backbone={"name": str(model)}, adapt=fields)
    found = plan_adapt(recipe, target, 4, QUICK)
    assert [stage.repeats for stage in found.stages] == [1, 4, 1]
    assert len(plan_adapt(recipe, target, 0, QUICK).stages) == 1


def test_an_adaptation_by_form_counts_the_dev_answers_of_lists_alone(
    tmp_path: Path, model: Path
) -> None:
    fields = {"select": "by-form", "steps": 5, "evaluate_every": 2}
    recipe = toy.adapt_recipe(backbone={"name": str(model)}, adapt=fields)
    stages = {
        form: plan_adapt(recipe, [catalogue.find(card)], 4, QUICK).stages
        for form in ("label", "ner")
        for card in [toy.write_task(tmp_path, f"of-{form}", form)]
    }
    assert [stage.repeats for stage in stages["ner"]] == [1, 4, 1]
    assert len(stages["label"]) == 2
