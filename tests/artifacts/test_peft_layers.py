"""Prompts of keys and values, and updates of the layers, as adapters that real PEFT loads."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.artifacts import peft_world
from tests.artifacts.peft_world import LENGTH
from tests.backbone import tiny
from torch import Tensor
from transformers import AutoModelForCausalLM
from typer.testing import CliRunner

from clinprompt import verbalize
from clinprompt.artifacts.fingerprint import fingerprint
from clinprompt.artifacts.manifest import verify_folder
from clinprompt.artifacts.meta import Parents
from clinprompt.artifacts.peft_adapter import read_adapter
from clinprompt.artifacts.peft_export import KIND, export_peft
from clinprompt.artifacts.peft_import import import_adapter, import_export
from clinprompt.artifacts.prompt_set import PromptSet
from clinprompt.backbone import engine, model, updates
from clinprompt.backbone.codec import Codec
from clinprompt.backbone.engine import Rows
from clinprompt.backbone.fetch import cached
from clinprompt.backbone.model import Backbone
from clinprompt.backbone.updates import LowRank
from clinprompt.cli.app import app
from clinprompt.errors import ClinpromptError
from clinprompt.metaprompts import find

peft = pytest.importorskip("peft")
NOTE = "Denies fever. 10µg of aspirin."
PLAIN = {"rank": None, "form": "plain", "kind": "prompt-tuning"}


def deep_set(backbone: Backbone, **changes: Any) -> PromptSet:
    """Random prompts of keys and values."""
    given = {"depth": "layers", "width": backbone.keyvalue_width}
    return peft_world.prompt_set(backbone, scale=1.0, **(given | changes))


def changed_set(backbone: Backbone, layers: tuple[str, ...] = ("k_proj", "v_proj"), **more: Any):
    """Adapted prompts with an update of rank two."""
    linears = updates.sites(backbone.model, layers).values()
    numbers = sum(2 * (one.in_features + one.out_features) for one in linears)
    shape = LowRank(rank=2, alpha=3.0, layers=layers, numbers=numbers)
    fields = {"kind": "adapted", "parents": Parents(metaprompt="a" * 64), "update": shape, **more}
    found = peft_world.prompt_set(backbone, **fields)
    # Small, as a trained one is: tiny random weights are badly conditioned.
    return PromptSet(found.meta, {**found.tensors, "update": found.tensors["update"] * 0.2})


def ours(backbone: Backbone, prompts: PromptSet, name: str, fixed: list[int], row: list[int]):
    """The engine's logits at the row's tokens: [L, V]."""
    with torch.no_grad(), updates.at_work(backbone, prompts.update):
        before = engine.prefix(backbone, [prompts.task_prompt(name)], [fixed])
        states = engine.hidden(backbone, before, Rows.of([row], [0], backbone.device))
        return backbone.logits(states[0])


def theirs(backbone: Backbone, folder: Path, name: str) -> Any:
    """PEFT's model with a task's prompt, behind the update if there is one."""
    base: Any = peft_world.fresh(backbone)
    if (folder / "lora").is_dir():
        base = peft.PeftModel.from_pretrained(base, str(folder / "lora")).merge_and_unload()
    return peft.PeftModel.from_pretrained(base, str(folder / "tasks" / name)).eval()


def run(peft_model: Any, ids: list[int], **more: Any) -> Tensor:
    with torch.no_grad():
        logits: Tensor = peft_model(input_ids=torch.tensor([ids]), **more).logits[0]
    return logits


def close(found: Tensor, wanted: Tensor) -> None:
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-4)


def rows(backbone: Backbone, prompts: PromptSet, k: int) -> tuple[list[int], list[int]]:
    codec = Codec(backbone.tokenizer, backbone.template)
    instruction = verbalize.instruction(prompts.meta.tasks[k])
    return codec.fixed(instruction), codec.rows([NOTE[k:]])[0]


SETS = {
    "deep": deep_set,
    "deep plain": lambda one: deep_set(one, **PLAIN),
    "update": changed_set,
    "both": lambda one: changed_set(one, depth="layers", width=one.keyvalue_width),
}


@pytest.mark.parametrize("architecture", tiny.CONFIGS)
@pytest.mark.parametrize("kind", SETS)
def test_peft_computes_our_logits(architecture: str, kind: str, tmp_path: Path) -> None:
    backbone = tiny.backbone(architecture)
    prompts = SETS[kind](backbone)
    out = tmp_path / "out"
    export_peft(prompts, out, backbone=backbone)
    found = []
    for k, name in enumerate(prompts.meta.names):
        fixed, row = rows(backbone, prompts, k)
        adapted = theirs(backbone, out, name)
        logits = run(adapted, fixed + row)
        close(logits[-len(row) :], ours(backbone, prompts, name, fixed, row))
        found.append(logits[-len(fixed) - len(row)])  # right behind the prompt: windows are short
    assert (found[0] - found[2]).abs().max() > 0.05, "prompts must matter"
    if prompts.update is not None:  # so must the update
        adapter = str(out / "tasks" / prompts.meta.names[0])
        without = peft.PeftModel.from_pretrained(peft_world.fresh(backbone), adapter).eval()
        fixed, row = rows(backbone, prompts, 0)
        assert (run(without, fixed + row)[-len(fixed) - len(row)] - found[0]).abs().max() > 0.05


@pytest.mark.parametrize("kind", SETS)
def test_what_was_exported_comes_back_to_the_bit(kind: str, tmp_path: Path) -> None:
    backbone = tiny.backbone("qwen3")
    prompts = SETS[kind](backbone)
    export_peft(prompts, tmp_path / "out", backbone=backbone)
    again = import_export(tmp_path / "out")
    assert again.digest == prompts.digest and again.meta == prompts.meta
    files = {name.split("/")[0] for name in verify_folder(tmp_path / "out", kind=KIND).files}
    wanted = {"tasks", "around.json", "clinprompt.json", "set.safetensors"}
    wanted |= {"multitask"} if prompts.meta.depth == "input" else set()
    wanted |= {"lora"} if prompts.update is not None else set()
    assert files == wanted
    file = tmp_path / "out" / "set.safetensors"
    file.write_bytes(file.read_bytes()[:-4] + b"\0\0\0\0")
    with pytest.raises(ClinpromptError, match="CP-ART-013"):
        import_export(tmp_path / "out")


@pytest.mark.parametrize("kind", ["deep", "both"])
def test_the_program_in_the_readme_gives_our_logits(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backbone = tiny.backbone("llama")
    base = tmp_path / "base"
    peft_world.fresh(backbone).save_pretrained(base)
    backbone.tokenizer.save_pretrained(base)
    prompts = SETS[kind](backbone)
    export_peft(prompts, tmp_path / "out", base_model=str(base), backbone=backbone)
    text = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    program = next(iter(re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)))
    monkeypatch.chdir(tmp_path / "out")
    ran: dict[str, Any] = {}
    exec(compile(program.replace('"the input"', json.dumps(NOTE)), "README.md", "exec"), ran)
    fixed, row = rows(backbone, prompts, 0)
    assert ran["ids"] == fixed + row
    close(ran["logits"], ours(backbone, prompts, prompts.meta.names[0], fixed, row)[-1])
    assert "multitask" not in text
    assert ("rank 2 on k_proj, v_proj" in text) == (kind == "both")


def test_left_padding_wants_positions(tmp_path: Path) -> None:
    """What the README of an export says of prompts of keys and values."""
    backbone = tiny.backbone("llama")
    prompts = deep_set(backbone)
    export_peft(prompts, tmp_path / "out", backbone=backbone)
    adapted = theirs(backbone, tmp_path / "out", prompts.meta.names[0])
    ids = Codec(backbone.tokenizer, backbone.template).text(NOTE)
    pads = [258] * 8
    mask = torch.tensor([[0] * len(pads) + [1] * len(ids)])
    positions = torch.tensor([[0] * len(pads) + list(range(len(ids)))])
    alone = run(adapted, ids)[-1]
    left = run(adapted, pads + ids, attention_mask=mask)[-1]
    placed = run(adapted, pads + ids, attention_mask=mask, position_ids=positions)[-1]
    right = run(adapted, ids + pads, attention_mask=mask.flip(1))[len(ids) - 1]
    close(placed, alone)
    close(right, alone)
    assert (left - alone).abs().max() > 0.01


def test_generation_is_greedy_decoding_behind_the_prompt(tmp_path: Path) -> None:
    backbone = tiny.backbone("llama")
    prompts = SETS["both"](backbone)
    export_peft(prompts, tmp_path / "out", backbone=backbone)
    name = prompts.meta.names[1]
    fixed, row = rows(backbone, prompts, 1)
    wanted: list[int] = []
    for _ in range(8):
        wanted.append(int(ours(backbone, prompts, name, fixed, row + wanted)[-1].argmax()))
    options = {"max_new_tokens": 8, "do_sample": False, "eos_token_id": None, "pad_token_id": 258}
    ids = torch.tensor([fixed + row])
    adapted = theirs(backbone, tmp_path / "out", name)
    found = adapted.generate(input_ids=ids, attention_mask=torch.ones_like(ids), **options)
    assert found[0, -8:].tolist() == wanted


@pytest.mark.parametrize("projected", [False, True])
def test_a_prefix_that_peft_made(projected: bool, tmp_path: Path) -> None:
    backbone = tiny.backbone("gemma3")
    torch.manual_seed(0)
    fields = {"num_virtual_tokens": LENGTH, "task_type": "CAUSAL_LM"}
    config = peft.PrefixTuningConfig(**fields, prefix_projection=projected)
    wrapped = peft.get_peft_model(peft_world.fresh(backbone), config).eval()
    wrapped.save_pretrained(str(tmp_path / "peft"))
    prompts = import_adapter(
        read_adapter(tmp_path / "peft"),
        [peft_world.card("task-0")],
        backbone="tiny",
        fingerprint=fingerprint(backbone),
        template=backbone.template,
        keyvalues=backbone.keyvalue_shape,
    )
    assert (prompts.meta.depth, prompts.meta.width) == ("layers", backbone.keyvalue_width)
    fixed, row = rows(backbone, prompts, 0)
    close(run(wrapped, fixed + row)[-len(row) :], ours(backbone, prompts, "task-0", fixed, row))


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"num_layers": None}, "513", "some number of layers"),
        ({"num_layers": 3}, "516", "not [5, 96]"),
        ({"num_attention_heads": 4}, "522", "key heads 4, not 2"),
    ],
)
def test_a_prefix_of_another_shape_is_refused(
    changes: dict[str, Any], code: str, words: str, tmp_path: Path
) -> None:
    backbone = tiny.backbone("llama")
    export_peft(deep_set(backbone), tmp_path / "out", backbone=backbone)
    folder = tmp_path / "out" / "tasks" / "task-0"
    file = folder / "adapter_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))
    with pytest.raises(ClinpromptError) as caught:
        import_adapter(
            read_adapter(folder),
            [peft_world.card("task-0")],
            backbone="tiny",
            fingerprint=fingerprint(backbone),
            template=backbone.template,
            keyvalues=backbone.keyvalue_shape,
        )
    assert caught.value.code == f"CP-ART-{code}"
    assert words in str(caught.value)


def test_a_prefix_of_another_backbone_is_refused(tmp_path: Path) -> None:
    backbone = tiny.backbone("llama")
    export_peft(deep_set(backbone), tmp_path / "out", backbone=backbone)
    other = fingerprint(backbone).model_copy(update={"layers": 6})
    with pytest.raises(ClinpromptError, match=r"CP-ART-522.*layers 4, not 6; its conf"):
        import_adapter(
            read_adapter(tmp_path / "out" / "tasks" / "task-0"),
            [peft_world.card("task-0")],
            backbone="tiny",
            fingerprint=other,
            template=backbone.template,
        )


@pytest.mark.parametrize("kind", ["deep", "update"])
def test_the_backbone_must_be_given_and_the_right_one(kind: str, tmp_path: Path) -> None:
    backbone = tiny.backbone("llama")
    prompts = SETS[kind](backbone)
    with pytest.raises(ClinpromptError, match="CP-ART-501"):
        export_peft(prompts, tmp_path / "out")
    with pytest.raises(ClinpromptError, match="CP-ART-020"):
        export_peft(prompts, tmp_path / "out", backbone=tiny.backbone("llama", seed=1))
    assert not (tmp_path / "out").exists()


def test_the_command_loads_the_backbone_only_where_it_must(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    backbone = tiny.backbone("llama")
    base = tmp_path / "base"
    peft_world.fresh(backbone).save_pretrained(base)
    backbone.tokenizer.save_pretrained(base)
    SETS["both"](backbone).save(tmp_path / "set")
    peft_world.prompt_set(backbone).save(tmp_path / "shallow")

    def call(*words: object) -> Any:
        return CliRunner().invoke(app, ["export", *map(str, words)])

    result = call(tmp_path / "set", "-o", tmp_path / "out", "--backbone", base)
    assert result.exit_code == 0, result.output
    lines = [line.split("out/")[-1] for line in result.stdout.splitlines()]
    assert lines == [
        *(f"tasks/task-{k}: PREFIX_TUNING" for k in range(3)),
        "lora: LORA, rank 2 on k_proj, v_proj, 768 numbers",
    ]
    assert import_export(tmp_path / "out").digest == SETS["both"](backbone).digest
    shallow = call(tmp_path / "shallow", "-o", tmp_path / "again")
    assert shallow.exit_code == 0 and "loading" not in shallow.output
    missing = call(tmp_path / "set", "-o", tmp_path / "third")
    assert missing.exit_code == 2 and "no backbone 'tiny-llama'" in missing.output
    there = call(tmp_path / "set", "-o", tmp_path / "out", "--backbone", tmp_path / "nowhere")
    assert there.exit_code == 2 and "CP-ART-001" in there.output


def test_peft_merges_the_weights_that_we_work_with(tmp_path: Path) -> None:
    backbone = tiny.backbone("llama")
    prompts = changed_set(backbone, layers=("q_proj", "down_proj"))
    export_peft(prompts, tmp_path / "out", backbone=backbone)
    merged = peft.PeftModel.from_pretrained(
        peft_world.fresh(backbone), str(tmp_path / "out" / "lora")
    ).merge_and_unload()
    with updates.at_work(backbone, prompts.update):
        for name, weight in backbone.model.state_dict().items():
            torch.testing.assert_close(merged.state_dict()[name], weight, rtol=1e-6, atol=1e-6)


@pytest.mark.real
@pytest.mark.skipif(cached("smollm2") is None, reason="the backbone is not fetched")
def test_the_bundled_metaprompt_answers_the_same_in_peft(tmp_path: Path) -> None:
    prompts = PromptSet.load(find("open-smollm2"))
    backbone = model.load("smollm2", dtype="float32", device="cpu", template=prompts.meta.template)
    export_peft(prompts, tmp_path / "out", backbone=backbone)
    base = AutoModelForCausalLM.from_pretrained(str(cached("smollm2")), dtype=torch.float32)
    name = prompts.meta.names[1]
    adapter = tmp_path / "out" / "tasks" / name
    adapted = peft.PeftModel.from_pretrained(base, str(adapter)).eval()
    fixed, row = rows(backbone, prompts, 1)
    found = run(adapted, fixed + row)[-len(row) :]
    wanted = ours(backbone, prompts, name, fixed, row)
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=5e-4)  # logits are of size 20
