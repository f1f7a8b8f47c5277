"""What grounded decoding costs per token: the same rows, answered free and grounded in turn.

    python benchmarks/grounding.py runs/adapted/ncbi-disease-32 --limit 16 --rounds 5

Prints JSON: for each mode the median over rounds of wall and CPU milliseconds per new token (prefix
and texts read included), and the ratios. Rounds alternate, so that a busy machine slows both; CPU
time is the steadier of the two there.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import torch

from clinprompt.artifacts.prompt_set import PromptSet
from clinprompt.backbone.decoding import Ask, Decoder, Generated
from clinprompt.inference import decoding
from clinprompt.inference.evaluate import sample
from clinprompt.inference.predictor import Predictor
from clinprompt.inference.requests import PredictorSettings, Request
from clinprompt.tasks.loading import load, resolve_data_root


class Counted(Decoder):
    """Counts new tokens."""

    tokens = 0

    def stream(
        self, asks: Iterable[Ask], count: int | None = None
    ) -> Iterator[tuple[int, Generated]]:
        """As it is, counting."""
        for place, new in super().stream(asks, count):
            Counted.tokens += len(new.ids)
            yield place, new


def measured(predictor: Predictor, rows: Sequence[Any]) -> dict[str, float]:
    """Milliseconds per new token of one pass, and what became of the answers."""
    before, wall, cpu = Counted.tokens, time.perf_counter(), time.process_time()
    found = predictor.run(rows)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    tokens = Counted.tokens - before
    return {
        "wall_ms": 1e3 * wall / tokens,
        "cpu_ms": 1e3 * cpu / tokens,
        "tokens": tokens,
        "unaligned": sum(one.unaligned for one in found),
        "unparsable": sum(one.unparsable for one in found),
    }


def main() -> None:
    """Measure, and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("prompts", type=Path)
    parser.add_argument("--task", help="default: the only one of the prompts")
    parser.add_argument("--limit", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch-tokens", type=int)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.set_flush_denormal(True)
    prompts = PromptSet.load(options.prompts)
    task = options.task or prompts.meta.names[0]
    free = Predictor.of(prompts, PredictorSettings(batch_tokens=options.batch_tokens), tasks=[task])
    held = Predictor.of(
        prompts,
        PredictorSettings(batch_tokens=options.batch_tokens, grounded=True),
        prepared=free.prepared,
        tasks=[task],
    )
    card = free.cards[task]
    split = card.splits[-1]
    examples = load(card, resolve_data_root(None), splits=(split,)).splits[split]
    asked = [Request(task, e.input, e.id) for e in sample(examples, options.limit, 0)]
    rows = [free.prepare(request) for request in asked]
    decoding.Decoder = Counted  # type: ignore[misc]
    free.run(rows[:2]), held.run(rows[:2])  # prefixes and tokenizer
    rounds: dict[str, list[dict[str, float]]] = {"free": [], "grounded": []}
    for _ in range(options.rounds):
        rounds["free"].append(measured(free, rows))
        rounds["grounded"].append(measured(held, rows))
    medians = {
        mode: {name: round(median(one[name] for one in found), 3) for name in found[0]}
        for mode, found in rounds.items()
    }
    ratios = {
        name: round(medians["grounded"][name] / medians["free"][name], 3)
        for name in ("wall_ms", "cpu_ms")
    }
    result = {
        "task": task,
        "rows": len(rows),
        "rounds": options.rounds,
        "backbone": free.backbone.name,
        "device": str(free.backbone.device),
        "threads": options.threads,
        "median_per_new_token": medians,
        "grounded_over_free": ratios,
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
