"""Shapes of real architectures without weights, and the counts that everybody can check by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.backbone import tiny
from tests.training import toy

from clinprompt.artifacts.meta import percent
from clinprompt.errors import ClinpromptError
from clinprompt.experiments.plan.shapes import (
    PUBLISHED,
    lora_parameters,
    shape_of,
    shape_of_config,
)
from clinprompt.experiments.plan.stages import prompt_numbers
from clinprompt.training.settings import PromptSettings

LLAMA, MEDITRON, GPT_OSS = (
    "meta-llama/Llama-3.1-8B",
    "OpenMeditron/Meditron3-8B",
    "openai/gpt-oss-20b",
)


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("CLINPROMPT_CACHE", str(tmp_path))


@pytest.mark.parametrize(
    ("name", "backbone", "trained", "share"),
    [
        (LLAMA, 8_030_261_248, 413_796, "0.00515 %"),
        (MEDITRON, 8_030_261_248, 413_796, "0.00515 %"),
        (GPT_OSS, 20_914_757_184, 290_980, "0.00139 %"),
    ],
)
def test_parameters_of_the_papers_backbones(
    name: str, backbone: int, trained: int, share: str
) -> None:
    shape = shape_of(name)
    assert shape.source == "published configuration"
    assert shape.parameters == backbone
    assert prompt_numbers(shape, PromptSettings(), 1) == trained
    assert percent(trained / backbone) == share
    deep = PromptSettings(length=4, depth="layers")
    width = 2 * shape.layers * shape.kv_heads * shape.head_dim
    assert prompt_numbers(shape, deep, 1) == 5 * width + 4


def test_lora_on_all_linear_maps_and_on_two() -> None:
    shape = shape_of(LLAMA)
    assert lora_parameters(shape, 16, "all-linear") == 41_943_040
    assert lora_parameters(shape, 16, ["q_proj", "v_proj"]) == 6_815_744
    assert (
        lora_parameters(shape, 16, "all-linear") // prompt_numbers(shape, PromptSettings(), 1)
        == 101
    )
    # Experts are one tensor each and no linear maps: attention alone is adapted.
    sparse = shape_of(GPT_OSS)
    attention = ["q_proj", "k_proj", "v_proj", "o_proj"]
    assert lora_parameters(sparse, 16, "all-linear") == lora_parameters(sparse, 16, attention)


def test_lora_counts_are_what_peft_makes() -> None:
    peft = pytest.importorskip("peft")
    backbone = tiny.backbone("llama")
    shape = shape_of_config("tiny", backbone.model.config)
    for layers in ("all-linear", ["q_proj", "down_proj"]):
        config = peft.LoraConfig(r=3, target_modules=layers, task_type="CAUSAL_LM")
        model = peft.get_peft_model(tiny.backbone("llama").model, config)
        made = sum(p.numel() for p in model.parameters() if p.requires_grad)
        assert lora_parameters(shape, 3, layers) == made


def test_a_token_passes_four_of_32_experts() -> None:
    shape = shape_of(GPT_OSS)
    assert shape.mixture and shape.keeps_scores
    expert = 3 * 2880 * 2880  # gate, up, down
    assert shape.matrices - shape.body == pytest.approx(24 * 28 * expert, rel=1e-3)
    assert shape.window == 128 and shape.sliding == 12
    # 3.6 billion active ones, with embeddings and head (the release's own figure).
    assert shape.body + 201_088 * 2880 == pytest.approx(3.61e9, rel=0.01)


@pytest.mark.parametrize("architecture", sorted(tiny.CONFIGS))
def test_shapes_agree_with_the_models_weights(architecture: str, tmp_path: Path) -> None:
    folder = toy.save_backbone(tmp_path, architecture)
    backbone = tiny.backbone(architecture)
    shape = shape_of(str(folder))
    assert shape.source == "configuration"
    assert shape.parameters == backbone.parameters
    assert (shape.hidden, shape.vocabulary) == (backbone.hidden_size, backbone.vocabulary)
    assert shape.context == backbone.context_length
    assert shape.layers == 4 and shape.head_dim == 8
    layers = backbone.model.get_decoder().layers
    assert shape.matrices == sum(p.numel() for p in layers.parameters() if p.dim() > 1)


def test_a_quantised_release_is_counted_as_it_is_trained_through() -> None:
    config = tiny.CONFIGS["gpt_oss"]()
    plain = shape_of_config("tiny", config)
    config.quantization_config = {"quant_method": "mxfp4"}
    assert shape_of_config("tiny", config).parameters == plain.parameters


def test_what_is_not_known_is_said(tmp_path: Path) -> None:
    with pytest.raises(ClinpromptError, match="CP-EXP-300") as caught:
        shape_of("openai/gpt-oss-20")
    assert "openai/gpt-oss-20b" in str(caught.value) or "folder" in str(caught.value)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{")
    with pytest.raises(ClinpromptError, match="CP-EXP-301"):
        shape_of(str(tmp_path / "model"))
    (tmp_path / "model" / "config.json").write_text('{"model_type": "vit"}')
    with pytest.raises(ClinpromptError, match="CP-EXP-302"):
        shape_of(str(tmp_path / "model"))
    assert LLAMA in PUBLISHED
