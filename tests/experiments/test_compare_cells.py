"""The whole comparison on a tiny backbone: cells, tuning, stopping, failing, going on."""

from __future__ import annotations

import json

import pytest
from tests.experiments import compare_world as cw
from tests.training import toy

from clinprompt.artifacts.prompt_set import PromptSet
from clinprompt.backbone.allocator import keep_freed
from clinprompt.errors import ClinpromptError
from clinprompt.experiments.compare import run, running
from clinprompt.experiments.compare.cell import read_cells, read_comparison, read_sources
from clinprompt.experiments.compare.methods import METHODS
from clinprompt.tasks import catalogue
from clinprompt.tasks.loading import load
from clinprompt.training.loop import Interrupted

TRAINED = ("pt", "mpt", "mpt-vectors", "mpt-grouped", "mpt-lora", "lora", "fine-tuning")
P, H, BACKBONE = toy.LENGTH, 32, toy.prepared().backbone
PT = [{"name": "pt", "rates": [{"shared": 0.05}]}]


@pytest.fixture(scope="module")
def fields(tmp_path_factory):
    return cw.write_world(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def whole(fields, tmp_path_factory):
    """A comparison that ran through."""
    out = tmp_path_factory.mktemp("whole")
    cells = cw.compared(fields, out)
    return out, cells


def test_every_method_has_its_cells(whole):
    out, cells = whole
    places = {(c.key.target, c.key.method, c.key.shots) for c in cells.values()}
    expected = {("bare", 0), ("in-context", 2), ("mpt", 0)}
    expected |= {(method, shots) for method in TRAINED for shots in (4, "full")}
    assert places == {(t, *one) for t in ("asked", "marked") for one in expected}
    assert [c.id for c in cells.values() if c.status != "done"] == []
    assert set(read_comparison(out).recipe) >= {"methods", "training", "statistics"}
    assert read_cells(out).keys() == cells.keys()


def test_a_cell_says_what_it_is_made_of(whole):
    out, _ = whole
    cell = cw.cell_at(out, "asked/mpt-4-s0")
    assert cell.parameters.trainable == P * H + P + H
    assert cell.parameters.share == (P * H + P + H) / BACKBONE.parameters
    assert cell.parameters.stored_bytes == 4 * (P * H + P + H)
    assert cell.parameters.context_tokens == P
    assert cell.cost.examples_seen == 2 * 2
    assert cell.cost.tuning_examples_seen == 2 * 2
    assert cell.cost.train_seconds > 0
    assert cell.cost.tuning_seconds > 0
    assert cell.cost.memory in ("resident", "unknown")
    assert cell.data == {"train": 4, "dev": 3}
    assert cell.hardware["device"] == "cpu"
    assert {"torch", "transformers", "clinprompt"} <= set(cell.versions)
    assert cell.details["metaprompt"] == read_sources(out)["tiny"].digest
    assert [point.step for point in cell.history] == [0, 1, 2]
    assert cell.dev.loss == min(point.dev["asked"] for point in cell.history)
    assert cell.main.metric == "accuracy"
    assert cell.main.low <= cell.main.value <= cell.main.high
    assert cell.test["n"] == cell.counts["examples"] == 5
    assert cell.test["scores"]["value"] == cell.main.value
    predictions = cell.key.folder(out) / "predictions.jsonl"
    assert len(predictions.read_text().splitlines()) == 5
    assert PromptSet.load(cell.key.folder(out) / "weights").meta.names == ["asked"]
    loaded = json.loads((cell.key.folder(out) / "cell.json").read_text())
    assert loaded["schema"] == 1


def test_all_trained_methods_see_as_many_examples_and_tries(whole):
    _, cells = whole
    for shots, seen in ((4, 2 * 2), ("full", 3 * 2)):
        trained = [c for c in cells.values() if c.key.shots == shots]
        assert {c.key.method for c in trained} == set(TRAINED)
        assert {c.cost.examples_seen for c in trained} == {seen}
        assert {len(c.tuning) for c in trained} == {2}
        assert {c.data["train"] for c in trained} == {4 if shots == 4 else 12}
        assert {c.dev.examples for c in trained} == {3}


def test_dev_loss_alone_chooses_the_rates(whole):
    _, cells = whole
    chosen = set()
    for cell in cells.values():
        if cell.tuning:
            best = min(cell.tuning, key=lambda one: one.dev_loss)
            assert cell.chosen == best.rates
            chosen.add(cell.tuning.index(best))
    assert chosen == {0, 1}  # else the test would tell nothing


def test_untrained_cells_have_nothing_trained(whole):
    out, _ = whole
    for name in ("asked/bare-0-s0", "asked/in-context-2-s0", "asked/mpt-0-s0"):
        cell = cw.cell_at(out, name)
        assert cell.parameters.trainable == cell.parameters.stored_bytes == 0
        assert cell.cost.examples_seen == 0
        assert (cell.tuning, cell.history, cell.chosen) == ([], [], None)
    assert cw.cell_at(out, "asked/in-context-2-s0").details["k"] == 2


def test_vectors_keep_the_shared_prompt_and_store_vectors_alone(whole, fields):
    out, _ = whole
    cell = cw.cell_at(out, "marked/mpt-vectors-full-s0")
    assert cell.parameters.trainable == P + H
    assert cell.parameters.stored_bytes == 4 * (P + H)
    own = PromptSet.load(cell.key.folder(out) / "weights").tensors["shared"]
    assert own.equal(PromptSet.load(fields["source"]["metaprompt"]).tensors["shared"])


def test_grouped_targets_are_fitted_once_and_share_the_prompt(whole):
    out, _ = whole
    both = [cw.cell_at(out, f"{target}/mpt-grouped-4-s0") for target in ("asked", "marked")]
    sets = [PromptSet.load(cell.key.folder(out) / "weights") for cell in both]
    assert sets[0].digest == sets[1].digest
    assert sets[0].meta.names == ["asked", "marked"]
    assert both[0].parameters.trainable == P * H + 2 * (P + H)
    assert both[0].details["shared_by"] == ["asked", "marked"]
    assert both[0].dev.loss != both[1].dev.loss
    assert len(list((out / "tuning" / "tiny" / "mpt-grouped-4").iterdir())) == 1


def test_weights_are_kept_where_the_recipe_says_so(whole):
    out, _ = whole
    assert (cw.cell_at(out, "asked/lora-4-s0").key.folder(out) / "weights").is_dir()
    assert not (cw.cell_at(out, "asked/fine-tuning-4-s0").key.folder(out) / "weights").exists()
    left = [p for p in (out / "tuning").rglob("*") if p.name in ("work", "weights.work")]
    assert left == []
    assert not list((out / "tuning").rglob("model.safetensors"))


def test_finished_cells_are_never_run_again(whole, fields):
    out, cells = whole
    before = toy.contents(out / "cells")
    assert cw.compared(fields, out).keys() == cells.keys()
    assert toy.contents(out / "cells") == before


def test_a_deleted_cell_is_made_again_as_it_was(fields, tmp_path):
    only = ("tiny/asked/pt-4-s0",)
    first = cw.compared(fields, tmp_path, only=only)[only[0]]
    (first.key.folder(tmp_path) / "cell.json").unlink()
    again = cw.compared(fields, tmp_path, only=only)[only[0]]
    assert again.main == first.main
    assert again.history == first.history
    assert (again.key.folder(tmp_path) / "weights").is_dir()


def test_a_recipe_may_grow(fields, tmp_path):
    cw.compared(fields, tmp_path, shots=[0], methods=["bare"])
    before = toy.contents(tmp_path / "cells")
    cells = cw.compared(fields, tmp_path, shots=[0, 4], methods=["bare", PT[0]])
    assert set(before.items()) <= set(toy.contents(tmp_path / "cells").items())
    assert {cell.key.method for cell in cells.values()} == {"bare", "pt"}


def test_another_configuration_is_refused_and_says_what_differs(fields, tmp_path):
    cw.compared(fields, tmp_path, methods=["bare", *PT], shots=[4])
    with pytest.raises(run.Unfit) as caught:
        cw.planned(fields, tmp_path, methods=["bare", *PT], shots=[4], training={"rows": 3})
    (error,) = caught.value.complaints
    assert error.code == "CP-EXP-113"
    assert "2 finished cells" in error.message  # the bare cells are the same
    assert "(training)" in error.message


@pytest.mark.parametrize("stop", [1, 2, 5, 9])
def test_a_stopped_comparison_goes_on_and_ends_the_same(fields, tmp_path, stop):
    chosen = [one for one in cw.METHODS if one != "bare" and one["name"] in ("pt", "lora")]
    changes = {"methods": ["bare", *chosen], "shots": [4]}
    asked = 0

    def should_stop() -> bool:
        nonlocal asked
        asked += 1
        return asked >= stop

    with pytest.raises(Interrupted):
        cw.compared(fields, tmp_path / "a", should_stop=should_stop, **changes)
    stopped = cw.compared(fields, tmp_path / "a", **changes)
    straight = cw.compared(fields, tmp_path / "b", **changes)
    assert stopped.keys() == straight.keys()
    for name, cell in straight.items():
        assert stopped[name].status == "done"
        assert stopped[name].main == cell.main
        assert stopped[name].history == cell.history
        assert stopped[name].chosen == cell.chosen
        same = [place / "predictions.jsonl" for place in map(cell.key.folder, _roots(tmp_path))]
        assert same[0].read_bytes() == same[1].read_bytes()


def _roots(folder):
    return folder / "a", folder / "b"


def test_a_failed_cell_says_why_and_the_rest_goes_on(fields, tmp_path, monkeypatch):
    """A failing method has its reason; a bug leaves no text of the data; both run again later."""
    pt = METHODS["pt"]
    real, secret = pt.fit, " ".join(("a", "note's", "text"))

    def failing(job, rates, out):
        if job.cards[0].name == "asked":
            raise ClinpromptError("CP-TRAIN-092", "memory does not suffice")
        raise KeyError(secret)

    monkeypatch.setattr(type(pt), "fit", lambda self, *given: failing(*given), raising=False)
    changes = {"methods": [*PT, "bare"], "shots": [4]}
    cells = cw.compared(fields, tmp_path, **changes)
    assert [c.status for c in cells.values()] == ["done", "failed"] * 2
    failed = cells["tiny/asked/pt-4-s0"]
    assert (failed.reason.code, failed.main) == ("CP-TRAIN-092", None)
    bug = cells["tiny/marked/pt-4-s0"]
    assert bug.reason.message == "unforeseen KeyError"
    told = (bug.key.folder(tmp_path) / "traceback.txt").read_text()
    assert "failing" in told
    assert secret not in told + (bug.key.folder(tmp_path) / "cell.json").read_text()
    monkeypatch.setattr(type(pt), "fit", lambda self, *given: real(*given), raising=False)
    again = cw.compared(fields, tmp_path, **changes)
    assert {c.status for c in again.values()} == {"done"}
    assert not (bug.key.folder(tmp_path) / "traceback.txt").exists()


def test_a_metaprompt_is_trained_where_none_is_given(fields, tmp_path):
    from clinprompt.training.settings import Recipe

    sources = [str(path) for path in toy.write_tasks(tmp_path / "sources", ("nli", "summary"))]
    (tmp_path / "source.yaml").write_text(json.dumps(toy.recipe_fields(sources)), encoding="utf-8")
    source = {
        "metaprompt": None,
        "recipe": str(tmp_path / "source.yaml"),
        "changes": {"distil.steps": 2},
    }
    methods = [{"name": "mpt", "rates": [{"shared": 0.05, "vectors": 0.03}]}]
    changes = {"source": source, "methods": methods, "shots": [0, 4]}
    out = tmp_path / "out"
    cells = cw.compared(fields, out, only=("*/asked/*",), **changes)
    assert {cell.status for cell in cells.values()} == {"done"}
    record = read_sources(out)["tiny"]
    made = PromptSet.load(out / record.metaprompt)
    assert record.trained
    assert record.seconds > 0
    assert (record.digest, record.names) == (made.digest, ["nli", "summary"])
    assert Recipe.model_validate(made.meta.configuration).distil.steps == 2
    assert cells["tiny/asked/mpt-4-s0"].details["metaprompt"] == made.digest
    cw.compared(fields, out, **changes)
    assert read_sources(out)["tiny"] == record


def test_only_runs_what_is_named(fields, tmp_path):
    cells = cw.compared(fields, tmp_path, only=("*/marked/bare*", "*/asked/mpt-0-*"))
    assert list(cells) == ["tiny/asked/mpt-0-s0", "tiny/marked/bare-0-s0"]


def test_a_method_of_ones_own_is_one_entry(fields, tmp_path, monkeypatch):
    """A class and a line: the rest of the harness takes it as it is."""
    from clinprompt.experiments.compare.methods.untrained import Bare

    class Terse(Bare):
        name, title = "terse", "terse"

    monkeypatch.setitem(METHODS, "terse", Terse())
    cells = cw.compared(fields, tmp_path, methods=["terse", "bare"], shots=[0])
    assert cells["tiny/asked/terse-0-s0"].main == cells["tiny/asked/bare-0-s0"].main


def test_the_peak_of_memory_is_measured_anew(whole, monkeypatch):
    import torch

    from clinprompt.experiments.compare import hardware

    device = torch.device("cpu")
    keep_freed()
    freed = [torch.ones(2**18) for _ in range(160)]  # 160 MB that the process keeps and has free
    last = torch.ones(2**18)
    del freed
    hardware.reset_peak(device)
    low, kind = hardware.peak(device)
    if kind == "unknown":
        pytest.skip("no peak can be measured here")
    block = torch.ones(40 * 2**20)  # 160 MB, touched
    high, _ = hardware.peak(device)
    assert high - low > 150 * 2**20
    del block, last
    hardware.reset_peak(device)
    assert hardware.peak(device)[0] < high - 100 * 2**20


def test_dev_is_scored_where_asked(fields, tmp_path):
    changes = {"methods": ["bare"], "shots": [0], "evaluation": {"dev_examples": 2}}
    cells = cw.compared(fields, tmp_path, only=("*/asked/*",), **changes)
    dev = cells["tiny/asked/bare-0-s0"].dev
    assert (dev.scores["split"], dev.scores["n"]) == ("dev", 2)


def test_a_prompt_behind_the_text_is_asked_where_it_was_trained(fields, tmp_path):
    """Its answers are those of the saved prompts."""
    from clinprompt.inference.evaluate import evaluate, sample
    from clinprompt.inference.predictor import Predictor
    from clinprompt.inference.requests import PredictorSettings

    cells = cw.compared(
        fields,
        tmp_path,
        only=("*/marked/*",),
        shots=[4],
        methods=[{"name": "pt", "rates": [{"shared": 0.5}]}],
        prompt={"placement": "after"},
    )
    (cell,) = cells.values()
    folder = cell.key.folder(tmp_path)
    prompts = PromptSet.load(folder / "weights")
    assert prompts.meta.placement == "after"
    settings = PredictorSettings("truncate", max_input=60, max_new=4)
    predictor = Predictor.of(prompts, settings, prepared=toy.prepared().placed("after"))
    card = catalogue.find(fields["targets"][1])
    test = load(card, None).splits["test"]
    again = evaluate(predictor, card, sample(test, 5, 0), resamples=50)
    lines = (folder / "predictions.jsonl").read_text(encoding="utf-8").splitlines()
    assert lines == list(again.lines())


def test_prompts_of_every_layer_are_a_setting_of_prompt_tuning(fields, tmp_path):
    usual = {"name": "pt", "rates": [{"shared": 0.1}]}
    deep = usual | {"id": "deep", "depth": "layers", "length": 2}
    changes = {"shots": [4], "methods": [usual, deep]}
    cells = cw.compared(fields, tmp_path, only=("*/asked/*",), **changes)
    cell = cells["tiny/asked/deep-4-s0"]
    assert cell.status == "done", cell.reason
    assert cell.details["depth"] == "layers"
    assert cell.parameters.trainable == 2 * toy.prepared().backbone.keyvalue_width
    assert cell.parameters.context_tokens == 2
    # Naming what was always so changes no finished cell.
    named = [usual | {"depth": "input"}, deep]
    again = cw.planned(fields, tmp_path, **(changes | {"methods": named}))
    assert {one.key.id: one.identity for one in again.plan.cells}.items() >= {
        name: one.identity for name, one in cells.items()
    }.items()


def test_reasons_name_the_cell_that_could_not_be_read(fields, tmp_path):
    cell = cw.compared(fields, tmp_path, methods=["bare"], shots=[0])["tiny/asked/bare-0-s0"]
    (cell.key.folder(tmp_path) / "cell.json").write_text("{}")
    with pytest.raises(ClinpromptError) as caught:
        cw.compared(fields, tmp_path, methods=["bare"], shots=[0])
    assert caught.value.code == "CP-EXP-100"


def test_a_folder_without_comparison_is_told(tmp_path):
    with pytest.raises(ClinpromptError) as caught:
        read_comparison(tmp_path)
    assert caught.value.code == "CP-EXP-101"


def test_a_blank_cell_counts_as_failed(fields, tmp_path):
    world = cw.planned(fields, tmp_path)
    cell = running.blank(world.plan.cells[0])
    assert (cell.status, cell.identity) == ("failed", world.plan.cells[0].identity)
