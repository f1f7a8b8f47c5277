"""Where a soft prompt starts."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import torch
from torch import Tensor


def vocabulary_ids(
    length: int, vocabulary: int, seed: int, *, exclude: Collection[int] = ()
) -> list[int]:
    """Distinct random token ids to start a prompt from (Lester et al., 2021, section 3.2).

    Args:
        length: P.
        vocabulary: V.
        seed: the same seed gives the same ids.
        exclude: special tokens.

    Returns:
        P ids; repeated only if the vocabulary has fewer than P.
    """
    generator = torch.Generator().manual_seed(seed)
    allowed = [
        i for i in torch.randperm(vocabulary, generator=generator).tolist() if i not in exclude
    ]
    return [allowed[k % len(allowed)] for k in range(length)]


def from_embeddings(embeddings: Tensor, length: int) -> Tensor:
    """A prompt that begins as given embeddings [N, H], cut or repeated to [P, H] (float32)."""
    index = [k % len(embeddings) for k in range(length)]
    return embeddings.detach().float()[index].clone()


def text_ids(ids: Sequence[int], length: int) -> list[int]:
    """Token ids of a text, cut or repeated to `length`."""
    return [ids[k % len(ids)] for k in range(length)]
