from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tests.backbone import tiny
from tests.training import toy
from tests.training.adapting import SOURCES, fit, random_set

from clinprompt.artifacts.fingerprint import fingerprint
from clinprompt.artifacts.meta import Parents
from clinprompt.artifacts.prompt_set import PromptSet
from clinprompt.backbone.codec import Codec
from clinprompt.backbone.model import Backbone
from clinprompt.errors import ClinpromptError
from clinprompt.prompts import mean_update
from clinprompt.tasks import catalogue
from clinprompt.training import adapt as module
from clinprompt.training.adapt import adapt
from clinprompt.training.loop import Interrupted, Stage
from clinprompt.training.modules import Decomposed, PromptTable
from clinprompt.training.prepare import Prepared
from clinprompt.training.settings import AdaptRecipe
from clinprompt.training.workspace import workspace


@pytest.fixture
def stages(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Stage, dict[str, torch.Tensor]]]:
    """Every stage that is run, with the state it began in."""
    found: list[tuple[Stage, dict[str, torch.Tensor]]] = []
    real = module.run

    def watched(backbone: Any, stage: Stage, *arguments: Any) -> Any:
        found.append((stage, {n: t.clone() for n, t in stage.module.state_dict().items()}))
        return real(backbone, stage, *arguments)

    monkeypatch.setattr(module, "run", watched)
    return found


# ---- what comes out ----------------------------------------------------------------------------


def test_one_target(tmp_path: Path, metaprompt: PromptSet, target: Path, stages: list[Any]) -> None:
    found = fit(tmp_path / "out", metaprompt, target)
    meta = found.meta
    assert (meta.kind, meta.form, meta.names) == ("adapted", "decomposed", ["target"])
    assert meta.trainable_parameters == 3 * 32 + 3 + 32
    assert meta.parents == Parents(metaprompt=metaprompt.digest)
    assert meta.training_data == {"target": {"train": 6, "dev": 3}}
    assert meta.configuration["shots"] == 6
    assert PromptSet.load(tmp_path / "out").digest == found.digest
    assert [path.name for path in tmp_path.iterdir()] == ["out"]  # the work folder is gone
    stage, begun = stages[0]
    u, v, _ = mean_update(metaprompt.tensors["u"], metaprompt.tensors["v"])
    assert torch.equal(begun["shared"], metaprompt.tensors["shared"])
    assert torch.equal(begun["u.0"], u)
    assert torch.equal(begun["v.0"], v)
    scale = toy.prepared().backbone.embedding_scale
    assert stage.rates == {"shared": pytest.approx(0.1 * scale), "vectors": 0.02}
    history: Any = meta.metrics["adapt"]
    assert history["start"] == {"target": "mean"}
    assert [entry["step"] for entry in history["history"]] == [0, 2, 4, 6]


def test_a_group_shares_one_prompt(
    tmp_path: Path, metaprompt: PromptSet, target: Path, other: Path, stages: list[Any]
) -> None:
    found = fit(tmp_path / "out", metaprompt, target, other, adapt={"steps": 4})
    assert found.meta.names == ["target", "other"]
    assert found.tensors["shared"].shape == (3, 32)
    assert found.tensors["u"].shape == (2, 3, 1)
    assert found.meta.trainable_parameters == 3 * 32 + 2 * (3 + 32)
    stage, begun = stages[0]
    assert isinstance(stage.module, Decomposed)
    for step in range(4):  # both in every step, half of the rows each
        assert sorted((d.task, len(d.examples)) for d in stage.sampler[step]) == [(0, 2), (1, 2)]
    assert torch.equal(begun["u.0"], begun["u.1"])
    for name in found.meta.names:
        k = found.meta.names.index(name)
        expected = found.tensors["shared"] * (found.tensors["u"][k] @ found.tensors["v"][k])
        assert torch.equal(found.task_prompt(name), expected)


def test_all_moves_everything_and_vectors_leave_the_metaprompt_bit_by_bit(
    tmp_path: Path, metaprompt: PromptSet, target: Path, stages: list[Any]
) -> None:
    fast: dict[str, Any] = {
        "steps": 24,
        "rows": 8,
        "rate_shared": 0.5,
        "rate_vectors": 0.2,
        "evaluate_every": 4,
    }
    everything = fit(tmp_path / "all", metaprompt, target, shots=12, adapt=fast)
    fast["trainable"] = "vectors"
    vectors = fit(tmp_path / "vectors", metaprompt, target, shots=12, adapt=fast)
    _, begun = stages[0]
    assert not torch.equal(everything.tensors["shared"], metaprompt.tensors["shared"])
    assert torch.equal(vectors.tensors["shared"], metaprompt.tensors["shared"])
    assert vectors.meta.trainable_parameters == 3 + 32
    for found in (everything, vectors):
        history: Any = found.meta.metrics["adapt"]
        assert history["best_step"]["mean"] > 0  # or there would be nothing to see
        assert not torch.equal(found.tensors["u"][0], begun["u.0"])
        assert not torch.equal(found.tensors["v"][0], begun["v.0"])


