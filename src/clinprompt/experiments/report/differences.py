"""Differences to the baselines: paired, with intervals, and losses shown as losses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from clinprompt.experiments.compare.cell import Shots
from clinprompt.experiments.report.gaps import Gap, Gaps
from clinprompt.experiments.report.looks import Look, look
from clinprompt.experiments.report.plot import whisker
from clinprompt.experiments.report.reading import Results, shots_text
from clinprompt.experiments.report.scales import Linear, covering, labels, ticks
from clinprompt.experiments.report.svg import (
    Panel,
    Picture,
    element,
    line,
    marker,
    plain,
    px,
    text_width,
    words,
)
from clinprompt.experiments.report.tables import (
    AnyBlock,
    Cell,
    Column,
    Group,
    Points,
    Section,
    Table,
    Text,
    interval,
    signed,
)

OURS = ("mpt", "mpt-all")
REFERENCES = (("lora",), ("prompt-tuning", "pt"))
_GLYPHS = {"win": "▲", "loss": "▼", "tie": "≈", "open": "?"}
_HINTS = {
    "win": "above the reference",
    "loss": "below the reference",
    "tie": "a tie: the interval holds 0",
    "open": "no interval, so nothing is known about who wins",
}
_TOLD = 8  # reasons for missing intervals that are listed
_WIDTH, _ROW = 620.0, 22.0


@dataclass(frozen=True)
class _Line:
    """A method against a reference at one number of shots: all targets, then their average."""

    backbone: str
    method: str
    shots: Shots
    gaps: tuple[Gap | None, ...]
    average: Gap | None

    @property
    def outcomes(self) -> Counter[str]:
        """Wins, ties and losses over targets."""
        return Counter(gap.outcome for gap in self.gaps if gap is not None)


def references(results: Results) -> list[str]:
    """The methods that others are compared with: LoRA and prompt tuning, as far as there."""
    return [method for names in REFERENCES for method in results.named(*names)]


def differences_section(results: Results, gaps: Gaps) -> Section | None:
    """For each reference and backbone a picture and a table; None without reference."""
    blocks: list[AnyBlock] = [
        Text(
            "A method's score minus the reference's at the same shots, in points, with the 95 % "
            "interval of a paired bootstrap over test examples (the same examples for both; means "
            "over the seeds that both have; an average, over those that both have on every "
            "target). Win ▲ and loss ▼: the whole interval lies above or below 0. Tie ≈: it "
            "holds 0."
        )
    ]
    for reference in references(results):
        title = results.title(reference)
        blocks.append(Text(f"Against {title}", "heading"))
        for number, backbone in enumerate(results.backbones):
            lines = _lines(results, gaps, reference, backbone)
            if not lines:
                continue
            name = f"difference-{reference}-{number + 1}"
            picture = _picture(results, lines, name, f"Difference to {title}, {backbone}")
            blocks += [picture] if picture is not None else []
            blocks.append(_table(results, lines, f"Difference to {title}, {backbone}"))
    if len(blocks) == 1:
        return None
    if gaps.problems:
        told = list(gaps.problems)
        blocks.insert(1, Points(tuple(told[:_TOLD])))
        more = f" The first {_TOLD} of {len(told)}:" if len(told) > _TOLD else ""
        said = "Some differences have no interval (?) and are neither won, tied nor lost." + more
        blocks.insert(1, Text(said, "warning"))
    return Section("differences", "Differences to the baselines", tuple(blocks))


def summary_section(results: Results, gaps: Gaps) -> Section | None:
    """Our method against each baseline, on average: one row a backbone and number of shots.

    Ours is the metaprompt with everything trained; its variants stand in `differences_section`.
    None if it, or every reference, is not part of the comparison.
    """
    ours, against = results.named(*OURS), references(results)
    columns = [Column("Backbone, shots", number=False)]
    for reference in against:
        title = results.title(reference)
        columns += [Column(f"Against {title}", "average"), Column("Targets", "won, tied, lost")]
    groups = []
    for method in ours:
        rows = []
        for backbone in results.backbones:
            for shots in reversed(results.shots):
                found = [_line(results, gaps, r, backbone, method, shots) for r in against]
                if any(found):
                    cells = [cell for one in found for cell in _brief(one)]
                    rows.append((Cell(f"{backbone}, {shots_text(shots)}"), *cells))
        if rows:
            groups.append(Group(results.title(method) if len(ours) > 1 else "", tuple(rows)))
    if not groups:
        return None
    title = results.title(ours[0]) if len(ours) == 1 else "The metaprompt"
    table = Table(
        f"{title} against the baselines: average difference in points with its 95 % interval. "
        "Win ▲, loss ▼: the interval lies above or below 0; tie ≈: it holds 0",
        tuple(columns),
        tuple(groups),
    )
    return Section("summary", "In short", (table,))


def _brief(one: _Line | None) -> tuple[Cell, Cell]:
    if one is None:
        return Cell("–", kind="absent", hint="not planned"), Cell("–", kind="absent")
    compared = sum(gap is not None for gap in one.gaps)
    average = gap_cell(one.average)
    if one.average is None:
        average = Cell("–", f"{compared} of {len(one.gaps)} targets", "missing")
    return average, _tally(one)


def _tally(one: _Line) -> Cell:
    """Wins, ties and losses, and over how many targets if not over all."""
    tally = one.outcomes
    compared = tally["win"] + tally["tie"] + tally["loss"]
    return Cell(
        f"{tally['win']}, {tally['tie']}, {tally['loss']}",
        "" if compared == len(one.gaps) else f"of {compared} targets",
    )


def _line(
    results: Results, gaps: Gaps, reference: str, backbone: str, method: str, shots: Shots
) -> _Line | None:
    """None if the two were not both planned at these shots."""
    if method == reference:
        return None
    planned = results.planned(backbone, method, shots)
    if not planned or not results.planned(backbone, reference, shots):
        return None
    found = tuple(gaps.at(backbone, t, method, reference, shots) for t in results.targets)
    average = gaps.average(backbone, method, reference, shots)
    return _Line(backbone, method, shots, found, average)


def _lines(results: Results, gaps: Gaps, reference: str, backbone: str) -> list[_Line]:
    return [
        found
        for shots in reversed(results.shots)
        for method in results.methods
        if (found := _line(results, gaps, reference, backbone, method, shots)) is not None
    ]


def _table(results: Results, lines: Sequence[_Line], caption: str) -> Table:
    columns = [Column("Method", number=False), Column("Average"), Column("Won, tied, lost")]
    columns += [Column(target, results.metric(target)) for target in results.targets]
    groups = []
    for shots in dict.fromkeys(one.shots for one in lines):
        rows = []
        for one in lines:
            if one.shots == shots:
                rows.append(
                    (
                        Cell(results.title(one.method), look=look(results.number(one.method))),
                        gap_cell(one.average),
                        _tally(one),
                        *map(gap_cell, one.gaps),
                    )
                )
        groups.append(Group(shots_text(shots).capitalize(), tuple(rows)))
    return Table(caption, tuple(columns), tuple(groups))


def gap_cell(gap: Gap | None) -> Cell:
    """A difference in a table, with a sign for its outcome."""
    if gap is None:
        return Cell("–", "missing", "missing")
    some = f" {gap.seeds} of {gap.planned} seeds" if gap.seeds < gap.planned else ""
    return Cell(
        f"{signed(gap.value)} {_GLYPHS[gap.outcome]}",
        (interval(gap.low, gap.high) + some).strip(),
        gap.outcome,
        _HINTS[gap.outcome],
    )


def _picture(results: Results, lines: Sequence[_Line], name: str, title: str) -> Picture | None:
    """A forest plot: each method's average and its targets around it."""
    drawn = [one for one in lines if any(gap is not None for gap in one.gaps)]
    if not drawn:
        return None
    values = [
        end
        for one in drawn
        for gap in (*one.gaps, one.average)
        if gap is not None
        for end in ((gap.value, gap.low, gap.high) if gap is one.average else (gap.value,))
        if end is not None
    ]
    ends = covering([*values, 0.0], about=6)
    left = max(210.0, 36.0 + max(text_width(_name(results, one)) for one in drawn))
    scale = Linear(*ends, left, _WIDTH - 20)
    shots = list(dict.fromkeys(one.shots for one in drawn))
    height = 22 + (len(drawn) + len(shots)) * _ROW + 44
    bottom = height - 40
    parts = []
    marks = ticks(*ends, 6)
    for value, label in zip(marks, labels(marks), strict=True):
        at = scale(value)
        parts.append(line(at, 8, at, bottom, "axis" if abs(value) < 1e-9 else "grid"))
        sign = f"+{label}" if value > 1e-9 else label
        parts.append(words(at, bottom + 16, sign, anchor="middle", css="a"))
    middle = (left + _WIDTH - 20) / 2
    parts.append(
        words(
            middle,
            height - 6,
            "points above (right) or below (left) the reference",
            anchor="middle",
            css="s",
        )
    )
    y = 20.0
    for group in shots:
        parts.append(words(0, y + 4, shots_text(group).capitalize(), css="h"))
        y += _ROW
        for one in drawn:
            if one.shots == group:
                parts.append(_row(results, one, scale, y))
                y += _ROW
    said = "; ".join(
        f"{results.title(one.method)}, {shots_text(one.shots)}: "
        + (signed(one.average.value) if one.average is not None else "no average")
        for one in drawn
    )
    return Picture(
        name,
        title,
        "Large: the average over targets with its 95 % interval, where both methods have a seed on "
        "every target; blue and filled with ▲ above 0, orange with ▼ below, grey where the "
        "interval holds 0. Small strokes: the single targets.",
        (Panel(_WIDTH, height, f"{title}. {said}", "".join(parts)),),
        fluid=True,
    )


