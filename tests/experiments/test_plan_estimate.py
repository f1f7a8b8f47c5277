"""Whole plans: of source recipes, adaptations and comparisons, computed and measured."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from tests.training import toy
from typer.testing import CliRunner

from clinprompt.backbone import floats
from clinprompt.cli.app import app
from clinprompt.errors import ClinpromptError
from clinprompt.experiments.compare.recipe import CompareRecipe
from clinprompt.experiments.compare.run import Unfit
from clinprompt.experiments.plan.cost import Writing
from clinprompt.experiments.plan.estimate import Where, plan_comparison, plan_source
from clinprompt.experiments.plan.machine import GPUS, named_gpu, this_machine
from clinprompt.experiments.plan.measure import writing
from clinprompt.experiments.plan.words import amount, clock, lines, size
from clinprompt.tasks import catalogue

QUICK = Where(measure=False)


def comparison(cards: list[Path], source: Path, model: Path, **changes: Any) -> CompareRecipe:
    fields: dict[str, Any] = {
        "targets": [str(cards[2]), str(cards[4])],
        "shots": [0, 4, "full"],
        "seeds": [0, 1],
        "backbones": [{"id": "tiny", "name": str(model)}],
        "source": {"recipe": str(source)},
        "methods": [
            "bare",
            {"name": "in-context", "k": 2},
            {"name": "pt", "rates": [{"shared": 0.1}, {"shared": 0.2}]},
            {"name": "mpt", "rates": [{"shared": 0.1, "vectors": 0.1}] * 2},
            {"name": "mpt-vectors", "rates": [{"vectors": 0.1}, {"vectors": 0.2}]},
            {
                "name": "mpt-grouped",
                "groups": "all",
                "rates": [{"shared": 0.1, "vectors": 0.1}] * 2,
            },
            {"name": "mpt-lora", "rates": [{"weights": 0.1}, {"weights": 0.2}]},
            {"name": "lora", "rank": 2, "rates": [{"weights": 0.1}, {"weights": 0.2}]},
            {"name": "fine-tuning", "rates": [{"weights": 0.1}, {"weights": 0.2}]},
        ],
        "prompt": {"length": toy.LENGTH},
        "training": {"steps": {4: 5, "full": 10}, "rows": 3, "evaluations": 2},
        "evaluation": {"max_new": 8},
    }
    return CompareRecipe.model_validate(fields | changes)


@pytest.fixture(scope="module")
def source(cards: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recipe") / "source.yaml"
    path.write_text(yaml.safe_dump(toy.recipe_fields(cards[:3])))
    return path


@pytest.mark.parametrize(
    ("gpu", "able", "expected"),
    [(None, True, "bfloat16"), (None, False, "float32"), ("H100", False, "bfloat16")],
)
def test_the_float_type_is_that_of_loading(
    gpu: str | None,
    able: bool,
    expected: str,
    cards: list[Path],
    model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def can(device: torch.device) -> bool:
        return able or device.type != "cpu"

    monkeypatch.setattr(floats, "computes_bfloat16", can)
    copied = shutil.copytree(model, tmp_path / "model")
    config = json.loads((copied / "config.json").read_text())
    (copied / "config.json").write_text(json.dumps(config | {"dtype": "bfloat16"}))
    recipe = toy.recipe(cards, backbone={"name": str(copied), "device": "cpu"})
    found = plan_source(recipe, Where(measure=False, gpu=gpu))
    assert found.dtype == expected


def test_a_source_recipe_without_weights(cards: list[Path], model: Path) -> None:
    recipe = toy.recipe(cards, backbone={"name": str(model)})
    found = plan_source(recipe, Where(gpu="H100"))
    assert [stage.name for stage in found.stages] == ["teachers", "distil"]
    assert found.machine.name == "H100" and "35%" in found.machine.by
    for stage in found.stages:
        assert stage.steps == 6 and stage.measured is None
        assert stage.seconds == pytest.approx(stage.flops / found.machine.flops)
        assert 0 < stage.forward < stage.flops
        assert stage.memory.runtime < 1e6  # no process of this machine's
    assert not found.too_large
    assert json.loads(json.dumps(found.to_json()))["total"]["flops"] == found.flops


def test_measured_steps_on_this_machine(cards: list[Path]) -> None:
    recipe = toy.recipe(cards)
    found = plan_source(recipe, Where(budget=0), prepared=toy.prepared())
    for stage in found.stages:
        assert stage.measured is not None and stage.measured.steps >= 2
        assert stage.seconds > 0
        assert stage.measured.peak is None or stage.measured.peak > 1e8
        if stage.measured.peak is not None:
            assert stage.memory.total == pytest.approx(stage.measured.peak + stage.memory.teachers)
    assert any("timed steps" in note for note in found.notes)


def test_measuring_moves_nothing(cards: list[Path]) -> None:
    ready = toy.prepared()
    before = {n: p.clone() for n, p in ready.backbone.model.named_parameters()}
    plan_source(toy.recipe(cards), Where(budget=0), prepared=ready)
    for name, weight in ready.backbone.model.named_parameters():
        assert weight.grad is None and not weight.requires_grad
        assert (weight == before[name]).all()


def test_every_kind_of_method_is_measured_and_leaves_no_trace(
    cards: list[Path], source: Path, model: Path
) -> None:
    ready = toy.prepared()
    before = {n: p.clone() for n, p in ready.backbone.model.named_parameters()}
    methods = [
        {"name": "pt", "rates": [{"shared": 0.1}]},
        {"name": "pt", "id": "pt-after", "placement": "after", "rates": [{"shared": 0.1}]},
        {"name": "pt", "id": "pt-deep", "depth": "layers", "rates": [{"shared": 0.1}]},
        {"name": "lora", "rank": 2, "rates": [{"weights": 0.1}]},
        {"name": "mpt-lora", "rates": [{"weights": 0.1}]},
        {"name": "fine-tuning", "rates": [{"weights": 0.1}]},
        {"name": "fine-tuning", "id": "late", "placement": "after", "rates": [{"weights": 0.1}]},
    ]
    targets = [str(card) for card in cards[1:4]]
    recipe = comparison(cards, source, model, methods=methods, targets=targets, shots=[4])
    (found,) = plan_comparison(recipe, Where(budget=0), prepared={"tiny": ready})
    by_group: dict[str, list[Any]] = {}
    for stage in found.stages:
        if stage.group != "answers":
            assert stage.measured is not None and stage.seconds > 0, stage.name
            by_group.setdefault(stage.group.split(",")[0], []).append(stage)
    assert {"pt", "pt-after", "pt-deep", "mpt-lora", "lora", "fine-tuning", "late"} <= set(by_group)
    for name in (
        "pt-after",
        "pt-deep",
        "mpt-lora",
        "lora",
    ):  # three targets: two are run, one is not
        first, second, third = (stage.measured for stage in by_group[name])
        assert first.steps >= 2 and second.steps >= 2 and third.steps == 0
        if second.peak is not None:
            assert third.peak / third.formula == pytest.approx(second.peak / second.formula)
    for name, weight in ready.backbone.model.named_parameters():
        assert weight.grad is None and not weight.requires_grad
        assert (weight == before[name]).all()
    assert any("timed steps" in note for note in found.notes)


def test_a_prompt_behind_the_text_is_planned_there(
    cards: list[Path], source: Path, model: Path
) -> None:
    methods = [
        {"name": "pt", "rates": [{"shared": 0.1}]},
        {"name": "pt", "id": "late", "placement": "after", "rates": [{"shared": 0.1}]},
    ]
    recipe = comparison(cards, source, model, methods=methods, shots=[4], seeds=[0])
    (found,) = plan_comparison(recipe, QUICK)
    answers = {stage.name: stage for stage in found.stages if stage.group == "answers"}
    for name, late in answers.items():
        if not name.startswith("answers of late"):
            continue
        usual = answers[name.replace("of late", "of pt")]
        assert late.prompt == 0 and usual.prompt > toy.LENGTH
        assert late.text > usual.text
    (first, *_), (late_one, *_) = (
        [s for s in found.stages if s.group == f"{name}, 4 shots"] for name in ("pt", "late")
    )
    assert first.trainable == late_one.trainable
    assert late_one.prompt > first.prompt  # once a row, not once a step


def test_decoding_is_timed_by_steps_and_rows() -> None:
    found = writing(toy.prepared().backbone, rows=4, tokens=3)
    assert found.step >= 0 and found.row >= 0 and found.step + found.row > 0
    assert Writing(0.5, 0.25).seconds(10, 40) == 15


@pytest.mark.parametrize("placement", ["before", "after"])
def test_both_placements_can_be_planned(cards: list[Path], placement: str) -> None:
    prompt = {"length": toy.LENGTH, "placement": placement}
    recipe = toy.recipe(cards, prompt=prompt)
    ready = toy.prepared().placed(placement)  # type: ignore[arg-type]
    found = plan_source(recipe, Where(budget=0), prepared=ready)
    assert all(stage.seconds > 0 and stage.measured for stage in found.stages)


def test_a_comparison_counts_every_cell(cards: list[Path], source: Path, model: Path) -> None:
    recipe = comparison(cards, source, model)
    (found,) = plan_comparison(recipe, QUICK)
    table = {line.name: line for line in lines(found.stages)}
    # Two targets, two seeds; in the first seed both sets of rates are tried.
    for name in ("pt", "mpt", "mpt-vectors", "mpt-lora", "lora", "fine-tuning"):
        assert table[f"{name}, 4 shots"].runs == 2 * (2 + 1)
    assert table["mpt-grouped, full shots"].runs == 2 + 1  # both targets at once
    p, h = toy.LENGTH, 32
    assert table["pt, 4 shots"].trainable == p * h
    assert table["mpt, 4 shots"].trainable == p * h + p + h
    assert table["mpt-vectors, 4 shots"].trainable == p + h
    assert table["mpt-grouped, 4 shots"].trainable == p * h + 2 * (p + h)
    assert table["mpt-lora, 4 shots"].trainable == 4 * ((32 + 32) + (32 + 16))
    assert table["lora, 4 shots"].trainable == 4 * 2 * ((32 + 32) + (32 + 16))
    assert table["fine-tuning, 4 shots"].trainable == found.shape.parameters
    assert "mpt, 0 shots" not in table
    # bare and mpt at 0, in-context at 2, six methods at two numbers of shots, and groups.
    assert table["answers"].runs == 2 * 2 * (1 + 1 + 1 + 2 * 7)
    assert found.seconds == pytest.approx(sum(line.seconds for line in table.values()))


def test_tuning_on_some_targets_or_not_at_all(cards: list[Path], source: Path, model: Path) -> None:
    def runs(**changes: Any) -> int:
        (found,) = plan_comparison(comparison(cards, source, model, **changes), QUICK)
        return next(one.runs for one in lines(found.stages) if one.name == "pt, 4 shots")

    first = catalogue.find(cards[2]).name
    assert runs(tuning={"when": "off"}) == 4
    assert runs(tuning={"when": "per-cell"}) == 8
    assert runs(tuning={"when": "first-seed", "targets": [first]}) == 5


def test_dev_answers_that_choose_states_are_counted(
    cards: list[Path], source: Path, model: Path
) -> None:
    training = {"steps": {4: 5, "full": 10}, "rows": 3, "evaluations": 2}
    by_loss = comparison(cards, source, model)
    by_metric = comparison(cards, source, model, training=training | {"select": "metric"})
    (before,), (found,) = plan_comparison(by_loss, QUICK), plan_comparison(by_metric, QUICK)
    tables = [{one.name: one for one in lines(each.stages)} for each in (before, found)]
    # 6 fittings a method and number of shots (mpt-grouped: 3 of both targets), three rounds each.
    assert tables[1]["dev answers"].runs == 3 * 2 * (6 * 6 + 3 * 2)
    assert "dev answers" not in tables[0]
    assert {k: v for k, v in tables[1].items() if k != "dev answers"}.keys() == tables[0].keys()
    dev = [one.flops * one.repeats for one in found.stages if one.group == "dev answers"]
    assert found.flops == pytest.approx(before.flops + sum(dev))
    assert min(dev) > 0
    by_form = comparison(cards, source, model, training=training | {"select": "by-form"})
    (fewer,) = plan_comparison(by_form, QUICK)
    lists = [one for one in fewer.stages if one.group == "dev answers"]
    forms = {card.name: card.lists for card in map(catalogue.find, cards)}
    told = {one.name.split(": ")[1].split(",")[0] for one in lists}
    assert told
    assert 0 < sum(one.flops * one.repeats for one in lists) < sum(dev)
    assert any(forms[name] for name in told)


def test_unknown_names_are_told_all_at_once(cards: list[Path], source: Path, model: Path) -> None:
    recipe = comparison(cards, source, model, methods=["nothing", {"name": "pt", "rate": 1}])
    with pytest.raises(Unfit) as caught:
        plan_comparison(recipe, QUICK)
    assert len(caught.value.complaints) >= 2


def test_the_gpu_table() -> None:
    assert named_gpu("nvidia h100", mixture=False).flops == pytest.approx(0.35 * 989e12)
    assert named_gpu("A100-80GB", mixture=True).flops < named_gpu("A100-80gb", mixture=False).flops
    with pytest.raises(ClinpromptError, match="CP-EXP-303"):
        named_gpu("H1000", mixture=False)
    assert all(gpu.memory > 1e10 and gpu.bandwidth > 1e11 for gpu in GPUS.values())


def test_this_machine_is_benchmarked() -> None:
    found = this_machine(dtype="float32", device="cpu")
    assert 1e8 < found.flops < 1e15 and found.bandwidth > 1e7
    assert found.memory is None or found.memory > 1e9


def test_numbers_for_people() -> None:
    assert [size(x) for x in (12, 269_030_016, 1_655_184)] == ["12 B", "269 MB", "1.66 MB"]
    assert amount(1_234_000_000_000_000) == "1.23 P" and amount(0) == "0"
    assert [clock(x) for x in (0.2, 3, 125, 7500, 200_000)] == [
        "< 1 s", "3 s", "2 m 05 s", "2 h 05 m", "2 d 07 h",
    ]  # fmt: skip


def run(*arguments: object) -> Any:
    return CliRunner().invoke(app, ["plan", *map(str, arguments)])


def test_the_command_prints_a_table_or_json(source: Path, model: Path) -> None:
    shown = run(source, "--no-measure", "--set", f"backbone.name={model}")
    assert shown.exit_code == 0, shown.output
    assert "teachers" in shown.output and "total" in shown.output and "assumed" in shown.output
    printed = run(source, "--gpu", "L4", "--json", "--set", f"backbone.name={model}")
    content = json.loads(printed.stdout)
    assert content["backbones"][0]["machine"]["name"] == "L4"
    assert [s["name"] for s in content["backbones"][0]["stages"]] == ["teachers", "distil"]


def test_the_command_plans_adaptations_and_comparisons(
    cards: list[Path], source: Path, model: Path, tmp_path: Path
) -> None:
    settings = tmp_path / "adapt.yaml"
    settings.write_text(yaml.safe_dump(toy.adapt_fields(backbone={"name": str(model)})))
    shown = run(settings, "--task", cards[1], "--shots", 4, "--no-measure")
    assert shown.exit_code == 0 and "answers" in shown.output
    path = tmp_path / "compare.yaml"
    recipe = comparison(cards, source, model)
    path.write_text(yaml.safe_dump(recipe.model_dump(mode="json")))
    shown = run(path, "--gpu", "H100")
    assert shown.exit_code == 0 and "fine-tuning, full shots" in shown.output


@pytest.mark.parametrize(
    ("text", "arguments", "code"),
    [
        ("adapt: {steps: 3}", [], "CP-EXP-305"),
        ("sources: [a, b]", ["--task", "x"], "CP-EXP-306"),
        ("seed: 1", [], "CP-EXP-304"),
        ("sources: [rqe, pgr]", ["--gpu", "Z80"], "CP-EXP-303"),
        ("sources: [rqe, pgr]\nbackbone: {name: nowhere/model}", ["--gpu", "H100"], "CP-EXP-300"),
        ("sources: [rqe, pgr", [], "CP-TRAIN-011"),
        ("methods: [nothing]\ntargets: [rqe]", [], "CP-EXP-105"),
    ],
)
def test_mistakes_are_told_in_a_line(
    text: str, arguments: list[str], code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    found = run(path, "--no-measure", *arguments)
    assert found.exit_code == 2, found.output
    assert code in found.output and "Traceback" not in found.output
