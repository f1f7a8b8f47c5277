"""``clinprompt train`` and ``adapt`` killed for real, again and again, end in the same bytes.

A driver imports everything once and forks the runs, so that each is a process of its own and only
the first pays for the imports.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.training import toy

from clinprompt.artifacts.prompt_set import PromptSet

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL")

# For each job, runs the command line once for each plan until one gets through: {"calls": n} dies
# at the n-th call that changes the disk; {"writes": n, "wait": s} gets a signal from outside
# (SIGKILL), s seconds after its n-th checkpoint; {} is left in peace. Prints what became of each.
DRIVER = """
import itertools, json, os, signal, sys, time, traceback
from pathlib import Path
os.environ["HF_HUB_OFFLINE"] = "1"
import torch
import transformers.models.llama.modeling_llama
from clinprompt.cli import app, main
from clinprompt.training import adapt, source
torch.set_num_threads(1)


def die_at(last):
    calls = itertools.count(1)
    def watched(real):
        def call(*given, **options):
            if next(calls) == last:
                os.kill(os.getpid(), signal.SIGKILL)
            found = real(*given, **options)
            if next(calls) == last:
                os.kill(os.getpid(), signal.SIGKILL)
            return found
        return call
    for name in ("replace", "rename", "fsync", "unlink"):
        setattr(os, name, watched(getattr(os, name)))
    torch.save = watched(torch.save)

def run(plan, log, arguments):
    if "calls" in plan:
        die_at(plan["calls"])
    os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND), 2)
    os.dup2(2, 1)
    try:
        main(arguments)
    except SystemExit as end:
        os._exit(end.code or 0)
    except BaseException:
        traceback.print_exc()
    os._exit(99)

def stamps(work):
    found = set()
    for path in work.glob("*.ckpt"):
        try:
            found.add((path.name, path.stat().st_ino, path.stat().st_mtime_ns))
        except FileNotFoundError:
            pass
    return found

def follow(plan, work, log, arguments):
    seen = stamps(work)
    old = len(seen)
    child = os.fork()
    if child == 0:
        run(plan, log, arguments)
    deadline = time.monotonic() + 120
    if "writes" in plan:
        while len(seen) - old < plan["writes"] and time.monotonic() < deadline:
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                return status
            seen |= stamps(work)
            time.sleep(0.001)
        time.sleep(plan["wait"])
        os.kill(child, plan.get("signal", signal.SIGKILL))
    return os.waitpid(child, 0)[1]

for out, plans, arguments in json.loads(sys.argv[1]):
    work = Path(out + ".work")
    for plan in plans:
        code = os.waitstatus_to_exitcode(follow(plan, work, out + ".log", arguments))
        left = sorted(path.name for path in work.iterdir()) if work.exists() else []
        print(json.dumps([out, code, left]), flush=True)
        if code == 0:
            break
"""


def environment() -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if "CLINPROMPT" not in name}
    return {**inherited, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}


def drive(*jobs: tuple[Path, list[dict[str, Any]], list[Any]]) -> dict[str, list[Any]]:
    """For each job, by the name of its folder: exit code and work folder's content each time."""
    given = [
        [str(out), plans, [*map(str, arguments), "-o", str(out)]] for out, plans, arguments in jobs
    ]
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, json.dumps(given)],
        capture_output=True,
        text=True,
        env=environment(),
        timeout=400,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, list[Any]] = {out.name: [] for out, _, _ in jobs}
    for line in done.stdout.splitlines():
        out, code, left = json.loads(line)
        found[Path(out).name].append((code, left))
    for out, _, _ in jobs:
        assert found[out.name][-1][0] == 0, Path(f"{out}.log").read_text(encoding="utf-8")
    return found


