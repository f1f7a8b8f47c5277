"""What every benchmark shares: fresh processes, alternating rounds, medians, and the record.

Each contender runs in a process of its own, so that neither memory nor a warm allocator leaks from
one into the next. Rounds alternate between contenders, so that a busy machine slows all of them.
All compute in the same float type (`float_name`).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from statistics import median
from typing import Any, Literal

PEERS = ("peft", "transformers", "logits", "generate")
LIBRARIES = ("clinprompt", "torch", "transformers", "peft", "tokenizers")


def machine() -> dict[str, Any]:
    """Processor, cores, memory, system and library versions: what a figure depends on."""
    model = platform.processor()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        model = names[0].split(":", 1)[1].strip() if names else model
    versions = {}
    for name in LIBRARIES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "not installed"
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "memory_gib": round(memory / 2**30, 1),
        "system": platform.system(),
        "python": platform.python_version(),
        "load_before": round(os.getloadavg()[0], 2),
        **versions,
    }


def float_name() -> Literal["bfloat16", "float32"]:
    """What all contenders compute in: bfloat16, or float32 on a CPU that does not compute it."""
    import torch

    from clinprompt.backbone.floats import computes_bfloat16

    return "bfloat16" if computes_bfloat16(torch.device("cpu")) else "float32"


def matmul_peak(seconds: float = 2.0) -> float:
    """What a bare matrix product of the size of a small backbone's layer reaches, FLOP/s."""
    import torch

    kind = getattr(torch, float_name())
    left = torch.randn(2048, 576).to(kind)
    right = torch.randn(1536, 576).to(kind)
    for _ in range(20):
        left @ right.T
    rates = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        for _ in range(20):
            left @ right.T
        rates.append(20 * 2 * 2048 * 576 * 1536 / (time.perf_counter() - start))
    return median(rates)


def resident() -> float:
    """Memory of this process now, in MB."""
    fields = Path("/proc/self/statm").read_text().split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def reset_peak() -> None:
    """Forget the peak of memory so far (Linux)."""
    Path("/proc/self/clear_refs").write_text("5")


def peak() -> float:
    """Largest memory of this process since `reset_peak`, in MB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024 / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def timed(step: Callable[[], Any], repeats: int, *, warm: int = 1) -> list[float]:
    """Seconds of each of `repeats` calls, after `warm` calls that don't count."""
    for _ in range(warm):
        step()
    found = []
    for _ in range(repeats):
        start = time.perf_counter()
        step()
        found.append(time.perf_counter() - start)
    return found


def begin(setting: dict[str, Any]) -> None:
    """What every contender has alike: threads, no denormal numbers, one seed."""
    import torch

    torch.set_num_threads(setting["threads"])
    torch.set_flush_denormal(True)
    torch.manual_seed(0)


def library_attention(backbone: Any) -> None:
    """Let the library's model attend as its users, and PEFT's, have it."""
    for config in {id(c): c for c in (backbone.model.config, backbone.config)}.values():
        config._attn_implementation = "sdpa"


def generated(model: Any, ids: Any, new: int, mask: Any = None, **more: Any) -> int:
    """Rows [B, L] of exactly `new` tokens each by the library's `generate`, which is given what
    more there is; how many there are."""
    import torch

    found = model.generate(
        input_ids=ids,
        attention_mask=torch.ones_like(ids) if mask is None else mask,
        max_new_tokens=new,
        min_new_tokens=new,
        do_sample=False,
        pad_token_id=0,
        **more,
    )
    return int(found.shape[0] * (found.shape[1] - ids.shape[1]))


def counted(answer: Callable[[], int], repeats: int, *, warm: int) -> dict[str, Any]:
    """Time, new tokens and memory of calls that say how many tokens they wrote."""
    before = resident()
    reset_peak()
    counts: list[int] = []
    seconds = median(timed(lambda: counts.append(answer()), repeats, warm=warm))
    return {
        "seconds": seconds,
        "new_tokens": counts[-1],
        "memory_over_model_mb": peak() - before,
    }


