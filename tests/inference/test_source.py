from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.inference import world

from clinprompt.examples import PremiseInput, TextInput
from clinprompt.inference.journal import encoded
from clinprompt.inference.source import Asked, Entry, Reader, Rejected, chunks

CARDS = {card.name: card for card in world.cards()}
GOOD = b'{"id": "n1", "text": "Mustermann coughs"}'


def read(*lines: bytes, task: str | None = "mentions") -> list[Entry]:
    reader = Reader("in.jsonl", CARDS, task)
    return [e for part in chunks([line + b"\n" for line in lines], 3) for e in reader.entries(part)]


def rejected(line: bytes, task: str | None = "mentions") -> Rejected:
    found = read(GOOD, line, GOOD.replace(b"n1", b"n3"), task=task)
    assert [type(entry) for entry in found] == [Asked, Rejected, Asked]
    assert isinstance(found[1], Rejected)
    assert found[1].line == found[1].error.line == 2
    assert found[1].error.file == "in.jsonl"
    return found[1]


def test_lines_become_requests_of_their_task() -> None:
    other = b'{"task": "nli", "hypothesis": "b", "id": "n1", "premise": "a"}'
    first, second = read(GOOD, other)
    assert isinstance(first, Asked)
    assert isinstance(second, Asked)
    assert (first.request.task, first.request.input) == ("mentions", TextInput("Mustermann coughs"))
    assert (second.request.task, second.request.input) == ("nli", PremiseInput("a", "b"))
    assert first.digest != second.digest


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b'{"id": "n2", "text": "Muster', "CP-DATA-059"),
        (b'{"id": "n2", "text": "a", "text": "b"}', "CP-DATA-060"),
        (b'{"id": "n2", "text": "Muster\xff"}', "CP-INF-040"),
        (b"[" * 100_000, "CP-INF-041"),
        (b'{"id": "n2", "text": ' + b"1" * 10_000 + b"}", "CP-INF-041"),
        (b'["n2", "Mustermann"]', "CP-INF-042"),
        (b'{"text": "Mustermann"}', "CP-INF-031"),
        (b'{"id": 2, "text": "Mustermann"}', "CP-INF-032"),
        (b'{"id": " ", "text": "Mustermann"}', "CP-INF-032"),
        (b'{"id": "n2", "text": "Mustermann", "task": "mention"}', "CP-INF-044"),
        (b'{"id": "n2", "text": "Mustermann", "task": ["nli"]}', "CP-INF-032"),
        (b'{"id": "n2", "txt": "Mustermann"}', "CP-INF-030"),
        (b'{"id": "n2"}', "CP-INF-031"),
        (b'{"id": "n2", "text": null}', "CP-INF-032"),
        (b'{"id": "n1", "text": "Mustermann again"}', "CP-INF-045"),
    ],
)
def test_a_bad_line_is_told_apart_and_the_rest_goes_on(line: bytes, code: str) -> None:
    found = rejected(line)
    assert found.error.code == code
    written = encoded(found.record()).decode()
    assert "Muster" not in written + str(found.error)
    assert json.loads(written)["line"] == 2


def test_a_line_without_a_task_needs_a_default() -> None:
    named = GOOD.replace(b'{"id"', b'{"task": "mentions", "id"')
    found = read(named, GOOD, task=None)
    assert isinstance(found[0], Asked)
    assert isinstance(found[1], Rejected)
    assert found[1].error.code == "CP-INF-043"
    assert found[1].id == "n1"


def test_an_id_counts_for_its_task_alone() -> None:
    again = b'{"task": "summary", "id": "n1", "text": "a"}'
    assert [type(e) for e in read(GOOD, again)] == [Asked, Asked]
    assert [type(e) for e in read(GOOD, again, again)] == [Asked, Asked, Rejected]


def test_a_bad_line_does_not_take_its_id() -> None:
    bad = b'{"id": "n1", "text": 3}'
    assert [type(e) for e in read(bad, GOOD)] == [Rejected, Asked]


def test_byte_order_mark_line_ends_and_blank_lines() -> None:
    found = read(b"\xef\xbb\xbf" + GOOD + b"\r", b"", b"  \r", GOOD.replace(b"n1", b"n2"))
    assert [(type(e), e.line) for e in found] == [(Asked, 1), (Asked, 4)]
    # U+2028 and its like stand inside texts and end no line.
    note = json.dumps({"id": "a", "text": "one\u2028two\x85three\x0b"}, ensure_ascii=False)
    (only,) = read(note.encode())
    assert isinstance(only, Asked)
    assert only.request.input == TextInput("one\u2028two\x85three\x0b")


def test_half_of_a_surrogate_pair_in_an_id_can_be_written() -> None:
    found = rejected(b'{"id": "\\ud83d", "text": 3}')
    assert json.loads(encoded(found.record()))["id"] == "\ud83d"


@given(st.lists(st.binary(max_size=30)))
def test_no_bytes_stop_the_reader(lines: list[bytes]) -> None:
    reader = Reader("in.jsonl", CARDS, "mentions")
    for part in chunks(lines, 2):
        for entry in reader.entries(part):
            assert isinstance(entry, Asked) or entry.error.code.startswith("CP-")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["id", "text", "task", "head", "tail", "spans", "label"]),
                inner,
                max_size=5,
            )
        ),
    ),
    st.sampled_from(sorted(CARDS)),
)
def test_no_json_stops_the_reader(value: Any, task: str) -> None:
    for entry in Reader("in.jsonl", CARDS, task).entries([(1, json.dumps(value).encode())]):
        assert isinstance(entry, Asked) or entry.error.code.startswith("CP-")


@given(st.integers(1, 7), st.integers(0, 30))
def test_chunks_depend_on_line_numbers_alone(size: int, count: int) -> None:
    parts = list(chunks((b"%d\r\n" % n for n in range(count)), size))
    assert [len(part) for part in parts[:-1]] == [size] * max(0, len(parts) - 1)
    assert [pair for part in parts for pair in part] == [(n + 1, b"%d" % n) for n in range(count)]
