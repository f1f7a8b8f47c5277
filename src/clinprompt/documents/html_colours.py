"""Colours of labels: as different as they can be, and readable in light and dark."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass, field

RGB = tuple[float, float, float]
READABLE = 4.5  # contrast that WCAG 2 asks of text (level AA)
_FIRST_HUE, _GOLDEN_ANGLE = 211.0, 137.508  # each next hue falls into the widest gap


def contrast(first: RGB, second: RGB) -> float:
    """Contrast of two colours, 1 to 21, as WCAG 2 defines it from relative luminance."""
    low, high = sorted((_luminance(first), _luminance(second)))
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: RGB) -> float:
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in colour]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def shades(number: int, *, dark: bool) -> tuple[RGB, RGB]:
    """Of the n-th label: a background, and the colour of text and lines on it."""
    hue = (_FIRST_HUE + number * _GOLDEN_ANGLE) % 360 / 360
    ground = colorsys.hls_to_rgb(hue, 0.20 if dark else 0.92, 0.38 if dark else 0.85)
    lightness, step = (0.60, 0.01) if dark else (0.44, -0.01)
    ink = colorsys.hls_to_rgb(hue, lightness, 0.62)
    while contrast(ink, ground) < READABLE:
        lightness += step
        ink = colorsys.hls_to_rgb(hue, lightness, 0.62)
    return ground, ink


def _hex(colour: RGB) -> str:
    return "#" + "".join(f"{round(255 * part):02x}" for part in colour)


@dataclass
class Palette:
    """A colour for each label, given out in the order they come up."""

    numbers: dict[str, int] = field(default_factory=dict)

    def number(self, label: str) -> int:
        """The label's colour; the same in all pages of a collection."""
        return self.numbers.setdefault(label, len(self.numbers))

    def css(self, *, dark: bool) -> str:
        """Custom properties ``--bN`` (background) and ``--cN`` (text, lines) of all labels."""
        found = []
        for number in self.numbers.values():
            ground, ink = shades(number, dark=dark)
            found.append(f"--b{number}:{_hex(ground)};--c{number}:{_hex(ink)};")
        return "".join(found)
