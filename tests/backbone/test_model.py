from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from transformers import (
    AutoModelForCausalLM,
    Gemma2Config,
    GraniteConfig,
    LlamaConfig,
)

from clinprompt.backbone import fetch, floats, model
from clinprompt.backbone.model import Backbone, choose_device, locate
from clinprompt.backbone.template import plain_template
from clinprompt.errors import ClinpromptError
from tests.backbone import tiny


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("CLINPROMPT_CACHE", str(tmp_path / "cache"))


def saved(folder: Path, architecture: str = "llama", dtype: Any = torch.float32) -> Path:
    backbone = tiny.backbone(architecture)
    backbone.model.to(dtype).save_pretrained(folder)
    backbone.tokenizer.save_pretrained(folder)
    return folder


def made_from(config: Any) -> Backbone:
    torch.manual_seed(0)
    tok = tiny.tokenizer()
    return Backbone(AutoModelForCausalLM.from_config(config), tok, "made", plain_template(tok))


@pytest.mark.parametrize("architecture", sorted(tiny.CONFIGS))
def test_loaded_it_is_what_was_saved_frozen_and_at_rest(architecture: str, tmp_path: Path) -> None:
    found = model.load(str(saved(tmp_path, architecture)))
    expected = tiny.backbone(architecture)
    ids = torch.arange(20)[None]
    torch.testing.assert_close(
        found.model(input_ids=ids).logits, expected.model(input_ids=ids).logits
    )
    assert not any(p.requires_grad for p in found.model.parameters())
    assert not any(module.training for module in found.model.modules())
    assert (found.hidden_size, found.vocabulary, found.context_length) == (32, 260, 512)
    assert found.parameters == sum(p.numel() for p in expected.model.parameters())
    assert found.name == str(tmp_path)
    assert found.template == plain_template(found.tokenizer)


@pytest.mark.parametrize("architecture", sorted(tiny.CONFIGS))
def test_embed_and_logits_are_the_models_own(architecture: str) -> None:
    backbone = tiny.backbone(architecture)
    ids = torch.arange(30)[None]
    output = backbone.model(input_ids=ids, output_hidden_states=True)
    torch.testing.assert_close(backbone.embed(ids), output.hidden_states[0])
    torch.testing.assert_close(backbone.logits(output.hidden_states[-1]), output.logits.float())
    table = backbone.embed(torch.arange(backbone.vocabulary))
    assert backbone.embedding_scale == pytest.approx(float(table.std()), rel=1e-5)


def test_an_embedding_scaled_by_the_model_counts_as_it_comes_out() -> None:
    gemma = tiny.backbone("gemma3")
    raw = gemma.model.get_input_embeddings().weight
    assert gemma.embedding_scale == pytest.approx(float(raw.std()) * 32**0.5, rel=1e-3)


def test_capped_logits_are_capped_alike() -> None:
    sizes = {**tiny._SIZES, "num_hidden_layers": 2, "sliding_window": 6}
    config = Gemma2Config(**sizes, final_logit_softcapping=2.0, query_pre_attn_scalar=8)
    backbone = made_from(config)
    output = backbone.model(input_ids=torch.arange(30)[None], output_hidden_states=True)
    found = backbone.logits(output.hidden_states[-1])
    assert float(found.detach().abs().max()) > 1.5  # the cap matters
    torch.testing.assert_close(found, output.logits.float(), rtol=1e-4, atol=1e-4)


def test_logits_treated_in_an_unknown_way_are_refused() -> None:
    sizes = {k: v for k, v in tiny._SIZES.items() if k != "head_dim"}
    assert made_from(GraniteConfig(**sizes)).hidden_size == 32
    with pytest.raises(ClinpromptError, match="CP-BACK-011") as caught:
        made_from(GraniteConfig(**sizes, logits_scaling=8.0))
    assert "'made' (granite)" in caught.value.message


def test_tied_weights_count_once_and_are_not_missing(tmp_path: Path) -> None:
    tied = AutoModelForCausalLM.from_config(LlamaConfig(**tiny._SIZES, tie_word_embeddings=True))
    tied.save_pretrained(tmp_path)
    tiny.tokenizer().save_pretrained(tmp_path)
    found = model.load(str(tmp_path))
    assert found.parameters == tiny.backbone("llama").parameters - 260 * 32


@pytest.mark.parametrize(
    ("stored", "asked", "expected"),
    [
        (torch.float32, "auto", torch.float32),
        (torch.bfloat16, "auto", None),
        (torch.float16, "auto", None),
        (torch.bfloat16, "float32", torch.float32),
        (torch.float32, "bfloat16", torch.bfloat16),
    ],
)
def test_float_types(tmp_path: Path, stored: Any, asked: Any, expected: Any) -> None:
    able = floats.computes_bfloat16(torch.device("cpu"))
    expected = expected or (torch.bfloat16 if able else torch.float32)
    found = model.load(str(saved(tmp_path, dtype=stored)), dtype=asked)
    assert found.dtype == expected
    assert found.logits(torch.zeros(1, 32, dtype=expected)).dtype == torch.float32


@pytest.mark.parametrize("what", ["weights", "config", "tokenizer", "no weights", "one missing"])
def test_a_folder_that_is_not_whole_is_refused(tmp_path: Path, what: str) -> None:
    folder = saved(tmp_path)
    weights = folder / "model.safetensors"
    match what:
        case "weights":
            weights.write_bytes(weights.read_bytes()[:5000])
        case "config":
            (folder / "config.json").write_text("{", encoding="utf-8")
        case "tokenizer":
            (folder / "tokenizer.json").write_text("{}", encoding="utf-8")
        case "no weights":
            weights.unlink()
        case _:  # transformers would draw it at random and go on
            tensors = safetensors.torch.load_file(weights)
            del tensors["model.layers.2.mlp.down_proj.weight"]
            safetensors.torch.save_file(tensors, weights, metadata={"format": "pt"})
    with pytest.raises(ClinpromptError, match="CP-BACK-007") as caught:
        model.load(str(folder))
    assert "\n" not in str(caught.value)
    if what == "one missing":
        assert "1 weights are missing, such as 'model.layers.2.mlp" in caught.value.message


def test_names_are_located(tmp_path: Path) -> None:
    folder = saved(tmp_path / "mine")
    assert locate(str(folder)) == str(folder)
    with pytest.raises(ClinpromptError, match="CP-BACK-004") as caught:
        locate("smollm2")
    assert caught.value.hint == "run: clinprompt backbone fetch smollm2"
    place = fetch.cache_folder() / "backbones" / "smollm2"
    place.mkdir(parents=True)
    (place / "config.json").write_text("{}", encoding="utf-8")
    assert locate("smollm2") == str(place)
    with pytest.raises(ClinpromptError, match="CP-BACK-005"):
        locate("someone/some-model-that-is-not-cached")
    with pytest.raises(ClinpromptError, match="CP-BACK-005"):
        locate(str(tmp_path / "nothing"))


def test_online_a_hub_id_is_taken_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    assert locate("someone/some-model") == "someone/some-model"


def test_devices() -> None:
    expected = "cuda" if torch.cuda.is_available() else "cpu"
    assert choose_device("auto").type == expected
    assert choose_device("cpu").type == "cpu"
    for name in ("tpu9", "cuda:99", ""):
        with pytest.raises(ClinpromptError, match="CP-BACK-006"):
            choose_device(name)
