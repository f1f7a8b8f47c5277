"""What does it cost to ask many tasks about one note?

    python benchmarks/one_note.py --rounds 3 -o one-note.json

T tasks, each with an instruction of the catalogue and a soft prompt of P virtual tokens, ask one
note of L tokens; answers are written greedily and have A tokens at most (a label is scored instead
where `closed` says so, of as many tasks). bfloat16. Contenders:

- after: the prompt stands after the text. The note is encoded once, the tasks' prompts,
  instructions and answers stand behind it, side by side. Nothing is kept from pass to pass.
- after-layers: the same with prompts of keys and values in every layer, of as many numbers (so
  P = 100 is 5 positions on SmolLM2): no token of a prompt goes through the layers.
- before: the usual placement. Keys and values of prompt and instruction are kept by task; the note
  is read behind each, as many tasks at once as the predictor puts in a batch.
- before-one-by-one: the same, one task after the other.
- peft: PEFT prompt tuning with the library's `generate`, one task after the other.

Prompts are random: what is measured does not depend on what they say, but for answers that end
early, which are counted (`new_tokens`). PEFT is made to write all A tokens of each answer, as a
label's too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import harness
import torch

DEFAULT = {
    "backbone": "smollm2",
    "tasks": 21,
    "note": 1500,
    "virtual": 100,
    "answer": 8,
    "closed": 0,
    "repeats": 1,
    "threads": 2,
}
CONTENDERS = ("after", "after-layers", "before", "before-one-by-one", "peft")
_WORDS = "Patient is a 64 year old woman with fever and cough; denies dyspnea, takes aspirin. "
Ask = Callable[[], int]


def cards(setting: dict[str, Any]) -> list[Any]:
    """T cards with real instructions: all free answers, but for the first `closed` ones."""
    from clinprompt.tasks import catalogue
    from clinprompt.tasks.card import Card

    found = []
    for number, name in enumerate(sorted(catalogue.names())[: setting["tasks"]]):
        card = catalogue.find(name)
        closed = number < setting["closed"]
        form = {
            "type": "qa" if closed else "sum",
            "form": "label" if closed else "text",
            "labels": {"y": "yes", "n": "no", "m": "maybe"} if closed else {},
            "metric": "accuracy" if closed else "rougeL",
        }
        same = {"name": name, "title": name, "instruction": card.instruction, "data": card.data}
        found.append(Card(**same, **form, license="none", citation="none"))
    return found


def note_of(tokenizer: Any, length: int) -> str:
    """A text of so many tokens."""
    ids = tokenizer(_WORDS * (length // 10 + 1), add_special_tokens=False).input_ids
    return str(tokenizer.decode(ids[:length]))


def ours(setting: dict[str, Any], contender: str) -> Ask:
    """The predictor, as a user has it."""
    from clinprompt.examples import QuestionInput, TextInput
    from clinprompt.inference.predictor import Predictor
    from clinprompt.inference.requests import PredictorSettings, Request
    from clinprompt.training.prepare import Prepared
    from clinprompt.training.settings import BackboneSettings

    placement = "after" if contender.startswith("after") else "before"
    chosen = BackboneSettings(name=setting["backbone"], dtype=harness.float_name())
    prepared = Prepared.of(chosen, None, placement)
    settings = PredictorSettings(max_new=setting["answer"], notes_mb=0)
    predictor = Predictor(prepared, settings)
    backbone = prepared.backbone
    note = note_of(backbone.tokenizer, setting["note"])
    requests = []
    for card in cards(setting):
        predictor.add(card, prompt_of(backbone, setting["virtual"], contender == "after-layers"))
        value = QuestionInput("Is there a sign?", note) if card.closed else TextInput(note)
        requests.append(Request(card.name, value))

    lengths = lengths_of_answers()

    def ask() -> int:
        lengths.clear()
        each = [[request] for request in requests]
        for part in each if contender == "before-one-by-one" else [requests]:
            predictor.answer(part)
        return sum(lengths)

    # Asked once before: keys and values of prompts that stand in front are kept.
    predictor.answer([Request(r.task, replace(r.input, **short(r.input))) for r in requests])
    return ask


def lengths_of_answers() -> list[int]:
    """A list that gets the number of new tokens of every written answer, as it is read."""
    from clinprompt.backbone.codec import Codec

    lengths: list[int] = []
    decode = Codec.decode

    def counting(codec: Codec, ids: Sequence[int]) -> str:
        lengths.append(len(ids))
        return decode(codec, ids)

    Codec.decode = counting  # type: ignore[method-assign]
    return lengths


def prompt_of(backbone: Any, length: int, deep: bool) -> torch.Tensor:
    """A random prompt [P, H], or keys and values of random tokens, of about as many numbers."""
    if not deep:
        return torch.randn(length, backbone.hidden_size) * backbone.embedding_scale
    from clinprompt.backbone.deep import keyvalues

    positions = max(1, length * backbone.hidden_size // backbone.keyvalue_width)
    return keyvalues(backbone, torch.randint(backbone.vocabulary, (positions,)).tolist())


def short(value: Any) -> dict[str, str]:
    """What makes an input a short one."""
    return {"text" if hasattr(value, "text") else "context": "fever"}


def theirs(setting: dict[str, Any]) -> Ask:
    """PEFT around the same model, as its documentation shows it."""
    import peft

    from clinprompt import verbalize
    from clinprompt.backbone.codec import Codec
    from clinprompt.backbone.model import load

    backbone = load(setting["backbone"], dtype=harness.float_name())
    harness.library_attention(backbone)
    config = peft.PromptTuningConfig(
        task_type=peft.TaskType.CAUSAL_LM, num_virtual_tokens=setting["virtual"]
    )
    model = peft.get_peft_model(backbone.model, config)
    model.eval()
    codec = Codec(backbone.tokenizer, backbone.template)
    row = codec.rows([f"Text: {note_of(backbone.tokenizer, setting['note'])}"])[0]
    inputs = [codec.fixed(verbalize.instruction(card)) + row for card in cards(setting)]

    def ask() -> int:
        new = setting["answer"]
        return sum(harness.generated(model, torch.tensor([ids]), new) for ids in inputs)

    return ask


@torch.no_grad()
def measure(contender: str, setting: dict[str, Any]) -> dict[str, Any]:
    """What one contender needs in this process."""
    harness.begin(setting)
    ask = theirs(setting) if contender == "peft" else ours(setting, contender)
    found = harness.counted(ask, setting["repeats"], warm=0)
    return {"tasks_per_second": setting["tasks"] / found["seconds"], **found}


SCRIPT = harness.Script(
    "many tasks about one note", __file__, __doc__, DEFAULT, CONTENDERS, measure
)


def main() -> None:
    """Measure all contenders in turn, and print JSON."""
    SCRIPT.run(
        lambda found: {
            f"{name}_is_faster_by": harness.ratios(found, name, "seconds", more_is_better=False)
            for name in ("after", "after-layers")
        }
    )


if __name__ == "__main__":
    main()