def test_plain_prompt_tuning_is_the_same_without_a_metaprompt(
    tmp_path: Path, target: Path, other: Path, stages: list[Any]
) -> None:
    found = fit(tmp_path / "out", None, target, other, prompt={"length": 5})
    assert (found.meta.kind, found.meta.form, found.meta.rank) == ("prompt-tuning", "plain", None)
    assert found.tensors["prompts"].shape == (2, 5, 32)
    assert found.meta.trainable_parameters == 2 * 5 * 32
    assert found.meta.parents == Parents()
    stage, _ = stages[0]
    assert isinstance(stage.module, PromptTable)
    history: Any = found.meta.metrics["adapt"]
    assert set(history["best"]) == {"target", "other"}  # each prompt keeps its own best


# ---- zero shots --------------------------------------------------------------------------------


def test_zero_shots_write_the_mean_without_training(
    tmp_path: Path, metaprompt: PromptSet, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "run", None)
    monkeypatch.setattr(module, "training_splits", None)  # no data is read
    found = fit(tmp_path / "out", metaprompt, target, shots=0)
    u, v, lost = mean_update(metaprompt.tensors["u"], metaprompt.tensors["v"])
    assert lost > 0.01
    expected = metaprompt.tensors["shared"] * (u @ v)
    torch.testing.assert_close(found.task_prompt("target"), expected, rtol=1e-6, atol=1e-7)
    product = (metaprompt.tensors["u"] @ metaprompt.tensors["v"]).mean(0)
    left, values, right = torch.linalg.svd(product)
    by_hand = metaprompt.tensors["shared"] * values[0] * torch.outer(left[:, 0], right[0])
    torch.testing.assert_close(found.task_prompt("target"), by_hand, rtol=1e-4, atol=1e-5)
    assert found.meta.trainable_parameters == 0
    assert found.meta.training_data == {}
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_zero_shots_of_another_task_are_not_taken_for_finished(
    tmp_path: Path, metaprompt: PromptSet, target: Path, other: Path
) -> None:
    first = fit(tmp_path / "out", metaprompt, target, shots=0)
    again = fit(tmp_path / "out", metaprompt, target, shots=0)
    assert again.digest == first.digest
    with pytest.raises(ClinpromptError, match="CP-TRAIN-062"):
        fit(tmp_path / "out", metaprompt, other, shots=0)
    assert PromptSet.load(tmp_path / "out").meta.names == ["target"]


def test_zero_shots_with_nothing_to_go_by_are_refused(
    tmp_path: Path, metaprompt: PromptSet, target: Path
) -> None:
    with pytest.raises(ClinpromptError, match="CP-TRAIN-060"):
        fit(tmp_path / "out", None, target, shots=0)
    for init in ("nearest", "dev"):
        with pytest.raises(ClinpromptError, match="CP-TRAIN-061"):
            fit(tmp_path / "out", metaprompt, target, shots=0, adapt={"init": init})


# ---- what it starts from ------------------------------------------------------------------------


def test_the_choice_is_recorded_and_used(
    tmp_path: Path, metaprompt: PromptSet, target: Path, other: Path, stages: list[Any]
) -> None:
    found = fit(tmp_path / "out", metaprompt, target, other, adapt={"init": "nearest"})
    history: Any = found.meta.metrics["adapt"]
    chosen = history["start"]
    assert set(chosen) == {"target", "other"} and set(chosen.values()) <= set(SOURCES)
    _, begun = stages[0]
    for place, name in enumerate(("target", "other")):
        k = SOURCES.index(chosen[name])
        assert torch.equal(begun[f"u.{place}"], metaprompt.tensors["u"][k])


def test_without_examples_the_card_says_which_source_is_nearest(
    tmp_path: Path, metaprompt: PromptSet, target: Path
) -> None:
    found = fit(tmp_path / "out", metaprompt, target, shots=0, adapt={"init": "similar"})
    history: Any = found.meta.metrics["adapt"]
    cards = metaprompt.meta.tasks
    (same,) = [one.name for one in cards if one.type == catalogue.find(target).type]
    assert history["start"] == {"target": same}
    k = SOURCES.index(same)
    for name in ("u", "v"):
        assert torch.equal(found.tensors[name][0], metaprompt.tensors[name][k])


# ---- going on, and what is refused ---------------------------------------------------------------


@pytest.mark.parametrize("plain", [False, True])
def test_stopped_at_any_step_it_ends_in_the_same_bytes(
    tmp_path: Path, metaprompt: PromptSet, target: Path, other: Path, plain: bool
) -> None:
    parent = None if plain else metaprompt
    fit(tmp_path / "whole", parent, target, other)
    for stop in (1, 2, 5):
        out, asked = tmp_path / f"stop-{stop}", iter([False] * (stop - 1) + [True])
        with pytest.raises(Interrupted):
            adapt(
                toy.adapt_recipe(),
                parent,
                [catalogue.find(target), catalogue.find(other)],
                None,
                out,
                shots=6,
                prepared=toy.prepared(),
                progress=toy.Lines(),
                should_stop=lambda asked=asked: next(asked),
            )
        assert (tmp_path / f"stop-{stop}.work" / "adapt.ckpt").exists()
        fit(out, parent, target, other)
        assert toy.contents(out) == toy.contents(tmp_path / "whole")
        assert not (tmp_path / f"stop-{stop}.work").exists()


