"""Adapters that real PEFT wrote, and ours read back."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from tests.artifacts import peft_world
from tests.artifacts.peft_world import LENGTH, card
from tests.backbone import tiny
from torch import Tensor
from typer.testing import CliRunner

from clinprompt.artifacts.fingerprint import BackboneFingerprint, fingerprint
from clinprompt.artifacts.peft_adapter import Adapter, AdapterConfig, read_adapter
from clinprompt.artifacts.peft_export import AROUND, export_peft
from clinprompt.artifacts.peft_import import import_adapter, import_export
from clinprompt.artifacts.prompt_set import PromptSet
from clinprompt.backbone.model import Backbone
from clinprompt.backbone.template import Template
from clinprompt.cli.app import app
from clinprompt.errors import ClinpromptError
from clinprompt.inference.label_bias import with_bias
from clinprompt.prompts import compose, mean_update

FORMS: list[dict[str, Any]] = [
    {"rank": 1},
    {"rank": 3},
    {"rank": None, "form": "plain", "kind": "prompt-tuning"},
]
CARDS = [card(f"task-{k}") for k in range(3)]


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return tiny.backbone("llama")


@pytest.fixture(scope="module")
def mark(backbone: Backbone) -> BackboneFingerprint:
    return fingerprint(backbone)


def written(backbone: Backbone, folder: Path, *, seed: int = 0, **changes: Any) -> Any:
    """A multitask adapter as PEFT initialises and saves it, and PEFT's model."""
    peft = pytest.importorskip("peft")
    torch.manual_seed(seed)
    fields = {"num_virtual_tokens": LENGTH, "task_type": "CAUSAL_LM", **changes}
    if "num_tasks" in fields:
        config = peft.MultitaskPromptTuningConfig(**fields)
    else:
        config = peft.PromptTuningConfig(**fields)
    wrapped = peft.get_peft_model(peft_world.fresh(backbone), config)
    wrapped.save_pretrained(str(folder))
    return wrapped


def read(backbone: Backbone, mark: BackboneFingerprint, folder: Path, **more: Any) -> PromptSet:
    adapter = read_adapter(folder)
    return import_adapter(
        adapter,
        more.pop("cards", CARDS),
        backbone="tiny",
        fingerprint=mark,
        template=backbone.template,
        **more,
    )


@pytest.mark.parametrize("form", FORMS, ids=["rank1", "rank3", "plain"])
def test_what_was_exported_comes_back_to_the_bit(backbone, form, tmp_path):
    prompts = peft_world.prompt_set(backbone, **form)
    export_peft(prompts, tmp_path / "out")
    again = import_export(tmp_path / "out")
    assert again.digest == prompts.digest
    assert again.meta == prompts.meta
    prompts.save(tmp_path / "set")
    given_ = ["import", str(tmp_path / "out"), "-o", str(tmp_path / "back")]
    result = CliRunner().invoke(app, given_)
    assert result.exit_code == 0, result.output
    for file in (tmp_path / "set").iterdir():
        assert (tmp_path / "back" / file.name).read_bytes() == file.read_bytes()


def test_label_biases_go_along(backbone, tmp_path):
    prompts = peft_world.prompt_set(backbone)
    card = next(one for one in prompts.meta.tasks if one.labels)
    bias = {label: 0.25 * k - 1 for k, label in enumerate(card.labels)}
    prompts = with_bias(prompts, card.name, bias)
    export_peft(prompts, tmp_path / "out")
    assert import_export(tmp_path / "out").digest == prompts.digest
    around = json.loads((tmp_path / "out" / AROUND).read_text())
    assert around["label_bias"] == {card.name: bias}


@pytest.mark.parametrize("rank", [1, 3])
def test_factors_that_peft_drew_are_multiplied_as_peft_does(backbone, mark, rank, tmp_path):
    """PEFT draws factors of size 0.02: the products are far from one, and so must the rest be."""
    wrapped = written(backbone, tmp_path / "peft", num_tasks=3, num_ranks=rank)
    prompts = read(backbone, mark, tmp_path / "peft")
    assert prompts.meta.kind == "metaprompt"
    multiplied = read(backbone, mark, tmp_path / "peft", plain=True)
    assert multiplied.meta.form == "plain"
    for k, name in enumerate(prompts.meta.names):
        with torch.no_grad():
            wanted = wrapped.get_prompt(1, task_ids=torch.tensor([k]))[0]
        torch.testing.assert_close(
            prompts.task_prompt(name), wanted, rtol=1e-5 if rank > 1 else 0, atol=0
        )
        assert torch.equal(multiplied.task_prompt(name), prompts.task_prompt(name))
    size = compose(torch.ones(()), prompts.tensors["u"], prompts.tensors["v"]).square().mean()
    assert 0.5**0.5 <= float(size.sqrt()) <= 2**0.5, "adapt expects vectors of size one"


