"""What is trained: prompts as small torch modules that give [T, P, H] for chosen tasks.

Each task has parameters of its own, so that the optimizer leaves a task alone in the steps it
takes no part in. Shapes: K tasks, T of them asked, P prompt length, R rank, H hidden size.

Prompts of keys and values have a width W in place of H, and layers of very different size in it.
They are trained in units of each layer's own spread (`unit`), so that one rate fits all of them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from clinprompt.prompts import compose


class PromptModule(nn.Module, ABC):
    """Prompts of K tasks."""

    @abstractmethod
    def prompts(self, tasks: Sequence[int]) -> Tensor | None:
        """Task prompts [T, P, H], differentiable; None where something else is trained."""

    @abstractmethod
    def groups(self) -> dict[str, list[nn.Parameter]]:
        """Trained parameters by the name of their rate."""

    @abstractmethod
    def state_of(self, task: int) -> dict[str, Tensor]:
        """Copies of the tensors that only this task uses (for best states of single tasks)."""

    @property
    def trainable(self) -> int:
        """Number of trained parameters."""
        return sum(p.numel() for group in self.groups().values() for p in group)

    def clip(self, largest: float) -> float:
        """Scale gradients so that their norm is at most `largest`; returns the norm before."""
        parameters = [p for group in self.groups().values() for p in group]
        return float(nn.utils.clip_grad_norm_(parameters, largest))


def _unit(module: nn.Module, unit: Tensor | None, like: Tensor) -> Tensor:
    """Registers it, so that it moves with the module; it is no part of the module's state."""
    found = torch.ones((), dtype=like.dtype) if unit is None else unit.to(like.dtype)
    module.register_buffer("unit", found, persistent=False)
    return found


class PromptTable(PromptModule):
    """One independent prompt a task: teachers, and single-task prompt tuning.

    Args:
        start: [K, P, H].
        unit: [H] what a trained number is multiplied with; None for 1.
    """

    def __init__(self, start: Tensor, unit: Tensor | None = None) -> None:
        super().__init__()
        self.unit = _unit(self, unit, start)
        self.table = nn.ParameterList([nn.Parameter(prompt / self.unit) for prompt in start])

    def prompts(self, tasks: Sequence[int]) -> Tensor:
        """Task prompts [T, P, H]."""
        return torch.stack([self.table[k] for k in tasks]) * self.unit

    def groups(self) -> dict[str, list[nn.Parameter]]:
        """All prompts, at one rate."""
        return {"shared": list(self.table)}

    def state_of(self, task: int) -> dict[str, Tensor]:
        """Copies of the task's own tensors."""
        return {f"table.{task}": self.table[task].detach().clone()}

    def clip(self, largest: float) -> float:
        """Each prompt by itself, so that no task's gradient depends on another's.

        A step's loss is the mean over its T tasks. Their share is undone first: `largest` bounds
        the gradient of a task's own loss, whatever else is in the step.
        """
        trained = [p for p in self.table if p.grad is not None]
        for p in trained:
            assert p.grad is not None
            p.grad.mul_(len(trained))
        norms = [nn.utils.clip_grad_norm_([p], largest) for p in trained]
        return float(torch.stack(norms).max()) if norms else 0.0


class Decomposed(PromptModule):
    """A shared prompt and task vectors, ``P* ∘ (u_k v_k)``.

    Args:
        shared: [P, H].
        u: [K, P, R].
        v: [K, R, H].
        train_shared: false keeps P* as it is (``--trainable vectors``).
        train_vectors: false keeps u and v as they are (ablation without decomposition).
        unit: [H] what a trained number of P* is multiplied with; None for 1.
    """

    def __init__(
        self,
        shared: Tensor,
        u: Tensor,
        v: Tensor,
        *,
        train_shared: bool = True,
        train_vectors: bool = True,
        unit: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.unit = _unit(self, unit, shared)
        self.shared = nn.Parameter(shared / self.unit, requires_grad=train_shared)
        self.u = nn.ParameterList([nn.Parameter(x.clone(), requires_grad=train_vectors) for x in u])
        self.v = nn.ParameterList([nn.Parameter(x.clone(), requires_grad=train_vectors) for x in v])

    def prompts(self, tasks: Sequence[int]) -> Tensor:
        """Task prompts [T, P, H]."""
        u = torch.stack([self.u[k] for k in tasks])
        v = torch.stack([self.v[k] for k in tasks])
        return compose(self.shared * self.unit, u, v)

    @property
    def metaprompt(self) -> Tensor:
        """P* [P, H]."""
        return (self.shared * self.unit).detach()

    def groups(self) -> dict[str, list[nn.Parameter]]:
        """P* and the task vectors, at two rates."""
        found = {"shared": [self.shared], "vectors": [*self.u, *self.v]}
        return {
            name: kept
            for name, parameters in found.items()
            if (kept := [p for p in parameters if p.requires_grad])
        }

    def state_of(self, task: int) -> dict[str, Tensor]:
        """Copies of the task's own tensors."""
        return {
            f"u.{task}": self.u[task].detach().clone(),
            f"v.{task}": self.v[task].detach().clone(),
        }


def flat(name: str) -> str:
    """A parameter's name as a key of a `ParameterDict`."""
    return name.replace(".", "/")  # names of parameters may hold no dots


class Weights(PromptModule):
    """Trained weights in the backbone, in the place of a prompt: rows have the bare instruction.

    Args:
        trained: parameters in use by the backbone, by name.
    """

    def __init__(self, trained: dict[str, nn.Parameter]) -> None:
        super().__init__()
        self.trained = nn.ParameterDict({flat(name): p for name, p in trained.items()})

    def prompts(self, tasks: Sequence[int]) -> Tensor | None:
        """None: no prompt."""
        return None

    def groups(self) -> dict[str, list[nn.Parameter]]:
        """All of them at one rate."""
        return {"weights": list(self.trained.values())}

    def state_of(self, task: int) -> dict[str, Tensor]:
        """Nothing: weights belong to all tasks."""
        return {}
