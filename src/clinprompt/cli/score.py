"""``clinprompt score``: annotated documents against gold ones, without any model."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from clinprompt.cli import collections as shared
from clinprompt.cli.answering import check_target
from clinprompt.cli.output import heading, note, number, print_table
from clinprompt.cli.score_fields import parse_fields, print_fields

if TYPE_CHECKING:
    from clinprompt.metrics.documents import DocumentScores, Preset, Rates, Row, Score, Section


def score(
    gold: Annotated[
        Path, typer.Argument(metavar="GOLD", help="Gold documents: a folder, file or archive.")
    ],
    predicted: Annotated[
        Path, typer.Argument(metavar="PRED", help="Predicted ones, of the same texts.")
    ],
    format_name: Annotated[
        str | None,
        typer.Option(
            "--format",
            help="Format of both, such as brat. Default: by file names, where they leave no doubt.",
            show_default=False,
        ),
    ] = None,
    gold_format: Annotated[
        str | None, typer.Option(help="Format of the gold ones.", show_default=False)
    ] = None,
    pred_format: Annotated[
        str | None, typer.Option(help="Format of the predicted ones.", show_default=False)
    ] = None,
    mode: Annotated[
        Literal["clean", "n2c2"],
        typer.Option(help="clean, or the numbers of the n2c2 scripts with their quirks."),
    ] = "clean",
    preset: Annotated[
        Literal["ddi", "chemprot", "shac"] | None,
        typer.Option(help="The convention of a shared task.", show_default=False),
    ] = None,
    labels: Annotated[
        list[str] | None,
        typer.Option(
            help="Only mentions and events of this type (comma-separated, or several times).",
            show_default=False,
        ),
    ] = None,
    relation_labels: Annotated[
        list[str] | None,
        typer.Option(help="Only relations of this type (likewise).", show_default=False),
    ] = None,
    undirected: Annotated[
        bool, typer.Option("--undirected", help="The ends of a relation have no order.")
    ] = False,
    duplicates: Annotated[
        Literal["count", "once"] | None,
        typer.Option(help="Whether what is listed twice counts twice.", show_default="count"),
    ] = None,
    trigger: Annotated[
        Literal["exact", "overlap", "min-distance"] | None,
        typer.Option(
            "--match",
            "--trigger",
            help="When the triggers of two events may be the same.",
            show_default="overlap",
        ),
    ] = None,
    span_arguments: Annotated[
        Literal["exact", "overlap"] | None,
        typer.Option(help="When two span-only arguments are one.", show_default="exact"),
    ] = None,
    labelled_arguments: Annotated[
        Literal["label", "exact", "overlap"] | None,
        typer.Option(help="When two labelled arguments are one.", show_default="label"),
    ] = None,
    labelled: Annotated[
        list[str] | None,
        typer.Option(
            help="Names of the labelled arguments (likewise).",
            show_default="StatusTime, StatusEmploy, TypeLiving",
        ),
    ] = None,
    arguments_by: Annotated[
        Literal["mention", "role"] | None,
        typer.Option(help="What names an argument.", show_default="mention"),
    ] = None,
    fields: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=text|label",
            help="Also score this field of the documents' metadata, such as a summary or a label "
            "under its task's name (comma-separated, or several times).",
            show_default=False,
        ),
    ] = None,
    negative_labels: Annotated[
        list[str] | None,
        typer.Option(
            help="Labels of such fields that say that there is nothing: not in their micro F1.",
            show_default=False,
        ),
    ] = None,
    extra_documents: Annotated[
        Literal["refuse", "count"],
        typer.Option(help="Predicted documents that gold doesn't have: count all as wrong?"),
    ] = "refuse",
    encoding: shared.Encoding = "utf-8",
    offsets: shared.Offsets = "characters",
    mismatch: shared.Mismatch = "refuse",
    json_file: Annotated[
        Path | None,
        typer.Option("--json", help="Write everything to this file.", show_default=False),
    ] = None,
    per_document: Annotated[
        bool, typer.Option("--per-document", help="Show each document, and list it in the JSON.")
    ] = False,
    resamples: Annotated[
        int, typer.Option(min=2, help="Bootstrap draws behind the intervals.")
    ] = 1000,
    seed: Annotated[int, typer.Option(help="Of those draws.")] = 0,
) -> None:
    """Score annotated documents against gold ones: mentions, relations, events, fields and more."""
    from clinprompt.cli.sides import read_sides
    from clinprompt.inference.writing import write_atomically
    from clinprompt.metrics.documents import PRESETS, Settings, score_documents

    options = shared.read_options(encoding, offsets, mismatch)
    formats = (
        _format(gold, gold_format or format_name),
        _format(predicted, pred_format or format_name),
    )
    if mode == "n2c2":
        _check_n2c2(
            {
                "--preset ddi": preset == "ddi",
                "--preset chemprot": preset == "chemprot",
                "--undirected": undirected,
                "--duplicates": duplicates is not None,
                "--arguments-by": arguments_by is not None,
                "--fields": bool(fields),
                "--extra-documents count": extra_documents == "count",
            }
        )
    if json_file is not None:
        check_target(json_file, "--json")
    chosen: dict[str, Any] = {
        "labels": _names(labels),
        "relation_labels": _names(relation_labels),
        "directed": False if undirected else None,
        "duplicates": duplicates,
        "trigger": trigger,
        "span_arguments": span_arguments,
        "labelled_arguments": labelled_arguments,
        "labelled": _names(labelled),
        "arguments_by": arguments_by,
        "fields": parse_fields(fields) or None,
        "negative_labels": _names(negative_labels),
    }
    chosen = {name: value for name, value in chosen.items() if value is not None}
    chosen |= {"mode": mode, "extra_documents": extra_documents}
    chosen |= {"resamples": resamples, "seed": seed}
    task = None if preset is None else PRESETS[preset]
    settings = Settings(**chosen) if task is None else task.settings(**chosen)
    sides = read_sides((gold, predicted), formats, mode, options)
    for remark in sides.remarks:
        note(remark)
    scores = score_documents(sides.gold, sides.predicted, settings)
    if json_file is not None:
        content = {
            "gold": {"path": str(gold), "format": formats[0]},
            "predictions": {"path": str(predicted), "format": formats[1]},
            "preset": preset,
            "headline": _headline(scores, task),
            **scores.to_json(per_document=per_document),
            "reading": list(sides.remarks),
            "command": shlex.join(["clinprompt", *sys.argv[1:]]),
        }
        text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
        write_atomically(json_file, [text + "\n"])
    _print(scores, task, per_document)


def _format(path: Path, name: str | None) -> str:
    """The format of one side, by name or by its files.

    Raises:
        ClinpromptError: CP-CLI-142 if the files don't tell, and what `source_format` raises.
    """
    from clinprompt.documents.guess import UNCLEAR
    from clinprompt.errors import ClinpromptError

    try:
        return shared.source_format(path, name)
    except ClinpromptError as error:
        if name is not None or error.code != UNCLEAR:
            raise
        raise ClinpromptError(
            "CP-CLI-142",
            "file names don't tell the format",
            file=path,
            hint="add --format, or --gold-format and --pred-format",
        ) from error


def _check_n2c2(given: dict[str, bool]) -> None:
    """Refuse what the scripts don't know; they would pass it over in silence.

    Raises:
        ClinpromptError: CP-CLI-140.
    """
    from clinprompt.errors import ClinpromptError

    unknown = [option for option, is_given in given.items() if is_given]
    if unknown:
        raise ClinpromptError(
            "CP-CLI-140",
            f"n2c2 mode has no {', '.join(unknown)}",
            hint="leave it out, or use --mode clean",
        )


def _names(given: list[str] | None) -> tuple[str, ...] | None:
    """Names from options that may be repeated and hold commas."""
    if given is None:
        return None
    return tuple(name.strip() for one in given for name in one.split(",") if name.strip())


def _headline(scores: DocumentScores, task: Preset | None) -> dict[str, Any]:
    """The preset's own figures by name."""
    return {name: rates.to_json() for name, rates in _figures(scores, task)}


