"""What does a batch of many tasks cost, against one task after the other?

    python benchmarks/mixed_tasks.py --rounds 3 -o mixed-tasks.json

T tasks, each with a soft prompt of P virtual tokens of its own, and R texts of L tokens each; every
answer has A tokens. bfloat16, greedy. Contenders:

- clinprompt: all rows of all tasks go to the decoder at once. Keys and values of prompts are kept.
- clinprompt-cold: the same, and keys and values of prompts are computed anew in each pass.
- clinprompt-one-by-one: one task after the other, so that what mixing gives is seen.
- peft: T prompt-tuning adapters in one model; for each task `set_adapter`, then the library's
  `generate` on the task's rows, as PEFT's documentation has it.

Texts and prompts are random and no answer ends early, so all contenders do the same work.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import harness
import torch

DEFAULT = {
    "backbone": "smollm2",
    "tasks": 21,
    "rows": 2,
    "tokens": 40,
    "virtual": 100,
    "answer": 16,
    "repeats": 1,
    "threads": 2,
}
CONTENDERS = ("clinprompt", "clinprompt-cold", "clinprompt-one-by-one", "peft")


def texts(setting: dict[str, Any], vocabulary: int) -> list[list[list[int]]]:
    """Random token ids: T x R rows of L."""
    shape = setting["tasks"], setting["rows"], setting["tokens"]
    drawn: list[list[list[int]]] = torch.randint(100, vocabulary - 100, shape).tolist()
    return drawn


def ours(backbone: Any, setting: dict[str, Any], contender: str) -> Callable[[], int]:
    """The decoder that the predictor uses."""
    from clinprompt.backbone import engine
    from clinprompt.backbone.decoding import Ask, Decoder, Settings

    inputs = texts(setting, backbone.vocabulary)
    size = setting["virtual"], backbone.hidden_size
    prompts = [torch.randn(size) * backbone.embedding_scale for _ in inputs]
    decoder = Decoder(backbone, Settings(frozenset()))

    def prefixes() -> list[Any]:
        return [engine.prefix(backbone, [prompt], [()]) for prompt in prompts]

    kept = prefixes()

    def answer() -> int:
        before = prefixes() if contender == "clinprompt-cold" else kept
        tasks = [
            [Ask(ids, prefix, setting["answer"]) for ids in rows]
            for rows, prefix in zip(inputs, before, strict=True)
        ]
        if contender != "clinprompt-one-by-one":
            tasks = [[ask for rows in tasks for ask in rows]]
        return sum(len(new.ids) for rows in tasks for new in decoder.generate(rows))

    return answer


def theirs(backbone: Any, setting: dict[str, Any]) -> Callable[[], int]:
    """PEFT, one task after the other."""
    import peft

    harness.library_attention(backbone)
    inputs = [torch.tensor(rows) for rows in texts(setting, backbone.vocabulary)]
    config = peft.PromptTuningConfig(
        task_type=peft.TaskType.CAUSAL_LM, num_virtual_tokens=setting["virtual"]
    )
    names = [f"task-{number}" for number in range(len(inputs))]
    model: Any = peft.get_peft_model(backbone.model, config, adapter_name=names[0])
    for name in names[1:]:
        model.add_adapter(name, config)
    model.eval()

    def answer() -> int:
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
    peft = contender == "peft"
    answer = theirs(backbone, setting) if peft else ours(backbone, setting, contender)
    found = harness.counted(answer, setting["repeats"], warm=1)
    return {"answers_per_second": setting["tasks"] * setting["rows"] / found["seconds"], **found}


SCRIPT = harness.Script("a batch of many tasks", __file__, __doc__, DEFAULT, CONTENDERS, measure)


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
