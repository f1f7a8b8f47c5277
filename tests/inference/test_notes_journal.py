from __future__ import annotations

import json
from pathlib import Path

import pytest

from clinprompt.errors import ClinpromptError
from clinprompt.inference.notes.journal import Entry, NotesJournal, Refused

IDENTITY = {"tasks": ["mentions"], "prompts": {"mentions": "ab"}, "settings": "float32"}


def entry(name: str, digest: str = "d") -> Entry:
    found = [{"task": "mentions", "answer": {"entities": []}}]
    return Entry(name, digest, found, (Refused("nli", "CP-INF-006", "too long"),), {"pair": [2, 1]})


def opened(
    path: Path, *, overwrite: bool = False, made: str = "now", **changes: str
) -> NotesJournal:
    return NotesJournal(path, IDENTITY | changes, made, overwrite=overwrite)


def written(path: Path, *chunks: list[Entry]) -> bytes:
    journal = opened(path, made="before")
    for chunk in chunks:
        journal.add(chunk)
    journal.close()
    return path.read_bytes()


def test_entries_are_found_again(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    content = written(path, [entry("a"), entry("β/2")], [entry("c")])
    journal = opened(path)
    assert (len(journal), list(journal), journal.made) == (3, ["a", "β/2", "c"], "before")
    for name in ("c", "a", "β/2", "a"):
        assert journal.entry(name) == entry(name)
    assert journal.digest("c") == "d"
    assert journal.digest("x") is None
    journal.close()
    assert path.read_bytes() == content


def test_the_last_entry_counts(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    written(path, [entry("a"), entry("b")], [entry("a", "e")])
    journal = opened(path)
    assert (journal.digest("a"), journal.digest("b")) == ("e", "d")
    assert journal.entry("a").digest == "e"
    journal.close()


def test_cut_at_any_byte_it_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    chunks = [[entry("a"), entry("b")], [entry("c")]]
    whole = written(path, *chunks)
    ends = [place for place, byte in enumerate(whole, 1) if byte == ord("\n")]
    near = [end + by for end in ends for by in (-2, -1, 0, 1)]
    for size in sorted({*range(0, len(whole), 37), *range(20), *near} - {len(whole) + 1}):
        path.write_bytes(whole[:size])
        journal = opened(path, made="before")
        known = len(journal)
        assert known == (0 if size < ends[1] else 2 if size < ends[2] else 3)
        for chunk in chunks[(known + 1) // 2 :]:
            journal.add(chunk)
        assert journal.entry("a") == entry("a")
        journal.close()
        assert path.read_bytes() == whole


def test_answers_made_in_another_way_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    content = written(path, [entry("a")])
    with pytest.raises(ClinpromptError, match=r"CP-INF-321.*other settings;"):
        opened(path, settings="bfloat16")
    assert path.read_bytes() == content
    journal = opened(path, settings="bfloat16", overwrite=True)
    assert len(journal) == 0
    assert path.read_bytes() == content  # nothing is lost before there is something new
    journal.add([entry("z")])
    journal.close()
    assert json.loads(path.read_text().splitlines()[0])["settings"] == "bfloat16"
    assert len(path.read_text().splitlines()) == 2


@pytest.mark.parametrize(
    "content",
    [
        "my notes",
        "[]\n",
        '{"notes": []}\n',
        '{"clinprompt_notes": 1}\n',
        '{"id": "a"}\n{"notes": 3}\n',
        "\n",
        "[" * 100_000 + "\n",
    ],
)
def test_foreign_files_are_left_alone(tmp_path: Path, content: str) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_text(content)
    with pytest.raises(ClinpromptError, match="CP-INF-320"):
        opened(path)
    assert path.read_text() == content


def test_a_broken_line_in_the_middle_is_not_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    lines = written(path, [entry("a")], [entry("b")]).splitlines(keepends=True)
    path.write_bytes(lines[0] + lines[1][:30] + b"\n" + lines[2])
    with pytest.raises(ClinpromptError, match=r"CP-INF-320.*:2:"):
        opened(path)


def test_two_runs_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    first = opened(path)
    with pytest.raises(ClinpromptError, match="CP-INF-024"):
        opened(path)
    first.close()
    opened(path).close()


def test_a_note_that_could_not_be_asked_anything_is_no_result() -> None:
    assert entry("a").answered
    assert Entry("a", "d").answered  # there was nothing to ask: no mentions, so no pairs
    assert not Entry("a", "d", (), (Refused("nli", "c", "m"),)).answered
