"""What a PEFT adapter says of a backbone's layers: keys and values (PREFIX_TUNING), LoRA.

PEFT's prefix is, position by position and layer by layer, the keys and then the values of all
heads, rotated as they are cached: the layout of our prompts of keys and values.

Shapes: P virtual tokens, R rank, N numbers of an update.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from clinprompt.backbone import updates
from clinprompt.backbone.model import Backbone
from clinprompt.backbone.updates import Update

BEFORE_NAMES = "base_model.model."  # PEFT's, before the names of a model's modules


def prefix_shape(backbone: Backbone) -> dict[str, Any]:
    """What a PREFIX_TUNING configuration says of the backbone; tensors are [P, 2 N G D]."""
    layers, heads, size = backbone.keyvalue_shape
    return {
        "num_layers": layers,
        "num_attention_heads": heads,  # those of keys, as PEFT has it
        "token_dim": heads * size,
        "encoder_hidden_size": heads * size,
        "prefix_projection": False,
    }


def lora_config(update: Update) -> dict[str, Any]:
    """The configuration of an update as a LORA adapter."""
    return {
        "peft_type": "LORA",
        "r": update.shape.rank,
        "lora_alpha": update.shape.alpha,
        "target_modules": sorted(update.shape.layers),
        "lora_dropout": 0.0,
        "bias": "none",
        "fan_in_fan_out": False,
    }


def lora_tensors(backbone: Backbone, update: Update) -> dict[str, Tensor]:
    """An update's A [R, in] and B [out, R] of each layer, by PEFT's names.

    Raises:
        ClinpromptError: CP-BACK-120 an update that does not fit the backbone.
    """
    found = {}
    for name, (a, b) in updates.factors(backbone, update).items():
        found[f"{BEFORE_NAMES}{name}.lora_A.weight"] = a
        found[f"{BEFORE_NAMES}{name}.lora_B.weight"] = b
    return found
