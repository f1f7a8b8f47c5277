"""Attention on CUDA by torch's FlexAttention: only blocks that hold a visible entry are computed.

Masks are `sight.Sight` turned into block masks; nothing of size queries x keys is ever stored.
Attention sinks (gpt-oss) are a further, constant score of each head whose key has no value: they
enlarge the denominator of the softmax, so they scale the output by a number that follows from the
logarithm of the denominator, which the kernel gives.

Single steps of decoding, and everything that comes with a written mask, take torch's fused
attention, or plain products where there are sinks or soft caps, which that one does not know.

Shapes: B rows, N query heads, M key heads, G = N / M, Q query columns, K key columns, D head size.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from clinprompt.backbone.sight import BLOCK, Unwritten
from clinprompt.errors import ClinpromptError

Choice = Literal["auto", "flex", "sdpa", "eager"]
NAME = "clinprompt-flex"

# Variants of the kernels: with and without window, branches, gradients and fixed sizes. torch would
# stop compiling after eight, and fall back to scores written out in full.
_VARIANTS = 64


def _attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    blocks: Any,
    scale: float,
    sinks: Tensor | None,
    softcap: float | None,
    whole: bool,
) -> Tensor:
    """`attend`; `whole` says that all lengths are whole blocks."""
    from torch.nn.attention.flex_attention import AuxRequest, flex_attention

    if whole:  # what the compiler does not know of lengths that change, it guards in each kernel
        torch._check(query.shape[2] % BLOCK == 0)
        torch._check(key.shape[2] % BLOCK == 0)

    def capped(score: Tensor, *_: Tensor) -> Tensor:
        assert softcap is not None
        return torch.tanh(score / softcap) * softcap

    def called(aux: Any) -> Any:
        return flex_attention(
            query,
            key,
            value,
            score_mod=None if softcap is None else capped,
            block_mask=blocks,
            scale=scale,
            enable_gqa=query.shape[1] != key.shape[1],
            return_aux=aux,
            # Another kernel would be taken for few queries, with limits of its own.
            kernel_options={"FORCE_USE_FLEX_ATTENTION": True},
        )

    if sinks is None:
        out: Tensor = called(None)
        return out
    out, aux = called(AuxRequest(lse=True))
    share = torch.sigmoid(aux.lse - sinks.to(aux.lse.dtype)[:, None])
    return (out * share[..., None]).to(value.dtype)


@cache
def _compiled() -> Callable[..., Tensor]:
    """Compiled once in a process; what changes from call to call is an argument."""
    compiled: Callable[..., Tensor] = torch.compile(_attend, fullgraph=True)
    return compiled


def attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    blocks: Any,
    scale: float,
    *,
    sinks: Tensor | None = None,
    softcap: float | None = None,
) -> Tensor:
    """Attention output [B, N, Q, D].

    On CUDA by compiled kernels. Elsewhere by torch's reference, which writes all scores out and,
    as of torch 2.13, refuses gradients on a CPU: that is for tests.

    Args:
        query: [B, N, Q, D].
        key: [B, M, K, D], and `value` alike; N is a multiple of M.
        blocks: a block mask from `sight.Sight.blocks`.
        scale: of the scores.
        sinks: [N] constant scores.
        softcap: scores are bent to stay below it.
    """
    whole = query.shape[2] % BLOCK == 0 and key.shape[2] % BLOCK == 0
    if query.device.type != "cuda":
        return _attend(query, key, value, blocks, scale, sinks, softcap, whole)
    for tensor in (query, key, value):  # else each new length would be compiled anew
        torch._dynamo.maybe_mark_dynamic(tensor, 2)
    return _compiled()(query, key, value, blocks, scale, sinks, softcap, whole)


def attend_plainly(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    visible: Tensor | None,
    scale: float,
    *,
    sinks: Tensor | None = None,
    softcap: float | None = None,
) -> Tensor:
    """The same with all scores written out, for few queries.

    Args:
        visible: boolean [B, 1, Q, K]; None where every query sees every key.
    """
    b, n, q, d = query.shape
    m = key.shape[1]
    grouped = (query * scale).view(b, m, n // m * q, d)
    scores = (grouped @ key.transpose(2, 3)).view(b, n, q, -1)
    wide = torch.promote_types(scores.dtype, torch.float32)
    scores = scores.to(wide)
    if softcap is not None:
        scores = torch.tanh(scores / softcap) * softcap
    if visible is not None:
        scores = scores.masked_fill(~visible, torch.finfo(wide).min)
    if sinks is not None:
        last = sinks.to(wide)[None, :, None, None].expand(b, -1, q, 1)
        scores = torch.cat([scores, last], dim=-1)
    weights = torch.softmax(scores, dim=-1)[..., : key.shape[2]].to(value.dtype)
    return (weights.view(b, m, n // m * q, -1) @ value).view(b, n, q, d)


def attention_forward(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Any,
    dropout: float = 0.0,
    scaling: float | None = None,
    softcap: float | None = None,
    s_aux: Tensor | None = None,
    **more: Any,
) -> tuple[Tensor, None]:
    """What a Hugging Face layer calls; the result is [B, Q, N, D].

    A written mask, and a layer that asks for dropout, take paths without blocks.
    """
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    if not (attention_mask is None or isinstance(attention_mask, Tensor)):
        out = attend(query, key, value, attention_mask, scale, sinks=s_aux, softcap=softcap)
        return out.transpose(1, 2).contiguous(), None
    if s_aux is not None or softcap is not None:
        out = attend_plainly(query, key, value, attention_mask, scale, sinks=s_aux, softcap=softcap)
        return out.transpose(1, 2).contiguous(), None
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    found: tuple[Tensor, None] = sdpa_attention_forward(
        module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **more
    )
    return found


def _written(*args: Any, **more: Any) -> Any:
    """The library's mask for calls that bring none, always written out: sinks need it."""
    from transformers.masking_utils import sdpa_mask

    return sdpa_mask(*args, **{**more, "allow_is_causal_skip": False})


