"""How near to a GPU's limit do training and decoding run, for models of real size?

    python benchmarks/gpu.py --model llama-8b -o llama-8b.json
    python benchmarks/gpu.py --model gpt-oss-20b -o gpt-oss-20b.json
    python benchmarks/gpu.py --model tiny --device cpu

Weights are random and made on the device; nothing is downloaded. Rows of L tokens, of which A are
the answer's, stand behind P virtual tokens of T tasks; loss of the answer alone, bfloat16, one
update a step. Contenders: clinprompt as it is used (FlexAttention and compiled layers on CUDA);
clinprompt with the library's layers and torch's fused attention; PEFT prompt tuning and LoRA as
PEFT's documentation shows them, in the largest micro-batches that fit.

`mfu` counts 4 FLOPs a working weight and token that must be processed at least, and divides by what
a bare matrix product reaches in the same process (`mfu_datasheet`: by the vendor's figure).
`mfu_layers` counts the head for answer tokens alone, and embeddings not at all. `host_syncs` is how
often a step makes the host wait for the device. All runs in one process and ends within `--limit`
seconds: what did not get its turn says "not run". The result is written after every measurement.
"""

from __future__ import annotations

import argparse
import gc
import json
import math
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import gpu_model
import harness
import torch
from gpu_steps import Case, Step, drawn, our_decoding, our_step, peft_decoding, peft_step
from torch import Tensor

CONTENDERS = ("clinprompt", "clinprompt-standard", "peft-prompt-tuning", "peft-lora")
MOST_TASKS = 21


@dataclass
class Bench:
    """What all measurements share."""

    name: str
    device: str
    deadline: float
    steps: int
    model: Any = None
    peak: float = 0.0
    works: dict[str, int] = field(default_factory=dict)

    def backbone(self, contender: str) -> Any:
        """The model as clinprompt sees it."""
        from clinprompt.backbone.model import Backbone
        from clinprompt.backbone.template import plain_template

        tokenizer = gpu_model.bytes_as_tokens()
        plain_kind = "sdpa" if getattr(self.model, "_supports_sdpa", True) else "eager"
        self.attention(plain_kind)
        attention: Any = "auto" if contender == "clinprompt" else plain_kind
        return Backbone(self.model, tokenizer, self.name, plain_template(tokenizer), attention)

    def attention(self, kind: str) -> None:
        """What the library would have chosen for the model."""
        from clinprompt.backbone.flex import set_implementation

        set_implementation(self.model, kind)


def host_syncs(step: Step, device: str) -> int | None:
    """How often one step makes the host wait for the device, its last read of the loss included."""
    if device != "cuda":
        return None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            step()
        finally:
            torch.cuda.set_sync_debug_mode("default")
    return sum("synchroniz" in str(one.message) for one in caught)


def trained(bench: Bench, contender: str, case: Case, made: tuple[Step, dict]) -> dict[str, Any]:
    """Speed and memory of a step, after two that don't count (they compile)."""
    step, told = made
    start = time.perf_counter()
    loss = step()
    first = time.perf_counter() - start
    step()
    memory, seconds = gpu_model.Memory(bench.device), []
    for _ in range(bench.steps if time.monotonic() < bench.deadline else 1):
        gpu_model.sync(bench.device)
        start = time.perf_counter()
        step()
        gpu_model.sync(bench.device)
        seconds.append(time.perf_counter() - start)
    took, text = median(seconds), case.rows * case.length
    tokens = text + (0 if contender == "peft-lora" else case.tasks * case.virtual)
    rate = 4 * bench.works["all"] * tokens / took
    asked = bench.works["head"] * case.rows * case.answer
    layers = 4 * (bench.works["layers"] * tokens + asked) / took
    promised = gpu_model.described(bench.device).get("datasheet_tflops")
    return {
        "tokens_per_second": round(text / took, 1),
        "examples_per_second": round(case.rows / took, 3),
        "seconds_per_step": round(took, 4),
        "seconds_range": [round(min(seconds), 4), round(max(seconds), 4)],
        "seconds_of_first_step": round(first, 1),
        "mfu": round(rate / bench.peak, 4),
        "mfu_layers": round(layers / bench.peak, 4),
        "mfu_datasheet": round(rate / promised / 1e12, 4) if promised else None,
        "peak_memory_over_model_mb": round(memory.peak(), 1),
        "host_syncs": host_syncs(step, bench.device) if contender == "clinprompt" else None,
        "loss": round(loss, 4) if math.isfinite(loss) else str(loss),
        **told,
    }


