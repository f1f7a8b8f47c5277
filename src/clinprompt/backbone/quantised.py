"""Checkpoints whose weights are packed in few bits: unpacked where no gradient passes them.

MXFP4, as gpt-oss is released in, has no backward pass in transformers, and soft prompts need one
through every layer. On a GPU the library would keep the weights packed and fail at the first step;
so they are unpacked to bfloat16 while they are read. For gpt-oss 20B that is 42 GB instead of 13.
"""

from __future__ import annotations

from typing import Any


def unpacking(config: Any) -> dict[str, Any]:
    """What `from_pretrained` has to be told besides, for a model of this configuration."""
    packed = getattr(config, "quantization_config", None)
    if packed is None:
        return {}
    method = packed.get("quant_method") if isinstance(packed, dict) else packed.quant_method
    if str(getattr(method, "value", method)) != "mxfp4":
        return {}
    import transformers

    made = getattr(transformers, "Mxfp4Config")  # noqa: B009 - unknown to its type stubs
    return {"quantization_config": made(dequantize=True)}
