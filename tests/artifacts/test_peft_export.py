"""Adapters that real PEFT loads: its logits are those of ``[prompt][text]``, and ours."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tests.artifacts import peft_world
from tests.artifacts.peft_world import LENGTH
from tests.backbone import tiny
from torch import Tensor
from transformers import AutoModelForCausalLM
from typer.testing import CliRunner

from clinprompt import verbalize
from clinprompt.artifacts.manifest import verify_folder
from clinprompt.artifacts.peft_export import KIND, export_peft
from clinprompt.backbone import engine, model
from clinprompt.backbone.codec import Codec
from clinprompt.backbone.engine import Rows
from clinprompt.backbone.fetch import cached
from clinprompt.backbone.model import Backbone
from clinprompt.backbone.template import chat_template
from clinprompt.cli.app import app
from clinprompt.errors import ClinpromptError

peft = pytest.importorskip("peft")
NOTE = "Denies fever. 10µg of aspirin."
FORMS: list[dict[str, Any]] = [
    {"rank": 1},
    {"rank": 3},
    {"rank": None, "form": "plain", "kind": "prompt-tuning"},
]


def loaded(backbone: Backbone, adapter: Path) -> Any:
    """PEFT's model with an adapter."""
    return peft.PeftModel.from_pretrained(peft_world.fresh(backbone), str(adapter)).eval()


def run(peft_model: Any, ids: list[int], **more: Any) -> Tensor:
    """PEFT's logits for one row: [P + L, V]."""
    with torch.no_grad():
        logits: Tensor = peft_model(input_ids=torch.tensor([ids]), **more).logits[0]
    return logits


def ours(backbone: Backbone, prompt: Tensor, fixed: list[int], row: list[int]) -> Tensor:
    """The engine's logits at the row's tokens: [L, V]."""
    with torch.no_grad():
        before = engine.prefix(backbone, [prompt], [fixed])
        states = engine.hidden(backbone, before, Rows.of([row], [0], backbone.device))
        return backbone.logits(states[0])


def close(found: Tensor, wanted: Tensor) -> None:
    """Equal but for float32 rounding; logits here are of size 3."""
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=5e-5)


@pytest.mark.parametrize("architecture", tiny.CONFIGS)
@pytest.mark.parametrize("form", FORMS, ids=["rank1", "rank3", "plain"])
def test_peft_computes_our_logits(architecture, form, tmp_path):
    backbone = tiny.backbone(architecture)
    prompts = peft_world.prompt_set(backbone, **form)
    export_peft(prompts, tmp_path / "out")
    codec = Codec(backbone.tokenizer, backbone.template)
    multitask = loaded(backbone, tmp_path / "out" / "multitask")
    assert multitask.peft_config["default"].peft_type == "MULTITASK_PROMPT_TUNING"
    behind_prompt = []
    for k, card in enumerate(prompts.meta.tasks):
        prompt = prompts.task_prompt(card.name)
        fixed = codec.fixed(verbalize.instruction(card))
        row = codec.rows([NOTE[k:]])[0]
        single = loaded(backbone, tmp_path / "out" / "tasks" / card.name)
        assert single.peft_config["default"].peft_type == "PROMPT_TUNING"
        assert torch.equal(single.get_prompt(1)[0], prompt)
        many = multitask.get_prompt(1, task_ids=torch.tensor([k]))[0]
        # The sum over ranks may be rounded in another order; of one rank there is none.
        torch.testing.assert_close(many, prompt, rtol=0, atol=1e-6 if form["rank"] == 3 else 0)
        naive = tiny.naive_logits(backbone, prompt, fixed + row)
        behind_prompt.append(naive[LENGTH])
        for found in (
            run(single, fixed + row),
            run(multitask, fixed + row, task_ids=torch.tensor([k])),
        ):
            assert len(found) == LENGTH + len(fixed) + len(row)
            close(found, naive)
            close(found[-len(row) :], ours(backbone, prompt, fixed, row))
    assert (behind_prompt[0] - behind_prompt[-1]).abs().max() > 0.05, "prompts must matter"