def plans(seed: int) -> list[dict[str, Any]]:
    """Killed at random moments, and at random steps of writing, until one run gets through."""
    random_ = random.Random(seed)
    by_time = [
        {"writes": random_.choice((0, 1, 1, 2)), "wait": random_.uniform(0, 0.06)}
        for _ in range(12)
    ]
    by_call = [{"calls": random_.randint(1, 40)} for _ in range(12)]
    both = [plan for pair in zip(by_time, by_call, strict=True) for plan in pair]
    return [*both, {}]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tasks, backbone and recipe."""
    folder = tmp_path_factory.mktemp("killed")
    backbone = {"name": str(toy.save_backbone(folder / "backbone"))}
    sources = toy.write_tasks(folder / "tasks")
    toy.write_task(folder / "tasks", "target", "answer", seed=1)
    recipe = toy.recipe_fields(
        sources,
        backbone=backbone,
        teachers={"steps": 10},
        distil={"steps": 8},
        engine={"save_every": 1},
    )
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe), encoding="utf-8")
    settings = toy.adapt_fields(adapt={"steps": 10}, engine={"save_every": 1})
    (folder / "adapt.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def fates(place: Path) -> dict[str, list[Any]]:
    """What became of every run, two of them undisturbed."""
    train, adapt = train_arguments(place), adapt_arguments(place)
    politely = [{"writes": 3, "wait": 0.02, "signal": signal.SIGTERM}, {}]
    return drive(
        (place / "meta", [{}], train),
        (place / "meta-killed-0", plans(0), train),
        (place / "meta-killed-1", plans(1), train),
        (place / "meta-asked", politely, train),
        (place / "adapted", [{}], adapt),
        (place / "adapted-killed", plans(2), adapt),
    )


def train_arguments(place: Path) -> list[Any]:
    return ["train", place / "recipe.yaml", "--threads", 1]


def adapt_arguments(place: Path) -> list[Any]:
    targets = [place / "tasks" / "target.yaml", place / "tasks" / "ner.yaml"]
    return [
        *("adapt", "--metaprompt", place / "meta", "--settings", place / "adapt.yaml"),
        *("--task", targets[0], "--task", targets[1], "--shots", 6, "--threads", 1),
    ]


@pytest.mark.parametrize("seed", [0, 1])
def test_training_killed_many_times_ends_in_the_same_bytes(
    place: Path, fates: dict[str, list[Any]], seed: int
) -> None:
    killed = place / f"meta-killed-{seed}"
    codes = [code for code, _ in fates[killed.name]]
    assert codes[:-1] == [-signal.SIGKILL] * (len(codes) - 1)
    assert len(codes) > 3
    lasting = [{n for n in left if n.endswith(".ckpt")} for _, left in fates[killed.name]]
    assert {"teachers.ckpt"} in lasting  # killed while teachers were trained
    assert {"teachers.ckpt", "distil.ckpt"} in lasting  # and while they were distilled
    expected = toy.contents(place / "meta")
    assert toy.contents(killed) == expected
    assert set(expected) == {"README.md", "manifest.json", "meta.json", "prompts.safetensors"}
    teachers = toy.contents(place / "meta.work")
    assert toy.contents(place / f"{killed.name}.work") == teachers
    assert {f"teachers/{name}" for name in expected} == set(teachers)
    assert not [p.name for p in place.iterdir() if p.name.startswith(f".{killed.name}.")]


def test_adaptation_killed_many_times_ends_in_the_same_bytes(
    place: Path, fates: dict[str, list[Any]]
) -> None:
    codes = [code for code, _ in fates["adapted-killed"]]
    assert codes[:-1] == [-signal.SIGKILL] * (len(codes) - 1)
    assert len(codes) > 3
    assert ["adapt.ckpt"] in [left for _, left in fates["adapted-killed"]]
    assert toy.contents(place / "adapted-killed") == toy.contents(place / "adapted")
    assert PromptSet.load(place / "adapted-killed").meta.names == ["target", "ner"]
    assert not (place / "adapted-killed.work").exists()


def test_sigterm_saves_and_goes_on_too(place: Path, fates: dict[str, list[Any]]) -> None:
    assert [code for code, _ in fates["meta-asked"]] == [130, 0]
    assert toy.contents(place / "meta-asked") == toy.contents(place / "meta")


@pytest.mark.usefixtures("fates")
def test_ctrl_c_saves_says_so_and_the_same_command_goes_on(place: Path, tmp_path: Path) -> None:
    """Both times in a process of its own, from its very start."""
    out = tmp_path / "meta"
    command = [sys.executable, "-m", "clinprompt", *map(str, train_arguments(place)), "-o", out]

    def start() -> subprocess.Popen[str]:
        pipes: dict[str, Any] = {"stderr": subprocess.PIPE, "stdout": subprocess.PIPE}
        return subprocess.Popen(command, env=environment(), text=True, **pipes)

    process = start()
    deadline = time.monotonic() + 120
    while not (tmp_path / "meta.work" / "teachers.ckpt").exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.002)
    process.send_signal(signal.SIGINT)
    printed, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    last = errors.splitlines()[-1]
    assert last.startswith("clinprompt: stopped at teachers, step ")
    assert last.endswith(" of 10; saved. Run the same command again to go on.")
    assert printed == ""
    assert "Traceback" not in errors
    assert not out.exists()

    process = start()
    printed, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert "teachers: going on from step" in errors
    digest = PromptSet.load(out).digest
    assert printed.splitlines()[0] == f"{out}: metaprompt for nli, label, answer, summary, ner"
    assert printed.splitlines()[2] == f"digest: {digest}"
    assert toy.contents(out) == toy.contents(place / "meta")