def decoded(bench: Bench, step: Step) -> dict[str, Any]:
    """New tokens a second, after a run that does not count."""
    step()
    seconds, count = [], 0.0
    for _ in range(min(2, bench.steps)):
        gpu_model.sync(bench.device)
        start = time.perf_counter()
        count = step()
        gpu_model.sync(bench.device)
        seconds.append(time.perf_counter() - start)
    return {
        "new_tokens_per_second": round(count / min(seconds), 1),
        "seconds": [round(s, 3) for s in seconds],
        "new_tokens": int(count),
    }


@torch.no_grad()
def states(backbone: Any, case: Case) -> Tensor:
    """Hidden states at the answers of a few short rows, to hold contenders against each other."""
    from clinprompt.backbone import answers, engine

    inputs, targets = drawn(Case(2, 96, 4, 4, case.virtual), backbone.vocabulary)
    torch.manual_seed(1)
    soft = torch.randn(2, case.virtual, backbone.hidden_size).to(backbone.device, backbone.dtype)
    before = engine.prefix(backbone, list(soft * backbone.embedding_scale), [[1, 2], [3]])
    rows, asked = answers.with_answers(inputs, targets, [0, 1, 0, 1], backbone.device)
    return answers.answer_hidden(backbone, before, rows, asked).float()