def _figures(scores: DocumentScores, task: Preset | None) -> list[tuple[str, Rates]]:
    found = []
    for name, section, average in () if task is None else task.headline:
        rates = scores.sections[section].rates(average) if section in scores.sections else None
        if rates is not None:
            found.append((name, rates))
    return found


def _print(scores: DocumentScores, task: Preset | None, per_document: bool) -> None:
    part = f"{number(scores.scored)} documents, {scores.settings.mode} mode"
    if scores.missing or scores.extra:
        part += f", {len(scores.missing)} not predicted, {len(scores.extra)} not in gold"
    heading(part)
    figures = _figures(scores, task)
    if task is not None:
        print(task.about)
        _print_rates(figures)
        for name, rates in figures:
            if rates.f1_of_means is not None:
                print(f"{name}: F1 of the mean precision and recall {_value(rates.f1_of_means)}")
        heading("all scores")
    rows = []
    for name, section in scores.sections.items():
        rows.append((f"{name} micro", section.micro))
        if section.macro_labels is not None and _has_types(name):
            rows.append((f"{name} macro over labels", section.macro_labels))
        rows.append((f"{name} macro over documents", section.macro_documents))
    if rows:
        _print_rates(rows)
    for name, section in scores.sections.items():
        _print_tables(name, section, per_document)
    if scores.fields:
        print_fields(list(scores.fields.values()), per_document=per_document)
        for one in scores.fields.values():
            if one.labels:
                heading(f"{one.name} by label")
                _print_rows("label", one.labels)
    heading("definitions")
    for name, section in scores.sections.items():
        print(f"{name}: {section.definition}")
    for field in scores.fields.values():
        print(f"{field.name} ({field.kind}): {field.definition}")
    for name, text in {**scores.averages, **scores.quirks}.items():
        print(f"{name}: {text}")
    for side, counts in scores.left_out.items():
        for what, count in counts.items():
            note(f"{side}: {number(count)} {what}: not scored")
    for remark in scores.notes:
        note(remark)


