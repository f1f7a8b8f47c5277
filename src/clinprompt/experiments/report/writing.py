"""Make the report of a comparison: one HTML file, Markdown, and the pictures beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from clinprompt.errors import ClinpromptError
from clinprompt.experiments.report import learning, vectors
from clinprompt.experiments.report.answers import bad_answers_section
from clinprompt.experiments.report.costs import cost_section
from clinprompt.experiments.report.curves import few_shot_curves
from clinprompt.experiments.report.differences import differences_section, summary_section
from clinprompt.experiments.report.gaps import Gaps
from clinprompt.experiments.report.markdown import markdown
from clinprompt.experiments.report.page import page
from clinprompt.experiments.report.problems import WORDS, counts, problems_section
from clinprompt.experiments.report.reading import Results, read, shots_text
from clinprompt.experiments.report.scatter import score_against_parameters
from clinprompt.experiments.report.scores import Scores, scores_section
from clinprompt.experiments.report.setting import setting_section
from clinprompt.experiments.report.svg import MADE_BY, Picture
from clinprompt.experiments.report.tables import AnyBlock, Folded, Section, plural
from clinprompt.experiments.report.worst import BANNER, worst_section
from clinprompt.inference.writing import write_atomically

HTML, MARKDOWN = "report.html", "report.md"
_HEAD = 600  # characters within which a file of ours says so


@dataclass(frozen=True)
class Report:
    """A report as made, not yet written.

    Attributes:
        results: what it is of.
        files: name -> content.
    """

    results: Results
    files: dict[str, str]


def make(folder: Path, *, with_text: bool = False) -> Report:
    """Read a comparison and make its report.

    Args:
        folder: as `clinprompt compare` wrote it, finished or not.
        with_text: show texts of the worst errors in the HTML file (never in Markdown).

    Raises:
        ClinpromptError: those of `reading.read`.
    """
    results = read(folder)
    sections = make_sections(results, with_text=with_text)
    found = counts(results)
    title = f"Comparison: {results.plan.name}"
    subtitle = " · ".join(
        (
            plural(len(results.methods), "method"),
            plural(len(results.targets), "target"),
            ", ".join(shots_text(shots) for shots in results.shots),
            ", ".join(results.backbones),
        )
    )
    figures = [(f"{found['done']:,}", f"of {len(results.slots):,} cells finished", False)]
    for kind, what in WORDS.items():
        if found[kind]:
            figures.append((f"{found[kind]:,}", what, True))
    files = {
        HTML: page(title, subtitle, figures, sections, banner=BANNER if with_text else ""),
        MARKDOWN: markdown(title, subtitle, figures, sections),
    }
    for picture in pictures(sections):
        files[f"{picture.name}.svg"] = picture.file()
    return Report(results, files)


def make_sections(results: Results, *, with_text: bool) -> list[Section]:
    """All parts of the report, in order."""
    scores = Scores(results)
    gaps = Gaps(results)
    found = [
        problems_section(results),
        summary_section(results, gaps),
        scores_section(results, scores),
        differences_section(results, gaps),
        _per_backbone(
            results,
            "few-shot",
            "Few-shot curves",
            lambda backbone, name: few_shot_curves(results, scores, backbone, name),
        ),
        _per_backbone(
            results,
            "parameters",
            "Score against parameters",
            lambda backbone, name: score_against_parameters(results, scores, backbone, name),
        ),
        cost_section(results),
        _training_section(results),
        vectors.similarity_section(results),
        bad_answers_section(results),
        worst_section(results, with_text=with_text),
        setting_section(results),
    ]
    return [section for section in found if section is not None]


def _per_backbone(results: Results, name: str, title: str, draw: object) -> Section | None:
    found = [
        draw(backbone, f"{name}-{number + 1}")  # type: ignore[operator]
        for number, backbone in enumerate(results.backbones)
    ]
    drawn = tuple(picture for picture in found if picture is not None)
    return Section(name, title, drawn) if drawn else None


def _training_section(results: Results) -> Section | None:
    """Curves of source training, and of adaptation at each number of shots, the largest open."""
    blocks: list[AnyBlock] = []
    for number, backbone in enumerate(results.backbones):
        types = vectors.source_types(vectors.metaprompt(results, backbone))
        source = learning.source_curves(results, backbone, types, f"source-{number + 1}")
        blocks += [source] if source is not None else []
        drawn = [
            picture
            for shots in reversed(results.shots)
            if (
                picture := learning.adaptation_curves(
                    results, backbone, shots, f"adaptation-{shots}-{number + 1}"
                )
            )
        ]
        blocks += drawn[:1]
        blocks += [Folded(one.title, (one,)) for one in drawn[1:]]
    return Section("training", "Training curves", tuple(blocks)) if blocks else None


def pictures(sections: Sequence[Section]) -> Iterator[Picture]:
    """All pictures of the sections."""
    for section in sections:
        for block in section.blocks:
            inside = block.blocks if isinstance(block, Folded) else (block,)
            yield from (one for one in inside if isinstance(one, Picture))


def write(report: Report, out: Path) -> None:
    """Write the files into a folder, which may hold other things, too.

    Only files that an earlier report wrote are replaced; pictures of it that are no longer part of
    the report are deleted.

    Raises:
        ClinpromptError: CP-EXP-203 `out` is a file, CP-EXP-204 a file with the name of one of ours
            is there that no report wrote. Nothing is written then.
        OSError: the folder can't be written to.
    """
    if out.exists() and not out.is_dir():
        raise ClinpromptError(
            "CP-EXP-203", "is a file; a report is a folder", file=out, hint="name a folder with -o"
        )
    for name in report.files:
        if (out / name).exists() and not _ours(out / name):
            raise ClinpromptError(
                "CP-EXP-204",
                "is there already, and no report wrote it",
                file=out / name,
                hint="name another folder with -o, or move the file away",
            )
    out.mkdir(parents=True, exist_ok=True)
    for old in sorted(out.glob("*.svg")):
        if old.name not in report.files and _ours(old):
            old.unlink()
    # The page comes last: where it is, everything is.
    for name in sorted(report.files, key=lambda one: one == HTML):
        write_atomically(out / name, [report.files[name]])


def _ours(path: Path) -> bool:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return MADE_BY in file.read(_HEAD)
    except OSError:  # a folder of that name, for example
        return False
