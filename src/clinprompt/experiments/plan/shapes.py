"""The sizes of a backbone that costs follow from, read off a configuration without any weights.

Three sources, the first that there is: a model folder or a known backbone in the cache; a
configuration in the local hub cache; the published configurations of the paper's backbones, written
down here. The model is built on torch's meta device, which allocates nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from clinprompt.backbone.model import locate
from clinprompt.errors import ClinpromptError, did_you_mean

# From the config.json of the releases; what is left out is transformers' default of the class.
_LLAMA_8B: dict[str, Any] = {
    "model_type": "llama",
    "vocab_size": 128_256,
    "hidden_size": 4096,
    "intermediate_size": 14_336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "max_position_embeddings": 131_072,
    "tie_word_embeddings": False,
    "dtype": "bfloat16",
}
_GPT_OSS_20B: dict[str, Any] = {
    "model_type": "gpt_oss",
    "vocab_size": 201_088,
    "hidden_size": 2880,
    "intermediate_size": 2880,
    "num_hidden_layers": 24,
    "num_attention_heads": 64,
    "num_key_value_heads": 8,
    "head_dim": 64,
    "num_local_experts": 32,
    "num_experts_per_tok": 4,
    "sliding_window": 128,
    "max_position_embeddings": 131_072,
    "tie_word_embeddings": False,
    "layer_types": ["sliding_attention", "full_attention"] * 12,
    "dtype": "bfloat16",  # the release is MXFP4, which has no backward pass: it is dequantised
}
PUBLISHED: dict[str, dict[str, Any]] = {
    "meta-llama/Llama-3.1-8B": _LLAMA_8B,
    "meta-llama/Llama-3.1-8B-Instruct": _LLAMA_8B,
    "OpenMeditron/Meditron3-8B": _LLAMA_8B,  # fine-tuned from Llama-3.1-8B, the same shape
    "openai/gpt-oss-20b": _GPT_OSS_20B,
}


@dataclass(frozen=True)
class Linear:
    """A linear map of one decoder layer: name inside the layer, input and output size."""

    name: str
    given: int
    made: int


@dataclass(frozen=True)
class Shape:
    """What of a backbone costs anything.

    Attributes:
        source: "weights", "configuration" or "published configuration".
        parameters: all weights (tied ones once).
        body: weights of all decoder layers' matrices that one token passes; of a mixture of
            experts, only as many experts as a token is routed to.
        matrices: weights of all decoder layers' matrices, every expert counted.
        hidden, layers, heads, kv_heads, head_dim, vocabulary, context: as in the configuration.
        inner: width of the feed-forward that one token passes, over all its experts.
        window: sliding window, None where all layers see everything.
        sliding: how many layers slide.
        keeps_scores: whether attention writes its scores out (eager attention: attention sinks).
        linears: the linear maps of each layer, which LoRA may adapt.
        dtype: float type of the checkpoint.
    """

    name: str
    source: str
    model_type: str
    parameters: int
    body: int
    matrices: int
    hidden: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    inner: int
    vocabulary: int
    context: int
    window: int | None
    sliding: int
    keeps_scores: bool
    linears: tuple[tuple[Linear, ...], ...]
    dtype: str

    @property
    def mixture(self) -> bool:
        """Whether a token passes only a part of each layer."""
        return self.body < self.matrices


def shape_of(name: str) -> Shape:
    """The shape behind a backbone's name.

    Raises:
        ClinpromptError: CP-EXP-300 if there is neither a folder, nor a configuration in the local
            cache, nor a published one; CP-EXP-301 if its configuration can't be read.
    """
    config, source = _configuration(name)
    return shape_of_config(name, config, source)


def _configuration(name: str) -> tuple[Any, str]:
    from transformers import AutoConfig

    try:
        place = locate(name)
    except ClinpromptError as error:
        if name not in PUBLISHED:
            raise ClinpromptError(
                "CP-EXP-300",
                f"no configuration of backbone '{name}': {error.message}",
                hint=error.hint or did_you_mean(name, PUBLISHED),
            ) from error
        return AutoConfig.for_model(**PUBLISHED[name]), "published configuration"
    try:
        found = AutoConfig.from_pretrained(place)
    except Exception as error:  # each library has its own errors for files it can't read
        if name in PUBLISHED:  # online, but gated or out of reach
            return AutoConfig.for_model(**PUBLISHED[name]), "published configuration"
        first = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise ClinpromptError(
            "CP-EXP-301", f"the configuration of backbone '{name}' can't be read ({first})"
        ) from error
    return found, "configuration"


def shape_of_config(name: str, config: Any, source: str = "configuration") -> Shape:
    """The shape of a Hugging Face configuration.

    Raises:
        ClinpromptError: CP-EXP-302 if it is not a causal language model with decoder layers.
    """
    import torch
    from transformers import AutoModelForCausalLM

    text = config.get_text_config()
    quantised = getattr(config, "quantization_config", None)
    if quantised is not None:  # weights are counted as they are when they can be trained through
        del config.quantization_config
    try:
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
        layers = list(model.get_decoder().layers)
    except (ValueError, AttributeError) as error:
        raise ClinpromptError(
            "CP-EXP-302",
            f"backbone '{name}' ({config.model_type}) is no causal language model known here",
        ) from error
    heads = int(text.num_attention_heads)
    experts = int(getattr(text, "num_local_experts", 0) or getattr(text, "num_experts", 0) or 0)
    per_token = int(getattr(text, "num_experts_per_tok", 0) or 0)
    share = per_token / experts if experts and per_token else 1.0
    # Experts are kept as one tensor [experts, in, out]; everything else of a layer is a matrix.
    sizes = [
        (p.numel(), share if p.dim() == 3 else 1.0)
        for layer in layers
        for p in layer.parameters()
        if p.dim() > 1
    ]
    types = list(getattr(text, "layer_types", None) or [])
    window = getattr(text, "sliding_window", None)
    sliding = types.count("sliding_attention") if types else len(layers) if window else 0
    dtype = str(getattr(config, "dtype", None) or "bfloat16").removeprefix("torch.")
    return Shape(
        name=name,
        source=source,
        model_type=str(config.model_type),
        parameters=sum(p.numel() for p in model.parameters()),
        body=round(sum(size * part for size, part in sizes)),
        matrices=sum(size for size, _ in sizes),
        hidden=int(text.hidden_size),
        layers=len(layers),
        heads=heads,
        kv_heads=int(getattr(text, "num_key_value_heads", None) or heads),
        head_dim=int(getattr(text, "head_dim", None) or text.hidden_size // heads),
        inner=int(getattr(text, "intermediate_size", 4 * text.hidden_size)) * (per_token or 1),
        vocabulary=int(text.vocab_size),
        context=int(text.max_position_embeddings),
        window=int(window or 0) if sliding else None,
        sliding=sliding,
        keeps_scores=model.config._attn_implementation == "eager",
        linears=tuple(_linears(layer) for layer in layers),
        dtype="bfloat16" if dtype == "float16" else dtype,  # as `backbone.model.load` does
    )


def _linears(layer: Any) -> tuple[Linear, ...]:
    from torch import nn

    return tuple(
        Linear(name, module.in_features, module.out_features)
        for name, module in layer.named_modules()
        if isinstance(module, nn.Linear)
    )


def lora_parameters(shape: Shape, rank: int, layers: Sequence[str] | str) -> int:
    """Parameters of adapters [in, R] and [R, out] on the named linear maps of every layer."""
    return sum(
        rank * (one.given + one.made)
        for layer in shape.linears
        for one in layer
        if layers == "all-linear" or one.name.split(".")[-1] in layers or one.name in layers
    )
