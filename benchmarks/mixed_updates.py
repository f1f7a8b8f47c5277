"""What does a batch of tasks with a low-rank update each cost, against one task after the other?

    python benchmarks/mixed_updates.py --rounds 3 -o mixed-updates.json

T tasks, each with an update (LoRA) of rank R of some layers, and a few texts of L tokens each;
every answer has A tokens. Greedy. Contenders:

- clinprompt: all rows of all tasks go to the decoder at once, updates beside the weights.
- clinprompt-one-by-one: one task after the other, its update in the weights.
- peft: T adapters in one model; rows of all tasks in one batch, `generate(adapter_names=...)`.
- peft-one-by-one: `set_adapter`, then `generate` on the task's rows.

Texts and updates are random and no answer ends early, so all contenders do the same work.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import harness
import torch
from mixed_tasks import texts

DEFAULT = {
    "backbone": "smollm2",
    "tasks": 21,
    "rows": 2,
    "tokens": 40,
    "rank": 1,
    "layers": ["k_proj", "v_proj"],
    "answer": 16,
    "repeats": 1,
    "threads": 2,
}
CONTENDERS = ("clinprompt", "clinprompt-one-by-one", "peft", "peft-one-by-one")


def ours(backbone: Any, setting: dict[str, Any], *, mixed: bool) -> Callable[[], int]:
    """The decoder that the predictor uses, behind one token that stands for an instruction."""
    from clinprompt.backbone import engine, updates
    from clinprompt.backbone.decoding import Ask, Decoder, Settings
    from clinprompt.backbone.updates import LowRank, Update

    inputs = texts(setting, backbone.vocabulary)
    layers, rank = tuple(setting["layers"]), setting["rank"]
    linears = updates.sites(backbone.model, layers).values()
    count = sum(rank * (one.in_features + one.out_features) for one in linears)
    shape = LowRank(rank=rank, alpha=2 * rank, layers=layers, numbers=count)
    given = [Update(shape, torch.randn(count) * 0.01) for _ in inputs]
    decoder = Decoder(backbone, Settings(frozenset()))
    own = updates.beside(backbone, dict(enumerate(given)))
    before = []
    for number, update in enumerate(given):
        if mixed:
            with updates.standing(backbone, own):
                before.append(engine.prefix(backbone, [None], [[1]], [number]))
        else:
            with updates.at_work(backbone, update):
                before.append(engine.prefix(backbone, [None], [[1]]))

    def answer() -> int:
        tasks = [
            [Ask(ids, prefix, setting["answer"]) for ids in rows]
            for rows, prefix in zip(inputs, before, strict=True)
        ]
        if mixed:
            with updates.standing(backbone, own):
                return sum(len(new.ids) for new in decoder.generate([a for r in tasks for a in r]))
        told = 0
        for update, rows in zip(given, tasks, strict=True):
            with updates.at_work(backbone, update):
                told += sum(len(new.ids) for new in decoder.generate(rows))
        return told

    return answer


def theirs(backbone: Any, setting: dict[str, Any], *, mixed: bool) -> Callable[[], int]:
    """PEFT, all adapters in one batch or one after the other."""
    import peft

    harness.library_attention(backbone)
    inputs = [torch.tensor(rows) for rows in texts(setting, backbone.vocabulary)]
    config = peft.LoraConfig(
        task_type=peft.TaskType.CAUSAL_LM,
        r=setting["rank"],
        lora_alpha=2 * setting["rank"],
        target_modules=setting["layers"],
        init_lora_weights=False,
    )
    names = [f"task-{number}" for number in range(len(inputs))]
    model: Any = peft.get_peft_model(backbone.model, config, adapter_name=names[0])
    for name in names[1:]:
        model.add_adapter(name, config)
    model.eval()

    def answer() -> int:
        if mixed:
            of = [name for name, ids in zip(names, inputs, strict=True) for _ in ids]
            return harness.generated(model, torch.cat(inputs), setting["answer"], adapter_names=of)
        count = 0
        for name, ids in zip(names, inputs, strict=True):
            model.set_adapter(name)
            count += harness.generated(model, ids, setting["answer"])
        return count

    return answer


@torch.no_grad()
def measure(contender: str, setting: dict[str, Any]) -> dict[str, Any]:
    """What one contender needs in this process."""
    from clinprompt.backbone.model import load

    harness.begin(setting)
    backbone = load(setting["backbone"], dtype=harness.float_name())
    make = theirs if contender.startswith("peft") else ours
    answer = make(backbone, setting, mixed=not contender.endswith("one-by-one"))
    found = harness.counted(answer, setting["repeats"], warm=1)
    return {"answers_per_second": setting["tasks"] * setting["rows"] / found["seconds"], **found}


SCRIPT = harness.Script(
    "a batch of tasks with updates", __file__, __doc__, DEFAULT, CONTENDERS, measure
)


def main() -> None:
    """Measure all contenders in turn, and print JSON."""
    SCRIPT.run(
        lambda found: {
            "clinprompt_is_faster_by": harness.ratios(
                found, "clinprompt", "seconds", more_is_better=False
            )
        }
    )


if __name__ == "__main__":
    main()
