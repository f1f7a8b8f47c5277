"""Praat TextGrid transcripts: utterances of one speaker, and dialogues merged from several."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from clinprompt.errors import ClinpromptError

_SIZE = re.compile(r"intervals: size = (\d+)")


@dataclass(frozen=True)
class Utterance:
    """What was said from second `start` to second `end`."""

    start: float
    end: float
    text: str


@dataclass(frozen=True)
class Turn:
    """What a speaker said until another one spoke."""

    speaker: str
    text: str


def parse_textgrid(text: str, file: str) -> list[Utterance]:
    """Utterances of all interval tiers in order of time, silences left out.

    Raises:
        ClinpromptError: CP-DATA-078 not a TextGrid, CP-DATA-079 fewer intervals than it declares
            (a truncated file).
    """
    from praatio.utilities import errors, textgrid_io  # takes a moment to import

    try:
        tiers = textgrid_io.parseTextgridStr(text, includeEmptyIntervals=True)["tiers"]
        tiers = [tier for tier in tiers if tier["class"] == "IntervalTier"]
        entries = [entry for tier in tiers for entry in tier["entries"]]
        found = [Utterance(float(a), float(b), label.strip()) for a, b, label in entries]
    except (errors.ParsingError, KeyError, IndexError, ValueError, TypeError) as error:
        raise ClinpromptError(
            "CP-DATA-078", "not a readable Praat TextGrid, or a truncated one", file=file
        ) from error
    declared = sum(int(number) for number in _SIZE.findall(text))
    # The long format alone declares sizes this way.
    if declared and declared != len(found):
        raise ClinpromptError(
            "CP-DATA-079",
            f"it declares {declared} intervals and holds {len(found)}",
            file=file,
            hint="fetch the file again",
        )
    return sorted((item for item in found if item.text), key=lambda item: item.start)


def merge(speakers: Mapping[str, Sequence[Utterance]]) -> list[Turn]:
    """A dialogue: utterances by the time they start, those of one speaker in a row joined.

    Of two that start together the one of the speaker named first comes first.
    """
    order = {name: number for number, name in enumerate(speakers)}
    everything = sorted(
        ((item.start, order[name], place, name, item.text))
        for name, items in speakers.items()
        for place, item in enumerate(sorted(items, key=lambda item: item.start))
    )
    turns: list[Turn] = []
    for _, _, _, name, text in everything:
        if turns and turns[-1].speaker == name:
            turns[-1] = Turn(name, f"{turns[-1].text} {text}")
        else:
            turns.append(Turn(name, text))
    return turns
