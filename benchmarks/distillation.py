"""What do the teachers add to a step of distillation?

    python benchmarks/distillation.py --rounds 3 -o distillation.json

T tasks with R rows of L tokens each (A of them the answer's), P virtual tokens as a shared prompt
with task vectors, bfloat16, one optimizer step per batch. Contenders:

- plain: the task loss alone, as in adaptation.
- cached: with both terms of the teachers, whose states at the answers were computed before. What
  that cost is divided by how often an example is drawn (`reuse`) and added (`per_example_ms`).
- same-pass: the teachers read the same rows within the step.
- naive: the same, and the teachers' prompts are run again in each step.

`over_plain` is time per example against `plain`, all in turn on one machine.
"""

from __future__ import annotations

import time
from statistics import median
from typing import Any

import harness
import torch

DEFAULT = {
    "backbone": "smollm2",
    "tasks": 4,
    "rows": 8,
    "tokens": 60,
    "answer": 8,
    "virtual": 100,
    "reuse": 4,
    "steps": 4,
    "threads": 2,
}
CONTENDERS = ("plain", "cached", "same-pass", "naive")


def measure(contender: str, setting: dict[str, Any]) -> dict[str, Any]:
    """What one contender reaches in this process."""
    from clinprompt.backbone.model import load
    from clinprompt.training.batch import (
        Distillation,
        Item,
        microbatches,
        prefix_of,
        run_step,
        states_of,
    )
    from clinprompt.training.data import TokenRow
    from clinprompt.training.modules import Decomposed
    from clinprompt.training.settings import CPU_TOKENS

    harness.begin(setting)
    backbone = load(setting["backbone"], dtype=harness.float_name())
    tasks, length, width = setting["tasks"], setting["virtual"], backbone.hidden_size
    shared = torch.randn(length, width) * backbone.embedding_scale
    module = Decomposed(shared, torch.ones(tasks, length, 1), torch.ones(tasks, 1, width))
    soft = torch.randn(tasks, length, width) * backbone.embedding_scale
    fixed: list[tuple[int, ...]] = [()] * tasks
    ids = torch.randint(100, backbone.vocabulary - 100, (tasks, setting["rows"], setting["tokens"]))
    cut = setting["tokens"] - setting["answer"]
    items = [
        Item(TokenRow(f"{slot}-{n}", tuple(row[:cut]), tuple(row[cut:])), slot)
        for slot, rows in enumerate(ids.tolist())
        for n, row in enumerate(rows)
    ]
    optimizer = torch.optim.AdamW(module.parameters(), lr=1e-3)
    more: dict[str, Any] = {}
    filling = 0.0
    with torch.no_grad():
        before_all = prefix_of(backbone, soft, fixed)
    if contender != "plain":
        more["distillation"] = Distillation(0.9, 2.0)
    if contender == "same-pass":
        more["teachers"] = before_all
    if contender == "cached":
        start = time.perf_counter()
        kept = {}
        with torch.no_grad():
            for batch in microbatches(items, CPU_TOKENS):
                states, _, _ = states_of(backbone, before_all, batch)
                parts = states.split([setting["answer"]] * len(batch))
                kept |= {(i.slot, i.row.id): p.clone() for i, p in zip(batch, parts, strict=True)}
        filling = time.perf_counter() - start
        more["cached"] = kept

    def step() -> None:
        if contender == "naive":
            with torch.no_grad():
                more["teachers"] = prefix_of(backbone, soft, fixed)
        before = prefix_of(backbone, module.prompts(range(tasks)), fixed)
        run_step(backbone, before, items, microbatch_tokens=CPU_TOKENS, **more)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    resident = harness.resident()
    harness.reset_peak()
    seconds = median(harness.timed(step, setting["steps"]))
    whole = seconds + filling / setting["reuse"]
    return {
        "per_example_ms": 1e3 * whole / len(items),
        "per_example_ms_without_filling": 1e3 * seconds / len(items),
        "memory_over_model_mb": harness.peak() - resident,
    }


SCRIPT = harness.Script("distillation", __file__, __doc__, DEFAULT, CONTENDERS, measure)


def main() -> None:
    """Measure all contenders in turn, and print JSON."""
    SCRIPT.run(
        lambda found: {
            "over_plain": harness.ratios(found, "plain", "per_example_ms", more_is_better=False)
        }
    )


if __name__ == "__main__":
    main()
