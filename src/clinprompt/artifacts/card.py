"""The readable ``README.md`` of a prompt set: a model card with YAML front matter.

It follows from the metadata alone, so equal sets get equal cards. The file is free to be edited
(licence, contact, intended use): the manifest doesn't hash it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePath

import yaml
from pydantic import JsonValue

from clinprompt.artifacts.meta import PromptMeta, percent
from clinprompt.tasks.card import Card

_WHAT = {
    "metaprompt": "A metaprompt: one shared soft prompt, learned from {tasks} together, with a "
    "pair of small vectors for each task. It is the start for new tasks.",
    "adapted": "Soft prompts for {tasks}, adapted from a metaprompt.",
    "prompt-tuning": "Plain soft prompts for {tasks}, trained without a metaprompt.",
}
_WARNINGS = """\
- **Health information.** A prompt trained on protected health information (PHI) is itself
  PHI-derived: keep, share and delete it under the rules of its training data.
- **Leakage.** Soft prompts can reveal examples that they were trained on, to anyone who can run
  them with the backbone.
- **Not a medical device.** Answers may be wrong, incomplete or biased in ways that the scores
  above do not show. No clinical decision may rest on them without review by a professional.
"""


def readme(meta: PromptMeta, digest: str) -> str:
    """The card as Markdown, without any text of the training data.

    Args:
        meta: the set's metadata.
        digest: the set's digest, by which others name it.
    """
    sections = [
        ("", _overview(meta, digest)),
        ("Tasks", _tasks(meta.tasks)),
        ("Training data", _numbers(meta.training_data, "No counts were recorded.")),
        ("Scores", _numbers(meta.metrics, "No scores were recorded.")),
        ("How to use it", _usage(meta)),
        ("Read before use", _warnings(meta)),
        ("Citations", _citations(meta.tasks)),
    ]
    body = "\n".join(f"## {title}\n\n{text}" if title else text for title, text in sections)
    return f"{_front_matter(meta)}\n# {_title(meta)}\n\n{body}"


def flatten(values: JsonValue, path: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    """Nested numbers as rows ("name / name", value), in their own order."""
    if isinstance(values, dict):
        for name, value in values.items():
            yield from flatten(value, (*path, name))
    elif isinstance(values, list):
        yield " / ".join(path), ", ".join(_value(item) for item in values)
    else:
        yield " / ".join(path), _value(values)


def backbone_name(meta: PromptMeta) -> str:
    """The backbone as its user called it, but of a path on some machine only the last part."""
    path = PurePath(meta.backbone)
    local = path.is_absolute() or meta.backbone.startswith((".", "~"))
    return path.name if local else meta.backbone


def _front_matter(meta: PromptMeta) -> str:
    types = {f"clinical-{card.type}" for card in meta.tasks}
    scores = (name for card in meta.tasks for name in (card.metric, *card.metrics))
    fields = {
        "base_model": backbone_name(meta),
        "library_name": "clinprompt",
        "datasets": meta.names,
        "tags": ["soft-prompt", meta.kind, "clinical-nlp", *sorted(types)],
        "metrics": list(dict.fromkeys(scores)),
    }
    text = yaml.safe_dump(fields, sort_keys=False, allow_unicode=True, width=100)
    licence = "# license: yours to choose; the licences of the training data may bind you"
    return f"---\n{text}{licence}\n---\n"


def _title(meta: PromptMeta) -> str:
    tasks = meta.names[0] if len(meta.tasks) == 1 else f"{len(meta.tasks)} tasks"
    what = {"metaprompt": "Metaprompt from", "adapted": "Adapted prompt for"}
    return f"{what.get(meta.kind, 'Soft prompt for')} {tasks} on {backbone_name(meta)}"


def _overview(meta: PromptMeta, digest: str) -> str:
    count = len(meta.tasks)
    tasks = f"the task {meta.names[0]}" if count == 1 else f"{count} tasks"
    vectors = "" if meta.rank is None else f", task vectors of rank {meta.rank}"
    backbone = f"{backbone_name(meta)} ({meta.fingerprint.model_type}, {meta.backbone_parameters:,}"
    rows = [
        ("Backbone", f"{backbone} parameters, frozen)"),
        ("Prompt", f"{meta.length} virtual tokens of size {meta.size}{vectors}"),
        ("Placement", f"{meta.placement} the text"),
        ("Template", meta.template.kind),
        *([("Update of the layers", meta.update.told)] if meta.update else []),
        *([("Balanced labels", ", ".join(meta.label_bias))] if meta.label_bias else []),
        (
            "Trained",
            f"{meta.trainable_parameters:,} parameters = {percent(meta.share)} of the backbone",
        ),
        ("Digest", f"`{digest}`"),
        ("Backbone weights", f"`{meta.fingerprint.weights}`"),
        ("Made with", ", ".join(f"{k} {v}" for k, v in meta.libraries.items()) or "not recorded"),
        ("Seeds", ", ".join(f"{k} {v}" for k, v in meta.seeds.items()) or "not recorded"),
    ]
    if meta.parents.metaprompt:
        made = "Adapted from" if meta.kind == "adapted" else "Trained on from"
        rows.append((made, f"`{meta.parents.metaprompt}`"))
    if meta.parents.teachers:
        rows.append(("Teachers", f"`{meta.parents.teachers}`"))
    return f"{_WHAT[meta.kind].format(tasks=tasks)}\n\n{_table(('', ''), rows)}"


def _tasks(cards: Sequence[Card]) -> str:
    header = ("Task", "Version", "Type", "Metric", "Licence of the data", "Access")
    rows = [(c.name, str(c.version), c.type, c.metric, c.license, c.access) for c in cards]
    return _table(header, rows)


def _numbers(values: dict[str, JsonValue], otherwise: str) -> str:
    return _table(("What", "Value"), list(flatten(values))) if values else f"{otherwise}\n"


def _usage(meta: PromptMeta) -> str:
    name = meta.names[0]
    if meta.kind == "metaprompt":
        lines = ["clinprompt adapt --metaprompt DIR --task NEW_TASK -o NEW_DIR"]
    else:
        task = f" --task {name}" if len(meta.tasks) > 1 else ""
        lines = [f"clinprompt predict DIR{task} -i IN.jsonl -o OUT.jsonl"]
    lines += [f"clinprompt evaluate DIR --task {name}", "clinprompt show DIR"]
    shell = "\n".join(lines)
    return (
        f"```sh\n{shell}\n```\n\n```python\n"
        "from clinprompt.artifacts.prompt_set import PromptSet\n\n"
        f'prompt = PromptSet.load("DIR").task_prompt("{name}")'
        f"  # [{meta.length}, {meta.size}]\n```\n"
    )


def _warnings(meta: PromptMeta) -> str:
    closed = sorted(card.name for card in meta.tasks if card.access != "open")
    text = _WARNINGS
    if closed:
        text += f"- **Access.** Trained on data that is not open: {', '.join(closed)}.\n"
    if meta.contains_phi_note:
        text += f"- **The trainer's note on PHI.** {_cell(meta.contains_phi_note)}\n"
    return text


def _citations(cards: Sequence[Card]) -> str:
    lines = (
        f"- {card.name}: {_cell(card.citation)}" + (f" <{card.homepage}>" if card.homepage else "")
        for card in cards
    )
    return "\n".join(lines) + "\n"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(_cell(cell) for cell in line)} |\n" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _value(value: JsonValue) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
