"""PriMock57: notes and transcripts of two speakers."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from clinprompt.corpora.primock57 import clean
from clinprompt.corpora.registry import Report
from clinprompt.corpora.textgrid import Utterance
from clinprompt.errors import ClinpromptError
from clinprompt.examples import Example, TextAnswer, TextInput

GRID = """File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = 9
tiers? <exists>
size = 1
item []:
    item [1]:
        class = "IntervalTier"
        name = "Speaker"
        xmin = 0
        xmax = 9
        intervals: size = 1
        intervals [1]:
            xmin = {start}
            xmax = 9
            text = "{text}"
"""


def archive(path: Path, members: dict[str, str]) -> Path:
    with tarfile.open(path, "w:xz") as tar:
        for name, text in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(text.encode())
            tar.addfile(info, io.BytesIO(text.encode()))
    return path


def files(folder: Path, notes: dict[str, str], said: dict[str, tuple[int, str]]) -> list[Path]:
    return [
        archive(
            folder / "notes.tar.xz",
            {"notes/README.md": "about"}
            | {f"notes/{name}.json": json.dumps({"note": note}) for name, note in notes.items()},
        ),
        archive(
            folder / "transcripts.tar.xz",
            {
                f"transcripts/{name}.TextGrid": GRID.format(start=start, text=text)
                for name, (start, text) in said.items()
            },
        ),
    ]


def test_a_consultation(tmp_path: Path, run_reader: Callable) -> None:
    said = {"d1_doctor": (1, "What <UNSURE>brings</UNSURE> you?"), "d1_patient": (0, "Hi <UNIN/>.")}
    examples, report = run_reader("primock57", files(tmp_path, {"d1": "Hx\n\n  of x"}, said))
    assert examples == [
        Example(
            "d1",
            "primock57:d1",
            TextInput("Patient: Hi.\nDoctor: What brings you?"),
            TextAnswer("Hx\nof x"),
        )
    ]
    assert report.counts == {
        "unintelligible passage": 1,
        "mark of an unsure transcription removed": 2,
    }
    marked, _ = run_reader("primock57", files(tmp_path, {"d1": "x"}, said), {"unheard": "mark"})
    assert marked[0].input.text.startswith("Patient: Hi [unintelligible].\n")


def test_tags_are_counted() -> None:
    report = Report()
    items = ["<UNIN/>", "a <INAUDIBLE_SPEECH/> b <UNIN/>, c", "<UNSURE>d", "<LAUGH> e < 5"]
    kept = clean([Utterance(n, n + 1, text) for n, text in enumerate(items)], "f", False, report)
    assert [item.text for item in kept] == ["a b, c", "d", "<LAUGH> e < 5"]
    assert report.counts == {
        "unintelligible passage": 3,
        "mark of an unsure transcription removed": 1,
        "utterance of unintelligible passages only": 1,
        "unknown tag kept": 1,
    }


def test_an_empty_note_is_counted(tmp_path: Path, run_reader: Callable) -> None:
    said = {"d1_doctor": (1, "Hello"), "d1_patient": (0, "Hi")}
    examples, report = run_reader("primock57", files(tmp_path, {"d1": " "}, said))
    assert not examples and report.counts == {"empty note or transcript": 1}


@pytest.mark.parametrize(
    ("notes", "said", "message"),
    [
        ({"d1": "x"}, {"d1_doctor": (0, "Hi")}, "don't match: d1_patient"),
        ({}, {"d2_doctor": (0, "Hi")}, "don't match: d2_doctor"),
        ({}, {}, "there are no notes"),
    ],
)
def test_a_missing_speaker_or_note_is_refused(
    tmp_path: Path,
    run_reader: Callable,
    notes: dict[str, str],
    said: dict[str, tuple[int, str]],
    message: str,
) -> None:
    with pytest.raises(ClinpromptError, match=message) as caught:
        run_reader("primock57", files(tmp_path, notes, said))
    assert caught.value.code == "CP-DATA-081"


def test_a_malformed_note_is_named(tmp_path: Path, run_reader: Callable) -> None:
    paths = files(tmp_path, {}, {"d1_doctor": (0, "a"), "d1_patient": (1, "b")})
    archive(paths[0], {"notes/d1.json": '{"note": '})
    with pytest.raises(ClinpromptError, match=r"notes\.tar\.xz!d1:1: not valid JSON"):
        run_reader("primock57", paths)
    archive(paths[0], {"notes/d1.json": "{}"})
    with pytest.raises(ClinpromptError, match="the consultation: field 'note' is missing"):
        run_reader("primock57", paths)
