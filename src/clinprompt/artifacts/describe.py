"""A saved folder in a few lines: as data for programs, as tables for people."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from clinprompt.artifacts.card import backbone_name, flatten
from clinprompt.artifacts.manifest import Manifest, verify_folder
from clinprompt.artifacts.meta import percent
from clinprompt.artifacts.prompt_set import KIND, PromptSet
from clinprompt.backbone.updates import LowRank


def describe(path: str | Path) -> dict[str, Any]:
    """What a folder saved by clinprompt holds, after checking all of it.

    Returns:
        JSON values only. For every folder: ``path``, ``kind``, ``digest``, ``created_by`` and
        ``files`` (name -> size in bytes). For a prompt set also ``prompt`` (the metadata without
        cards, with ``backbone_parameters``, ``share`` and ``hidden``) and ``tasks``.

    Raises:
        ClinpromptError: those of `manifest.verify_folder`, and of `PromptSet.load`.
    """
    manifest = verify_folder(path)
    content: dict[str, Any] = {"path": str(path)} | _folder(manifest)
    if manifest.kind == KIND:
        meta = PromptSet.load(path).meta
        content["prompt"] = meta.model_dump(mode="json", exclude={"tasks"}) | {
            "hidden": meta.size,
            "backbone_parameters": meta.backbone_parameters,
            "share": meta.share,
        }
        content["prompt"]["backbone"] = backbone_name(meta)
        keys = {"name", "version", "type", "form", "title", "metric", "license", "access"}
        content["tasks"] = [card.model_dump(mode="json", include=keys) for card in meta.tasks]
    return content


def render(content: dict[str, Any]) -> RenderableType:
    """The result of `describe` for a terminal."""
    if "prompt" not in content:
        return Group(_heading(content, content["kind"]), _files(content))
    prompt, tasks = content["prompt"], content["tasks"]
    parts: list[RenderableType] = [_heading(content, prompt["kind"]), _summary(content)]
    keys = ("name", "version", "type", "form", "metric", "license", "access")
    table = _table(*(key if key != "name" else "task" for key in keys), title="Tasks")
    for task in tasks:
        table.add_row(*(Text(str(task[key])) for key in keys))
    parts.append(table)
    for title, key in (("Training data", "training_data"), ("Scores", "metrics")):
        if prompt[key]:
            numbers = _table("what", "value", title=title)
            for name, value in flatten(prompt[key]):
                numbers.add_row(Text(name), Text(value))
            parts.append(numbers)
    parts.append(Text(_phi(prompt, tasks)))
    return Group(*parts)


def _folder(manifest: Manifest) -> dict[str, Any]:
    return {
        "kind": manifest.kind,
        "digest": manifest.digest,
        "created_by": manifest.created_by,
        "files": {name: file.size for name, file in sorted(manifest.files.items())},
    }


def _heading(content: dict[str, Any], kind: str) -> Text:
    return Text.assemble((kind, "bold"), f"  {content['path']}  ", ("verified", "green"))


def _summary(content: dict[str, Any]) -> Table:
    prompt = content["prompt"]
    fingerprint, parents = prompt["fingerprint"], prompt["parents"]
    size = f"{prompt['backbone_parameters']:,} parameters"
    trained = f"{prompt['trainable_parameters']:,} = {percent(prompt['share'])} of the backbone"
    rank = "" if prompt["rank"] is None else f", task vectors of rank {prompt['rank']}"
    rows = {
        "backbone": f"{prompt['backbone']} ({fingerprint['model_type']}, {size})",
        "weights": fingerprint["weights"],
        "prompt": f"{prompt['length']} x {prompt['hidden']}, {prompt['form']}{rank}",
        "placement": f"{prompt['placement']} the text, {prompt['template']['kind']} template",
        "update of the layers": LowRank(**prompt["update"]).told if prompt["update"] else "",
        "trained": trained,
        "seeds": ", ".join(f"{name} {seed}" for name, seed in prompt["seeds"].items()),
        "balanced labels": ", ".join(prompt.get("label_bias", ())),
        "adapted from": parents["metaprompt"] or "",
        "teachers": parents["teachers"] or "",
        "digest": content["digest"],
        "size": f"{sum(content['files'].values()):,} bytes",
        "created by": content["created_by"],
    }
    table = Table.grid(padding=(0, 2))
    for name, value in rows.items():
        if value:
            table.add_row(Text(name, "dim"), Text(value))
    return table


def _table(*columns: str, title: str) -> Table:
    return Table(*columns, title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)


def _files(content: dict[str, Any]) -> Table:
    table = _table("file", "bytes", title="Files")
    for name, size in content["files"].items():
        table.add_row(Text(name), f"{size:,}")
    return table


def _phi(prompt: dict[str, Any], tasks: list[dict[str, Any]]) -> str:
    closed = [task["name"] for task in tasks if task["access"] != "open"]
    text = "A prompt trained on protected health information is PHI-derived."
    if closed:
        text += f" Trained on data that is not open: {', '.join(closed)}."
    return text + (f" Note: {prompt['contains_phi_note']}" if prompt["contains_phi_note"] else "")
