"""Reading gold and predicted documents for `score`, as shared tasks hand them out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import clinprompt.documents  # noqa: F401  (registers the formats)
from clinprompt.documents import formats
from clinprompt.documents.brat import ANNOTATIONS, assemble
from clinprompt.documents.formats import ReadOptions
from clinprompt.documents.model import Document
from clinprompt.documents.store import Member, members
from clinprompt.documents.textfolder import SUFFIX
from clinprompt.errors import ClinpromptError
from clinprompt.report import Report


@dataclass(frozen=True)
class Sides:
    """Both sides of a comparison, and what was remarkable in reading them."""

    gold: list[Document]
    predicted: list[Document]
    remarks: Sequence[str]


def read_sides(
    paths: tuple[Path, Path], names: tuple[str, str], mode: str, options: ReadOptions
) -> Sides:
    """Read both sides.

    Systems often hand in BRAT annotations without texts: then those of gold are used. In n2c2
    mode a BRAT document is one that has an annotation file, as the scripts have it; else a text
    without one is a document without annotations.

    Raises:
        ClinpromptError: CP-CLI-141 annotations without a text on either side, and what reading
            raises.
    """
    remarks: list[str] = []
    read = []
    for side, path, name in zip(("gold", "predictions"), paths, names, strict=True):
        report = Report()
        bare = _bare(path) if name == "brat" == names[0] and side == "predictions" else set()
        if bare:
            documents = list(_with_texts_of(paths[0], path, options, report))
            remarks.append(f"predictions: {len(bare)} annotation files without text, gold's used")
        else:
            documents = list(formats.read(name, path, report, options))
        if name == "brat" and mode == "n2c2":
            annotated = _stems(path, *ANNOTATIONS)
            skipped = [one for one in documents if one.id not in annotated]
            documents = [one for one in documents if one.id in annotated]
            if skipped:
                remarks.append(f"{side}: {len(skipped)} texts without annotation file, skipped")
        remarks += [f"{side}: {count} {what}" for what, count in report.counts.most_common()]
        read.append(documents)
    return Sides(read[0], read[1], remarks)


def _files(path: Path) -> list[Member]:
    """The files of a collection; of a single text or annotation file, those beside it as well."""
    if not path.is_file() or path.suffix.lower() not in (SUFFIX, *ANNOTATIONS):
        return members(path)
    beside = (one for one in path.parent.iterdir() if one.stem == path.stem and one.is_file())
    return [member for one in sorted(beside) for member in members(one)]


def _stems(path: Path, *suffixes: str) -> set[str]:
    return {member.stem for member in _files(path) if member.suffix in suffixes}


def _bare(path: Path) -> set[str]:
    """Ids of annotation files without a text."""
    return _stems(path, *ANNOTATIONS) - _stems(path, SUFFIX)


def _with_texts_of(
    gold: Path, path: Path, options: ReadOptions, report: Report
) -> Iterator[Document]:
    """Predicted documents, with gold's texts where they have none."""
    texts = {member.stem: member for member in _files(gold) if member.suffix == SUFFIX}
    found = _files(path)
    texts |= {member.stem: member for member in found if member.suffix == SUFFIX}
    files: dict[str, list[Member]] = {
        member.stem: [] for member in found if member.suffix in (SUFFIX, *ANNOTATIONS)
    }
    for member in found:
        if member.suffix in ANNOTATIONS:
            files[member.stem].append(member)
        elif member.suffix != SUFFIX:
            report.skip("files that are neither text nor annotations", member.place)
    for stem, notes in files.items():
        if stem not in texts:
            raise ClinpromptError(
                "CP-CLI-141",
                f"there is no text of document '{stem}', neither here nor in gold",
                file=notes[0].place,
            )
        notes.sort(key=lambda member: ANNOTATIONS.index(member.suffix))
        yield assemble(stem, texts[stem], notes, options, report)
