"""``clinprompt backbone``: fetch and show frozen models."""

from __future__ import annotations

from typing import Annotated

import typer

from clinprompt.cli.options import AsJson
from clinprompt.cli.output import print_json

group = typer.Typer(help="Fetch and show frozen language models.", no_args_is_help=True)


@group.command("fetch")
def fetch(name: Annotated[str, typer.Argument(help="Known backbone, such as smollm2.")]) -> None:
    """Get a known backbone, verify its checksum, convert it once and keep it in the cache."""
    from transformers.utils import logging

    from clinprompt.backbone.fetch import fetch as get

    logging.disable_progress_bar()
    print(get(name, lambda line: typer.echo(line, err=True)))


@group.command("show")
def show(
    name: Annotated[str, typer.Argument(help="Known name, model folder or hub id.")] = "smollm2",
    as_json: AsJson = False,
) -> None:
    """Tell what a backbone is: sizes, template, attention, fingerprint."""
    from clinprompt.artifacts.fingerprint import fingerprint
    from clinprompt.backbone.model import load

    backbone = load(name, device="cpu")
    mark = fingerprint(backbone)
    facts = {
        "name": name,
        "model_type": mark.model_type,
        "parameters": mark.parameters,
        "layers": mark.layers,
        "hidden_size": mark.hidden,
        "vocabulary": mark.vocabulary,
        "context_length": backbone.context_length,
        "dtype": str(backbone.dtype).removeprefix("torch."),
        "embedding_scale": round(backbone.embedding_scale, 5),
        "sliding_window": backbone.attention.window,
        "template": backbone.template.model_dump(),
        "fingerprint": mark.model_dump(),
    }
    if as_json:
        print_json(facts)
        return
    for key, value in facts.items():
        if isinstance(value, dict):
            print(f"{key}:")
            for inner, content in value.items():
                print(f"  {inner:<12} {content!r}")
        else:
            print(f"{key:<16} {value}")
