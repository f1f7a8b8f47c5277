"""TextGrid files and the merging of speakers."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinprompt.corpora.textgrid import Turn, Utterance, merge, parse_textgrid
from clinprompt.errors import ClinpromptError

words = st.text(alphabet=st.sampled_from("ab\"'?<>/= é"), max_size=12).map(str.strip)


def textgrid(texts: list[str], name: str = "Doctor", declared: int | None = None) -> str:
    """A file in Praat's long format, one second an interval."""
    lines = [
        'File type = "ooTextFile"',
        'Object class = "TextGrid"',
        "",
        "xmin = 0 ",
        f"xmax = {len(texts)} ",
        "tiers? <exists> ",
        "size = 1 ",
        "item []: ",
        "    item [1]:",
        '        class = "IntervalTier" ',
        f'        name = "{name}" ',
        "        xmin = 0 ",
        f"        xmax = {len(texts)} ",
        f"        intervals: size = {len(texts) if declared is None else declared} ",
    ]
    for number, text in enumerate(texts):
        quoted = text.replace('"', '""')
        lines += [
            f"        intervals [{number + 1}]:",
            f"            xmin = {number} ",
            f"            xmax = {number + 1} ",
            f'            text = "{quoted}" ',
        ]
    return "\n".join(lines) + "\n"


@given(st.lists(words, min_size=1, max_size=6))
def test_utterances_come_back_without_the_silences(texts: list[str]) -> None:
    found = parse_textgrid(textgrid(texts), "a.TextGrid")
    expected = [Utterance(n, n + 1, text) for n, text in enumerate(texts) if text]
    assert found == expected


@pytest.mark.parametrize("cut", [0, 20, 160, -25])
def test_a_file_cut_inside_is_refused(cut: int) -> None:
    with pytest.raises(ClinpromptError, match=r"a\.TextGrid: not a readable") as caught:
        parse_textgrid(textgrid(["one", "two"])[:cut], "a.TextGrid")
    assert caught.value.code == "CP-DATA-078"


def test_a_file_cut_between_intervals_is_refused() -> None:
    with pytest.raises(ClinpromptError, match="declares 5 intervals and holds 2") as caught:
        parse_textgrid(textgrid(["one", "two"], declared=5), "a.TextGrid")
    assert caught.value.code == "CP-DATA-079"


def test_speakers_take_turns_by_time() -> None:
    doctor = [Utterance(0, 1, "Hello."), Utterance(5, 6, "Since when?"), Utterance(2, 3, "So?")]
    patient = [Utterance(1.5, 4, "Hi."), Utterance(5, 7, "Today.")]
    assert merge({"Doctor": doctor, "Patient": patient}) == [
        Turn("Doctor", "Hello."),
        Turn("Patient", "Hi."),
        Turn("Doctor", "So? Since when?"),
        Turn("Patient", "Today."),
    ]


utterances = st.lists(
    st.tuples(st.integers(0, 20), st.sampled_from(["x", "y", "z w"])), max_size=8
).map(lambda items: [Utterance(start, start + 1, text) for start, text in items])


@given(utterances, utterances)
def test_nothing_said_is_lost_and_no_speaker_has_two_turns_in_a_row(
    a: list[Utterance], b: list[Utterance]
) -> None:
    turns = merge({"A": a, "B": b})
    assert all(one.speaker != two.speaker for one, two in pairwise(turns))
    for name, items in (("A", a), ("B", b)):
        said = " ".join(turn.text for turn in turns if turn.speaker == name)
        ordered = sorted(items, key=lambda item: item.start)
        assert said.split() == " ".join(item.text for item in ordered).split()
    both = sorted([*((i.start, 0) for i in a), *((i.start, 1) for i in b)])
    changes = [place for n, (_, place) in enumerate(both) if n == 0 or both[n - 1][1] != place]
    assert [turn.speaker for turn in turns] == ["AB"[place] for place in changes]
