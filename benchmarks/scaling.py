"""How does the cost of a training step grow with prompt, text, tasks and rows?

    python benchmarks/scaling.py -o scaling.json
    python benchmarks/scaling.py --axis virtual tokens --rounds 3

From a middle setting (P = 100, L = 128, T = 1, B = 8) one axis at a time is changed: P from 20 to
200, L from 64 to 2 048, T from 1 to 21, B from 1 to 64. Contenders are those of training.py:
clinprompt, and PEFT prompt tuning (its multitask form where T > 1). A point that would take PEFT
more than `--most-tokens` tokens a step (all of them kept for its backward pass) is left out and
marked.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import harness

TRAINING = str(Path(__file__).with_name("training.py"))
MIDDLE = {"virtual": 100, "tokens": 128, "tasks": 1, "rows": 8, "answer": 8, "steps": 2}
AXES = {
    "virtual": (20, 50, 100, 200),
    "tokens": (64, 128, 512, 2048),
    "tasks": (1, 4, 21),
    "rows": (1, 8, 32, 64),
}


def points(axes: list[str]) -> list[tuple[str, dict[str, Any]]]:
    """Settings, with the axis they belong to."""
    found = []
    for axis in axes:
        for value in AXES[axis]:
            setting = {**MIDDLE, axis: value}
            # Every task needs a row of its own.
            setting["rows"] = max(setting["rows"], setting["tasks"])
            found.append((axis, setting))
    return found


def main() -> None:
    """Measure all points in turn, and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--axis", nargs="+", choices=sorted(AXES), default=list(AXES))
    parser.add_argument("--setting", default="{}", help="JSON over the middle: " + str(MIDDLE))
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--most-tokens", type=int, default=8000)
    parser.add_argument("-o", "--out", type=Path)
    options = parser.parse_args()
    rows = []
    for axis, setting in points(options.axis):
        setting = {**setting, **json.loads(options.setting)}
        peer = "peft-multitask" if setting["tasks"] > 1 else "peft-prompt-tuning"
        names = ["clinprompt"]
        if setting["rows"] * (setting["tokens"] + setting["virtual"]) <= options.most_tokens:
            names.append(peer)
        found = harness.rounds(TRAINING, names, setting, options.rounds)
        row: dict[str, Any] = {"axis": axis, "value": setting[axis], "setting": setting, **found}
        ours, theirs = found["clinprompt"], found.get(peer, {"failed": "too many tokens"})
        if "failed" not in theirs and "failed" not in ours:
            row["speed"] = round(ours["examples_per_second"] / theirs["examples_per_second"], 2)
            row["memory"] = round(ours["memory_over_model_mb"] / theirs["memory_over_model_mb"], 3)
        rows.append(row)
        print(json.dumps(row), file=sys.stderr, flush=True)
    harness.write(
        {"question": "growth of a step", "machine": harness.machine(), "points": rows}, options.out
    )


if __name__ == "__main__":
    main()
