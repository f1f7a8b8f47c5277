"""What do long inputs cost: one long note, and one long row among short ones?

    python benchmarks/long_inputs.py --rounds 2 -o long-inputs.json
    python benchmarks/long_inputs.py --setting '{"tokens": 2000, "short": 31}'

A batch of one row of L random tokens and S short ones, bfloat16, behind an instruction of I tokens.
A closed question has six labels; of an open answer, the first N tokens are written. Peak memory is
what the process takes over the loaded model, from the operating system.

- closed, open: clinprompt. Rows go in pieces, rows that have ended are left out, and there are
  logits only where they are read.
- closed-one-piece, open-one-piece: the same with the batch in one piece (masks of L x L).
- generate: the open answer by the plain model, the batch padded on the left.
- logits: the closed one, read off the plain model's logits, which it has at every position.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import harness
import torch

DEFAULT = {
    "backbone": "smollm2",
    "tokens": 8000,
    "short": 0,
    "short_tokens": 60,
    "instruction": 60,
    "new": 8,
    "threads": 2,
}
CONTENDERS = ("closed", "closed-one-piece", "logits", "open", "open-one-piece", "generate")


def texts(setting: dict[str, Any], vocabulary: int) -> tuple[list[int], list[list[int]]]:
    """The instruction, and the rows: the long one first."""
    draw = torch.Generator().manual_seed(0)
    lengths = [setting["tokens"], *[setting["short_tokens"]] * setting["short"]]
    rows = [
        torch.randint(100, vocabulary - 100, (length,), generator=draw).tolist()
        for length in [setting["instruction"], *lengths]
    ]
    return rows[0], rows[1:]


def ours(backbone: Any, setting: dict[str, Any], contender: str) -> Callable[[], Any]:
    """A closed or an open question."""
    from clinprompt.backbone import answers, decoding, engine

    fixed, rows = texts(setting, backbone.vocabulary)
    before = engine.prefix(backbone, [None], [fixed])
    options, tasks = [[10 + k, 2] for k in range(6)], [0] * len(rows)
    columns = sum(map(len, rows)) + len(rows) * (len(fixed) + setting["new"])
    settings = decoding.Settings(frozenset(), tokens=max(8192, columns))

    def closed() -> None:
        answers.score_options(backbone, before, rows, [options] * len(rows), tasks)

    def written() -> None:
        asks = [decoding.Ask(row, before, setting["new"]) for row in rows]
        decoding.generate(backbone, asks, settings)

    return closed if contender.startswith("closed") else written


def theirs(backbone: Any, setting: dict[str, Any], contender: str) -> Callable[[], Any]:
    """The same of the plain model."""
    harness.library_attention(backbone)
    fixed, rows = texts(setting, backbone.vocabulary)
    whole = [[*fixed, *row] for row in rows]
    longest = max(map(len, whole))
    ids = torch.tensor([[2] * (longest - len(row)) + row for row in whole])
    real = [[0] * (longest - len(row)) + [1] * len(row) for row in whole]
    mask = torch.tensor(real)

    def closed() -> None:
        given = mask if len(rows) > 1 else None
        backbone.model(input_ids=ids, attention_mask=given, use_cache=False).logits.float()

    def written() -> None:
        harness.generated(backbone.model, ids, setting["new"], mask)

    return closed if contender == "logits" else written


@torch.no_grad()
def measure(contender: str, setting: dict[str, Any]) -> dict[str, Any]:
    """What one contender needs in this process."""
    from clinprompt.backbone import prefill
    from clinprompt.backbone.model import load

    torch.set_num_threads(setting["threads"])
    torch.set_flush_denormal(True)
    backbone = load(setting["backbone"], dtype=harness.float_name())
    if contender.endswith("one-piece"):
        prefill._MOST_SEEN["cpu"] = 2**62
    elif "seen" in setting:  # to look for the best size of a piece
        prefill._MOST_SEEN["cpu"] = setting["seen"]
    make = theirs if contender in ("generate", "logits") else ours
    work = make(backbone, setting, contender)
    before = harness.resident()
    harness.reset_peak()
    wall, busy = time.perf_counter(), time.process_time()
    work()
    return {
        "seconds": time.perf_counter() - wall,
        "cpu_seconds": time.process_time() - busy,  # on a busy machine the steadier figure
        "memory_over_model_mb": harness.peak() - before,
    }


SCRIPT = harness.Script("long inputs", __file__, __doc__, DEFAULT, CONTENDERS, measure)


def main() -> None:
    """Measure all contenders in turn, and print JSON."""
    SCRIPT.run()


if __name__ == "__main__":
    main()
