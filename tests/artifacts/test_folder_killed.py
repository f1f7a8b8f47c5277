"""A real SIGKILL at every step of a write: before and after each call that changes the disk."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

# Runs in a process of its own and forks a victim for each step, until one gets through alive.
DRIVER = """
import itertools, json, os, shutil, signal, sys
from pathlib import Path
from clinprompt.artifacts import swap
from clinprompt.artifacts.folder import verify_folder, write_folder
from clinprompt.errors import ClinpromptError

base, overwrite, exchange = Path(sys.argv[1]), sys.argv[2] == "over", sys.argv[3] == "swap"
path = base / "saved"
if not exchange:
    swap.exchange = lambda first, second: False

def save(value, allowed=True):
    def write(folder):
        (folder / "a").write_text(value)
        (folder / "b").write_text(value)
    write_folder(path, write, kind="sample", overwrite=allowed)

def state():
    try:
        verify_folder(path)
    except ClinpromptError as error:
        return error.code
    hidden = path.parent / ".saved.old"
    if hidden.exists():
        verify_folder(hidden)  # a backup is whole or it isn't there
    return ((path if path.exists() else hidden) / "a").read_text()

def die_at(step):
    calls = itertools.count(1)
    def watched(name, real):
        def call(*args, **options):
            if next(calls) == step:
                print(json.dumps(["killed", "before " + name]), flush=True)
                os.kill(os.getpid(), signal.SIGKILL)
            result = real(*args, **options)
            if next(calls) == step:
                print(json.dumps(["killed", "after " + name]), flush=True)
                os.kill(os.getpid(), signal.SIGKILL)
            return result
        return call
    os.replace = watched("replace", os.replace)
    os.fsync = watched("fsync", os.fsync)
    os.unlink = watched("unlink", os.unlink)
    os.rmdir = watched("rmdir", os.rmdir)
    swap.exchange = watched("exchange", swap.exchange)

for step in itertools.count(1):
    shutil.rmtree(base)
    base.mkdir()
    if overwrite:
        save("old")
    victim = os.fork()
    if victim == 0:
        die_at(step)
        save("new")
        os._exit(0)
    status = os.waitpid(victim, 0)[1]
    seen = state()
    save("again")
    print(json.dumps(["state", seen, state(), sorted(os.listdir(base))]), flush=True)
    if status == 0:
        break
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL")
@pytest.mark.parametrize(
    ("over", "how", "steps"),
    [
        ("fresh", "swap", {"replace"}),
        ("over", "swap", {"exchange"}),
        ("over", "renames", {"replace"}),
    ],
)
def test_killed_at_every_step(tmp_path: Path, over: str, how: str, steps: set[str]) -> None:
    base = tmp_path / "base"
    base.mkdir()
    run = subprocess.run(
        [sys.executable, "-c", DRIVER, str(base), over, how],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        timeout=120,
    )
    lines = [json.loads(line) for line in run.stdout.splitlines()]
    killed = [line[1] for line in lines if line[0] == "killed"]
    states = [line[1:] for line in lines if line[0] == "state"]
    assert len(states) == len(killed) + 1 > 10  # the last run was not killed
    assert {f"{when} {step}" for when in ("before", "after") for step in steps} <= set(killed)

    allowed = ["old" if over == "over" else "CP-ART-006", "new"]
    seen = [first for first, _, _ in states]
    assert set(seen) == set(allowed)
    assert seen == sorted(seen, key=allowed.index)  # once new, never old again
    assert all(after == "again" and names == ["saved"] for _, after, names in states)
