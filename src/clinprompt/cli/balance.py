"""``clinprompt balance``: prompts that favour no label of a task beforehand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clinprompt.cli import answering
from clinprompt.cli.options import DataRoot
from clinprompt.cli.output import heading, note, number, print_table
from clinprompt.cli.runtime import set_up

if TYPE_CHECKING:
    from clinprompt.inference.requests import Prediction
    from clinprompt.tasks.card import Card


def balance(
    prompt_dir: Annotated[Path, typer.Argument(help="Folder with prompts.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write.")],
    task: Annotated[
        str | None,
        typer.Option(
            help="Name of the task. Not needed for prompts of one task.", show_default=False
        ),
    ] = None,
    split: Annotated[
        str, typer.Option(help="Its texts are looked at: train, dev or test. Not their labels.")
    ] = "dev",
    limit: Annotated[int, typer.Option(min=2, help="Most texts: a seeded sample.")] = 64,
    data_root: DataRoot = None,
    backbone: answering.Backbone = None,
    dtype: answering.Dtype = None,
    device: answering.Device = "auto",
    batch_tokens: answering.BatchTokens = None,
    seed: Annotated[int, typer.Option(help="Of the sample.")] = 0,
    threads: answering.Threads = None,
) -> None:
    """Make all labels of a task equally probable on average, and keep that with the prompts.

    For metrics that count each label alike (macro F1), and where few examples have taught a prompt
    to answer nearly always the same. Where labels are rare for good reason, accuracy suffers:
    compare with 'clinprompt evaluate' on dev.
    """
    from clinprompt import metaprompts
    from clinprompt.artifacts.prompt_set import PromptSet
    from clinprompt.errors import ClinpromptError
    from clinprompt.inference.evaluate import sample
    from clinprompt.inference.label_bias import require_balanceable, uniform_bias, with_bias
    from clinprompt.inference.predictor import Predictor
    from clinprompt.inference.reading import shifted
    from clinprompt.inference.requests import PredictorSettings, Request
    from clinprompt.inference.selection import select
    from clinprompt.tasks.loading import load, resolve_data_root
    from clinprompt.training.workspace import occupied

    if occupied(out):
        raise ClinpromptError(
            "CP-CLI-190", "there is something already", file=out, hint="choose another --out"
        )
    set_up(threads)
    prompts = PromptSet.load(metaprompts.find(prompt_dir))
    card = select(prompts, task, note=note).card
    require_balanceable(card)
    data = load(card, resolve_data_root(data_root), splits=(split,))
    for reason, count in data.report.counts.most_common():
        note(f"{number(count)} {reason}")
    texts = sample(next(iter(data.splits.values())), limit, seed)
    prepared = answering.prepare(prompts, backbone, dtype, device)
    settings = PredictorSettings(long_inputs="truncate", batch_tokens=batch_tokens)
    predictor = Predictor(prepared, settings)
    predictor.add(card, prompts.task_prompt(card.name), update=prompts.update)
    requests = [Request(card.name, one.input, one.id) for one in texts]
    before = predictor.answer(requests, answering.Meter("texts"))
    bias = uniform_bias(card, before)
    with_bias(prompts, card.name, bias).save(out)
    cut = sum(one.truncated for one in before)
    if cut:
        note(f"the end of {number(cut)} texts was cut off")
    _print(card, bias, before, [shifted(card, one, bias) for one in before])
    print(f"\n{out}: balanced over {number(len(texts))} texts of {card.name} {split}")


def _print(
    card: Card,
    bias: Mapping[str, float],
    before: Sequence[Prediction],
    after: Sequence[Prediction],
) -> None:
    """How often each label is chosen, and how probable it is on average."""

    def columns(some: Sequence[Prediction], label: str) -> tuple[str, str]:
        chosen = sum(getattr(one.answer, "label", None) == label for one in some)
        share = sum((one.probabilities or {})[label] for one in some) / len(some)
        return number(chosen), f"{share:.3f}"

    heading(f"labels of {card.name}")
    names = ("label", "bias", "chosen before", "mean before", "chosen after", "mean after")
    rows = [
        (label, f"{bias[label]:+.2f}", *columns(before, label), *columns(after, label))
        for label in card.labels
    ]
    print_table(names, rows, right=names[1:])
