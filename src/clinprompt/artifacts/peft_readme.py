"""The ``README.md`` of a folder of PEFT adapters: what must stand around an input, and a program.

The program in it is run by the tests: it gives the logits that clinprompt computes.
"""

from __future__ import annotations

import json

from clinprompt import verbalize
from clinprompt.artifacts.card import backbone_name
from clinprompt.artifacts.meta import PromptMeta

_PROGRAM = """\
import json

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

base = {base}  # folder or hub id of the base model
folder, task, text = ".", {task}, "the input"

tokenizer = AutoTokenizer.from_pretrained(base)
model = AutoModelForCausalLM.from_pretrained(base)
{update}model = PeftModel.from_pretrained(model, f"{{folder}}/tasks/{{task}}").eval()
with open(f"{{folder}}/around.json", encoding="utf-8") as file:
    around = json.load(file)
pieces = around["template"]


def literal(piece):  # text of the template: its special tokens are special
    return tokenizer(piece, add_special_tokens=False).input_ids if piece else []


def plain(words):  # anyone's text: what looks like a special token is mere characters
    return tokenizer(words, add_special_tokens=False, split_special_tokens=True).input_ids


ids = [tokenizer.bos_token_id] if pieces["bos"] else []
ids += literal(pieces["head"]) + plain(around["instructions"][task]) + literal(pieces["between"])
ids += plain(text) + literal(pieces["tail"])
with torch.no_grad():
    logits = model(input_ids=torch.tensor([ids])).logits[0, -1]  # of the answer's first token
"""
_UPDATE = """\
# The update of the layers goes into the weights; it belongs to every prompt of this folder.
model = PeftModel.from_pretrained(model, f"{folder}/lora").merge_and_unload()
"""
_KEYS_AND_VALUES = """\
- **Left padding shifts the text.** Without `position_ids`, PEFT's model counts the padding, which
  changes answers. Run inputs one by one, or pad on the right and read each row's logits at its own
  last token, or give `position_ids` that count each text's tokens from 0: PEFT adds the prompt's.
- **One task a batch.** PEFT has no adapter with all tasks for keys and values.
- **Never the pieces as one string.** Each piece is tokenised alone, as above: where two meet, a
  tokenizer might join characters of both into one token.
"""
_ONE_BY_ONE = """\
- **No left padding.** PEFT puts the prompt in front of the padding (`[prompt][pad][text]`), which
  shifts every position of the text: answers change. Run inputs one by one, or pad on the right and
  read each row's logits at its own last token.
- **No packing.** PEFT drops `position_ids`, so several texts in one row see each other.
- **No choice by name in a batch.** `adapter_names` is accepted and ignored for prompts; rows of
  different tasks go through the adapter in `multitask/`, with `task_ids`.
- **No averages of factors.** `AVERAGE_SOURCE_TASKS` averages columns and rows apart, which is not
  the mean of the tasks' products. `clinprompt adapt` averages the products.
- **Never the pieces as one string.** Each piece is tokenised alone, as above: where two meet, a
  tokenizer might join characters of both into one token.
"""


def readme(meta: PromptMeta, digest: str, base: str, *, rank: int | None) -> str:
    """The text as Markdown; it follows from its arguments alone.

    Args:
        digest: of the prompt set that was exported.
        base: what the adapters call the backbone.
        rank: of the adapter with all tasks; None if there is none.
    """
    mark = meta.fingerprint
    rows = [
        ("Base model", f"{base} ({mark.model_type}, {mark.parameters:,} parameters)"),
        ("Its configuration", f"`{mark.config}`"),
        ("Its tokenizer", f"`{mark.tokenizer}`"),
        ("Its weights", f"`{mark.weights}`"),
        ("Prompt", f"{meta.length} virtual tokens {_sort(meta)}, before the text"),
        ("Exported from", f"clinprompt {meta.kind}, digest `{digest}`"),
    ]
    if meta.update is not None:
        rows.insert(-1, ("Update of the layers", meta.update.told))
    table = "".join(f"| {name} | {value} |\n" for name, value in rows)
    program = _PROGRAM.format(
        base=json.dumps(base),
        task=json.dumps(meta.names[0]),
        update="" if meta.update is None else _UPDATE,
    )
    return (
        f"---\nbase_model: {json.dumps(base)}\nlibrary_name: peft\n"
        "tags:\n- soft-prompt\n- clinical-nlp\n---\n\n"
        f"# Soft prompts on {backbone_name(meta)}, for PEFT\n\n"
        f"| | |\n| --- | --- |\n{table}\n"
        "The prompts mean something in front of these weights only: compare them with what\n"
        "`clinprompt backbone show BASE --json` prints. A backbone that clinprompt knows by a\n"
        "short name is a folder: `clinprompt backbone fetch NAME` prints it.\n\n"
        f"## Adapters\n\n{_adapters(meta, rank)}\n"
        f"## What must stand around the input\n\n{_around(meta)}\n"
        f"```python\n{program}```\n\n"
        f"## Where PEFT departs from this\n\n{_ONE_BY_ONE if rank else _KEYS_AND_VALUES}\n"
        "## Read before use\n\n"
        "A prompt trained on protected health information is PHI-derived. Answers may be wrong or\n"
        "biased; this is not a medical device.\n"
    )


def _sort(meta: PromptMeta) -> str:
    if meta.depth == "input":
        return f"of size {meta.size}"
    return f"of {meta.size:,} numbers, keys and values of every layer"


def _adapters(meta: PromptMeta, rank: int | None) -> str:
    notes = []
    if rank is None:
        lines = ["| Task | Adapter |", "| --- | --- |"]
        lines += [f"| {name} | `tasks/{name}` |" for name in meta.names]
    else:
        lines = ["| Task | Adapter | `task_ids` in `multitask/` |", "| --- | --- | --- |"]
        lines += [f"| {name} | `tasks/{name}` | {k} |" for k, name in enumerate(meta.names)]
        held = (
            f"the shared prompt and task vectors of rank {rank}"
            if meta.form == "decomposed"
            else f"the same plain prompts, written as factors of rank {rank} so that one adapter "
            "serves them all"
        )
        notes.append(f"`multitask/` holds {held}; call it with `task_ids=torch.tensor([k])`.")
    if meta.update is not None:
        notes.append("`lora/` holds the update of the layers: merge it before a prompt is loaded.")
    return "\n".join(lines) + "".join(f"\n\n{note}" for note in notes) + "\n"


def _around(meta: PromptMeta) -> str:
    pieces = meta.template
    bos = "the tokenizer's BOS, then " if pieces.bos else ""
    shown = [
        ("head", pieces.head),
        *((f"instruction of {card.name}", verbalize.instruction(card)) for card in meta.tasks),
        ("between", pieces.between),
        ("tail", pieces.tail),
        ("end", pieces.end),
    ]
    body = "".join(f"{name}: {json.dumps(text, ensure_ascii=False)}\n" for name, text in shown)
    return (
        f"A row reads: prompt, {bos}head, the task's instruction, between, the input, tail; the\n"
        "answer follows and is closed by end. The pieces, with line ends as \\n:\n\n"
        f"```text\n{body}```\n\n"
        "`clinprompt tasks preview TASK` shows how a task writes its inputs.\n"
    )
