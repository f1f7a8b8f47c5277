"""Frames of plots: an axis's numbers have room beside its title."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from clinprompt.experiments.report.plot import Frame
from clinprompt.experiments.report.scales import covering
from clinprompt.experiments.report.svg import text_width

TITLE = 15  # pixels up to the right edge of the title, which stands upright


@given(st.lists(st.floats(0, 1000, allow_subnormal=False), min_size=1, max_size=6))
def test_numbers_of_an_axis_do_not_touch_its_title(values):
    frame = Frame.of(300, 170, (0, 24), covering(values, floor=0))
    drawn = frame.grid("target", "dev loss")
    numbers = re.findall(r'<text x="([\d.]+)"[^>]*text-anchor="end"[^>]*>([^<]+)<', drawn)
    assert numbers
    for right, label in numbers:
        assert float(right) - text_width(label) >= TITLE
