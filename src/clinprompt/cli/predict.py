"""``clinprompt predict``: a file of inputs to a file of typed answers; notes to annotated ones."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO, Literal

import typer

from clinprompt.cli import answering, predict_notes
from clinprompt.cli.output import note, number
from clinprompt.cli.runtime import set_up

if TYPE_CHECKING:
    from clinprompt.inference.journal import Journal, Pipe
    from clinprompt.inference.predict import Totals
    from clinprompt.inference.requests import PredictorSettings


def predict(
    prompt_dirs: Annotated[
        list[Path],
        typer.Argument(
            metavar="PROMPT_DIR...", help="Folders with prompts, all of the same backbone."
        ),
    ],
    source: Annotated[
        str,
        typer.Option(
            "-i",
            "--input",
            help="JSON lines to answer, - for standard input; or a folder, an archive or (with "
            "--from) a file of notes.",
        ),
    ],
    target: Annotated[
        str,
        typer.Option(
            "-o", "--output", help="Where answers go; - for standard output. For notes, a folder."
        ),
    ],
    task: Annotated[
        str | None,
        typer.Option(
            help="Task of lines that name none; not needed for prompts of one task. For notes, "
            "which tasks are asked: names with commas. Default: all.",
            show_default=False,
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Begin anew instead of going on.")
    ] = False,
    from_: Annotated[
        str | None,
        typer.Option(
            "--from",
            help="Notes: format they are in. Default: by file names, where they leave no doubt.",
            show_default=False,
        ),
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(help="Notes: formats to write. Default: jsonl.", show_default=False),
    ] = None,
    existing: Annotated[
        Literal["keep", "mentions", "replace"] | None,
        typer.Option(
            help="Notes: what becomes of annotations that they have: all are kept, mentions alone, "
            "or none. Must be said if there are any.",
            show_default=False,
        ),
    ] = None,
    question: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[TASK=]TEXT",
            help="Notes: what a question task asks (of inference: the hypothesis).",
            show_default=False,
        ),
    ] = None,
    pairs: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TASK=HEAD:TAIL",
            help="Notes: labels of the mentions that a pair task relates, where its card does "
            "not name them.",
            show_default=False,
        ),
    ] = None,
    max_pairs: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Notes: most pairs of a note and task, the nearest ones. Default: 64.",
            show_default=False,
        ),
    ] = None,
    encoding: Annotated[
        str | None,
        typer.Option(help="Notes: of text files. Default: utf-8.", show_default=False),
    ] = None,
    offsets: Annotated[
        Literal["characters", "bytes"] | None,
        typer.Option(
            help="Notes: what offsets in their files count. Default: characters.",
            show_default=False,
        ),
    ] = None,
    mismatch: Annotated[
        Literal["refuse", "realign"] | None,
        typer.Option(
            help="Notes: what is done with offsets that do not cover the text they quote. "
            "Default: refuse.",
            show_default=False,
        ),
    ] = None,
    note_ids: Annotated[
        Literal["refuse", "number"] | None,
        typer.Option(
            help="Notes: what omop does with ids that are not numbers. Default: refuse.",
            show_default=False,
        ),
    ] = None,
    backbone: answering.Backbone = None,
    dtype: answering.Dtype = None,
    device: answering.Device = "auto",
    long_inputs: answering.LongInputs = "refuse",
    window: answering.Window = None,
    overlap: answering.Overlap = None,
    max_new: answering.MaxNew = None,
    batch_tokens: answering.BatchTokens = None,
    grounded: answering.Grounded = False,
    threshold: answering.Threshold = None,
    temperature: answering.Temperature = None,
    top_p: answering.TopP = None,
    seed: Annotated[
        int | None,
        typer.Option(help="With --temperature: of the draws. Default: 0.", show_default=False),
    ] = None,
    stop: answering.Stop = None,
    no_repeat_ngram: answering.NoRepeatNgram = None,
    empty_above: answering.EmptyAbove = None,
    kv_cache: answering.KvCache = None,
    chunk: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Lines or notes that are answered and kept together. Default: 64 lines, 16 notes.",
            show_default=False,
        ),
    ] = None,
    threads: answering.Threads = None,
) -> None:
    """Answer every line of a file, or annotate every note of a folder.

    The same command goes on where an earlier run stopped. What can't be answered is reported and
    listed, the rest is answered. Leaves with 1 if there was any.
    """
    settings = answering.settings_of(
        long_inputs,
        max_new,
        batch_tokens,
        window,
        overlap,
        grounded=grounded,
        threshold=threshold,
        temperature=temperature,
        top_p=top_p,
        seed=seed,
        stop=stop,
        no_repeat_ngram=no_repeat_ngram,
        empty_above=empty_above,
        kv_cache=kv_cache,
    )
    options = predict_notes.Options(
        from_, to, existing, question, pairs, max_pairs, encoding, offsets, mismatch, note_ids
    )
    loading = answering.Loading(backbone, dtype, device, threads)
    if predict_notes.wanted(source, options):
        predict_notes.run(
            prompt_dirs, source, target, task, options, loading, settings, chunk, overwrite
        )
    else:
        predict_notes.refuse_options(source, options)
        _lines(prompt_dirs, source, target, task, loading, settings, chunk or 64, overwrite)


def _lines(
    prompt_dirs: list[Path],
    source: str,
    target: str,
    task: str | None,
    loading: answering.Loading,
    settings: PredictorSettings,
    chunk: int,
    overwrite: bool,
) -> None:
    from clinprompt.errors import ClinpromptError, did_you_mean
    from clinprompt.inference.predict import made_by_of
    from clinprompt.inference.predict import predict as run
    from clinprompt.inference.source import Reader

    _check_paths(source, target)
    set_up(loading.threads)
    chosen = answering.load_prompts(prompt_dirs)
    names = list(chosen.tasks)
    if task is not None and task not in names:
        raise ClinpromptError(
            "CP-CLI-033",
            f"--task: these prompts have no task '{task}'",
            hint=did_you_mean(task, names),
        )
    predictor = chosen.predictor(loading.prepare(chosen), settings)
    reader = Reader(source, predictor.cards, task or (names[0] if len(names) == 1 else None))
    with _opened(source) as lines, _writing(target, overwrite) as out:
        meter = answering.Meter("documents")
        try:
            totals = run(
                predictor,
                lines,
                reader,
                out,
                made_by_of(predictor, chosen.digest),
                chunk=chunk,
                reject=lambda error: note(str(error)),
                progress=lambda done: meter(done, more=_place(source, lines)),
            )
        except KeyboardInterrupt:
            if target != "-":
                note("stopped; the same command goes on from here")
            raise
    _summary(totals, meter)
    if totals.rejected:
        raise typer.Exit(1)


def _check_paths(source: str, target: str) -> None:
    """Refuse files that can't be read or written, and answers over inputs.

    Raises:
        ClinpromptError: CP-CLI-032 input and output are one file, CP-CLI-034 no input file.
    """
    from clinprompt.errors import ClinpromptError
    from clinprompt.inference.journal import errors_path

    if source != "-" and not Path(source).exists():
        raise ClinpromptError("CP-CLI-034", "there is no such file", file=source)
    if target == "-":
        return
    answering.check_target(Path(target), "--output")
    if source != "-":
        for written in (Path(target), errors_path(Path(target))):
            if written.exists() and written.samefile(source):
                raise ClinpromptError(
                    "CP-CLI-032", "answers would be written over the inputs", file=written
                )


@contextmanager
def _opened(source: str) -> Iterator[BinaryIO]:
    if source == "-":
        yield sys.stdin.buffer
    else:
        with Path(source).open("rb") as file:
            yield file


@contextmanager
def _writing(target: str, overwrite: bool) -> Iterator[Journal | Pipe]:
    from clinprompt.inference.journal import Journal, Pipe

    path = Path(target)
    if target == "-":
        yield Pipe(sys.stdout.buffer)
    elif path.exists() and not path.is_file():  # /dev/stdout, a named pipe
        with path.open("wb") as stream:
            yield Pipe(stream)
    else:
        journal = Journal(path, overwrite=overwrite)
        try:
            yield journal
        finally:
            journal.close()


def _place(source: str, lines: BinaryIO) -> str:
    """How much of the input file is read."""
    size = Path(source).stat().st_size if source != "-" and Path(source).is_file() else 0
    return f"  {100 * lines.tell() / size:.0f} % of the input" if size else ""


def _summary(totals: Totals, meter: answering.Meter) -> None:
    """What became of the lines, on stderr: standard output may hold the answers."""
    if totals.before:
        note(f"{number(totals.before)} documents had been answered before")
    note(f"{number(totals.answered)} documents answered in {meter.taken(totals.answered)}")
    kinds = {
        "texts read in windows": totals.in_windows,
        "texts with a part left out": totals.truncated,
        "unfinished answers": totals.unfinished,
        "mentions or relations below the threshold": totals.dropped,
        "mentions not found in their text": totals.unaligned,
        "lines or answers that could not be read": totals.unparsable,
    }
    for what, count in kinds.items():
        if count:
            note(f"{number(count)} {what}")
    if totals.rejected:
        note(f"{number(totals.rejected)} lines could not be answered")
