"""Numbers while it runs: loss, examples and tokens a second, share of the peak, time left."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from clinprompt.backbone.model import Backbone
from clinprompt.training.batch import StepCost

# Dense bf16 peaks in FLOP/s, from the makers' data sheets.
_PEAKS = {"H200": 989e12, "H100": 989e12, "A100": 312e12, "L40S": 362e12, "A10G": 70e12}


def matmul_peak(backbone: Backbone) -> float | None:
    """FLOP/s that the device can reach: a data sheet's for GPUs, measured for CPUs (0.2 s)."""
    if backbone.device.type == "cuda":
        name = torch.cuda.get_device_name()
        return next((peak for part, peak in _PEAKS.items() if part in name), None)
    a = torch.randn(1024, 1024, dtype=backbone.dtype)
    a @ a
    best = 0.0
    for _ in range(5):
        begin = time.perf_counter()
        a @ a
        best = max(best, 2 * 1024**3 / (time.perf_counter() - begin))
    return best


Observer = Callable[[str, int, Mapping[str, float]], None]  # stage, step, numbers


class Progress:
    """Prints a line every few seconds.

    Work is counted as 4 FLOPs per parameter and token: forward 2, activation gradient 2, no weight
    gradients, since the backbone is frozen.

    Args:
        backbone: for the count of FLOPs; None prints no share of the peak.
        write: where lines go.
        every: seconds between lines.

    Attributes:
        observer: is given the numbers of each evaluation.
        rates: learning rate of each of the module's groups at the running step.
    """

    observer: Observer | None = None
    rates: Mapping[str, float] = {}

    def __init__(
        self,
        backbone: Backbone | None = None,
        write: Callable[[str], None] | None = None,
        every: float = 10.0,
    ) -> None:
        self._write = write or (lambda line: print(line, file=sys.stderr, flush=True))
        self._every = every
        self._weights = 0 if backbone is None else backbone.parameters
        self._peak = None if backbone is None else matmul_peak(backbone)

    def say(self, line: str) -> None:
        """Print one line."""
        self._write(line)

    def begin(
        self, stage: str, steps: int, done: int, history: Sequence[Mapping[str, Any]] = ()
    ) -> None:
        """Start of a stage; `history` are the evaluations there were already."""
        self._stage, self._steps, self._first = stage, steps, done
        self._started = self._printed = time.monotonic()
        self._recent: deque[tuple[float, StepCost]] = deque(maxlen=20)
        self._last = self._started
        for evaluation in history:
            self._observed(evaluation["step"], evaluation, {})

    def step(self, done: int, cost: StepCost, evaluation: dict[str, Any]) -> None:
        """One more step."""
        now = time.monotonic()
        self._recent.append((now - self._last, cost))
        self._last = now
        if evaluation.get("step") == done:
            rates = {f"rate/{name}": rate for name, rate in self.rates.items()}
            speeds = {f"{name}_per_second": value for name, value in self._speeds().items()}
            self._observed(done, evaluation, rates | speeds)
        if now - self._printed < self._every and done < self._steps:
            return
        self._printed = now
        costs = [c for _, c in self._recent]
        speeds = self._speeds()
        text, prompt, padding = (speeds[k] for k in ("text", "prompt", "padding"))
        left = (now - self._started) / max(1, done - self._first) * (self._steps - done)
        parts = [
            f"{self._stage} {done}/{self._steps}",
            f"loss {sum(c.loss for c in costs) / len(costs):.3f}",
            f"dev {evaluation['dev_mean']:.3f}"
            + (f" score {evaluation['score_mean']:.1f}" if "score_mean" in evaluation else ""),
            f"{speeds['examples']:.1f} ex/s",
            f"tok/s {text:.0f} text {prompt:.0f} prompt {padding:.0f} pad",
        ]
        if self._peak:
            reached = 4 * self._weights * (text + prompt)
            parts.append(f"{100 * reached / self._peak:.0f} % of peak")
        parts.append(f"{_duration(left)} left")
        self._write("  ".join(parts))

    def _speeds(self) -> dict[str, float]:
        """Examples, and tokens of each kind, a second over the last steps."""
        seconds = sum(s for s, _ in self._recent) or 1e-9  # clocks of some systems tick coarsely
        kinds = ("examples", "text", "prompt", "padding")
        return {kind: sum(getattr(c, kind) for _, c in self._recent) / seconds for kind in kinds}

    def _observed(
        self, step: int, evaluation: Mapping[str, Any], more: Mapping[str, float]
    ) -> None:
        """Give an evaluation's numbers to the observer."""
        if self.observer is None:
            return
        values = {"dev": evaluation["dev_mean"], **more}
        values |= {f"dev/{name}": loss for name, loss in evaluation["dev"].items()}
        for name, value in evaluation.get("score", {}).items():
            values[f"dev_score/{name}"] = value
        if evaluation["train"] is not None:
            values["train"] = evaluation["train"]
        self.observer(self._stage, step, values)

    def end(self) -> None:
        """End of a stage."""
        self._write(f"{self._stage}: done in {_duration(time.monotonic() - self._started)}")


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02d}m" if hours else f"{minutes}m{rest:02d}s"