def attempt(bench: Bench, measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """A measurement, or why there is none."""
    if time.monotonic() > bench.deadline:
        return {"not_run": "out of time"}
    try:
        return measure()
    except torch.OutOfMemoryError:
        return {"not_run": "out of memory"}
    except Exception as error:  # one contender's failure leaves the others their turn
        text = next(iter(str(error).strip().splitlines()), "")
        return {"failed": f"{type(error).__name__}: {text}"[:300]}
    finally:
        gc.collect()
        if bench.device == "cuda":
            torch.cuda.empty_cache()


def adapted(bench: Bench, contender: str, virtual: int) -> Any:
    """The model with a PEFT method; LoRA stays in it, so it comes last."""
    import peft

    bench.attention("sdpa" if getattr(bench.model, "_supports_sdpa", True) else "eager")
    kind = peft.TaskType.CAUSAL_LM
    config: Any = peft.PromptTuningConfig(task_type=kind, num_virtual_tokens=virtual)
    if contender == "peft-lora":
        config = peft.LoraConfig(task_type=kind, r=16, target_modules="all-linear")
    return peft.get_peft_model(bench.model, config).train()


def of_contender(
    bench: Bench,
    contender: str,
    model: Any,
    cases: Sequence[Case],
    decode: tuple[int, int, int],
    keep: Callable[[str, dict[str, Any]], None],
) -> None:
    """All measurements of one contender; `keep` is given every result as it comes."""
    rows, length, new = decode
    ours = contender.startswith("clinprompt")
    for case in cases:

        def training(case: Case = case) -> dict[str, Any]:
            made = our_step(model, case) if ours else peft_step(model, case)
            return trained(bench, contender, case, made)

        result: dict[str, Any] = {"tasks": case.tasks, "length": case.length, "rows": case.rows}
        if ours or case.tasks == 1:
            result |= attempt(bench, training)
        else:
            result["not_run"] = "one prompt for all rows: as with one task"
        keep("training", result)
    for tasks in (1, MOST_TASKS):

        def decoding(tasks: int = tasks) -> dict[str, Any]:
            if ours:
                made = our_decoding(model, tasks, rows, length, new, cases[0].virtual)
            else:
                made = peft_decoding(model.eval(), rows, length, new)
            return decoded(bench, made)

        result = {"tasks": tasks, "length": length, "rows": rows}
        if ours or tasks == 1:
            result |= attempt(bench, decoding)
        else:
            result["not_run"] = "one prompt for all rows: as with one task"
        keep("decoding", result)


def measured(
    bench: Bench,
    contenders: Sequence[str],
    cases: Sequence[Case],
    decode: tuple[int, int, int],
    found: dict[str, Any],
    written: Callable[[str], None],
) -> None:
    """All contenders, one after the other.

    Args:
        bench: the model and what it may cost.
        contenders: LoRA last, since it stays in the model.
        cases: of training.
        decode: rows, tokens of their texts, and new tokens.
        found: where results go, by contender.
        written: is given a line after each result.
    """
    known: Tensor | None = None
    for contender in contenders:
        own = found[contender] = {"training": [], "decoding": []}
        model: Any = None
        try:
            if contender.startswith("clinprompt"):
                model = bench.backbone(contender)
                own["attention"] = model.config._attn_implementation
                own["why_standard"] = model.why_standard
                now = states(model, cases[0])
                known = now if known is None else known
                own["states_off_by"] = round(float((now - known).norm() / known.norm()), 5)
            else:
                model = adapted(bench, contender, cases[0].virtual)
        except Exception as error:  # the others get their turn
            own["failed"] = f"{type(error).__name__}: {error}"[:300]
            written(f"{contender}: {own['failed']}")
            continue

        def keep(
            kind: str, result: dict[str, Any], own: dict = own, contender: str = contender
        ) -> None:
            own[kind].append(result)
            written(f"{contender}, {kind}: {json.dumps(result)}")

        of_contender(bench, contender, model, cases, decode, keep)


def cases_of(name: str, virtual: int) -> list[Case]:
    """T = 1 and 21 for each length; as many rows for both, so that rates can be compared."""
    lengths, tokens, answer = ((512, 2048), 32768, 32) if name != "tiny" else ((24, 48), 512, 4)
    cases = []
    for length in lengths:
        rows = max(1, round(tokens / length / MOST_TASKS)) * MOST_TASKS
        cases += [Case(tasks, length, rows, answer, virtual) for tasks in (1, MOST_TASKS)]
    return cases


def main() -> None:
    """Measure, and write JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", choices=gpu_model.names(), default="llama-8b")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--limit", type=float, default=540, help="seconds for everything")
    parser.add_argument("--steps", type=int, default=3, help="steps that are timed")
    parser.add_argument("--only", nargs="+", choices=CONTENDERS, default=list(CONTENDERS))
    parser.add_argument("-o", "--out", type=Path)
    options = parser.parse_args()
    if options.device == "cuda" and not torch.cuda.is_available():
        parser.error("there is no CUDA device here; --model tiny --device cpu runs anywhere")
    began = time.monotonic()
    torch.set_flush_denormal(True)
    bench = Bench(options.model, options.device, began + options.limit, options.steps)
    bench.peak = gpu_model.matmul_peak(options.device)
    bench.model = gpu_model.built(options.model, options.device)
    bench.works = gpu_model.working(bench.model)
    virtual = 100 if options.model != "tiny" else 8
    decode = (64, 128, 64) if options.model != "tiny" else (4, 12, 4)
    result: dict[str, Any] = {
        "question": "training and decoding on a GPU",
        "model": options.model,
        "weights": {"total": sum(p.numel() for p in bench.model.parameters()), **bench.works},
        "virtual": virtual,
        "machine": {**harness.machine(), **gpu_model.described(options.device)},
        "matmul_tflops": round(bench.peak / 1e12, 4),
        "contenders": {},
    }

    def written(line: str) -> None:
        result["seconds"] = round(time.monotonic() - began, 1)
        print(f"{result['seconds']:6.1f} s  {line}", file=sys.stderr, flush=True)
        if options.out is not None:
            options.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")

    order = [name for name in CONTENDERS if name in options.only]
    cases = cases_of(options.model, virtual)
    measured(bench, order, cases, decode, result["contenders"], written)
    harness.write(result, options.out)


if __name__ == "__main__":
    main()