def test_the_mean_of_the_products_is_not_pefts_mean_of_factors(backbone, mark, tmp_path):
    pytest.importorskip("peft")
    written(backbone, tmp_path / "peft", num_tasks=3)
    prompts = read(backbone, mark, tmp_path / "peft")
    shared, u, v = (prompts.tensors[name] for name in ("shared", "u", "v"))
    mean = torch.stack([prompts.task_prompt(name) for name in prompts.meta.names]).mean(0)
    averaged = written(
        backbone,
        tmp_path / "averaged",
        num_tasks=1,
        prompt_tuning_init="AVERAGE_SOURCE_TASKS",
        prompt_tuning_init_state_dict_path=str(tmp_path / "peft" / "adapter_model.safetensors"),
    )
    with torch.no_grad():
        theirs = averaged.get_prompt(1, task_ids=torch.tensor([0]))[0]
    # Three random rank-one terms: rank one can hold only a part of their mean, but that part it
    # holds; the product of mean factors shares next to nothing with it.
    best = compose(shared, *mean_update(u, v)[:2])
    assert float((best - mean).norm()) < 0.9 * float(mean.norm())
    assert float((theirs - mean).norm()) > float((best - mean).norm())


def test_a_prompt_tuning_adapter_of_peft(backbone, mark, tmp_path):
    wrapped = written(backbone, tmp_path / "peft")
    prompts = read(backbone, mark, tmp_path / "peft", cards=CARDS[:1], heads=4)
    assert (prompts.meta.kind, prompts.meta.names) == ("prompt-tuning", ["task-0"])
    assert torch.equal(prompts.task_prompt("task-0"), wrapped.get_prompt(1)[0].detach())
    assert prompts.meta.trainable_parameters == LENGTH * backbone.hidden_size


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_narrower_floats_lose_nothing(backbone, mark, tmp_path, dtype):
    written(backbone, tmp_path / "peft")
    file = tmp_path / "peft" / "adapter_model.safetensors"
    narrow = {name: tensor.to(dtype) for name, tensor in load_file(file).items()}
    save_file(narrow, file)
    prompts = read(backbone, mark, tmp_path / "peft", cards=CARDS[:1])
    assert torch.equal(prompts.task_prompt("task-0").to(dtype), narrow["prompt_embeddings"])


@given(
    tasks=st.integers(1, 4),
    length=st.integers(1, 6),
    rank=st.integers(1, 3),
    exponent=st.integers(-30, 30),
    seed=st.integers(0, 2**16),
)
def test_bringing_factors_to_size_one_changes_no_bit(tasks, length, rank, exponent, seed):
    generator = torch.Generator().manual_seed(seed)
    hidden = 4
    shared, u, v = (
        torch.randn(shape, generator=generator)
        for shape in ((length, hidden), (tasks, length, rank), (tasks, rank, hidden))
    )
    u = u * 2.0**exponent
    adapter = _adapter(shared, u, v)
    prompts = import_adapter(
        adapter,
        [card(f"task-{k}") for k in range(tasks)],
        backbone="tiny",
        fingerprint=BackboneFingerprint(
            model_type="llama",
            hidden=hidden,
            vocabulary=9,
            layers=1,
            parameters=100,
            config="c" * 64,
            tokenizer="d" * 64,
            weights="e" * 64,
        ),
        template=Template(kind="plain", bos=False, head="", between="", tail="", end="<eos>"),
    )
    for k, name in enumerate(prompts.meta.names):
        assert torch.equal(prompts.task_prompt(name), compose(shared, u[k], v[k]))


def _adapter(shared: Tensor, u: Tensor, v: Tensor) -> Adapter:
    config = AdapterConfig(
        peft_type="MULTITASK_PROMPT_TUNING",
        task_type="CAUSAL_LM",
        num_virtual_tokens=u.shape[1],
        token_dim=v.shape[2],
        num_tasks=u.shape[0],
        num_ranks=u.shape[2],
    )
    tensors = {"prompt_embeddings": shared, "prefix_task_cols": u, "prefix_task_rows": v}
    return Adapter(config, tensors, Path("adapter"))


def edit(**changes: Any) -> Callable[[Path], None]:
    """Changes of the adapter's configuration."""

    def make(folder: Path) -> None:
        file = folder / "adapter_config.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | changes))

    return make


def tensors(change: Callable[[dict[str, Tensor]], Any]) -> Callable[[Path], None]:
    """Changes of the adapter's tensors."""

    def make(folder: Path) -> None:
        found = load_file(folder / "adapter_model.safetensors")
        change(found)
        save_file(found, folder / "adapter_model.safetensors")

    return make


def _pickled(folder: Path) -> None:
    (folder / "adapter_model.safetensors").unlink()
    (folder / "adapter_model.bin").write_bytes(b"not even looked at")


