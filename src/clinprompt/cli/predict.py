"""``clinprompt predict``: a file of inputs to a file of typed answers."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from clinprompt.cli import answering
from clinprompt.cli.output import note, number
from clinprompt.cli.runtime import set_up

if TYPE_CHECKING:
    from clinprompt.inference.journal import Journal, Pipe
    from clinprompt.inference.predict import Totals


def predict(
    prompt_dir: Annotated[Path, typer.Argument(help="Folder with prompts.")],
    source: Annotated[
        str,
        typer.Option("-i", "--input", help="JSON lines to answer; - for standard input."),
    ],
    target: Annotated[
        str,
        typer.Option("-o", "--output", help="Where answers go; - for standard output."),
    ],
    task: Annotated[
        str | None,
        typer.Option(
            help="Task of lines that name none. Not needed for prompts of one task.",
            show_default=False,
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Begin anew instead of going on.")
    ] = False,
    backbone: answering.Backbone = None,
    dtype: answering.Dtype = None,
    device: answering.Device = "auto",
    long_inputs: answering.LongInputs = "refuse",
    max_new: answering.MaxNew = None,
    batch_tokens: answering.BatchTokens = None,
    chunk: Annotated[
        int, typer.Option(min=1, help="Lines that are answered and written together.")
    ] = 64,
    threads: answering.Threads = None,
) -> None:
    """Answer every line of a file; the same command goes on where an earlier run stopped.

    Lines that can't be answered are reported and listed beside the answers, the rest is answered.
    Leaves with 1 if there are any.
    """
    from clinprompt.artifacts.prompt_set import PromptSet
    from clinprompt.errors import ClinpromptError, did_you_mean
    from clinprompt.inference.predict import made_by_of
    from clinprompt.inference.predict import predict as run
    from clinprompt.inference.predictor import Predictor
    from clinprompt.inference.source import Reader

    _check_paths(source, target)
    set_up(threads)
    prompts = PromptSet.load(prompt_dir)
    names = prompts.meta.names
    if task is not None and task not in names:
        raise ClinpromptError(
            "CP-CLI-033",
            f"--task: these prompts have no task '{task}'",
            hint=did_you_mean(task, names),
        )
    prepared = answering.prepare(prompts, backbone, dtype, device)
    settings = answering.settings_of(long_inputs, max_new, batch_tokens)
    predictor = Predictor.of(prompts, settings, prepared=prepared)
    reader = Reader(source, predictor.cards, task or (names[0] if len(names) == 1 else None))
    with _opened(source) as lines, _writing(target, overwrite) as out:
        meter = answering.Meter("documents")
        try:
            totals = run(
                predictor,
                lines,
                reader,
                out,
                made_by_of(predictor, prompts.digest),
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
        "texts with their end left out": totals.truncated,
        "unfinished answers": totals.unfinished,
        "mentions not found in their text": totals.unaligned,
        "lines or answers that could not be read": totals.unparsable,
    }
    for what, count in kinds.items():
        if count:
            note(f"{number(count)} {what}")
    if totals.rejected:
        note(f"{number(totals.rejected)} lines could not be answered")
