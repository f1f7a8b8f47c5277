"""JSON lists and lines with the line of each record."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinprompt.corpora.json_records import field, json_records
from clinprompt.errors import ClinpromptError


def records(folder: Path, text: str) -> list[tuple[int, dict[str, object]]]:
    path = folder / "x.json"
    path.write_text(text, encoding="utf-8")
    return list(json_records(path))


VALUES = st.dictionaries(st.text(max_size=3), st.text(max_size=5) | st.integers(), max_size=3)


@given(st.lists(VALUES, max_size=4), st.sampled_from([None, 1]))
def test_list_and_lines_give_the_same_records(
    tmp_path_factory: pytest.TempPathFactory, values: list[dict[str, object]], indent: int | None
) -> None:
    folder = tmp_path_factory.mktemp("json")
    listed = records(folder, json.dumps(values, indent=indent, ensure_ascii=False))
    assert [value for _, value in listed] == values
    lines = records(folder, "".join(json.dumps(value) + "\r\n\n" for value in values))
    assert lines == [(2 * i + 1, value) for i, value in enumerate(values)]


def test_lines_of_a_list(tmp_path: Path) -> None:
    text = '\n [ {"a":\n "x]},"},\n\n{},{}\n]\n'
    assert records(tmp_path, text) == [(2, {"a": "x]},"}), (5, {}), (5, {})]
    assert records(tmp_path, "[]") == records(tmp_path, "") == []


def test_a_line_separator_in_a_string_is_no_line_end(tmp_path: Path) -> None:
    assert records(tmp_path, '{"a": "x\u2028y"}\n{}') == [(1, {"a": "x\u2028y"}), (2, {})]


@pytest.mark.parametrize(
    ("text", "line"),
    [('{}\n{"a": }', 2), ("{}\n{", 2), ("[{}\n{}]", 2), ("[{}\n] x", 2), ("[{},\n", 2)],
)
def test_broken_json_is_refused_with_its_line(tmp_path: Path, text: str, line: int) -> None:
    with pytest.raises(ClinpromptError) as caught:
        records(tmp_path, text)
    assert caught.value.line == line
    assert caught.value.file == str(tmp_path / "x.json")


@pytest.mark.parametrize("text", ["{}\n[]", "[{},\n 3]", '{}\n"x"', "{}\nnull"])
def test_a_record_that_is_no_object_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ClinpromptError) as caught:
        records(tmp_path, text)
    assert (caught.value.code, caught.value.line) == ("CP-DATA-027", 2)


@pytest.mark.parametrize(
    ("record", "kind", "part"),
    [
        ({"tex": "x"}, str, "key 'text' is missing; did you mean 'tex'?"),
        ({"text": 3}, str, "'text' is a whole number, not text"),
        ({"text": True}, int, "'text' is a boolean, not a whole number"),
        ({"text": None}, list, "'text' is null, not a list"),
    ],
)
def test_field_refuses(record: dict[str, object], kind: type, part: str) -> None:
    with pytest.raises(ClinpromptError, match="CP-DATA-028") as caught:
        field(record, "text", kind, Path("x.json"), 7)
    assert str(caught.value) == f"[CP-DATA-028] x.json:7: {part}"
