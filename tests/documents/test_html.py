"""Pages show every annotation, hold the note's text exactly, and run nothing."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinprompt.documents import formats
from clinprompt.documents.html_colours import READABLE, Palette, contrast, shades
from clinprompt.documents.html_layout import lanes, pieces
from clinprompt.documents.html_page import Neighbours, page
from clinprompt.documents.html_text import attribute, shown, text
from clinprompt.documents.model import (
    Argument,
    Attribute,
    Comment,
    Document,
    Equivalence,
    Event,
    Link,
    Mention,
    Normalization,
    Passage,
)
from clinprompt.errors import ClinpromptError
from clinprompt.report import Report

HOSTILE = '<script>alert(1)</script> & "q" \u202egnp.exe\u202c \u200fא <b>\r\nx</b> 🤒 e\u0301'
NOTE = Document(
    'n" onclick="x',
    HOSTILE,
    (
        Mention('"><img src=x onerror=alert(1)>', "</style><script>x</script>", ((0, 8),), 0.5),
        Mention("T2", "\u202eevil", ((4, 20), (28, 31))),
        Mention("T3", 'a"b', ((28, 31),)),
        Attribute("A1", "<svg onload=x>", "T2", "<script>"),
        Attribute("A2", "<svg onload=x>", "gone", "<script>"),
        Normalization("N1", "T2", "<i>", "<script>", "<script>"),
        Comment("#1", "<i>", "T2", "<script>x</script>"),
        Link("R1", "<script>", (Argument("<i>", "T2"), Argument("Arg2", "<script>"))),
        Link("R2", "<script>", (Argument("<i>", "T2"),)),
        Event("E1", "T2", (Argument("<script>", "E1"),)),
        Equivalence("<script>", ("T2", "<script>")),
    ),
    (Passage((0, 3), "<script>"), Passage((len(HOSTILE), len(HOSTILE)), "end")),
    (("<script>", "<script>"),),
)
ALLOWED = set(
    """html head meta title style body header nav a span h1 h2 p dl div dt dd main ul li bdi b
    article section small table thead tr th tbody td i br footer""".split()
)


class Reader(HTMLParser):
    """Elements, attributes, ids and links of a page, and the text of its note."""

    def __init__(self, content: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: set[str] = set()
        self.names: set[str] = set()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.styles: list[str] = []
        self.labels: list[str] = []
        self.note, self.plain = "", ""
        self._inside, self._open = False, []
        self.feed(content)
        self.close()
        assert self._open == [], "unbalanced elements"

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        found = dict(attrs)
        self.names |= set(found)
        self.ids += [found["id"]] if "id" in found else []
        self.links += [found["href"]] if "href" in found else []
        self.styles += [found["style"]] if "style" in found else []
        self.labels += [found["data-l"]] if "data-l" in found else []
        self._inside |= tag == "article"
        if tag not in ("meta", "br"):
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag
        self._inside &= tag != "article"

    def handle_data(self, data):
        self.plain += data
        if self._inside:
            self.note += data


def made(document: Document) -> Reader:
    return Reader(page(document, Palette(), Neighbours("../index.html")))


def test_hostile_text_makes_no_elements():
    found = made(NOTE)
    assert found.tags <= ALLOWED
    assert not {name for name in found.names if name.startswith("on") or name == "src"}
    assert all(re.fullmatch(r"#[tm]\d+|\.\./index\.html", link) for link in found.links)
    for style in found.styles:
        assert not re.search(r"url|script|@|\\|evil|[<>]", style)


def test_direction_can_not_be_turned():
    content = page(NOTE, Palette(), Neighbours("i.html"))
    assert not re.search("[\u202a-\u202e\u2066-\u2069\u200e\u200f]", content)
    assert {"U+202E", "U+202C", "U+200F"} <= set(Reader(content).labels)


def test_the_page_loads_and_runs_nothing():
    content = page(NOTE, Palette(), Neighbours("i.html"))
    assert "default-src 'none'" in content
    assert "<script" not in content and "http" not in content.replace("http-equiv", "")
    assert "url(" not in content and "@import" not in content


def test_the_page_shows_everything():
    document = Document(
        "ward/7",
        "No fever, mild dry cough.",
        (
            Mention("T1", "Sign", ((3, 8),), 0.875),
            Mention("T2", "Sign", ((10, 14), (19, 24))),
            Attribute("A1", "Negated", "T1"),
            Normalization("N1", "T1", "MeSH", "D005334", "Fever"),
            Comment("#1", "Note", "T2", "both words"),
            Link("R1", "Before", (Argument("Arg1", "T1"), Argument("Late", "T2")), 0.25),
            Event("E1", "T2", (Argument("Theme", "T1"),)),
            Equivalence("Same", ("T1", "T2")),
        ),
        metadata=(("date", "2020"),),
    )
    found = made(document)
    for word in (
        "ward/7",
        "MeSH:D005334",
        "Fever",
        "both words",
        "Before",
        "Late",
        "Theme",
        "Same",
    ):
        assert word in found.plain
    for word in ("3–8", "10–14 19–24", "mild cough", "0.88", "0.25", "date", "2020", "Negated"):
        assert word in found.plain
    assert {"Sign · Negated", "Sign"} <= set(found.labels)
    assert {"t0", "t1", "m0", "m1"} == set(found.ids)
    assert {link for link in found.links if link[0] == "#"} <= {f"#{name}" for name in found.ids}


def test_ends_in_the_middle_of_a_line_end():
    document = Document("d", "a\r\nb\rc", (Mention("T1", "X", ((0, 2),)),))
    assert made(document).note == "a\nb\nc"


@st.composite
def annotated(draw):
    content = draw(st.text(st.sampled_from('ab <>&"\n\t🤒\u0301'), max_size=30))
    places = st.lists(st.integers(0, len(content)), min_size=1, max_size=3).map(
        lambda ends: tuple(zip(*[iter(sorted(ends * 2))] * 2, strict=True))
    )
    some = draw(st.lists(st.tuples(st.sampled_from("XYZ"), places), max_size=6))
    mentions = tuple(Mention(f"T{i}", label, place) for i, (label, place) in enumerate(some))
    cuts = draw(st.lists(st.integers(0, len(content)), max_size=2))
    return Document("d", content, mentions, tuple(Passage((cut, cut), "p") for cut in cuts))


@given(annotated())
def test_the_note_is_there_character_by_character(document):
    found = made(document)
    assert found.note == (document.text or "(no text)")
    assert {i for i in found.ids if i[0] == "t"} == {
        f"t{number}" for number in range(len(document.mentions))
    }
    assert found.labels.count("p") == len(document.passages)


@given(annotated())
def test_pieces_cover_what_mentions_cover(document):
    mentions, size = document.mentions, len(document.text)
    found = pieces(size, mentions)
    assert "".join(document.text[p.start : p.end] for p in found) == document.text
    for at in range(size):
        (here,) = [p for p in found if p.start <= at < p.end]
        inside = {n for n, m in enumerate(mentions) if any(a <= at < b for a, b in m.spans)}
        within = {n for n, m in enumerate(mentions) if m.start <= at < m.end}
        assert set(here.covers) == inside
        assert set(here.gaps) == within - inside
    assert sorted(n for p in found for n in p.closes) == list(range(len(mentions)))
    assert all(mentions[n].end == p.end for p in found for n in p.closes)


@given(annotated())
def test_mentions_that_meet_have_lanes_of_their_own(document):
    mentions = document.mentions
    found = lanes(mentions)
    for i, one in enumerate(mentions):
        for j, other in enumerate(mentions[:i]):
            if max(one.start, other.start) < min(one.end, other.end):
                assert found[i] != found[j]
                size = (one.end - one.start) - (other.end - other.start)
                if one.start <= other.start and other.end <= one.end and size:
                    assert found[i] > found[j]
                if other.start <= one.start and one.end <= other.end and size:
                    assert found[i] < found[j]


@pytest.mark.parametrize("dark", [False, True])
def test_labels_can_be_read(dark):
    for number in range(40):
        ground, ink = shades(number, dark=dark)
        assert contrast(ground, ink) >= READABLE
    hues = {shades(number, dark=dark) for number in range(40)}
    assert len(hues) == 40


def test_contrast_is_that_of_wcag():
    assert contrast((0, 0, 0), (1, 1, 1)) == pytest.approx(21)
    assert contrast((1, 1, 1), (0x77 / 255,) * 3) == pytest.approx(4.48, abs=0.01)


def test_text_is_escaped_and_shown():
    assert (
        text("<a>&\x00\u200dz") == '&lt;a&gt;&amp;<span class="ctl" data-l="U+0000"></span>\u200dz'
    )
    assert attribute('"\n\u202e<') == "&quot; [U+202E]&lt;"
    assert shown("  ") == '<span class="none">(blank)</span>'
    assert shown("a" * 100 + "b" * 100, 30) == f"<bdi>{'a' * 20} … {'b' * 10}</bdi>"


def test_a_folder_of_pages(tmp_path):
    documents = [Document("a/1", "x"), NOTE, Document("a/100 %#?", "y" * 8, NOTE.annotations[:1])]
    assert formats.write("html", tmp_path, documents, Report()) == 3
    files = {str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*.html")}
    assert files == {"index.html", *(f"notes/{document.id}.html" for document in documents)}
    for file in tmp_path.rglob("*.html"):
        for link in Reader(file.read_text("utf-8")).links:
            if not link.startswith("#"):
                assert (file.parent / unquote(link)).is_file(), link
    first = Reader((tmp_path / "notes" / "a" / "1.html").read_text("utf-8"))
    assert "Next" in first.plain and "Previous" not in first.plain
    index = Reader((tmp_path / "index.html").read_text("utf-8"))
    assert "3 documents" in index.plain and "4 mentions" in index.plain
    assert index.tags <= ALLOWED


def test_nothing_to_show(tmp_path):
    assert formats.write("html", tmp_path, [], Report()) == 0
    assert "0 documents" in (tmp_path / "index.html").read_text("utf-8")
    assert "(no text)" in made(Document("d", "")).note


@pytest.mark.parametrize("name", ["a\0b", "\ud800", "../up", "/abs", ""])
def test_ids_that_are_no_file_names_are_refused(tmp_path, name):
    with pytest.raises(ClinpromptError, match=r"CP-DOC-(330|005)"):
        formats.write("html", tmp_path / "o", [Document(name, "")], Report())


def test_half_a_surrogate_pair_is_shown_as_its_number(tmp_path):
    formats.write("html", tmp_path, [Document("d", "a\ud800b")], Report())
    assert "U+D800" in (tmp_path / "notes" / "d.html").read_text("utf-8")