def _row(results: Results, one: _Line, scale: Linear, y: float) -> str:
    parts = [
        marker(10, y, look(results.number(one.method))),
        words(24, y + 4, _name(results, one)),
    ]
    for gap, target in zip(one.gaps, results.targets, strict=True):
        if gap is not None:
            x = scale(gap.value)
            said = f"{target}: {signed(gap.value)} {interval(gap.low, gap.high)}"
            parts.append(
                element(
                    "path",
                    element("title", plain(said)),
                    d=f"M{px(x)},{px(y - 5)}V{px(y + 5)}",
                    class_=gap.outcome,
                    stroke="currentColor",
                    stroke_width=1.6,
                    stroke_opacity=0.55,
                )
            )
    gap = one.average
    if gap is not None:
        x = scale(gap.value)
        if gap.low is not None and gap.high is not None:
            parts.append(whisker(scale(gap.low), y, scale(gap.high), y, gap.outcome, 2.2))
        shape = {"win": "triangle", "loss": "down", "tie": "circle", "open": "ring"}[gap.outcome]
        parts.append(_outcome_marker(x, y, shape, gap.outcome))
    return "".join(parts)


def _name(results: Results, one: _Line) -> str:
    """The method's name; with the number of targets where some are missing."""
    compared = sum(gap is not None for gap in one.gaps)
    title = results.title(one.method)
    return title if compared == len(one.gaps) else f"{title}: {compared} of {len(one.gaps)}"


def _outcome_marker(x: float, y: float, shape: str, css: str) -> str:
    return marker(x, y, Look(0, shape, ""), 5.0, css=css)
