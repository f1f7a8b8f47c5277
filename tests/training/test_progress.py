from __future__ import annotations

from typing import Any

import pytest
from tests.training import toy

from clinprompt.training import progress as module
from clinprompt.training.batch import StepCost
from clinprompt.training.progress import Progress, matmul_peak

EVALUATION: dict[str, Any] = {"dev_mean": 1.5}


class Clock:
    """Time that passes only when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(module.time, "monotonic", found.monotonic)
    return found


def cost(loss: float = 2.0) -> StepCost:
    return StepCost(loss=loss, examples=8, text=400, prompt=100, padding=60)


def test_a_line_tells_rates_by_kind_and_what_is_left(clock: Clock) -> None:
    lines: list[str] = []
    progress = Progress(write=lines.append, every=10)
    progress.begin("distil", 100, 0)
    for done in range(1, 11):
        clock.now += 2.0
        progress.step(done, cost(float(done)), EVALUATION)
    assert len(lines) == 2  # after 10 and after 20 seconds
    first, second = lines
    assert first.startswith("distil 5/100  loss 3.000  dev 1.500  4.0 ex/s")
    assert "tok/s 200 text 50 prompt 30 pad" in first
    assert first.endswith("3m10s left")  # 95 steps of 2 seconds
    assert second.startswith("distil 10/100  loss 5.500")


def test_a_resumed_run_counts_time_from_where_it_went_on(clock: Clock) -> None:
    lines: list[str] = []
    progress = Progress(write=lines.append, every=10)
    progress.begin("distil", 100, 90)
    for done in range(91, 95):
        clock.now += 4.0
        progress.step(done, cost(), EVALUATION)
    assert lines[-1].endswith("0m28s left")  # seven steps of 4 seconds, at step 93
    clock.now += 3720
    progress.end()
    assert lines[-1] == "distil: done in 1h02m"


def test_the_last_step_is_always_told_even_by_a_clock_that_stands_still(clock: Clock) -> None:
    lines: list[str] = []
    progress = Progress(write=lines.append, every=10)
    progress.begin("adapt", 2, 0)
    progress.step(1, cost(), EVALUATION)
    progress.step(2, cost(), EVALUATION)
    (line,) = lines
    assert line.startswith("adapt 2/2")


def test_the_share_of_the_peak_is_four_flops_a_weight_and_token(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    backbone = toy.prepared().backbone
    lines: list[str] = []
    needed = 4 * backbone.parameters * 500 / 2  # text and prompt of a step, in two seconds
    monkeypatch.setattr(module, "matmul_peak", lambda _: needed * 4)
    progress = Progress(backbone, lines.append, every=0)
    progress.begin("adapt", 2, 0)
    clock.now += 2.0
    progress.step(1, cost(), EVALUATION)
    assert "25 % of peak" in lines[0]
    monkeypatch.setattr(module, "matmul_peak", lambda _: None)  # a device nobody knows
    unknown = Progress(backbone, lines.append, every=0)
    unknown.begin("adapt", 2, 0)
    clock.now += 2.0
    unknown.step(1, cost(), EVALUATION)
    assert "peak" not in lines[1]


def test_the_peak_of_a_cpu_is_measured() -> None:
    found = matmul_peak(toy.prepared().backbone)
    assert found is not None
    assert found > 1e8