def test_rows_of_several_tasks_go_through_one_adapter(tmp_path):
    backbone = tiny.backbone("llama")
    prompts = peft_world.prompt_set(backbone)
    export_peft(prompts, tmp_path / "out")
    multitask = loaded(backbone, tmp_path / "out" / "multitask")
    ids = Codec(backbone.tokenizer, backbone.template).text(NOTE)
    order = [2, 0, 1, 0]
    with torch.no_grad():
        found = multitask(
            input_ids=torch.tensor([ids] * len(order)), task_ids=torch.tensor(order)
        ).logits
    for logits, k in zip(found, order, strict=True):
        prompt = prompts.task_prompt(prompts.meta.names[k])
        close(logits, tiny.naive_logits(backbone, prompt, ids))


def test_generation_is_greedy_decoding_behind_the_prompt(tmp_path):
    backbone = tiny.backbone("llama")
    prompts = peft_world.prompt_set(backbone)
    export_peft(prompts, tmp_path / "out")
    name = prompts.meta.names[1]
    prompt = prompts.task_prompt(name)
    ids = Codec(backbone.tokenizer, backbone.template).text(NOTE)
    wanted: list[int] = []
    for _ in range(8):
        wanted.append(int(tiny.naive_logits(backbone, prompt, ids + wanted)[-1].argmax()))
    options = {"max_new_tokens": 8, "do_sample": False, "eos_token_id": None, "pad_token_id": 258}
    given = {"input_ids": torch.tensor([ids]), "attention_mask": torch.ones(1, len(ids))}
    single = loaded(backbone, tmp_path / "out" / "tasks" / name)
    assert single.generate(**given, **options)[0, -8:].tolist() == wanted
    multitask = loaded(backbone, tmp_path / "out" / "multitask")
    found = multitask.generate(**given, **options, task_ids=torch.tensor([1]))
    assert found[0, -8:].tolist() == wanted


def test_left_padding_changes_what_peft_computes(tmp_path):
    """The fault that the documentation warns of: should PEFT mend it, the warning can go."""
    backbone = tiny.backbone("llama")
    prompts = peft_world.prompt_set(backbone)
    export_peft(prompts, tmp_path / "out")
    single = loaded(backbone, tmp_path / "out" / "tasks" / prompts.meta.names[0])
    ids = Codec(backbone.tokenizer, backbone.template).text(NOTE)
    pads = [258] * 8
    mask = torch.tensor([[0] * len(pads) + [1] * len(ids)])
    left = run(single, pads + ids, attention_mask=mask)[-1]
    right = run(single, ids + pads, attention_mask=mask.flip(1))[LENGTH + len(ids) - 1]
    alone = run(single, ids)[-1]
    close(right, alone)
    assert (left - alone).abs().max() > 0.01


def test_the_program_in_the_readme_gives_our_logits(tmp_path, monkeypatch):
    """As it is printed, but for the name of the base model; with a template of special tokens."""
    backbone = tiny.backbone("llama")
    tokenizer = backbone.tokenizer
    tokenizer.chat_template = (
        "{{ bos_token }}{% for m in messages %}{{ m['role'] }}:{{ m['content'] }}<eos>{% endfor %}"
    )
    base = tmp_path / "base"
    peft_world.fresh(backbone).save_pretrained(base)
    tokenizer.save_pretrained(base)
    template = chat_template(tokenizer)
    prompts = peft_world.prompt_set(backbone, template=template)
    export_peft(prompts, tmp_path / "out", base_model=str(base))
    text = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    program = next(iter(re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)))
    note = "<eos> is mere text, naïve"
    program = program.replace('"the input"', json.dumps(note))
    monkeypatch.chdir(tmp_path / "out")
    ran: dict[str, Any] = {}
    exec(compile(program, "README.md", "exec"), ran)
    codec = Codec(tokenizer, template)
    card = prompts.meta.tasks[0]
    fixed, row = codec.fixed(verbalize.instruction(card)), codec.rows([note])[0]
    assert ran["ids"] == fixed + row
    assert tokenizer.eos_token_id in fixed
    assert row.count(tokenizer.eos_token_id) == 1  # the template's, not the note's
    close(ran["logits"], ours(backbone, prompts.task_prompt(card.name), fixed, row)[-1])
    for piece in (template.head, template.between, template.tail, template.end):
        assert json.dumps(piece, ensure_ascii=False) in text
    assert prompts.meta.fingerprint.weights in text
    assert prompts.digest in text


