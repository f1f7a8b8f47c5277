"""``clinprompt export`` and ``clinprompt import``: prompts to and from other libraries."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from clinprompt.cli import answering
from clinprompt.cli.output import note

if TYPE_CHECKING:
    from clinprompt.artifacts.prompt_set import PromptSet


def export(
    prompt_dir: Annotated[Path, typer.Argument(metavar="DIR", help="Folder with prompts.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write.")],
    form: Annotated[
        Literal["peft"], typer.Option("--format", help="What to write: adapters of PEFT.")
    ] = "peft",
    base_model: Annotated[
        str | None,
        typer.Option(
            help="What the adapters call the backbone: a folder or hub id. Default: as the prompts "
            "call it.",
            show_default=False,
        ),
    ] = None,
    backbone: answering.Backbone = None,
) -> None:
    """Write prompts as PEFT adapters: one for each task, and more beside them.

    Prompts at the input get one with all tasks as well, and an update of the layers one of LoRA.
    The backbone is loaded only where prompts have something in its layers, whose names it knows.
    The README beside them says what text must stand around an input.
    """
    from clinprompt import metaprompts
    from clinprompt.artifacts.folder import check_target
    from clinprompt.artifacts.peft_export import KIND, export_peft, of_layers, written
    from clinprompt.artifacts.prompt_set import PromptSet

    prompts = PromptSet.load(metaprompts.find(prompt_dir))
    check_target(out, kind=KIND)
    loaded = None
    if of_layers(prompts):
        loaded = answering.prepare(prompts, backbone, None, "cpu").backbone
    export_peft(prompts, out, base_model=base_model, backbone=loaded)
    for place, what in written(prompts):
        print(f"{out / place}: {what}")
    note(f"{out / 'README.md'} says what text must stand around an input")


def import_(
    source: Annotated[
        Path,
        typer.Argument(help="A PEFT adapter, or a folder that 'clinprompt export' wrote."),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write.")],
    task: Annotated[
        list[str] | None,
        typer.Option(
            "--task",
            help="Name of a task, or path of its card: one for each task of the adapter, in the "
            "order of PEFT's task ids. Not for what 'clinprompt export' wrote.",
            show_default=False,
        ),
    ] = None,
    backbone: Annotated[
        str | None,
        typer.Option(
            help="The adapter's base model: name, folder or hub id. Default: as the adapter says.",
            show_default=False,
        ),
    ] = None,
    template: Annotated[
        Literal["auto", "chat", "plain"],
        typer.Option(help="Text around inputs: it should be what the adapter was trained with."),
    ] = "auto",
    plain: Annotated[
        bool,
        typer.Option(
            "--plain",
            help="Multiply a MULTITASK_PROMPT_TUNING adapter's factors out: one plain prompt a "
            "task instead of a metaprompt.",
        ),
    ] = False,
) -> None:
    """Make a prompt set of PEFT adapters (safetensors only: a pickle is never opened)."""
    from clinprompt.artifacts.folder import check_target
    from clinprompt.artifacts.peft_import import import_export, is_export
    from clinprompt.artifacts.prompt_set import KIND
    from clinprompt.errors import ClinpromptError

    check_target(out, kind=KIND)
    if is_export(source):
        if task or backbone or plain or template != "auto":
            raise ClinpromptError(
                "CP-ART-530",
                "'clinprompt export' wrote this folder, and tasks, backbone and template stand "
                "in it",
                file=source,
                hint="leave out --task, --backbone, --template and --plain, or name one adapter "
                "in it",
            )
        prompts = import_export(source)
    else:
        prompts = _adapter(source, task or [], backbone, template, plain)
    prompts.save(out)
    meta = prompts.meta
    print(f"{out}: {meta.kind} for {', '.join(meta.names)}")
    print(f"digest: {prompts.digest}")


def _adapter(
    source: Path,
    tasks: list[str],
    backbone: str | None,
    template: Literal["auto", "chat", "plain"],
    plain: bool,
) -> PromptSet:
    """An adapter that PEFT wrote, with the backbone that it belongs to.

    Raises:
        ClinpromptError: CP-ART-531 nothing says which backbone that is; what reading the adapter
            and loading the backbone raise.
    """
    from clinprompt.artifacts.fingerprint import fingerprint
    from clinprompt.artifacts.peft_adapter import read_adapter
    from clinprompt.artifacts.peft_import import import_adapter, require_cards
    from clinprompt.backbone.model import load
    from clinprompt.errors import ClinpromptError
    from clinprompt.tasks import catalogue

    adapter = read_adapter(source)
    cards = [catalogue.find(name) for name in tasks]
    require_cards(adapter, len(cards))
    named = adapter.config.base_model_name_or_path
    if backbone is None and not named:
        raise ClinpromptError(
            "CP-ART-531",
            "the adapter doesn't say which model it belongs to",
            file=source,
            hint="add --backbone NAME",
        )
    name = backbone or str(named)
    note(f"loading backbone {name}")
    loaded = load(name, device="cpu", template=template)
    prompts = import_adapter(
        adapter,
        cards,
        backbone=name,
        fingerprint=fingerprint(loaded),
        template=loaded.template,
        heads=getattr(loaded.config, "num_attention_heads", None),
        keyvalues=loaded.keyvalue_shape,
        plain=plain,
    )
    note(
        f"text around inputs: the {loaded.template.kind} template. PEFT doesn't record what the "
        "adapter was trained with: compare, or choose with --template"
    )
    return prompts
