"""PriMock57: mock consultations, transcribed one file a speaker, with the clinician's note."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

from clinprompt.corpora.checks import expect_files, need
from clinprompt.corpora.cleaning import tidy
from clinprompt.corpora.jsonfile import parse_json
from clinprompt.corpora.registry import Options, Report, Source, reader
from clinprompt.corpora.textgrid import Utterance, merge, parse_textgrid
from clinprompt.errors import ClinpromptError
from clinprompt.examples import Example, TextAnswer, TextInput
from clinprompt.files import decode, tar_members

SPEAKERS = {"doctor": "Doctor", "patient": "Patient"}
_UNHEARD = re.compile(r"<(?:UNIN|INAUDIBLE_SPEECH)\s*/>")
_UNSURE = re.compile(r"</?UNSURE>")
_TAG = re.compile(r"</?[A-Z_]+\s*/?>")
_GAP = re.compile(r" ([.,?!])")  # a dropped tag leaves a blank before the mark
UNHEARD = "unintelligible passage"
UNSURE = "mark of an unsure transcription removed"
SILENT = "utterance of unintelligible passages only"


class Primock57Options(Options):
    """Options of the reader ``primock57``.

    Attributes:
        unheard: whether unintelligible passages are dropped (and counted) or written as
            "[unintelligible]".
    """

    unheard: Literal["drop", "mark"] = "drop"


@reader("primock57", Primock57Options)
def read_primock57(source: Source, options: Primock57Options) -> Iterable[Example]:
    """One example a consultation: the dialogue, a turn a line, and the note.

    The split's files are the archive of notes (JSON) and the archive of transcripts (two TextGrid
    files for each note, ``<name>_doctor`` and ``<name>_patient``).

    Raises:
        ClinpromptError: CP-DATA-005 broken archive, 052 missing note, 059 malformed JSON, 078 and
            079 malformed TextGrid, 081 a note without both transcripts or the other way round.
    """
    notes_path, transcripts_path = expect_files(
        source, "primock57", "archive of notes", "archive of transcripts"
    )
    notes = _members(notes_path, ".json", options.encoding)
    transcripts = _members(transcripts_path, ".TextGrid", options.encoding)
    expected = {f"{name}_{role}" for name in notes for role in SPEAKERS}
    odd = sorted(expected ^ set(transcripts))
    if odd or not notes:
        raise ClinpromptError(
            "CP-DATA-081",
            f"notes and transcripts don't match: {', '.join(odd[:8]) or 'there are no notes'}",
            file=transcripts_path,
        )
    for name, content in notes.items():
        file = f"{notes_path}!{name}"
        note = tidy(need(parse_json(content, file), "note", str, file, "the consultation"))
        said: dict[str, list[Utterance]] = {}
        for role, speaker in SPEAKERS.items():
            file = f"{transcripts_path}!{name}_{role}"
            utterances = parse_textgrid(transcripts[f"{name}_{role}"], file)
            said[speaker] = clean(utterances, file, options.unheard == "mark", source.report)
        dialogue = "\n".join(f"{turn.speaker}: {turn.text}" for turn in merge(said))
        if not note or not dialogue:
            source.report.skip("empty note or transcript", notes_path, detail=name)
            continue
        yield Example(name, f"primock57:{name}", TextInput(dialogue), TextAnswer(note))


def _members(path: Path, suffix: str, encoding: str) -> Mapping[str, str]:
    """Text of the archive's files by name, without folder and ending."""
    return {
        name.rsplit("/", 1)[-1].removesuffix(suffix): decode(raw, Path(f"{path}!{name}"), encoding)
        for name, raw in tar_members(path, suffix)
    }


def clean(
    utterances: Iterable[Utterance], file: str, mark: bool, report: Report
) -> list[Utterance]:
    """Utterances without the transcribers' tags, which are counted.

    ``<UNSURE>...</UNSURE>`` leaves the words it encloses; ``<UNIN/>`` and ``<INAUDIBLE_SPEECH/>``
    go, or become "[unintelligible]" if `mark`. Any other tag stays, and is counted.
    """
    unheard = unsure = silent = unknown = 0
    kept = []
    for item in utterances:
        text, count = _UNHEARD.subn(" [unintelligible] " if mark else " ", item.text)
        unheard += count
        text, count = _UNSURE.subn(" ", text)
        unsure += count
        unknown += len(_TAG.findall(text))
        text = _GAP.sub(r"\1", " ".join(text.split()))
        if text:
            kept.append(Utterance(item.start, item.end, text))
        else:
            silent += 1
    report.skip(UNHEARD, file, count=unheard)
    report.skip(UNSURE, file, count=unsure)
    report.skip(SILENT, file, count=silent)
    report.skip("unknown tag kept", file, count=unknown)
    return kept
