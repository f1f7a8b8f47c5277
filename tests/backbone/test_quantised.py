"""MXFP4 checkpoints are unpacked while they are read, and can be trained through."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import AutoModelForCausalLM, GptOssConfig, LlamaConfig

from clinprompt.backbone import model
from clinprompt.backbone.answers import answer_hidden, with_answers
from clinprompt.backbone.quantised import unpacking
from clinprompt.training.batch import prefix_of
from tests.backbone import tiny

# The 16 numbers of E2M1 (Open Compute Project, Microscaling Formats 1.0, section 5.3.3).
FP4 = [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0]
FP4 = FP4 + [-x for x in FP4]
GROUP, BIAS = 32, 127  # numbers that share a scale; bias of the scale's exponent


def unpacked(blocks: Tensor, scales: Tensor) -> Tensor:
    """[E, out, groups, 16] bytes of two numbers, low half first, to [E, in, out]."""
    table = torch.tensor(FP4)
    pairs = torch.stack([table[(blocks & 15).long()], table[(blocks >> 4).long()]], dim=-1)
    numbers = pairs.flatten(-2) * torch.exp2(scales.float() - BIAS)[..., None]
    return numbers.flatten(-2).transpose(1, 2)


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random gpt-oss in the layout of the release."""
    folder = tmp_path_factory.mktemp("packed")
    sizes = tiny._SIZES | {"hidden_size": 64, "intermediate_size": 64, "head_dim": 16}
    config = GptOssConfig(
        **sizes,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
        sliding_window=6,
        num_local_experts=4,
        num_experts_per_tok=2,
        layer_types=["sliding_attention", "full_attention"] * 2,
    )
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(config).bfloat16().save_pretrained(folder)
    found = load_file(folder / "model.safetensors")
    tensors = {}
    for name, tensor in found.items():
        if name.endswith(("experts.gate_up_proj", "experts.down_proj")):
            experts, given, made = tensor.shape
            shape = experts, made, given // GROUP
            tensors[f"{name}_blocks"] = torch.randint(0, 256, (*shape, 16), dtype=torch.uint8)
            tensors[f"{name}_scales"] = torch.randint(121, 125, shape, dtype=torch.uint8)
        else:
            tensors[name] = tensor
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    content = json.loads((folder / "config.json").read_text())
    kept = [
        "model.layers.*.self_attn",
        "model.layers.*.mlp.router",
        "model.embed_tokens",
        "lm_head",
    ]
    content["quantization_config"] = {"quant_method": "mxfp4", "modules_to_not_convert": kept}
    (folder / "config.json").write_text(json.dumps(content))
    tiny.tokenizer().save_pretrained(folder)
    return folder


def test_packed_weights_are_unpacked_exactly(packed: Path) -> None:
    loaded = model.load(str(packed), device="cpu", dtype="bfloat16")
    assert loaded.dtype == torch.bfloat16
    stored = load_file(packed / "model.safetensors")
    for number, layer in enumerate(loaded.model.model.layers):
        for name in ("gate_up_proj", "down_proj"):
            place = f"model.layers.{number}.mlp.experts.{name}"
            wanted = unpacked(stored[f"{place}_blocks"], stored[f"{place}_scales"])
            weight = getattr(layer.mlp.experts, name)
            assert weight.dtype == torch.bfloat16
            torch.testing.assert_close(weight.float(), wanted, rtol=0, atol=0)


def test_prompts_learn_through_an_unpacked_checkpoint(packed: Path) -> None:
    loaded = model.load(str(packed), device="cpu")
    prompt = torch.randn(1, 3, 64, requires_grad=True)
    rows, targets = with_answers([[1, 2, 3], [4, 5]], [[6, 7], [8]], [0, 0], loaded.device)
    before = prefix_of(loaded, prompt, [[9]])
    loaded.logits(answer_hidden(loaded, before, rows, targets)).sum().backward()
    assert prompt.grad is not None and torch.isfinite(prompt.grad).all()
    assert (prompt.grad.norm(dim=-1) > 0).all()


def test_nothing_is_told_about_weights_that_are_not_packed() -> None:
    assert unpacking(LlamaConfig()) == {}
    other = LlamaConfig(quantization_config={"quant_method": "gptq", "bits": 4})
    assert unpacking(other) == {}
    for form in ({"quant_method": "mxfp4"}, unpacking_config()):
        config = GptOssConfig(quantization_config=form)
        assert unpacking(config)["quantization_config"].dequantize is True


def unpacking_config() -> object:
    from transformers import Mxfp4Config

    return Mxfp4Config()
