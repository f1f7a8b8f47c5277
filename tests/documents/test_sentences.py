from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinprompt.documents.sentences import sentences


def split(text: str) -> list[str]:
    return [text[start:end] for start, end in sentences(text)]


@pytest.mark.parametrize(
    "text",
    [
        "He was seen by Dr. Smith and Mrs. Jones.",
        "K 3.5 mmol/l, INR 2.1.",
        "Aspirin 81 mg p.o. daily, e.g. in the morning.",
        "Approx. 5 cm mass vs. Cyst on CT.",
        "Room No. 5 is free",
        "Seen by J. Doe of St. Mary hospital.",
        "pt. is stable",
        "Give q.d. with meals",
        "the rash went away. then it came back",  # no capital: no new sentence
        "1. Aspirin 81 mg",
        "a) first item",
        "The patient, who had been admitted with a fall down the stairs,\nStroke excluded",
        "short line\nthat goes on",
        "COVID-19.2 variant",
        "   leading space",
    ],
)
def test_one_sentence(text: str) -> None:
    assert split(text) == [text]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("No fever. No cough.", ["No fever. ", "No cough."]),
        ("BP was 120. He left.", ["BP was 120. ", "He left."]),
        ("Taken p.o. He left.", ["Taken p.o. ", "He left."]),
        ('He said "no." Then left.', ['He said "no." ', "Then left."]),
        ("Why? Because! 2 days.", ["Why? ", "Because! ", "2 days."]),
        ("Pain (mild.) No rash", ["Pain (mild.) ", "No rash"]),
        ("Fever\n\ncough", ["Fever\n\n", "cough"]),
        ("Fever\nCough\n", ["Fever\n", "Cough\n"]),
        ("Fever:\ncough", ["Fever:\ncough"]),
        ("- fever\n- cough\n  and phlegm", ["- fever\n", "- cough\n  and phlegm"]),
        ("plan:\n1. rest\n2. fluids", ["plan:\n", "1. rest\n", "2. fluids"]),
        ("A\r\n\r\nB\r\nC", ["A\r\n\r\n", "B\r\n", "C"]),
        ("发热。咳嗽。", ["发热。", "咳嗽。"]),
        ("\n\n A. B", ["\n\n A. B"]),
        ("Seen... Later gone.", ["Seen... ", "Later gone."]),
    ],
)
def test_several_sentences(text: str, parts: list[str]) -> None:
    assert split(text) == parts


def test_wrapped_lines_stay_together() -> None:
    line = "The patient was admitted to the intensive care unit at General\n"
    assert len(line) > 60
    assert split(line + "Hospital for monitoring") == [line + "Hospital for monitoring"]
    ended = line.replace("General", "night.")
    assert split(ended + "Hospital stay was short") == [ended, "Hospital stay was short"]


@given(
    st.text()
    | st.lists(
        st.sampled_from([*"ab A.?!\n1-)", "\n\n", ". ", "Dr.", "p.o.", "- ", "2. ", "。", "\r\n"])
    ).map("".join)
)
def test_sentences_cover_the_text(text: str) -> None:
    parts = split(text)
    assert "".join(parts) == text
    assert all(part.strip() for part in parts) or not text.strip()
    assert all(part == part.lstrip() for part in parts[1:])


@pytest.mark.parametrize("piece", ["a", " ", "\n", ". ", "a. ", "A.", "- ", "a\n", '."', "1."])
def test_long_texts_take_no_longer_than_their_length(piece: str) -> None:
    begin = time.perf_counter()
    assert "".join(split(piece * 50_000)) == piece * 50_000
    assert time.perf_counter() - begin < 5
