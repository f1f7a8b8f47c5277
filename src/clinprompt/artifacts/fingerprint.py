"""Which backbone a prompt belongs to: a fingerprint of its configuration, vocabulary and weights.

A soft prompt is a set of points in one model's embedding space; in front of any other weights it
means nothing, though everything runs. So an artefact records what it was trained on.

The digests, exactly (all SHA-256, hex; integers in text are decimal):

- config: the values in `_ARCHITECTURE` that the configuration has and that are not None, nested
  ones as they are, whole floats as integers; as JSON with sorted keys and no spaces. Float type,
  paths, library versions and switches of no effect on the function are left out, since they
  differ between two loads of the same files.
- tokenizer: ``id TAB token LF`` for the whole vocabulary in order of ids, then the ids of each
  text in `_PROBES` (encoded without special tokens), separated by spaces, one line a text. The
  probes see what the vocabulary doesn't: merges, normalisation, digit splitting.
- weights: for each parameter in order of names: ``name SPACE shape LF``, shape as ``2x3``, then
  its values flattened in row-major order, each rounded to bfloat16 (to nearest, ties to even) as
  two little-endian bytes. Of parameters with more than 3 N values (N = 1024) only the first N,
  the N from index (size - N) // 2, and the last N are taken. Parameters that are not floats
  (packed quantised weights) give the bytes of the same values unrounded.

Rounding makes float32, bfloat16 and float16 loads of one bfloat16 checkpoint equal, as well as
float32 and bfloat16 loads of one float32 checkpoint. A quantised load has other weights, and
another fingerprint.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from clinprompt.errors import ClinpromptError

if TYPE_CHECKING:
    from clinprompt.backbone.model import Backbone

SAMPLE = 1024  # N above
_SHA256 = r"^[0-9a-f]{64}$"
_PROBES = (
    "Pt. c/o SOB x3 days; denies CP.",
    "HbA1c 7.25% (ref <5.7), 120/80 mmHg",
    "  two spaces,\ttab\nnewline\n\n",
    "naïve Ménière β-blocker 10µg → ½ 体温 🩺",
    "UPPER lower CamelCase snake_case 0123456789",
)
_SIZES = """
    model_type hidden_size intermediate_size num_hidden_layers vocab_size tie_word_embeddings
"""
_ATTENTION = """
    num_attention_heads num_key_value_heads head_dim attention_bias qkv_bias use_qk_norm
    sliding_window use_sliding_window max_window_layers layer_types query_pre_attn_scalar
    attention_multiplier attn_logit_softcapping
"""
_POSITIONS = """
    rope_theta rope_local_base_freq rope_scaling rope_parameters partial_rotary_factor
    rotary_pct no_rope_layers
"""
_FEED_FORWARD = """
    hidden_act hidden_activation mlp_bias num_local_experts num_experts num_experts_per_tok
    moe_intermediate_size shared_intermediate_size decoder_sparse_step norm_topk_prob
    swiglu_limit
"""
_NORMS = """
    rms_norm_eps layer_norm_eps layer_norm_epsilon norm_eps final_logit_softcapping logit_scale
    logits_scaling embedding_multiplier residual_multiplier scale_embeddings
"""
_GPT2_OPT = """
    n_embd n_layer n_head n_inner activation_function word_embed_proj_dim do_layer_norm_before
    scale_attn_weights scale_attn_by_inverse_layer_idx
"""
_ARCHITECTURE = frozenset(
    (_SIZES + _ATTENTION + _POSITIONS + _FEED_FORWARD + _NORMS + _GPT2_OPT).split()
)


class BackboneFingerprint(BaseModel):
    """What identifies a backbone.

    Attributes:
        model_type: architecture, such as "llama".
        hidden: hidden size H.
        vocabulary: rows of the embedding table, V.
        layers: number of layers.
        parameters: number of weights, tied ones once.
        config, tokenizer, weights: digests as this module defines them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    model_type: str = Field(min_length=1)
    hidden: int = Field(gt=0)
    vocabulary: int = Field(gt=0)
    layers: int = Field(gt=0)
    parameters: int = Field(gt=0)
    config: str = Field(pattern=_SHA256)
    tokenizer: str = Field(pattern=_SHA256)
    weights: str = Field(pattern=_SHA256)

    def __str__(self) -> str:
        digests = ((name, getattr(self, name)) for name in ("config", "tokenizer", "weights"))
        return (
            f"{self.model_type} H={self.hidden} V={self.vocabulary} layers={self.layers} "
            f"parameters={self.parameters} " + " ".join(f"{n}={d[:12]}" for n, d in digests)
        )