def use(model: Any) -> None:
    """Make a model's layers call `attention_forward`."""
    from transformers import AttentionInterface, AttentionMaskInterface

    AttentionInterface.register(NAME, attention_forward)
    AttentionMaskInterface.register(NAME, _written)
    set_implementation(model, NAME)


def set_implementation(model: Any, name: str) -> None:
    """Which attention the library's layers call."""
    for one in {id(c): c for c in (model.config, model.config.get_text_config())}.values():
        one._attn_implementation = name


def choose(model: Any, choice: Choice) -> str | None:
    """Set a model's attention.

    Args:
        choice: "auto" is FlexAttention on CUDA where it works, else what the library chose.

    Returns:
        Why "auto" did not take FlexAttention on CUDA; None if there is nothing to say.

    Raises:
        ClinpromptError: CP-BACK-050 if "flex" was asked for and does not work here, CP-BACK-051 if
            "sdpa" was and the model's layers have none.
    """
    config = model.config.get_text_config()
    if choice in ("auto", "flex"):
        on_cuda = next(model.parameters()).device.type == "cuda"
        reason = why_not(model) if on_cuda else "it needs CUDA"
        if reason is None:
            use(model)
        elif choice == "flex":
            raise ClinpromptError(
                "CP-BACK-050",
                f"FlexAttention can't be used: {reason}",
                hint="use backbone.attention=auto",
            )
        return reason if on_cuda else None
    if choice == "sdpa" and config._attn_implementation == "eager":
        raise ClinpromptError(
            "CP-BACK-051",
            f"{config.model_type} has no attention of the kind 'sdpa'",
            hint="use backbone.attention=auto or eager",
        )
    set_implementation(model, choice)
    return None


def why_not(model: Any) -> str | None:
    """Why FlexAttention does not work for a model on its CUDA device; None if it does.

    A small problem of the model's head size is compiled, run and differentiated, and compared with
    torch's fused attention. It takes about half a minute the first time on a machine.
    """
    if getattr(model, "_supports_flex_attn", True) is False:
        return "the library does not know it for these layers"
    config = model.config.get_text_config()
    heads = config.num_attention_heads
    key_heads = getattr(config, "num_key_value_heads", None) or heads
    size = getattr(config, "head_dim", None) or config.hidden_size // heads
    parameter = next(model.parameters())
    try:
        torch._dynamo.config.recompile_limit = max(torch._dynamo.config.recompile_limit, _VARIANTS)
        error = _trial(heads, key_heads, size, parameter.dtype, parameter.device)
    except Exception as raised:  # whatever a compiler finds to raise
        first = next(iter(str(raised).strip().splitlines()), "")
        return f"{type(raised).__name__}: {first}"[:200]
    return None if error < 0.05 else f"its kernels are off by {error:.2g} on this device"


def _trial(
    heads: int, key_heads: int, size: int, dtype: torch.dtype, device: torch.device
) -> float:
    """Largest relative error of output and gradients on a small problem."""
    forked = torch.random.fork_rng(devices=[device] if device.type == "cuda" else [])
    with forked, torch.enable_grad():
        torch.manual_seed(0)

        def drawn(count: int) -> Tensor:
            shape = 1, count, 2 * BLOCK, size
            return torch.randn(shape, dtype=dtype, device=device).requires_grad_()

        q, k, v = drawn(heads), drawn(key_heads), drawn(key_heads)
        columns = torch.arange(2 * BLOCK, device=device)[None]
        seen = Unwritten(columns, columns, columns < 2 * BLOCK - 9)
        visible = (columns[:, :, None] >= columns[:, None]) & seen.valid[:, None]
        ours = attend(q, k, v, seen.lined_up().blocks(), size**-0.5)
        theirs = F.scaled_dot_product_attention(
            q, k, v, attn_mask=visible[:, None], enable_gqa=heads != key_heads
        )
        real = seen.valid[:, None, :, None].to(dtype)
        upstream = torch.randn_like(ours) * real
        found = [ours * real, *torch.autograd.grad(ours, (q, k, v), upstream)]
        known = [theirs * real, *torch.autograd.grad(theirs, (q, k, v), upstream)]
        errors = [(a - b).norm() / b.norm() for a, b in zip(found, known, strict=True)]
        return float(torch.stack(errors).detach().max().nan_to_num(torch.inf))