def alone(script: str, contender: str, setting: dict[str, Any]) -> dict[str, Any]:
    """Run one contender of a script in a fresh process; it prints its result as its last line."""
    command = [sys.executable, script, "--contender", contender, "--setting", json.dumps(setting)]
    environment = dict(os.environ)
    if contender.startswith(PEERS):  # loaded by our loader, but with the memory that users have
        environment["CLINPROMPT_MALLOC"] = "system"
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        tail = " | ".join(done.stderr.strip().splitlines()[-3:])
        return {"failed": tail}
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def rounds(
    script: str, contenders: Sequence[str], setting: dict[str, Any], count: int
) -> dict[str, dict[str, Any]]:
    """Medians (and spread) of every number that the contenders report, over alternating rounds."""
    seen: dict[str, list[dict[str, Any]]] = {name: [] for name in contenders}
    for _ in range(count):
        for name in contenders:
            seen[name].append(alone(script, name, setting))
            print(f"{name}: {json.dumps(seen[name][-1])}", file=sys.stderr, flush=True)
    return {name: summary(found) for name, found in seen.items()}


def summary(found: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Median, lowest and highest of every number in the results of one contender."""
    broken = [one["failed"] for one in found if "failed" in one]
    if broken:
        return {"failed": broken[0]}
    result: dict[str, Any] = {}
    for name, value in found[0].items():
        values = [one[name] for one in found]
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            result[name] = round(median(values), 4)
            if len(values) > 1 and min(values) != max(values):
                result[f"{name}_range"] = [round(min(values), 4), round(max(values), 4)]
        else:
            result[name] = value
    return result


def write(result: dict[str, Any], out: Path | None) -> None:
    """Print a result as JSON, and keep it."""
    text = json.dumps(result, indent=2)
    print(text)
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text + "\n", encoding="utf-8")


Contenders = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Script:
    """A benchmark whose contenders are measured one a process.

    Attributes:
        question: what it answers, in a few words.
        file, doc: the script's ``__file__`` and ``__doc__``.
        default: its setting; ``--setting`` changes parts of it.
        measure: what one contender reaches, in this process.
    """

    question: str
    file: str
    doc: str | None
    default: dict[str, Any]
    contenders: Sequence[str]
    measure: Callable[[str, dict[str, Any]], dict[str, Any]]

    def parser(self) -> argparse.ArgumentParser:
        """What every script's command line has."""
        parser = argparse.ArgumentParser(
            description=self.doc, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        parser.add_argument("--contender", choices=self.contenders, help=argparse.SUPPRESS)
        parser.add_argument(
            "--setting", default="{}", help="JSON over the defaults: " + str(self.default)
        )
        parser.add_argument("--rounds", type=int, default=3)
        parser.add_argument(
            "--only", nargs="+", choices=self.contenders, default=list(self.contenders)
        )
        parser.add_argument("-o", "--out", type=Path)
        return parser

    def setting(self, options: argparse.Namespace) -> dict[str, Any]:
        """The whole setting."""
        return {**self.default, **json.loads(options.setting)}

    def is_contender(self, options: argparse.Namespace) -> bool:
        """Measure one contender and print it, where this process was started for that."""
        if options.contender:
            print(json.dumps(self.measure(options.contender, self.setting(options))))
        return bool(options.contender)

    def run(self, compared: Callable[[Contenders], dict[str, Any]] = lambda _: {}) -> None:
        """Measure all contenders in turn, and print JSON.

        Args:
            compared: what is said of all of them together.
        """
        options = self.parser().parse_args()
        if self.is_contender(options):
            return
        setting = self.setting(options)
        found = rounds(self.file, options.only, setting, options.rounds)
        self.write(options, {"contenders": found, **compared(found)})

    def write(self, options: argparse.Namespace, result: dict[str, Any]) -> None:
        """Print and keep a result, with what it depends on."""
        head = {
            "question": self.question,
            "setting": self.setting(options),
            "machine": machine() | {"float_type": float_name()},
        }
        write({**head, **result}, options.out)


def ratios(found: Contenders, base: str, value: str, *, more_is_better: bool) -> dict[str, float]:
    """How many times better than each other contender `base` is."""
    own = found.get(base, {}).get(value)
    if not own:
        return {}
    others = {n: one[value] for n, one in found.items() if n != base and "failed" not in one}
    return {
        name: round(own / other if more_is_better else other / own, 3)
        for name, other in others.items()
    }
