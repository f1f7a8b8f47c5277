"""From numbers to places on a picture: linear and logarithmic scales, ticks and their labels."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)  # times a power of ten
_UNITS = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k"))


@dataclass(frozen=True)
class Linear:
    """Maps `low`..`high` to the pixels `start`..`end`, which may run backwards."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Where a value lies; values outside lie outside."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self, about: int = 5) -> list[float]:
        """Round numbers inside the scale."""
        return ticks(self.low, self.high, about)


@dataclass(frozen=True)
class Log:
    """Maps `low`..`high`, both above 0, to pixels by their logarithms."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Where a value above 0 lies."""
        low, high = math.log10(self.low), math.log10(self.high)
        part = (math.log10(value) - low) / (high - low)
        return self.start + part * (self.end - self.start)

    def ticks(self, about: int = 5) -> list[float]:
        """Powers of ten inside the scale; on a short scale also 2 and 5 times these."""
        return log_ticks(self.low, self.high)


Scale = Linear | Log


def step_of(low: float, high: float, about: int = 5) -> float:
    """The smallest of 1, 2, 2.5 and 5 times a power of ten that gives at most `about` intervals."""
    raw = (high - low) / about
    power = 10.0 ** math.floor(math.log10(raw))
    # A hair of tolerance: 0.3 / 3 is a little below 0.1.
    return next((s * power for s in _STEPS if s * power >= raw * (1 - 1e-9)), 10 * power)


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Multiples of a round step from `low` to `high`, ascending; `high` lies above `low`."""
    step = step_of(low, high, about)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [number * step for number in range(first, last + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Powers of ten from `low` to `high` (both above 0); fewer than three get 2 and 5 beside."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    slack = 1 + 1e-9
    for factors in ((1.0,), (1.0, 2.0, 5.0)):
        found = [f * 10.0**power for power in range(first, last + 1) for f in factors]
        inside = [value for value in found if low / slack <= value <= high * slack]
        if len(inside) >= 3:
            break
    return inside


def covering(
    values: Iterable[float],
    *,
    about: int = 5,
    floor: float | None = None,
    ceiling: float | None = None,
) -> tuple[float, float]:
    """Round ends of a linear scale that holds all values; (0, 1) if there are none.

    Args:
        values: finite numbers.
        about: how many ticks there shall be.
        floor: values can't be below it (0 for scores), so the scale does not go there either.
        ceiling: values can't be above it.
    """
    known = list(values)
    if not known:
        return 0.0, 1.0
    low, high = min(known), max(known)
    if high - low <= 1e-9 * max(1.0, abs(low), abs(high)):
        pad = abs(low) / 10 or 1.0
        low, high = low - pad, high + pad
    step = step_of(low, high, about)
    low, high = math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step
    low = low if floor is None else max(low, min(floor, min(known)))
    high = high if ceiling is None else min(high, max(ceiling, max(known)))
    return (low, high) if high > low else (low, low + step)


def covering_log(values: Iterable[float]) -> tuple[float, float]:
    """Ends of a logarithmic scale with air around all values (above 0); (1, 10) without any."""
    known = list(values)
    if not known:
        return 1.0, 10.0
    low, high = math.log10(min(known)), math.log10(max(known))
    pad = max(0.06 * (high - low), 0.15)
    return 10 ** (low - pad), 10 ** (high + pad)


def labels(values: Sequence[float]) -> list[str]:
    """Ticks as text, all with the decimals that the finest step needs."""
    if not values:
        return []
    gaps = [b - a for a, b in pairwise(values)]
    step = min(gaps, default=abs(values[0]) or 1.0)
    decimals = 0
    while decimals < 12 and abs(round(step, decimals) - step) > 1e-6 * step:
        decimals += 1
    return [minus(f"{value + 0.0:.{decimals}f}") for value in values]


def short(value: float) -> str:
    """A count with a unit, such as ``58.3k``; three significant digits, for axes and tables."""
    if not value:
        return "0"
    for unit, name in _UNITS:
        # 999 950 and more would be rounded to 1000k
        if abs(value) >= unit * 0.9995:
            return minus(f"{significant(value / unit)}{name}")
    return minus(significant(value))


def significant(value: float, digits: int = 3) -> str:
    """Three significant digits without powers of ten and without trailing zeros."""
    if not value:
        return "0"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    text = f"{value:.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def minus(text: str) -> str:
    """With a real minus sign, which is as wide as a plus; and no minus before nothing."""
    if text.startswith("-") and not text.strip("-0.,"):
        return text[1:]
    return text.replace("-", "−")