def test_the_command_writes_a_verified_folder_again_and_again_alike(tmp_path):
    backbone = tiny.backbone("llama")
    peft_world.prompt_set(backbone).save(tmp_path / "set")
    for out in ("one", "two"):
        given = ["export", str(tmp_path / "set"), "--format", "peft", "-o", str(tmp_path / out)]
        result = CliRunner().invoke(app, given)
        assert result.exit_code == 0, result.output
    one, two = (verify_folder(tmp_path / out, kind=KIND) for out in ("one", "two"))
    assert one.digest == two.digest
    assert {name.split("/")[0] for name in one.files} == {
        "tasks",
        "multitask",
        "around.json",
        "clinprompt.json",
    }
    again = CliRunner().invoke(app, ["export", str(tmp_path / "set"), "-o", str(tmp_path / "one")])
    assert again.exit_code == 2
    assert "CP-ART-001" in again.output


def test_a_path_of_this_machine_stays_on_it(tmp_path):
    backbone = tiny.backbone("llama")
    prompts = peft_world.prompt_set(backbone, backbone="/home/someone/models/tiny")
    export_peft(prompts, tmp_path / "out")
    config = json.loads((tmp_path / "out" / "multitask" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "tiny"
    assert "someone" not in (tmp_path / "out" / "README.md").read_text()


def test_plain_prompts_are_exact_in_the_adapter_with_all_tasks(tmp_path):
    prompts = peft_world.prompt_set(tiny.backbone("llama"), **FORMS[2])
    export_peft(prompts, tmp_path / "out")
    tensors = load_file(tmp_path / "out" / "multitask" / "adapter_model.safetensors")
    product = tensors["prefix_task_cols"] @ tensors["prefix_task_rows"]
    assert torch.equal(tensors["prompt_embeddings"] * product, prompts.tensors["prompts"])


def test_prompts_behind_the_text_are_refused(tmp_path):
    prompts = peft_world.prompt_set(tiny.backbone("llama"), placement="after")
    with pytest.raises(ClinpromptError, match=r"CP-ART-500.*after"):
        export_peft(prompts, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.real
@pytest.mark.skipif(cached("smollm2") is None, reason="the backbone is not fetched")
def test_smollm2_answers_the_same_in_peft(tmp_path):
    backbone = model.load("smollm2", dtype="float32", device="cpu")
    prompts = peft_world.prompt_set(backbone, length=8, scale=0.136)
    export_peft(prompts, tmp_path / "out")
    base = AutoModelForCausalLM.from_pretrained(str(cached("smollm2")), dtype=torch.float32)
    adapter = tmp_path / "out" / "multitask"
    multitask = peft.PeftModel.from_pretrained(base, str(adapter)).eval()
    codec = Codec(backbone.tokenizer, backbone.template)
    fixed = codec.fixed(verbalize.instruction(prompts.meta.tasks[1]))
    row = codec.rows([NOTE])[0]
    found = run(multitask, fixed + row, task_ids=torch.tensor([1]))[-len(row) :]
    wanted = ours(backbone, prompts.task_prompt(prompts.meta.names[1]), fixed, row)
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=5e-4)  # logits are of size 20
