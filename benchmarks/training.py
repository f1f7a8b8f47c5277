"""How fast, and in how much memory, does a training step run: clinprompt and PEFT side by side.

    python benchmarks/training.py --rounds 3 -o training.json

The same rows for all: B rows of L tokens (text and answer), of which A are the answer's, behind P
virtual tokens; loss of the answer alone, bfloat16, one optimizer step per batch. PEFT runs as its
documentation shows it: the model's own forward with labels. `share_of_peak` counts 4 FLOPs a
parameter and token that must be processed at least (a frozen backbone: forward and gradients of
activations), against what a bare matrix product reaches in the same process. LoRA has rank 16 in
all linear layers, by PEFT around the model and in our loop.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from statistics import median
from typing import Any

import harness
import torch
from torch import Tensor

DEFAULT = {
    "backbone": "smollm2",
    "rows": 32,
    "tokens": 60,
    "answer": 8,
    "virtual": 100,
    "tasks": 1,
    "steps": 3,
    "threads": 2,
}
LORA = 16
CONTENDERS = (
    "clinprompt",
    "clinprompt-lora",
    "peft-prompt-tuning",
    "peft-multitask",
    "peft-lora",
)
Step = Callable[[], None]


def texts(setting: dict[str, Any], vocabulary: int) -> tuple[list[list[int]], list[list[int]]]:
    """Random rows: inputs of L - A tokens and answers of A."""
    torch.manual_seed(0)
    answer = setting["answer"]

    def draw(length: int) -> list[int]:
        return torch.randint(100, vocabulary - 100, (length,)).tolist()

    rows = range(setting["rows"])
    return [draw(setting["tokens"] - answer) for _ in rows], [draw(answer) for _ in rows]


def ours(backbone: Any, setting: dict[str, Any], module: Any = None) -> Step:
    """One step of the training loop's own parts; `module` is what is trained, if not prompts."""
    from clinprompt.training.batch import Item, prefix_of, run_step
    from clinprompt.training.data import TokenRow
    from clinprompt.training.modules import PromptTable
    from clinprompt.training.settings import CPU_TOKENS

    inputs, answers = texts(setting, backbone.vocabulary)
    tasks = setting["tasks"]
    fixed: list[list[int]] = [[0] if module else []] * tasks  # some prefix, without a prompt
    module = module or PromptTable(
        torch.randn(tasks, setting["virtual"], backbone.hidden_size) * backbone.embedding_scale
    )
    items = [
        Item(TokenRow(str(n), tuple(given), tuple(answer)), n % tasks)
        for n, (given, answer) in enumerate(zip(inputs, answers, strict=True))
    ]
    optimizer = torch.optim.AdamW(module.parameters(), lr=1e-3)
    most = setting.get("microbatch", CPU_TOKENS)  # what a recipe has that says nothing

    def step() -> None:
        before = prefix_of(backbone, module.prompts(range(tasks)), fixed)
        run_step(backbone, before, items, microbatch_tokens=most)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return step


def theirs(backbone: Any, setting: dict[str, Any], contender: str) -> Step:
    """One step of a PEFT method around the same model."""
    import peft

    inputs, answers = texts(setting, backbone.vocabulary)
    ids = torch.tensor([i + a for i, a in zip(inputs, answers, strict=True)])
    labels = torch.tensor([[-100] * len(i) + a for i, a in zip(inputs, answers, strict=True)])
    more: dict[str, Tensor] = {}
    kind = peft.TaskType.CAUSAL_LM
    if contender == "peft-lora":
        config: Any = peft.LoraConfig(task_type=kind, r=LORA, target_modules="all-linear")
    elif contender == "peft-prompt-tuning":
        config = peft.PromptTuningConfig(task_type=kind, num_virtual_tokens=setting["virtual"])
    else:
        config = peft.MultitaskPromptTuningConfig(
            task_type=kind, num_virtual_tokens=setting["virtual"], num_tasks=setting["tasks"]
        )
        more["task_ids"] = torch.arange(len(ids)) % setting["tasks"]
    model = peft.get_peft_model(backbone.model, config)
    model.train()
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-3)
    mask = torch.ones_like(ids)

    def step() -> None:
        model(input_ids=ids, attention_mask=mask, labels=labels, **more).loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return step


def measure(contender: str, setting: dict[str, Any]) -> dict[str, Any]:
    """What one contender reaches in this process."""
    from clinprompt.backbone.model import load
    from clinprompt.training.lora import adapters

    harness.begin(setting)
    backbone = load(setting["backbone"], dtype=harness.float_name())
    step: Step
    with ExitStack() as at_work:
        if contender == "clinprompt":
            step = ours(backbone, setting)
        elif contender == "clinprompt-lora":
            trained = adapters(backbone, LORA, LORA, "all-linear", 0)
            step = ours(backbone, setting, at_work.enter_context(trained))
        else:
            harness.library_attention(backbone)
            step = theirs(backbone, setting, contender)
        top = harness.matmul_peak()
        before = harness.resident()
        harness.reset_peak()
        seconds = median(harness.timed(step, setting["steps"]))
    tokens = setting["rows"] * setting["tokens"]
    if "lora" not in contender:
        tokens += setting["tasks"] * setting["virtual"]
    return {
        "examples_per_second": setting["rows"] / seconds,
        "seconds_per_step": seconds,
        "memory_over_model_mb": harness.peak() - before,
        "share_of_peak": 4 * backbone.parameters * tokens / seconds / top,
        "matmul_gflops": top / 1e9,
    }


SCRIPT = harness.Script("training step", __file__, __doc__, DEFAULT, CONTENDERS, measure)


def main() -> None:
    """Measure all contenders in turn, and print JSON."""
    SCRIPT.run(
        lambda found: {
            "times_as_fast_as": harness.ratios(
                found, "clinprompt", "examples_per_second", more_is_better=True
            ),
            "times_the_memory_of": harness.ratios(
                found, "clinprompt", "memory_over_model_mb", more_is_better=True
            ),
        }
    )


if __name__ == "__main__":
    main()
