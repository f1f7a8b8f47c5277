"""Colours, markers and dashes: every method and task type differs in more than colour.

The colours are taken from Okabe and Ito's palette (jfly.uni-koeln.de/color), which is made for all
kinds of colour blindness, darkened or lightened until each stands out from its ground (3 : 1, what
WCAG 2 asks of graphics).
"""

from __future__ import annotations

from dataclasses import dataclass

LIGHT = ("#0072b2", "#d55e00", "#00825f", "#b0468f", "#946a00", "#2b8cc4", "#5c5c5c", "#7a3fb5")
DARK = ("#4ba3e3", "#f0813c", "#25b893", "#e08bc2", "#e0ad2b", "#86cdf5", "#b5b5b5", "#b898ec")
PAGE = {"light": "#ffffff", "dark": "#191f27"}
INK = {"light": "#1b2330", "dark": "#e3e8ef"}
SOFT = {"light": "#5a6675", "dark": "#97a3b2"}
LINE = {"light": "#e1e5ea", "dark": "#2f3844"}
WIN = {"light": "#00679f", "dark": "#62b5f0"}  # blue and orange: never confused
LOSS = {"light": "#b04c00", "dark": "#f79a5e"}
DASHES = ("", "7 3", "2 3", "8 3 2 3", "", "7 3", "2 3", "8 3 2 3")
MARKERS = ("circle", "square", "triangle", "diamond", "cross", "down", "plus", "ring")
TYPES = ("ner", "re", "qa", "nli", "sum")
TYPE_NAMES = {
    "ner": "named entities",
    "re": "relations",
    "qa": "questions",
    "nli": "inference",
    "sum": "summaries",
}


@dataclass(frozen=True)
class Look:
    """How a line or point is drawn; `number` picks the colour class ``c<number>``."""

    number: int
    marker: str
    dash: str

    @property
    def css(self) -> str:
        """The class that sets the colour."""
        return f"c{self.number}"


def look(number: int) -> Look:
    """The n-th look. Beyond eight, colours repeat with the next marker and dash."""
    lap, colour = divmod(number, len(LIGHT))
    return Look(colour, MARKERS[(colour + lap) % 8], DASHES[(colour + lap) % 8])


def type_look(kind: str) -> Look:
    """The look of a task type; unknown types share a grey one."""
    return look(TYPES.index(kind) if kind in TYPES else 6)


def picture_css() -> str:
    """Rules for pictures, in light; `dark_css` holds what differs in dark."""
    return (
        ".pic text{font-family:system-ui,-apple-system,'Segoe UI',Roboto,Helvetica,Arial,"
        "sans-serif;font-size:11px;font-variant-numeric:tabular-nums}"
        ".pic .h{font-size:12.5px;font-weight:600}.pic .s{font-size:10px}" + _colours("light")
    )


def dark_css() -> str:
    """The colours of pictures on a dark ground."""
    return _colours("dark")


def _colours(mode: str) -> str:
    colours = LIGHT if mode == "light" else DARK
    rules = [f".pic .c{number}{{color:{colour}}}" for number, colour in enumerate(colours)]
    rules += [
        f".pic text{{fill:{INK[mode]}}}",
        f".pic .s,.pic .a{{fill:{SOFT[mode]}}}",
        f".pic .grid{{stroke:{LINE[mode]}}}",
        f".pic .axis{{stroke:{SOFT[mode]}}}",
        f".pic .halo{{stroke:{PAGE[mode]}}}",
        f".pic .ground{{fill:{PAGE[mode]}}}",
        f".pic .win{{color:{WIN[mode]}}}.pic .loss{{color:{LOSS[mode]}}}",
        f".pic .tie,.pic .open{{color:{SOFT[mode]}}}",
    ]
    return "".join(rules)
