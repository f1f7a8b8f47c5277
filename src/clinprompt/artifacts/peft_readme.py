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
model = PeftModel.from_pretrained(model, f"{{folder}}/tasks/{{task}}").eval()
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


def readme(meta: PromptMeta, digest: str, base: str, *, rank: int) -> str:
    """The text as Markdown; it follows from its arguments alone.

    Args:
        digest: of the prompt set that was exported.
        base: what the adapters call the backbone.
        rank: of the adapter with all tasks.
    """
    mark = meta.fingerprint
    rows = [
        ("Base model", f"{base} ({mark.model_type}, {mark.parameters:,} parameters)"),
        ("Its configuration", f"`{mark.config}`"),
        ("Its tokenizer", f"`{mark.tokenizer}`"),
        ("Its weights", f"`{mark.weights}`"),
        ("Prompt", f"{meta.length} virtual tokens of size {mark.hidden}, before the text"),
        ("Exported from", f"clinprompt {meta.kind}, digest `{digest}`"),
    ]
    table = "".join(f"| {name} | {value} |\n" for name, value in rows)
    program = _PROGRAM.format(base=json.dumps(base), task=json.dumps(meta.names[0]))
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
        f"## Where PEFT departs from this\n\n{_ONE_BY_ONE}\n"
        "## Read before use\n\n"
        "A prompt trained on protected health information is PHI-derived. Answers may be wrong or\n"
        "biased; this is not a medical device.\n"
    )


def _adapters(meta: PromptMeta, rank: int) -> str:
    lines = ["| Task | Adapter | `task_ids` in `multitask/` |", "| --- | --- | --- |"]
    lines += [f"| {name} | `tasks/{name}` | {k} |" for k, name in enumerate(meta.names)]
    note = (
        f"`multitask/` holds the shared prompt and task vectors of rank {rank}"
        if meta.form == "decomposed"
        else f"`multitask/` holds the same plain prompts, written as factors of rank {rank} so that"
        " one adapter serves them all"
    )
    return "\n".join(lines) + f"\n\n{note}; call it with `task_ids=torch.tensor([k])`.\n"


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
