"""Task prompts as a shared prompt times low-rank task vectors: ``P_k = P* ∘ (u_k v_k)``.

Multitask prompt tuning, Wang et al., ICLR 2023 (arXiv 2303.02861), equation 1.
"""

from __future__ import annotations

import torch
from torch import Tensor


def compose(shared: Tensor, u: Tensor, v: Tensor) -> Tensor:
    """Task prompts.

    Args:
        shared: [P, H], the metaprompt P*.
        u: [..., P, R].
        v: [..., R, H].

    Returns:
        [..., P, H], the element-wise product of `shared` with u v.
    """
    return shared * (u @ v)


def unit_vectors(length: int, hidden: int, rank: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Task vectors with u v = 1 everywhere, so that a task prompt starts as the metaprompt.

    The first rank is all ones. Further ranks have random u (standard deviation 0.02) and zero v:
    their product is zero, yet v receives gradients.

    Returns:
        u [P, R] and v [R, H].
    """
    generator = torch.Generator().manual_seed(seed)
    u = torch.randn(length, rank, generator=generator) * 0.02
    v = torch.zeros(rank, hidden)
    u[:, 0], v[0] = 1.0, 1.0
    return u, v


def mean_update(
    u: Tensor, v: Tensor, weights: Tensor | None = None
) -> tuple[Tensor, Tensor, float]:
    """The mean over tasks of the products u_k v_k, brought back to rank R by SVD.

    The mean of products is not the product of means, so the products are averaged first. The
    singular values are shared out so that entries of u and v are of one size.

    Args:
        u: [K, P, R].
        v: [K, R, H].
        weights: [K] of a weighted mean, summing to 1; None weighs all tasks alike.

    Returns:
        u [P, R], v [R, H], and the share of the mean's squared norm that rank R does not hold.
    """
    products = u.double() @ v.double()
    if weights is None:
        product = products.mean(0)
    else:
        product = torch.einsum("k,kph->ph", weights.double(), products)
    rank = u.shape[2]
    left, values, right = torch.linalg.svd(product, full_matrices=False)
    lost = float((values[rank:] ** 2).sum() / (values**2).sum().clamp_min(1e-30))
    # Signs of singular vectors are arbitrary; fix them for the same result on every machine.
    sign = torch.where(left.sum(0) < 0, -1.0, 1.0)
    left, right = left * sign, right * sign[:, None]
    p, h = product.shape
    gain = (values[:rank] / (p * h) ** 0.5).sqrt()
    new_u = left[:, :rank] * gain * p**0.5
    new_v = right[:rank] * (gain * h**0.5)[:, None]
    return new_u.float(), new_v.float(), lost
