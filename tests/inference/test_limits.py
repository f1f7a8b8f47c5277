from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from clinprompt.inference.limits import AnswerLimit


@given(st.integers(1, 400), st.none() | st.integers(0, 50), st.integers(-50, 900))
def test_the_longest_input_is_the_longest_that_fits(
    most: int, beyond: int | None, room: int
) -> None:
    limit = AnswerLimit(most, beyond)
    fitting = [n for n in range(1, 1000) if n + limit.of(n) <= room]
    assert max(0, limit.longest_input(room)) == max(fitting, default=0)
