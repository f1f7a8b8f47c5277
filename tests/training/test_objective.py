from __future__ import annotations

import pytest
import torch
from torch.distributions import Categorical
from torch.distributions import kl_divergence as torch_kl

from clinprompt.training.objective import hidden_error, kl_divergence


def logits(seed: int, *shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype) * 3


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0, 7.0])
def test_kl_is_that_of_torch_distributions_and_of_the_sum(temperature: float) -> None:
    student, teacher = logits(0, 6, 11), logits(1, 6, 11)
    found = kl_divergence(student, teacher, temperature)
    expected = torch_kl(
        Categorical(logits=teacher / temperature), Categorical(logits=student / temperature)
    )
    torch.testing.assert_close(found, expected * temperature**2, rtol=1e-5, atol=1e-6)
    p = (teacher / temperature).exp() / (teacher / temperature).exp().sum(-1, keepdim=True)
    q = (student / temperature).exp() / (student / temperature).exp().sum(-1, keepdim=True)
    naive = [
        sum(float(p[a, v] * (p[a, v] / q[a, v]).log()) for v in range(11)) * temperature**2
        for a in range(6)
    ]
    torch.testing.assert_close(found, torch.tensor(naive), rtol=1e-4, atol=1e-5)


def test_kl_is_zero_at_equality_and_only_there() -> None:
    teacher = logits(1, 4, 9)
    same = kl_divergence(teacher + 5.0, teacher, 2.0)  # a constant changes no distribution
    torch.testing.assert_close(same, torch.zeros(4), rtol=0, atol=1e-5)
    assert (kl_divergence(logits(0, 4, 9), teacher, 2.0) > 1e-3).all()


def test_the_direction_is_teacher_to_student() -> None:
    sure, even = torch.tensor([[9.0, 0.0, 0.0]]), torch.zeros(1, 3)
    # A student that spreads out is punished by about log 3, one that is wrongly sure by much more.
    assert float(kl_divergence(even, sure, 1.0)) == pytest.approx(1.0965, abs=1e-3)
    assert float(kl_divergence(sure, even, 1.0)) > 4


def test_kl_stays_finite_for_extreme_logits() -> None:
    student, teacher = torch.tensor([[1e4, -1e4]]), torch.tensor([[-1e4, 1e4]])
    assert torch.isfinite(kl_divergence(student, teacher, 1.0)).all()


def test_gradients_are_those_of_finite_differences() -> None:
    student = logits(0, 2, 4, dtype=torch.float64).requires_grad_()
    teacher = logits(1, 2, 4, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: kl_divergence(x, teacher, 1.7), (student,))


def test_the_squared_temperature_keeps_gradients_of_one_size() -> None:
    teacher = logits(1, 3, 8, dtype=torch.float64) * 0.01  # Hinton et al.: high temperature limit
    sizes = []
    for temperature in (10.0, 100.0):
        student = (logits(0, 3, 8, dtype=torch.float64) * 0.01).requires_grad_()
        kl_divergence(student, teacher, temperature).sum().backward()
        sizes.append(float(student.grad.norm()))
    assert sizes[0] == pytest.approx(sizes[1], rel=1e-2)


def test_hidden_error_is_relative_squared_distance() -> None:
    student, teacher = logits(0, 5, 7), logits(1, 5, 7)
    found = hidden_error(student, teacher)
    for a in range(5):
        expected = sum((student[a] - teacher[a]) ** 2) / sum(teacher[a] ** 2)
        torch.testing.assert_close(found[a], expected)
    torch.testing.assert_close(found, hidden_error(student * 40, teacher * 40))
    assert torch.equal(hidden_error(teacher, teacher), torch.zeros(5))
    torch.testing.assert_close(hidden_error(torch.zeros(5, 7), teacher), torch.ones(5))


def test_hidden_error_in_bfloat16_is_summed_in_float32_and_never_divides_by_zero() -> None:
    student, teacher = logits(0, 3, 700).bfloat16(), logits(1, 3, 700).bfloat16()
    found = hidden_error(student, teacher)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, hidden_error(student.float(), teacher.float()))
    assert torch.isfinite(hidden_error(torch.ones(1, 4), torch.zeros(1, 4))).all()
