from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinprompt.verbalize.fragments import Fragment, Masked, join

NASTY = st.text("ab \n\r\t.[]12->\\snu0\u2003\u0301", min_size=1, max_size=20)


@pytest.mark.parametrize(
    ("surface", "written"),
    [
        ("breast cancer", "breast cancer"),
        ("breast\n  cancer", "breast cancer"),  # a line break means nothing inside a mention
        ("Dr. [sic] a-b \\", "Dr. [sic] a-b \\\\"),
        ("1 mg...", "1 mg..."),
        ("pain ... none", r"pain \... none"),
        ("...", r"\..."),
        ("as shown [12]", r"as shown \[12]"),
        ("[12]", "[12]"),
        ("[12] and", "[12] and"),
        (" pain\n", r"\spain\n"),
        ("\t\u2003x\x85", r"\t\u2003x\u0085"),
        (" \n", r"\s\n"),
        ("G -> A", "G -> A"),
    ],
)
def test_only_what_would_be_misread_is_escaped(surface: str, written: str) -> None:
    assert Fragment.of(surface).write() == written
    assert Masked.of(written).fragments() == (Fragment.of(surface),)


def test_arrows_are_escaped_where_they_separate() -> None:
    assert Fragment.of("G -> A").write(arrow=True) == r"G \-> A"
    assert Fragment.of("G->A").write(arrow=True) == "G->A"
    sides = Masked.of(r"G \-> A -> x->y [2]").sides()
    assert sides is not None
    assert [side.fragments() for side in sides] == [
        (Fragment("G -> A"),),
        (Fragment("x->y", number=2),),
    ]


def test_an_arrow_without_spaces_will_do_where_there_is_no_other() -> None:
    sides = Masked.of("aspirin->rash").sides()
    assert sides is not None and [side.text for side in sides] == ["aspirin", "rash"]
    assert Masked.of("aspirin").sides() is None


@pytest.mark.parametrize("raw", ["a\\b", "a\\", "\\uZZZZ", "\\u12"])
def test_a_backslash_that_starts_no_escape_stands_for_itself(raw: str) -> None:
    assert Masked.of(raw) == Masked(raw, raw)


@pytest.mark.parametrize("raw", ["", " ", " ... ", "...", "\t\r"])
def test_nothing_is_no_fragment(raw: str) -> None:
    assert Masked.of(raw).fragments() == ()


def test_numbers_are_read_only_behind_something() -> None:
    assert Masked.of("a [02]").fragments() == (Fragment("a", number=2),)
    assert Masked.of(" [2] ").fragments() == (Fragment("[2]"),)
    assert Masked.of("a[2]").fragments() == (Fragment("a[2]"),)
    assert Masked.of("a [1234567]").fragments() == (Fragment("a [1234567]"),)
    assert Masked.of("a [1] ... b").fragments() == (Fragment("a", number=1), Fragment("b"))


@given(st.lists(st.builds(Fragment.of, NASTY, st.none() | st.integers(0, 999)), min_size=1))
def test_fragments_survive_the_way_there_and_back(fragments: list[Fragment]) -> None:
    line = join(fragments)
    assert "\n" not in line and line == line.strip()
    assert Masked.of(line).fragments() == tuple(fragments)


@given(*[st.lists(st.builds(Fragment.of, NASTY), min_size=1, max_size=3)] * 2)
def test_both_sides_of_an_arrow_survive(head: list[Fragment], tail: list[Fragment]) -> None:
    sides = Masked.of(f" {join(head, arrow=True)} -> {join(tail, arrow=True)}").sides()
    assert sides is not None
    assert [side.fragments() for side in sides] == [tuple(head), tuple(tail)]
