"""Freed memory is kept where glibc can do it, and nobody's own choice is touched."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from clinprompt.backbone import allocator

PROGRAM = """
import resource, torch
from clinprompt.backbone.allocator import keep_freed

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        torch.zeros(2**23)  # 32 MiB, freed at once
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

kept = keep_freed()
faults()
print(int(kept), faults())
"""

GIVING_BACK = """
import torch
from pathlib import Path
from clinprompt.backbone.allocator import give_back_freed, keep_freed

def resident():  # MiB
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmRSS"))) // 1024

if not keep_freed():
    raise SystemExit(0)
before = resident()
blocks = [torch.ones(2**18) for _ in range(128)]  # 1 MiB each, in the heap
last = torch.ones(2**18)  # nothing below it leaves the heap's top by itself
del blocks
kept = resident()
give_back_freed()
print(before, kept, resident())
"""


def told(program: str, **environment: str) -> list[int]:
    """What a program prints in an environment that says nothing else of allocators."""
    clean = {k: v for k, v in os.environ.items() if k not in (*allocator._OWN, allocator.CHOICE)}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=clean | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return [int(word) for word in done.stdout.split()]


def run(**environment: str) -> tuple[int, int]:
    kept, faults = told(PROGRAM, **environment)
    return kept, faults


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc alone has the setting")
def test_freed_memory_comes_again() -> None:
    kept, faults = run()
    if not kept:
        pytest.skip("no glibc here")
    alone, usual = run(CLINPROMPT_MALLOC="system")
    assert alone == 0
    assert faults < 200 < usual


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc alone has the setting")
def test_freed_memory_is_given_back_when_asked() -> None:
    found = told(GIVING_BACK)
    if not found:
        pytest.skip("no glibc here")
    before, kept, after = found
    assert kept - before > 100
    assert after - before < 30


@pytest.mark.parametrize("name", allocator._OWN)
def test_what_a_user_has_set_up_counts(name: str) -> None:
    value = "glibc.malloc.check=0" if name == "GLIBC_TUNABLES" else "1048576"
    assert run(**{name: value})[0] == 0


def test_elsewhere_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*allocator._OWN, allocator.CHOICE):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not allocator.keep_freed()
