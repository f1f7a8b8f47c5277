"""Norm, rotation and gate with their backward passes, in few passes over memory.

Shapes: N tokens, H hidden size, B rows, Q columns, D head size.
"""

from __future__ import annotations

import torch
from torch import Tensor


def accurate(dtype: torch.dtype) -> torch.dtype:
    """The float type that sums are taken in."""
    return torch.float32 if dtype in (torch.bfloat16, torch.float16) else dtype


def rms_norm(x: Tensor, weight: Tensor, epsilon: float) -> tuple[Tensor, Tensor]:
    """Zhang and Sennrich, 2019 (arXiv 1910.07467), equation 4.

    Args:
        x: [..., H].

    Returns:
        The norm [..., H], and the reciprocal root mean square [..., 1] for the backward pass.
    """
    scale = torch.linalg.vector_norm(x, dim=-1, keepdim=True, dtype=accurate(x.dtype))
    scale = scale.square_().div_(x.shape[-1]).add_(epsilon).rsqrt_()
    return torch.mul(x, scale, out=torch.empty_like(x)).mul_(weight), scale


def rms_norm_backward(upstream: Tensor, x: Tensor, weight: Tensor, scale: Tensor) -> Tensor:
    """Gradient of `rms_norm` at x; `upstream` may be overwritten."""
    gradient = upstream * weight
    inner = (gradient * x).sum(-1, keepdim=True, dtype=scale.dtype)
    inner.mul_(scale.pow(3)).div_(x.shape[-1])
    torch.mul(gradient, scale, out=gradient)
    return gradient.sub_(torch.mul(x, inner, out=upstream))


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary positions, into the layout that attention reads.

    Args:
        x: [B, Q, heads, D].
        cos: [B, Q, 1, D], and `sin` alike.

    Returns:
        [B, heads, Q, D], contiguous.
    """
    b, q, heads, d = x.shape
    out = x.new_empty(b, heads, q, d)
    seen, half = out.transpose(1, 2), d // 2
    torch.mul(x, cos, out=seen)
    seen[..., :half].addcmul_(x[..., half:], sin[..., :half], value=-1)
    seen[..., half:].addcmul_(x[..., :half], sin[..., half:])
    return out


def rotate_backward(upstream: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Gradient [B, Q, heads, D] of `rotate` at x, from [B, heads, Q, D]."""
    given = upstream.transpose(1, 2)
    b, q, heads, d = given.shape
    out, half = given.new_empty(b, q, heads, d), d // 2
    torch.mul(given, cos, out=out)
    out[..., :half].addcmul_(given[..., half:], sin[..., half:])
    out[..., half:].addcmul_(given[..., :half], sin[..., :half], value=-1)
    return out


def gate_backward(upstream: Tensor, gate: Tensor, up: Tensor) -> tuple[Tensor, Tensor]:
    """Gradients of ``silu(gate) * up`` at gate and up; `upstream` is overwritten."""
    to_up = torch.nn.functional.silu(gate).mul_(upstream)
    to_gate = torch.ops.aten.silu_backward(upstream.mul_(up), gate)
    return to_gate, to_up