@pytest.mark.parametrize(
    ("spoil", "code", "words"),
    [
        (lambda f: (f / "adapter_config.json").unlink(), "510", "no adapter_config.json"),
        (lambda f: (f / "adapter_config.json").write_text("{"), "511", "JSON"),
        (lambda f: (f / "adapter_config.json").write_text("[1]"), "511", "JSON object"),
        (edit(peft_type="LORA"), "512", "'LORA'"),
        (edit(peft_type=None), "512", "None"),
        (edit(task_type="SEQ_2_SEQ_LM"), "513", "causal"),
        (edit(num_transformer_submodules=2), "513", "causal"),
        (edit(modules_to_save=["lm_head"]), "513", "weights of the model"),
        (edit(num_virtual_tokens=0), "513", "num_virtual_tokens"),
        (_pickled, "514", "is a pickle and is not opened"),
        (lambda f: (f / "adapter_model.safetensors").write_bytes(b"x" * 40), "515", "safetensors"),
        (edit(num_virtual_tokens=LENGTH + 1), "516", "not [6, 32]"),
        (tensors(lambda t: t.pop("prefix_task_rows")), "516", "prefix_task_rows is missing"),
        (tensors(lambda t: t.update(lora_A=torch.ones(1))), "516", "lora_A is unexpected"),
        (
            tensors(lambda t: t.update(prefix_task_cols=t["prefix_task_cols"].double())),
            "516",
            "float64",
        ),
        (
            tensors(lambda t: t.update(prompt_embeddings=torch.full((LENGTH, 32), torch.nan))),
            "034",
            "NaN",
        ),
    ],
)
def test_what_is_no_such_adapter_is_refused(backbone, mark, tmp_path, spoil, code, words):
    folder = tmp_path / "peft"
    export_peft(peft_world.prompt_set(backbone), tmp_path / "out")
    (tmp_path / "out" / "multitask").rename(folder)
    spoil(folder)
    with pytest.raises(ClinpromptError) as caught:
        read(backbone, mark, folder)
    assert caught.value.code == f"CP-ART-{code}"
    assert words in str(caught.value)


def test_an_adapter_of_another_backbone_is_refused(backbone, mark, tmp_path):
    export_peft(peft_world.prompt_set(backbone), tmp_path / "out")
    folder = tmp_path / "out" / "multitask"
    other = mark.model_copy(update={"hidden": 64, "layers": 6})
    with pytest.raises(ClinpromptError) as caught:
        read(backbone, other, folder)
    assert caught.value.code == "CP-ART-522"
    assert "hidden size 32, not 64, layers 4, not 6" in str(caught.value)
    with pytest.raises(ClinpromptError, match=r"CP-ART-521.* 3 tasks, and 2 cards"):
        read(backbone, mark, folder, cards=CARDS[:2])


def test_an_export_that_was_changed_is_refused(backbone, tmp_path):
    export_peft(peft_world.prompt_set(backbone), tmp_path / "out")
    file = tmp_path / "out" / "multitask" / "adapter_model.safetensors"
    file.write_bytes(file.read_bytes()[:-4] + b"\0\0\0\0")
    with pytest.raises(ClinpromptError, match="CP-ART-013"):
        import_export(tmp_path / "out")


class TestCommand:
    """``clinprompt import`` of what PEFT wrote."""

    @pytest.fixture
    def base(self, backbone: Backbone, tmp_path: Path) -> Path:
        peft_world.fresh(backbone).save_pretrained(tmp_path / "base")
        backbone.tokenizer.save_pretrained(tmp_path / "base")
        return tmp_path / "base"

    def call(self, *words: object) -> Any:
        return CliRunner().invoke(app, ["import", *map(str, words)])

    def test_an_adapter_with_its_base_model(self, backbone, base, tmp_path):
        wrapped = written(backbone, tmp_path / "peft", num_tasks=2)
        out = tmp_path / "out"
        names = ["--task", "syn-findings", "--task", "syn-med-reasons"]
        result = self.call(tmp_path / "peft", "-o", out, *names, "--backbone", base)
        assert result.exit_code == 0, result.output
        assert "plain template" in result.output
        prompts = PromptSet.load(out)
        assert prompts.meta.names == ["syn-findings", "syn-med-reasons"]
        assert prompts.meta.fingerprint == fingerprint(backbone)
        with torch.no_grad():
            wanted = wrapped.get_prompt(1, task_ids=torch.tensor([1]))[0]
        assert torch.equal(prompts.task_prompt("syn-med-reasons"), wanted)

    def test_mistakes(self, backbone, tmp_path, monkeypatch):
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
        names = [
            word
            for name in ("syn-findings", "syn-inference", "syn-problems")
            for word in ("--task", name)
        ]
        export_peft(peft_world.prompt_set(backbone), tmp_path / "export")
        out = tmp_path / "out"
        cases = [
            ((tmp_path / "export", "--task", "syn-findings"), "CP-ART-530"),
            ((tmp_path / "nothing",), "CP-ART-510"),
            ((tmp_path / "export" / "tasks",), "name one of the adapters in it: task-0"),
            ((tmp_path / "export" / "multitask", "--task", "syn-findngs"), "syn-findings"),
            ((tmp_path / "export" / "multitask",), "CP-ART-521"),
            ((tmp_path / "export" / "multitask", *names), "no backbone 'tiny-llama'"),
        ]
        for words, expected in cases:
            result = self.call(*words, "-o", out)
            assert result.exit_code == 2, result.output
            assert expected in result.output
            assert not out.exists()
        edit(base_model_name_or_path=None)(tmp_path / "export" / "multitask")
        result = self.call(tmp_path / "export" / "multitask", *names, "-o", out)
        assert result.exit_code == 2
        assert "CP-ART-531" in result.output
