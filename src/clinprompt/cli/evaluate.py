"""``clinprompt evaluate``: scores of a prompt on a task's examples."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clinprompt.cli import answering
from clinprompt.cli.answering import check_target
from clinprompt.cli.options import DataRoot, SuiteName
from clinprompt.cli.output import heading, note, number, print_table
from clinprompt.cli.runtime import set_up

if TYPE_CHECKING:
    from clinprompt.inference.evaluate import Evaluation
    from clinprompt.metrics import Estimate
    from clinprompt.metrics.calibration import Calibration


def evaluate(
    prompt_dir: Annotated[
        Path | None,
        typer.Argument(
            help="Folder with prompts; may be left out with --bare.", show_default=False
        ),
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(
            help="Name of the task, or path of its card. Not needed for prompts of one task.",
            show_default=False,
        ),
    ] = None,
    split: Annotated[str, typer.Option(help="train, dev or test.")] = "test",
    limit: Annotated[
        int | None,
        typer.Option(min=1, help="Only a seeded sample of so many examples.", show_default=False),
    ] = None,
    json_file: Annotated[
        Path | None,
        typer.Option("--json", help="Write all scores to this file.", show_default=False),
    ] = None,
    predictions_file: Annotated[
        Path | None,
        typer.Option(
            "--predictions",
            help="Write gold and given answers to this file. They hold text of the data.",
            show_default=False,
        ),
    ] = None,
    like: Annotated[
        str | None,
        typer.Option(
            "--as",
            help="Use the prompt of this task for a task that the prompts were not trained on.",
            show_default=False,
        ),
    ] = None,
    bare: Annotated[
        bool, typer.Option("--bare", help="Use no prompt: the backbone and the instruction alone.")
    ] = False,
    suite: SuiteName = None,
    data_root: DataRoot = None,
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
    stop: answering.Stop = None,
    no_repeat_ngram: answering.NoRepeatNgram = None,
    empty_above: answering.EmptyAbove = None,
    kv_cache: answering.KvCache = None,
    calibration: Annotated[
        bool,
        typer.Option(
            "--calibration", help="Also say how far confidences can be trusted, and the best one."
        ),
    ] = False,
    resamples: Annotated[
        int, typer.Option(min=2, help="Bootstrap draws behind the intervals.")
    ] = 1000,
    seed: Annotated[
        int, typer.Option(help="Of the sample, of the bootstrap draws and of drawn answers.")
    ] = 0,
    threads: answering.Threads = None,
) -> None:
    """Score a prompt on a task, with intervals and with counts of every bad answer."""
    from clinprompt import metaprompts
    from clinprompt.artifacts.prompt_set import PromptSet
    from clinprompt.errors import ClinpromptError
    from clinprompt.inference.evaluate import evaluate as run
    from clinprompt.inference.evaluate import prompt_record, sample
    from clinprompt.inference.selection import select
    from clinprompt.inference.sureness import calibrate
    from clinprompt.inference.writing import write_atomically
    from clinprompt.tasks.loading import load, resolve_data_root
    from clinprompt.tasks.suite import find_suite

    if prompt_dir is None and not bare:
        raise ClinpromptError(
            "CP-CLI-031", "no folder with prompts is named", hint="name one, or add --bare"
        )
    for path, option in ((json_file, "--json"), (predictions_file, "--predictions")):
        if path is not None:
            check_target(path, option)
    set_up(threads)
    prompts = None if prompt_dir is None else PromptSet.load(metaprompts.find(prompt_dir))
    chosen = select(prompts, task, like=like, bare=bare, note=note)
    own = None if suite is None else find_suite(suite)
    data = load(chosen.card, resolve_data_root(data_root), splits=(split,), suite=own)
    all_examples = next(iter(data.splits.values()))
    for reason, count in data.report.counts.most_common():
        note(f"{number(count)} {reason}")
    examples = sample(all_examples, limit, seed)
    prepared = answering.prepare(prompts, backbone, dtype, device)
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
        seed=seed if temperature else None,
        stop=stop,
        no_repeat_ngram=no_repeat_ngram,
        empty_above=empty_above,
        kv_cache=kv_cache,
    )
    predictor = answering.predictor_class(settings)(prepared, settings)
    prompt = bias = update = None
    if prompts is not None and chosen.prompt is not None:
        prompt, update = prompts.task_prompt(chosen.prompt), prompts.update
        bias = prompts.meta.label_bias.get(chosen.prompt)
        if bias is not None and set(bias) != set(chosen.card.labels):
            note(f"the label biases of '{chosen.prompt}' are for other labels: they are not used")
            bias = None
    predictor.add(chosen.card, prompt, bias=bias, update=update)
    meter = answering.Meter("examples")
    evaluation = run(
        predictor, chosen.card, examples, resamples=resamples, seed=seed, progress=meter
    )
    reliability = calibrate(evaluation) if calibration else None
    used = None if chosen.prompt is None else prompt_record(prompts, chosen.prompt)
    if predictions_file is not None:
        write_atomically(predictions_file, (f"{line}\n" for line in evaluation.lines()))
        note(f"{predictions_file} holds text of the data: treat it like the data")
    if json_file is not None:
        content = evaluation.to_json(
            split=split,
            split_examples=len(all_examples),
            limit=limit,
            seed=seed,
            left_out=dict(data.report.counts),
            prompt=used,
            **({"calibration": reliability and reliability.to_json()} if calibration else {}),
            command=shlex.join(["clinprompt", *sys.argv[1:]]),
        )
        write_atomically(json_file, [json.dumps(content, indent=2, ensure_ascii=False) + "\n"])
    _print(evaluation, split, len(all_examples), used)
    if reliability is not None:
        _print_calibration(reliability)
    elif calibration:
        note("no predicted item has a confidence: there is nothing to calibrate")


def _print(evaluation: Evaluation, split: str, total: int, used: dict[str, Any] | None) -> None:
    scores, card = evaluation.scores, evaluation.card
    n = len(evaluation.items)
    part = number(n) if n == total else f"{number(n)} of {number(total)}"
    by = "bare backbone" if used is None else f"{used['kind']} {used['digest'][:12]}"
    if used is not None and used["task"] != card.name:
        by += f" (prompt of {used['task']})"
    heading(f"{card.name} {split}: {part} examples, {by}")
    order = sorted(scores.metrics, key=lambda name: name != scores.metric)
    print_table(
        ("metric", "score", "95 % interval"),
        [(name, *_estimate(scores.metrics[name])) for name in order],
        right=("score", "95 % interval"),
    )
    for name, table in scores.tables.items():
        heading(f"by label ({name})")
        columns = ("label", "precision", "recall", "F1", "support", "predicted")
        rows = [
            (
                label,
                *(f"{x:.1f}" for x in (s.precision, s.recall, s.f1)),
                number(s.support),
                number(s.tp + s.fp),
            )
            for label, s in table.items()
        ]
        print_table(columns, rows, right=columns[1:])
    heading("answers")
    counts = evaluation.counts
    print_table(("what", "count"), [(k, number(v)) for k, v in counts.items()], right=("count",))
    speed = f"{evaluation.examples_per_second:.1f} examples/s"
    print(f"\n{answering.duration(evaluation.seconds)}, {speed}")


def _print_calibration(found: Calibration) -> None:
    heading("confidence")
    columns = ("confidence", "items", "mean", "right")
    rows = [
        (
            f"{one.low:.2f} to {one.high:.2f}",
            number(one.count),
            f"{one.confidence:.3f}",
            f"{one.accuracy:.3f}",
        )
        for one in found.bins
        if one.confidence is not None and one.accuracy is not None
    ]
    print_table(columns, rows, right=columns[1:])
    print(f"\nexpected calibration error {found.ece:.3f} ({number(found.count)} items)")
    if found.unknown:
        print(f"{number(found.unknown)} items have no confidence")
    if (best := found.best) is not None:
        print(
            f"best F1 {best.f1:.1f} with --threshold {best.value:.4f} "
            f"(precision {best.precision:.1f}, recall {best.recall:.1f})"
        )


def _estimate(estimate: Estimate) -> tuple[str, str]:
    return f"{estimate.value:.1f}", f"{estimate.low:.1f} to {estimate.high:.1f}"
