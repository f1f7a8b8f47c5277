"""JSON and JSON lines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinprompt.corpora.jsonfile import json_lines, load_json, parse_json
from clinprompt.errors import ClinpromptError

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("json") / "records.jsonl"


@given(rows=st.lists(values, max_size=5), ascii_only=st.booleans())
def test_lines_come_back_with_their_numbers(
    place: Path, rows: list[object], ascii_only: bool
) -> None:
    def written(row: object) -> bytes:
        return json.dumps(row, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")

    try:
        place.write_bytes(b"\n\n".join(written(row) for row in rows))
        place.read_text("utf-8")
    except UnicodeDecodeError:
        return
    assert list(json_lines(place)) == [(1 + 2 * i, row) for i, row in enumerate(rows)]


def test_separators_of_unicode_don_t_end_a_line(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"a": "x\u2028y\x85z"}\n{"a": "b"}\n')
    assert [value["a"] for _, value in json_lines(path)] == ["x\u2028y\x85z", "b"]


def test_malformed_json_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"note": "a"}\n\n{"note": "secret"\n')
    with pytest.raises(ClinpromptError, match=r"a\.jsonl:3: not valid JSON") as caught:
        list(json_lines(path))
    assert caught.value.code == "CP-DATA-059" and "secret" not in str(caught.value)
    path.write_text('{\n"a": 1,\n"b": }')
    with pytest.raises(ClinpromptError, match=r"a\.jsonl:3: "):
        load_json(path, dict)


def test_a_key_given_twice_is_refused() -> None:
    with pytest.raises(ClinpromptError, match="key '17' stands twice") as caught:
        parse_json('{"17": 1, "18": 2, "17": 3}', "a.json")
    assert caught.value.code == "CP-DATA-060"


def test_another_kind_of_value_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("[1]")
    assert load_json(path, list) == [1]
    with pytest.raises(ClinpromptError, match="holds a list, not an object") as caught:
        load_json(path, dict)
    assert caught.value.code == "CP-DATA-061"