def fingerprint(backbone: Backbone) -> BackboneFingerprint:
    """The fingerprint of a loaded backbone, whatever its float type and device."""
    config = backbone.config.to_dict()
    return BackboneFingerprint(
        model_type=backbone.config.model_type,
        hidden=backbone.hidden_size,
        vocabulary=backbone.vocabulary,
        layers=int(backbone.config.num_hidden_layers),
        parameters=backbone.parameters,
        config=config_digest(config),
        tokenizer=tokenizer_digest(
            backbone.tokenizer.get_vocab(),
            lambda text: backbone.tokenizer(text, add_special_tokens=False).input_ids,
        ),
        weights=weights_digest(backbone.model.named_parameters()),
    )


def config_digest(config: Mapping[str, Any]) -> str:
    """Digest of what a configuration says about the function that the model computes."""
    kept = {key: value for key, value in config.items() if key in _ARCHITECTURE}
    text = json.dumps(_plain(kept), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def tokenizer_digest(vocabulary: Mapping[str, int], encode: Callable[[str], Iterable[int]]) -> str:
    """Digest of a tokenizer.

    Args:
        vocabulary: token -> id, added tokens included.
        encode: text -> ids, without special tokens around it.
    """
    digest = hashlib.sha256()
    for token, number in sorted(vocabulary.items(), key=lambda item: (item[1], item[0])):
        digest.update(f"{number}\t{token}\n".encode("utf-8", "surrogatepass"))
    for probe in _PROBES:
        digest.update((" ".join(str(number) for number in encode(probe)) + "\n").encode())
    return digest.hexdigest()


def weights_digest(parameters: Iterable[tuple[str, Tensor]], sample: int = SAMPLE) -> str:
    """Digest of weights, each parameter of any shape and device.

    Args:
        parameters: names and tensors in any order, such as ``model.named_parameters()``.
        sample: N of the module's text.

    Raises:
        ClinpromptError: CP-ART-021 if there is nothing to hash: no parameter, a name twice, or
            weights that were not loaded (on the meta device).
    """
    named = sorted(parameters, key=lambda item: item[0])
    names = [name for name, _ in named]
    empty = next((name for name, tensor in named if tensor.device.type == "meta"), None)
    if not named or len(set(names)) != len(names) or empty is not None:
        reason = "there are none" if not named else "a name stands twice"
        reason = reason if empty is None else f"'{empty}' was not loaded"
        raise ClinpromptError("CP-ART-021", f"can't take a fingerprint of the weights: {reason}")
    digest = hashlib.sha256()
    for name, tensor in named:
        digest.update(f"{name} {'x'.join(map(str, tensor.shape))}\n".encode())
        digest.update(_sampled_bytes(tensor.detach(), sample))
    return digest.hexdigest()


def difference(expected: BackboneFingerprint, found: BackboneFingerprint) -> list[str]:
    """What differs, one line a field; empty for the same backbone."""
    lines = []
    for name in BackboneFingerprint.model_fields:
        wanted, is_now = getattr(expected, name), getattr(found, name)
        if wanted != is_now:
            digest = name in ("config", "tokenizer", "weights")
            lines.append(f"other {name}" if digest else f"{name} is {is_now} instead of {wanted}")
    return lines


def require_same(expected: BackboneFingerprint, found: BackboneFingerprint) -> None:
    """Refuse a backbone that a prompt was not trained on.

    Raises:
        ClinpromptError: CP-ART-020, with both fingerprints.
    """
    lines = difference(expected, found)
    if lines:
        raise ClinpromptError(
            "CP-ART-020",
            f"wrong backbone ({', '.join(lines)}): trained on [{expected}], loaded is [{found}]",
            hint="load the backbone that the prompt was trained on",
        )


def _sampled_bytes(tensor: Tensor, sample: int) -> bytes:
    flat = tensor.reshape(-1)
    if len(flat) > 3 * sample:
        middle = (len(flat) - sample) // 2
        parts = (flat[:sample], flat[middle : middle + sample], flat[-sample:])
        flat = torch.cat(parts)
    if flat.is_floating_point():
        flat = flat.to(torch.bfloat16)
    return flat.cpu().contiguous().view(torch.uint8).numpy().tobytes()


def _plain(value: Any) -> Any:
    """Without Nones, whole floats as integers: the forms two loads of a file may differ in."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items() if v is not None}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
