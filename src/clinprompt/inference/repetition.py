"""Free texts that don't go round in circles: no run of tokens is said twice.

The most probable text of a small model often ends in a sentence that is said again and again
(Holtzman et al., ICLR 2020). Refusing tokens that would complete a run of n for the second time is
what summarisers have done about it since Paulus et al. (ICLR 2018, section 2.5).
"""

from __future__ import annotations

from torch import Tensor

from clinprompt.errors import ClinpromptError

SMALLEST = 2


class NoRepeat:
    """A `decode.Constraint`: no n tokens stand in one answer twice.

    Args:
        n: length of the runs.
    """

    def __init__(self, n: int) -> None:
        self.n = n
        self._last: tuple[int, ...] = ()  # up to n - 1 tokens
        self._said: set[tuple[int, ...]] = set()

    @classmethod
    def of(cls, n: int | None) -> NoRepeat | None:
        """The constraint of one answer; None where any run may stand in it twice."""
        return None if n is None else cls(n)

    def mask(self) -> Tensor | None:
        """None: what is refused is found out token by token."""
        return None

    def advance(self, token: int) -> bool:
        """Take a token, unless it ends a run that was said before."""
        run = (*self._last, token)
        if len(run) == self.n:
            if run in self._said:
                return False
            self._said.add(run)
            run = run[1:]
        self._last = run
        return True


def check(n: int | None) -> None:
    """Refuse a length that makes no sense.

    Raises:
        ClinpromptError: CP-INF-452 below 2: no word could be said twice.
    """
    if n is not None and n < SMALLEST:
        raise ClinpromptError(
            "CP-INF-452",
            f"no_repeat_ngram is {n}, and no token could be said twice",
            hint=f"take {SMALLEST} or more, such as 4, or leave it out",
        )