def _print_rates(rows: list[tuple[str, Rates]]) -> None:
    columns = ("score", "precision", "recall", "F1", "95 % interval of F1")
    cells = [
        (
            name,
            _value(rates.precision),
            _value(rates.recall),
            _value(rates.f1),
            f"{rates.f1.low:.1f} to {rates.f1.high:.1f}",
        )
        for name, rates in rows
    ]
    print_table(columns, cells, right=columns[1:])


def _value(score: Score) -> str:
    return f"{score.value:.1f}" + ("*" if score.undefined else "")


def _has_types(name: str) -> bool:
    """Whether a section looks at types at all."""
    return "span" not in name and name != "relations.detection"


def _print_tables(name: str, section: Section, per_document: bool) -> None:
    if _has_types(name):
        for level, table in section.tables.items():
            if table:
                heading(f"{name} by {level}")
                _print_rows(level, table)
    if per_document:
        heading(f"{name} by document")
        _print_rows("document", dict(section.documents))


def _print_rows(level: str, table: Any) -> None:
    columns = (level, "precision", "recall", "F1", "support", "predicted", "right")
    rows: list[tuple[str, Row]] = list(table.items())
    cells = [
        (
            name,
            *(
                f"{getattr(row, rate):.1f}" + ("*" if rate in row.undefined else "")
                for rate in ("precision", "recall", "f1")
            ),
            number(row.support),
            number(row.predicted),
            number(row.tp),
        )
        for name, row in rows
    ]
    print_table(columns, cells, right=columns[1:])
