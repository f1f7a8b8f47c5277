"""Tidying texts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from clinprompt.corpora.cleaning import plain_html, tidy, unix_lines


@given(st.text(alphabet=st.sampled_from("ab \t\n\r\u200b\xa0.")))
def test_tidy_keeps_the_words_and_is_done_at_once(text: str) -> None:
    once = tidy(text)
    assert tidy(once) == once
    assert once.split() == text.replace("\u200b", "").split()
    assert "\n\n" not in once and "  " not in once and once == once.strip()


@given(st.text(alphabet=st.sampled_from("ab\n\r"), max_size=12))
def test_line_ends_become_one_kind_and_none_is_lost(text: str) -> None:
    assert unix_lines(text).split("\n") == text.replace("\r\n", "\n").replace("\r", "\n").split(
        "\n"
    )


def test_common_tags_go_and_entities_are_decoded() -> None:
    html = "<h2>Summary</h2>Take <b>one</b> &amp; wait<br/>then call"
    assert tidy(plain_html(html)) == "Summary\nTake one & wait\nthen call"
    assert plain_html("10<sup>6</sup> cells") == "10^6 cells"


def test_angle_brackets_of_notes_stay() -> None:
    for text in ("p < 0.05 and n > 3", "platelets <150 then >400", "<LOCATION> on <DATE>"):
        assert plain_html(text) == text