def test_run_again_it_is_only_read_and_another_one_is_refused(
    tmp_path: Path, metaprompt: PromptSet, target: Path, other: Path
) -> None:
    first = fit(tmp_path / "out", metaprompt, target)
    before = toy.contents(tmp_path / "out")
    (tmp_path / "out.work").mkdir()
    (tmp_path / "out.work" / "adapt.ckpt").touch()  # as if killed right after saving
    assert fit(tmp_path / "out", metaprompt, target).digest == first.digest
    assert not (tmp_path / "out.work").exists()
    changed: list[Any] = [
        lambda: fit(tmp_path / "out", metaprompt, other),
        lambda: fit(tmp_path / "out", metaprompt, target, shots=7),
        lambda: fit(tmp_path / "out", metaprompt, target, seed=9),
        lambda: fit(tmp_path / "out", None, target),
    ]
    for attempt in changed:
        with pytest.raises(ClinpromptError, match="CP-TRAIN-062"):
            attempt()
    assert toy.contents(tmp_path / "out") == before


def test_a_wrong_backbone_is_refused(tmp_path: Path, metaprompt: PromptSet, target: Path) -> None:
    twin = tiny.backbone("llama", seed=1)  # the same sizes, other weights
    wrong = Prepared(twin, Codec(twin.tokenizer, twin.template), fingerprint(twin))
    with pytest.raises(ClinpromptError, match="CP-ART-020") as caught:
        adapt(
            toy.adapt_recipe(),
            metaprompt,
            [catalogue.find(target)],
            None,
            tmp_path / "out",
            prepared=wrong,
        )
    for known in (metaprompt.meta.fingerprint, wrong.fingerprint):
        assert known.weights[:12] in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_what_has_no_task_vectors_is_no_metaprompt(
    tmp_path: Path, metaprompt: PromptSet, target: Path
) -> None:
    plain = random_set(list(metaprompt.meta.tasks), kind="prompt-tuning", form="plain", rank=None)
    with pytest.raises(ClinpromptError, match="CP-TRAIN-080"):
        fit(tmp_path / "out", plain, target)


def test_a_target_named_twice_is_refused(
    tmp_path: Path, metaprompt: PromptSet, target: Path
) -> None:
    with pytest.raises(ClinpromptError, match="CP-TRAIN-081"):
        fit(tmp_path / "out", metaprompt, target, target)


def test_more_shots_than_there_are_is_refused(
    tmp_path: Path, metaprompt: PromptSet, target: Path
) -> None:
    with pytest.raises(ClinpromptError, match=r"CP-TASK-021.*'target'.*12 training examples"):
        fit(tmp_path / "out", metaprompt, target, shots=13)


@pytest.mark.parametrize("asked", [{"length": toy.LENGTH + 1}, {"rank": 2}])
def test_another_length_or_rank_than_the_metaprompts_is_refused(
    tmp_path: Path, metaprompt: PromptSet, target: Path, asked: dict[str, int]
) -> None:
    with pytest.raises(ClinpromptError, match=f"CP-TRAIN-090.*prompt.{next(iter(asked))}"):
        fit(tmp_path / "out", metaprompt, target, prompt=asked)


def test_the_record_has_the_metaprompts_length(
    tmp_path: Path, metaprompt: PromptSet, target: Path
) -> None:
    recipe = AdaptRecipe.model_validate(
        {name: value for name, value in toy.adapt_fields().items() if name != "prompt"}
    )
    card = catalogue.find(target)
    found = adapt(recipe, metaprompt, [card], None, tmp_path / "out", shots=0,
                  prepared=toy.prepared(), progress=toy.Lines())  # fmt: skip
    prompt: Any = found.meta.configuration["prompt"]
    assert (prompt["length"], prompt["rank"]) == (toy.LENGTH, 1)


def test_two_at_once_are_refused(tmp_path: Path, metaprompt: PromptSet, target: Path) -> None:
    with workspace(tmp_path / "out"), pytest.raises(ClinpromptError, match="CP-TRAIN-085"):
        fit(tmp_path / "out", metaprompt, target)


def test_an_adapted_prompt_can_be_adapted_again(
    tmp_path: Path, metaprompt: PromptSet, target: Path, other: Path
) -> None:
    first = fit(tmp_path / "one", metaprompt, target)
    second = fit(tmp_path / "two", first, other)
    assert second.meta.parents.metaprompt == first.digest
    assert second.meta.names == ["other"]


def test_the_backbone_never_changes(tmp_path: Path, metaprompt: PromptSet, target: Path) -> None:
    backbone: Backbone = toy.prepared().backbone
    before = {n: p.clone() for n, p in backbone.model.named_parameters()}
    fit(tmp_path / "out", metaprompt, target, adapt={"weight_decay": 0.1})
    for name, parameter in backbone.model.named_parameters():
        assert torch.equal(parameter, before[name]), name
        assert parameter.grad is None and not parameter.requires_grad
