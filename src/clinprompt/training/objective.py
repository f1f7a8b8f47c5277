"""Losses per answer token, in float32.

Shapes: A answer tokens, H hidden size, V vocabulary.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def kl_divergence(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """KL(teacher || student) of softened answer distributions, times the squared temperature.

    Hinton et al., 2015 (arXiv 1503.02531), section 2; the square keeps gradients of one size.

    Args:
        student: logits [A, V].
        teacher: logits [A, V], without gradient.

    Returns:
        [A], in nats.
    """
    softened = F.log_softmax(student / temperature, dim=-1)
    target = F.log_softmax(teacher / temperature, dim=-1)
    divergence = F.kl_div(softened, target, reduction="none", log_target=True).sum(-1)
    return divergence * temperature**2


def hidden_error(student: Tensor, teacher: Tensor) -> Tensor:
    """Squared distance of last hidden states [A, H], relative to the teacher's squared norm: [A].

    Relative, because hidden states' sizes differ by orders of magnitude between backbones and one
    weight must serve them all (Wang et al., 2023, equation 4, has the plain squared error).
    """
    student, teacher = student.float(), teacher.float()
    scale = teacher.pow(2).sum(-1).clamp_min(1e-12)
    return (student - teacher).pow(2).sum(-1) / scale
