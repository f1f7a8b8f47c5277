from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

import clinprompt
from clinprompt.errors import ClinpromptError, did_you_mean

SOURCE = Path(clinprompt.__file__).parent


def raise_sites() -> dict[str, list[str]]:
    """Code -> where it stands as a string of its own (docstrings mention codes, too)."""
    sites: dict[str, list[str]] = defaultdict(list)
    for path in sorted(SOURCE.rglob("*.py")):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            for code in re.findall(r'"\[?(CP-[A-Z]+-\d{3})\b', line):
                sites[code].append(f"{path.relative_to(SOURCE)}:{number}")
    return sites


def test_each_code_stands_at_one_place() -> None:
    sites = raise_sites()
    assert len(sites) > 40
    assert {code: places for code, places in sites.items() if len(places) > 1} == {}


def test_every_error_is_raised_with_a_code() -> None:
    """A code is three digits after a room's word, so that it can be searched for."""
    for path in SOURCE.rglob("*.py"):
        for code in re.findall(r'"(CP-[^"\s]*)"', path.read_text(encoding="utf-8")):
            assert re.fullmatch(r"CP-[A-Z]+-\d{3}", code), (path, code)


def test_an_error_is_one_line_with_place_and_hint() -> None:
    error = ClinpromptError("CP-X-001", "wrong", file="a.txt", line=3, hint="do this")
    assert str(error) == "[CP-X-001] a.txt:3: wrong; do this"
    assert str(ClinpromptError("CP-X-001", "wrong")) == "[CP-X-001] wrong"


def test_hints() -> None:
    assert did_you_mean("chmprot", ["chemprot", "phee"]) == "did you mean 'chemprot'?"
    assert did_you_mean("zzz", ["b", "a"]) == "known: a, b"
    assert did_you_mean("zzz", []) == "none are known"
    assert did_you_mean("zzz", [f"n{i:02}" for i in range(20)]).endswith("n11, ...")
