"""MIMIC-CXR: radiology reports as text files, and the list of studies in each split.

Reports lie as ``files/p10/p10000032/s50414267.txt`` (folder or ``mimic-cxr-reports.zip``). The
split stands in ``mimic-cxr-2.0.0-split.csv.gz`` (of MIMIC-CXR-JPG), one row an image, with columns
``study_id``, ``subject_id`` and ``split`` (train, validate, test).
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from clinprompt.corpora.checks import expect_files, shown
from clinprompt.corpora.cleaning import tidy, unix_lines
from clinprompt.corpora.registry import Options, Source, reader
from clinprompt.documents.store import members
from clinprompt.errors import ClinpromptError, did_you_mean
from clinprompt.examples import Example, TextAnswer, TextInput

SPLITS = {"train": "train", "dev": "validate", "test": "test"}
_HEADER = re.compile(r"^[ \t]*([A-Z][A-Z ,/()&-]*?)[ \t]*:", re.MULTILINE)
_FINAL = re.compile(r"^[ \t]*FINAL REPORT[ \t]*$", re.MULTILINE)


class MimicCxrOptions(Options):
    """Options of the reader ``mimic-cxr``.

    Attributes:
        source, target: names of the section to summarise and of the summary, in lower case.
    """

    source: str = "findings"
    target: str = "impression"


@reader("mimic-cxr", MimicCxrOptions)
def read_mimic_cxr(source: Source, options: MimicCxrOptions) -> Iterable[Example]:
    """One example a study of the split whose report has both sections; the others are counted.

    The document is the patient, so that one patient's reports stay together.

    Raises:
        ClinpromptError: CP-DATA-053 not two files, CP-DATA-610 to 612 a malformed list, what
            `members` and `Member.text` raise.
    """
    reports, listed = expect_files(
        source, "mimic-cxr", "folder or zip of reports", "list of splits"
    )
    by_study = {
        PurePosixPath(one.name).stem: one for one in members(reports) if one.suffix == ".txt"
    }
    wanted = SPLITS.get(source.split, source.split)
    for study, subject in _studies(listed, options.encoding, wanted):
        member = by_study.get(f"s{study}")
        if member is None:
            source.report.skip("study without a report", listed, detail=f"s{study}")
            continue
        found = sections(member.text(options.encoding))
        texts = [found.get(name, "") for name in (options.source, options.target)]
        if not all(texts):
            missing = options.target if texts[0] else options.source
            source.report.skip(f"report without '{missing}'", member.place)
            continue
        yield Example(f"s{study}", f"mimic:p{subject}", TextInput(texts[0]), TextAnswer(texts[1]))


def sections(report: str) -> dict[str, str]:
    """Text of each section by its header in lower case; texts under one header are joined.

    A header is written in capitals at the start of a line and ends with a colon. What stands
    before the line ``FINAL REPORT`` (a wet reading) is left aside.
    """
    text = unix_lines(report)
    final = _FINAL.search(text)
    text = text[final.end() :] if final else text
    headers = list(_HEADER.finditer(text))
    ends = [*(match.start() for match in headers[1:]), len(text)][: len(headers)]
    found: dict[str, list[str]] = {}
    for header, end in zip(headers, ends, strict=True):
        if body := " ".join(tidy(text[header.end() : end]).split()):
            found.setdefault(header[1].lower(), []).append(body)
    return {name: "\n".join(bodies) for name, bodies in found.items()}


def _studies(path: Path, encoding: str, split: str) -> Iterator[tuple[str, str]]:
    """Study and subject of each study of the split, once, in the order of the list."""
    text = "".join(member.text(encoding) for member in members(path)[:1])
    rows = csv.DictReader(io.StringIO(text, newline=""))
    columns = rows.fieldnames or []
    for needed in ("study_id", "subject_id", "split"):
        if needed not in columns:
            raise ClinpromptError(
                "CP-DATA-610",
                f"the list of splits has no column '{needed}'",
                file=path,
                line=1,
                hint=did_you_mean(needed, [name for name in columns if len(name) <= 40]),
            )
    seen: set[str] = set()
    try:
        for row in rows:
            study, subject, where = (row[key] or "" for key in ("study_id", "subject_id", "split"))
            if where not in SPLITS.values() or not (study.isdecimal() and subject.isdecimal()):
                raise ClinpromptError(
                    "CP-DATA-611",
                    f"study {shown(study)}, subject {shown(subject)}, split {shown(where)}: ids "
                    "are numbers and splits are train, validate and test",
                    file=path,
                    line=rows.line_num,
                )
            if where == split and study not in seen:
                seen.add(study)
                yield study, subject
    except csv.Error as error:
        raise ClinpromptError(
            "CP-DATA-612", f"malformed CSV ({error})", file=path, line=rows.line_num
        ) from error
