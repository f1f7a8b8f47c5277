"""What can't run is said before anything does, all of it at once."""

from __future__ import annotations

import json
import sys

import pytest
from tests.experiments import compare_world as cw
from tests.training import toy
from typer.testing import CliRunner

from clinprompt.cli.app import app
from clinprompt.errors import ClinpromptError
from clinprompt.experiments.compare import run
from clinprompt.experiments.compare.recipe import CompareRecipe
from clinprompt.training.settings import load_settings

PT = {"name": "pt", "rates": [{"shared": 0.1}]}
LORA = {"name": "lora", "rates": [{"weights": 0.1}]}


@pytest.fixture(scope="module")
def fields(tmp_path_factory):
    return cw.write_world(tmp_path_factory.mktemp("world"))


def complaints(fields, out, **changes) -> dict[str, list[str]]:
    """Messages by code."""
    with pytest.raises(run.Unfit) as caught:
        cw.planned(fields, out, **changes)
    assert not any(out.iterdir())
    found: dict[str, list[str]] = {}
    for one in caught.value.complaints:
        found.setdefault(one.code, []).append(one.message + (one.hint or ""))
    return found


def test_everything_wrong_is_said_at_once(fields, tmp_path):
    found = complaints(
        fields,
        tmp_path,
        targets=[*fields["targets"], "chemprott"],
        methods=[
            "bar",
            {"name": "lora", "layers": ["qproj", "v_proj"], "rates": [{"weights": 1.0}]},
            {"name": "pt", "rates": [{"vectors": 1.0}]},
            {"name": "pt", "id": "second", "lenght": 3, "rates": [{"shared": 1.0}]},
            {"name": "mpt", "id": "third"},
        ],
        shots=[4, 100],
    )
    assert set(found) == {
        "CP-TASK-012",  # target
        "CP-EXP-105",  # method
        "CP-EXP-106",  # setting
        "CP-EXP-109",  # groups of rates
        "CP-EXP-110",  # no rates
        "CP-EXP-116",  # steps at 100 shots
        "CP-EXP-122",  # layer
        "CP-TASK-021",  # more shots than examples
    }
    assert "did you mean 'bare'?" in found["CP-EXP-105"][0]
    assert "'qproj'" in found["CP-EXP-122"][0]
    assert "q_proj" in found["CP-EXP-122"][0]
    assert len(found["CP-EXP-122"]) == 1
    assert "lm_head" not in found["CP-EXP-122"][0]
    assert ["100 shots" in one and "12 training" in one for one in found["CP-TASK-021"]] == [
        True
    ] * 2
    assert "lenght" in found["CP-EXP-106"][0]
    assert "length" in found["CP-EXP-106"][0]


@pytest.mark.parametrize(
    ("changes", "code", "says"),
    [
        ({"targets": []}, "CP-EXP-102", "names no target"),
        ({"methods": [PT, PT]}, "CP-EXP-107", "'pt'"),
        ({"methods": [PT | {"id": "../up"}]}, "CP-EXP-108", "can't name a folder"),
        (
            {"methods": [PT | {"rates": [{"shared": -1}]}]},
            "CP-EXP-109",
            "positive rates for shared",
        ),
        ({"methods": [{"name": "bare", "rates": [{"a": 1}]}]}, "CP-EXP-109", "takes no rates"),
        ({"methods": [PT, LORA | {"rates": [{"weights": 1}] * 2}]}, "CP-EXP-111", "pt 1, lora 2"),
        ({"tuning": {"targets": ["markt"]}}, "CP-EXP-104", "did you mean 'marked'"),
        (
            {"tuning": {"targets": ["asked", "marked"]}, "training": {"select": "by-form"}},
            "CP-EXP-133",
            "asked, marked",
        ),
        ({"source": {"metaprompt": None}}, "CP-EXP-114", "needs a metaprompt"),
        ({"source": {"metaprompt": "/nowhere"}}, "CP-ART-006", "no such folder"),
        ({"source": {"metaprompt": "open-smolm2"}}, "CP-NAME-001", "open-smollm2"),
        ({"source": {"metaprompt": None, "recipe": "/no.yaml"}}, "CP-TRAIN-010", "can't be read"),
        ({"evaluation": {"max_input": 480, "max_new": 40}}, "CP-EXP-117", "512 tokens"),
        ({"methods": [{"name": "in-context", "max_tokens": 20}]}, "CP-EXP-120", "no example fits"),
        ({"methods": [{"name": "in-context", "k": 9}]}, "CP-EXP-118", "of 9 examples fit"),
        ({"data": {"max_tokens": 30}, "shots": [4]}, "CP-TRAIN-021", "raise data.max_tokens"),
    ],
)
def test_one_mistake(fields, tmp_path, changes, code, says):
    found = complaints(fields, tmp_path, **changes)
    assert code in found, found
    assert says in found[code][0]


def test_without_peft_every_method_that_needs_it_says_so(fields, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "peft", None)
    found = complaints(fields, tmp_path, methods=[LORA, LORA | {"name": "mpt-lora"}])
    assert [one.split("'")[1] for one in found["CP-TRAIN-097"]] == ["lora", "mpt-lora"]


