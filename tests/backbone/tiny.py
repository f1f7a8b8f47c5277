"""Tiny random backbones of every supported architecture, and a naive forward to compare with."""

from __future__ import annotations

from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from torch import Tensor
from transformers import (
    AutoModelForCausalLM,
    Gemma3TextConfig,
    GptOssConfig,
    LlamaConfig,
    MistralConfig,
    PreTrainedTokenizerFast,
    Qwen3Config,
)

from clinprompt.backbone.model import Backbone
from clinprompt.backbone.template import plain_template

VOCABULARY = 260
_SIZES: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 512,
    "bos_token_id": 256,
    "eos_token_id": 257,
    "pad_token_id": 258,
    "initializer_range": 0.3,
}
# Windows are shorter than the tests' prefixes and rows, so that they cut through both.
CONFIGS = {
    "llama": lambda: LlamaConfig(**_SIZES),
    "mistral": lambda: MistralConfig(**_SIZES, sliding_window=7),
    "qwen3": lambda: Qwen3Config(**_SIZES),
    "gemma3": lambda: Gemma3TextConfig(
        **_SIZES,
        sliding_window=6,
        query_pre_attn_scalar=8,
        layer_types=["sliding_attention", "full_attention"] * 2,
    ),
    # Narrower weights: experts' clamped SwiGLU is badly conditioned at 0.3, and float32 rounding
    # alone then moves gradients by 5e-5.
    "gpt_oss": lambda: GptOssConfig(
        **(_SIZES | {"initializer_range": 0.15}),
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
        sliding_window=6,
        num_local_experts=4,
        num_experts_per_tok=2,
        layer_types=["sliding_attention", "full_attention"] * 2,
    ),
}


def tokenizer() -> PreTrainedTokenizerFast:
    """Bytes as tokens, and BOS, EOS, PAD."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    inner = Tokenizer(models.BPE(vocab={c: i for i, c in enumerate(alphabet)}, merges=[]))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    inner.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, bos_token="<bos>", eos_token="<eos>", pad_token="<pad>"
    )


def backbone(architecture: str, seed: int = 0) -> Backbone:
    """A random float32 backbone."""
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(CONFIGS[architecture]())
    with torch.no_grad():  # sinks and norms start at constants; make them matter
        for name, parameter in model.named_parameters():
            if "norm" in name or "sinks" in name:
                parameter.add_(torch.randn_like(parameter) * 0.2)
    tok = tokenizer()
    return Backbone(model.float(), tok, f"tiny-{architecture}", plain_template(tok))


def naive_logits(backbone: Backbone, prompt: Tensor, ids: list[int]) -> Tensor:
    """The Hugging Face model's own logits for ``[prompt][ids]``, one row, no cache: [P + L, V]."""
    embeddings = torch.cat([prompt, backbone.embed(torch.tensor(ids))])[None]
    logits: Tensor = backbone.model(inputs_embeds=embeddings, use_cache=False).logits[0].float()
    return logits
