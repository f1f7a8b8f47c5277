"""A low-rank update behind a frozen metaprompt: what is learned, kept and refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tests.training import toy
from tests.training.adapting import fit

from clinprompt.artifacts.prompt_set import PromptSet
from clinprompt.backbone import updates
from clinprompt.errors import ClinpromptError
from clinprompt.prompts import compose, mean_update
from clinprompt.training import adapt as module
from clinprompt.training.batch import Item, prefix_of, row_losses
from clinprompt.training.loop import Interrupted
from clinprompt.training.settings import AdaptSettings

LORA: dict[str, Any] = {"trainable": "none", "lora": {}, "rate_weights": 0.02, "steps": 4}
NUMBERS = 4 * ((32 + 32) + (32 + 16))  # rank 1 on q and v of 4 layers


def zero_shot(metaprompt: PromptSet) -> torch.Tensor:
    u, v, _ = mean_update(metaprompt.tensors["u"], metaprompt.tensors["v"])
    return compose(metaprompt.tensors["shared"], u, v)


def test_the_prompt_stays_and_the_update_is_learned(
    tmp_path: Path, metaprompt: PromptSet, target: Path
) -> None:
    found = fit(tmp_path / "out", metaprompt, target, adapt=LORA)
    meta = found.meta
    assert (meta.kind, meta.form, meta.trainable_parameters) == ("adapted", "decomposed", NUMBERS)
    assert meta.update is not None
    assert meta.update.model_dump() == {
        "rank": 1,
        "alpha": 2.0,
        "layers": ("q_proj", "v_proj"),
        "numbers": NUMBERS,
    }
    assert torch.equal(found.tensors["shared"], metaprompt.tensors["shared"])
    torch.testing.assert_close(found.task_prompt("target"), zero_shot(metaprompt))
    assert found.update is not None and float(found.update.values.norm()) > 0
    assert PromptSet.load(tmp_path / "out").digest == found.digest
    told: Any = meta.configuration["adapt"]
    assert told["lora"] == {"rank": 1, "alpha": 2.0, "layers": ["q_proj", "v_proj"]}


def test_what_is_saved_has_the_dev_loss_that_was_reached(
    tmp_path: Path, metaprompt: PromptSet, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stages: list[Any] = []
    real = module.run
    monkeypatch.setattr(module, "run", lambda b, s, *rest: (stages.append(s), real(b, s, *rest))[1])
    found = fit(tmp_path / "out", metaprompt, target, adapt=LORA)
    (task,) = stages[0].tasks
    backbone = toy.prepared().backbone
    items = [Item(row, 0) for row in task.rows["dev"]]

    def loss() -> float:
        with torch.no_grad():
            before = prefix_of(backbone, found.task_prompt("target")[None], [task.fixed])
            return row_losses(backbone, before, items, microbatch_tokens=256)[0]

    history: Any = found.meta.metrics["adapt"]
    assert loss() == pytest.approx(history["history"][0]["dev_mean"], rel=1e-5)
    with updates.at_work(backbone, found.update):
        assert loss() == pytest.approx(history["best"]["mean"], rel=1e-5)
    assert history["best"]["mean"] < history["history"][0]["dev_mean"]


def test_the_backbone_is_as_it_was(tmp_path: Path, metaprompt: PromptSet, target: Path) -> None:
    model = toy.prepared().backbone.model
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    fit(tmp_path / "out", metaprompt, target, adapt=LORA)
    after = dict(model.named_parameters())
    assert list(after) == list(before)
    assert all(p.equal(before[n]) and not p.requires_grad for n, p in after.items())


def test_a_group_shares_one_update(
    tmp_path: Path, metaprompt: PromptSet, target: Path, other: Path
) -> None:
    found = fit(tmp_path / "out", metaprompt, target, other, adapt=LORA | {"init": "similar"})
    assert found.meta.trainable_parameters == NUMBERS
    assert found.tensors["update"].shape == (NUMBERS,)
    assert not torch.equal(found.task_prompt("target"), found.task_prompt("other"))


def test_other_ranks_and_layers(tmp_path: Path, metaprompt: PromptSet, target: Path) -> None:
    lora = {"rank": 3, "alpha": 1.5, "layers": ["o_proj"]}
    found = fit(tmp_path / "out", metaprompt, target, adapt=LORA | {"lora": lora})
    assert found.meta.trainable_parameters == 4 * 3 * (32 + 32)
    assert found.meta.update is not None and found.meta.update.alpha == 1.5


@pytest.mark.parametrize(("trainable", "more"), [("vectors", 3 + 32), ("all", 3 * 32 + 3 + 32)])
def test_the_prompt_may_be_trained_with_it(
    tmp_path: Path, metaprompt: PromptSet, target: Path, trainable: str, more: int
) -> None:
    found = fit(tmp_path / "out", metaprompt, target, adapt=LORA | {"trainable": trainable})
    assert found.meta.trainable_parameters == NUMBERS + more
    stays = torch.equal(found.tensors["shared"], metaprompt.tensors["shared"])
    assert stays == (trainable == "vectors")
    assert not torch.allclose(found.task_prompt("target"), zero_shot(metaprompt))
    frozen = fit(tmp_path / "frozen", metaprompt, target, adapt=LORA)
    assert not torch.equal(found.tensors["update"], frozen.tensors["update"])


def test_nothing_to_train_is_refused() -> None:
    with pytest.raises(ValueError, match=r"adapt\.lora\.rank=1"):
        AdaptSettings(trainable="none")


def test_at_no_shots_there_is_no_update(
    tmp_path: Path, metaprompt: PromptSet, target: Path
) -> None:
    found = fit(tmp_path / "out", metaprompt, target, shots=0, adapt=LORA)
    assert (found.meta.update, found.meta.trainable_parameters) == (None, 0)
    torch.testing.assert_close(found.task_prompt("target"), zero_shot(metaprompt))


def test_a_stopped_run_goes_on_to_the_same_bytes(
    tmp_path: Path, metaprompt: PromptSet, target: Path
) -> None:
    whole = fit(tmp_path / "whole", metaprompt, target, adapt=LORA)
    asked = 0

    def should_stop() -> bool:
        nonlocal asked
        asked += 1
        return asked == 2

    with pytest.raises(Interrupted):
        toy_fit(tmp_path / "again", metaprompt, target, should_stop)
    again = fit(tmp_path / "again", metaprompt, target, adapt=LORA)
    assert again.digest == whole.digest


def toy_fit(out: Path, metaprompt: PromptSet, target: Path, should_stop: Any) -> None:
    from clinprompt.tasks import catalogue

    module.adapt(
        toy.adapt_recipe(adapt=LORA),
        metaprompt,
        [catalogue.find(target)],
        None,
        out,
        shots=6,
        prepared=toy.prepared(),
        progress=toy.Lines(),
        should_stop=should_stop,
    )


def test_earlier_runs_are_still_the_same_run(tmp_path: Path, metaprompt: PromptSet) -> None:
    """What was finished before there was such a thing is found again as finished."""
    from clinprompt.training.prepare import identity_of

    now = {"adapt": AdaptSettings().model_dump()}
    before = {"adapt": {k: v for k, v in now["adapt"].items() if k not in ("lora", "rate_weights")}}
    ready = toy.prepared()
    assert identity_of(ready, now, []) == identity_of(ready, before, [])
    other = {"adapt": AdaptSettings(rate_weights=0.5).model_dump()}
    assert identity_of(ready, other, []) != identity_of(ready, before, [])


@pytest.mark.parametrize(
    ("changes", "code", "says"),
    [
        ({"lora": {"layers": ["q_porj"]}}, "CP-TRAIN-098", "'q_porj'"),
        ({}, "CP-TRAIN-096", "there is none"),
    ],
)
def test_what_can_not_be_trained_is_refused(
    tmp_path: Path, metaprompt: PromptSet, target: Path, changes: Any, code: str, says: str
) -> None:
    given = metaprompt if changes else None
    with pytest.raises(ClinpromptError) as caught:
        fit(tmp_path / "out", given, target, adapt=LORA | changes)
    assert caught.value.code == code and says in caught.value.message
    assert not (tmp_path / "out").exists()


def test_a_metaprompt_behind_the_text_is_refused(tmp_path: Path, target: Path) -> None:
    from tests.training.adapting import SOURCES, random_set

    from clinprompt.tasks import catalogue

    cards = [catalogue.find(p) for p in toy.write_tasks(tmp_path / "sources", SOURCES)]
    template = toy.prepared().placed("after").backbone.template
    late = random_set(cards, placement="after", template=template)
    with pytest.raises(ClinpromptError, match=r"CP-TRAIN-096.*stands after"):
        fit(tmp_path / "out", late, target, adapt=LORA)


def test_without_peft_it_says_what_to_install(
    tmp_path: Path, metaprompt: PromptSet, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(ClinpromptError, match="CP-TRAIN-097"):
        fit(tmp_path / "out", metaprompt, target, adapt=LORA)