def test_targets_that_the_metaprompt_was_learned_from_are_refused(fields, tmp_path):
    folder = tmp_path / "other"
    card = toy.write_task(folder, "nli", "nli", train=12)
    out = tmp_path / "out"
    out.mkdir()
    found = complaints(fields, out, targets=[str(card)])
    assert "nli" in found["CP-EXP-115"][0]
    alone = complaints(fields, out, targets=[str(card), "x"], methods=["bare"])
    assert "CP-EXP-115" not in alone


def test_a_prompt_set_that_is_no_metaprompt_is_refused(fields, tmp_path):
    from tests.training.adapting import fit

    out = tmp_path / "out"
    out.mkdir()
    card = toy.write_task(tmp_path, "one", "label", train=12)
    fit(tmp_path / "plain", None, card)
    found = complaints(fields, out, source={"metaprompt": str(tmp_path / "plain")})
    assert "no metaprompt" in found["CP-EXP-112"][0]


def test_missing_data_are_told_for_every_target(fields, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    found = complaints(fields, out, targets=["chemprot", "ncbi-disease"], methods=["bare"])
    assert sum(map(len, found.values())) == 2
    assert {text.split("'")[1] for texts in found.values() for text in texts} >= {"chemprot"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("methods: []", "methods"),
        ("methods: [bare]\nshots: [0, 0]", "shots: '0' stands there twice"),
        ("methods: [bare]\nseeds: [1, 1]", "seeds: '1' stands there twice"),
        ("methods: [bare]\nshots: [-1]", "shots are 0 or more"),
        ("methods: [bare]\nshots: [some]", "shots"),
        ("methods: [bare]\nbackbones: [a/x, b/x]", "backbones: 'x' stands there twice"),
        ("methods: [bare]\ntraining: {steps: 0}", "1 or more"),
        ("methods: [bare]\nmethod: pt", "method"),
    ],
)
def test_the_schema_refuses(tmp_path, text, says):
    path = tmp_path / "r.yaml"
    path.write_text(text)
    with pytest.raises(ClinpromptError) as caught:
        load_settings(CompareRecipe, path)
    assert caught.value.code == "CP-TRAIN-012"
    assert says in str(caught.value)


def test_backbones_have_ids_that_can_name_folders():
    named = CompareRecipe(
        methods=["bare"], backbones=["org/Some Model:1", {"name": "x", "id": "y"}]
    )
    assert [one.id for one in named.backbones] == ["Some-Model-1", "y"]
    assert named.backbones[0].settings.name == "org/Some Model:1"


@pytest.fixture(scope="module")
def on_disk(tmp_path_factory):
    """A recipe whose backbone is a folder, for the command line."""
    folder = tmp_path_factory.mktemp("cli")
    fields = cw.write_world(folder)
    backbone = toy.save_backbone(folder / "backbone")
    fields["backbones"] = [{"name": str(backbone), "id": "tiny", "dtype": "float32"}]
    path = folder / "recipe.yaml"
    path.write_text(json.dumps(fields))
    return path


def invoke(*words: str):
    return CliRunner().invoke(app, ["compare", *words], catch_exceptions=False)


def test_the_command_line_lists_all_complaints_without_traceback(on_disk, tmp_path):
    out = tmp_path / "out"
    methods = "methods=[bar, {name: lora, layers: [qproj], rates: [{weights: 1}]}]"
    result = invoke(str(on_disk), "-o", str(out), "--set", methods, "--set", "shots=[500]")
    assert result.exit_code == 2
    lines = [line for line in result.stderr.splitlines() if line.startswith("clinprompt: [CP-")]
    assert {line.split("[")[1].split("]")[0] for line in lines} == {
        "CP-EXP-105",
        "CP-EXP-116",
        "CP-EXP-122",
        "CP-TASK-021",
    }
    assert not out.exists()


def test_the_command_line_compares_and_goes_on(on_disk, tmp_path):
    out = tmp_path / "out"
    given = (str(on_disk), "-o", str(out), "--set", "methods=[bare]", "--set", "shots=[0]")
    dry = invoke(*given, "--dry-run")
    assert dry.exit_code == 0
    assert "2 cells, 2 to run" in dry.stdout
    assert not out.exists()
    first = invoke(*given, "--only", "*/asked/*")
    assert first.exit_code == 0
    assert "1 planned cells have no result" in first.stderr
    assert json.loads((out / "summary.json").read_text())["missing"] == ["tiny/marked/bare-0-s0"]
    second = invoke(*given)
    assert second.exit_code == 0
    assert "1 cells are done already" in second.stderr
    rows = [line.split() for line in second.stdout.splitlines()]
    assert ["method", "asked", "marked", "average"] in rows
    assert any(row[:1] == ["bare"] and "-" not in row for row in rows)
    assert "2 cells, 0 to run" in invoke(*given, "--dry-run").stdout


def test_a_failed_cell_leaves_exit_code_1(on_disk, tmp_path, monkeypatch):
    from clinprompt.experiments.compare.methods import METHODS

    def failing(self, job, rates, out):
        raise ClinpromptError("CP-TRAIN-092", "memory does not suffice")

    monkeypatch.setattr(type(METHODS["bare"]), "fit", failing)
    result = invoke(str(on_disk), "-o", str(tmp_path), "--set", "methods=[bare]")
    assert result.exit_code == 1
    assert "failed: tiny/asked/bare-0-s0: [CP-TRAIN-092] memory" in result.stderr
