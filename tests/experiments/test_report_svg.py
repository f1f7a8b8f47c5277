from __future__ import annotations

import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinprompt.documents.html_colours import contrast
from clinprompt.experiments.report import looks, svg
from clinprompt.experiments.report.heatmap import blend, heat_map, hexed
from clinprompt.experiments.report.svg import Entry, Panel, Picture

SPACE = "{http://www.w3.org/2000/svg}"


def rgb(colour: str) -> tuple[float, float, float]:
    return tuple(int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))  # type: ignore[return-value]


@given(st.text(), st.text())
def test_any_text_makes_valid_xml(title, label):
    panel = Panel(100, 50, title, svg.words(1, 2, label, css="h"))
    picture = Picture("p", title, label, (panel,), (Entry(label, looks.look(0)),))
    root = ET.fromstring(picture.file().encode("utf-8"))
    assert root.tag == f"{SPACE}svg"
    for inline in picture.inline():
        ET.fromstring(inline)


@given(st.floats(-1e6, 1e6))
def test_coordinates_are_short_and_near(value):
    text = svg.px(value)
    assert abs(float(text) - value) <= 0.005 + 1e-9 * abs(value)
    assert "e" not in text
    assert text != "-0"


def test_every_look_differs_in_shape_and_not_in_colour_alone():
    found = [looks.look(number) for number in range(8)]
    assert len({one.number for one in found}) == 8
    assert len({one.marker for one in found}) == 8
    drawn = [svg.marker(0, 0, one) for one in found]
    assert len({text.replace(one.css, "") for text, one in zip(drawn, found, strict=True)}) == 8


def test_more_than_eight_methods_are_still_told_apart():
    found = [looks.look(number) for number in range(24)]
    assert len(set(found)) == 24


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_colours_can_be_seen(mode):
    page = rgb(looks.PAGE[mode])
    for colour in looks.LIGHT if mode == "light" else looks.DARK:
        assert contrast(rgb(colour), page) >= 3
    for text in (looks.INK, looks.SOFT, looks.WIN, looks.LOSS):
        assert contrast(rgb(text[mode]), page) >= 4.5


def test_a_file_follows_light_and_dark_and_says_what_it_shows():
    picture = Picture("p", "Title & more", "What it shows", (Panel(10, 10, "one", ""),))
    root = ET.fromstring(picture.file())
    title = root.find(f"{SPACE}title")
    assert title is not None
    assert title.text == "Title & more. What it shows"
    assert root.get("aria-labelledby") == title.get("id")
    assert "prefers-color-scheme:dark" in picture.file()


def test_panels_stand_in_columns_below_the_legend():
    panels = tuple(Panel(100, 50, str(n), "") for n in range(5))
    file = Picture("p", "t", "d", panels, (Entry("one", looks.look(0)),), columns=2).file()
    root = ET.fromstring(file)
    places = [g.get("transform") for g in root.findall(f"{SPACE}g/{SPACE}g")]
    assert len(places) == 5
    assert places[0] == "translate(0 30)"
    assert places[1] == "translate(118 30)"
    assert places[2] == "translate(0 98)"


def test_the_legend_breaks_into_rows():
    entries = tuple(Entry(f"a rather long name {n}", looks.look(n)) for n in range(6))
    narrow = Picture("p", "t", "d", (Panel(200, 50, "x", ""),), entries)
    wide = Picture("p", "t", "d", (Panel(2000, 50, "x", ""),), entries)
    heights = [float(ET.fromstring(one.file()).get("height", 0)) for one in (narrow, wide)]
    assert heights[0] - heights[1] == 5 * 20


def test_heat_map_shows_each_pair_once_each_way():
    values = np.array([[1, 0.5, -0.2], [0.5, 1, 0.1], [-0.2, 0.1, 1]])
    tasks = [("a<b", "ner"), ("c", "re"), ("d", "sum")]
    picture = heat_map("h", "Title", "What", tasks, values)
    root = ET.fromstring(picture.file())
    said = [one.text for one in root.iter(f"{SPACE}title") if one.text and " and " in one.text]
    assert len(said) == 9
    assert "a<b and c: 0.500" in said
    assert "d and a<b: −0.200" in said
    assert [entry.text for entry in picture.legend] == ["named entities", "relations", "summaries"]


@pytest.mark.parametrize("count", [1, 2])
def test_heat_map_of_hardly_any_tasks(count):
    picture = heat_map("h", "t", "d", [("a", "ner"), ("b", "re")][:count], np.ones((count, count)))
    ET.fromstring(picture.file())


def test_blended_colours():
    colours = ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), (1.0, 0.0, 0.0))
    assert hexed(blend(colours, 0)) == "#000000"
    assert hexed(blend(colours, 0.5)) == "#ffffff"
    assert hexed(blend(colours, 0.75)) == "#ff8080"
    assert hexed(blend(colours, 1)) == "#ff0000"
