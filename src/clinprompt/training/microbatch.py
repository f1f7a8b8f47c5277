"""How many text tokens go through the backbone at once, where the recipe leaves that open.

On a CPU a fixed number does: larger micro-batches gain nothing there. On CUDA it follows from the
memory that is free and from what a layer keeps of a token for its backward pass; it is an estimate,
so a step that still does not fit is tried again with half.
"""

from __future__ import annotations

import torch

from clinprompt.backbone.model import Backbone
from clinprompt.training.settings import EngineSettings

FEWEST, MOST = 256, 32768  # beyond the latter, kernels don't get any faster
_SHARE = 0.6  # of free memory; prefixes, logits and what is computed in passing take the rest


def bytes_per_token(backbone: Backbone) -> int:
    """What the layers keep of a packed token with gradients, about.

    The compiled decoder keeps of each layer two hidden states, queries, keys and values, what
    attention gave, and both halves of the gated product. The library's layers keep about twice
    that, since every operation keeps its own; experts keep theirs for each token they are given.
    """
    config = backbone.config
    heads = config.num_attention_heads
    size = getattr(config, "head_dim", None) or config.hidden_size // heads
    key_heads = getattr(config, "num_key_value_heads", None) or heads
    inner = getattr(config, "moe_intermediate_size", None) or config.intermediate_size
    experts = getattr(config, "num_experts_per_tok", None) or 0
    kept = 2 * config.hidden_size + 2 * (heads + key_heads) * size + 2 * inner * max(1, experts)
    if backbone.compiled is None:
        kept = 2 * kept + experts * config.hidden_size
    return int(kept * config.num_hidden_layers * backbone.dtype.itemsize)


def free_bytes(device: torch.device) -> int:
    """Memory of a CUDA device that tensors could take now."""
    free, _ = torch.cuda.mem_get_info(device)
    held = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return int(free) + held


def sized(engine: EngineSettings, backbone: Backbone) -> EngineSettings:
    """The settings with a number of tokens in them, whatever was left open."""
    if engine.microbatch_tokens != "auto":
        return engine
    tokens = engine.tokens
    if backbone.device.type == "cuda":
        room = _SHARE * free_bytes(backbone.device) / bytes_per_token(backbone)
        tokens = int(min(MOST, max(FEWEST, room // FEWEST * FEWEST)))
    return engine.model_copy(update={"microbatch_tokens": tokens})


def halved(engine: EngineSettings) -> EngineSettings | None:
    """Half as many tokens, after memory did not suffice; None if there is no use in fewer."""
    if engine.tokens < 2 * FEWEST:
        return None
    return engine.model_copy(update={"microbatch_tokens": engine.tokens // 2})
