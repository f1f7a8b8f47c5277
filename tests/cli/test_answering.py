"""What predict and evaluate load, as their options and prompts say."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from clinprompt.backbone import floats
from clinprompt.cli.answering import agreed_dtype
from clinprompt.errors import ClinpromptError


def sets(*kinds: str) -> Any:
    found = []
    for number, kind in enumerate(kinds):
        meta = SimpleNamespace(configuration={"backbone": {"dtype": kind}} if kind else {})
        found.append((Path(f"runs/{number}"), SimpleNamespace(meta=meta)))
    return found


@pytest.mark.parametrize(
    ("kinds", "able", "expected"),
    [
        (("bfloat16", "bfloat16"), True, "bfloat16"),
        (("auto", "bfloat16", ""), True, "bfloat16"),
        (("auto", "bfloat16"), False, "float32"),
        (("float32", "bfloat16"), False, "float32"),  # a CPU that computes one of them alone
        (("auto", ""), True, "auto"),
    ],
)
def test_prompts_agree_on_a_float_type(
    kinds: tuple[str, ...], able: bool, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(floats, "computes_bfloat16", lambda place: able)
    assert agreed_dtype(sets(*kinds), "cpu") == expected


def test_prompts_of_different_float_types_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(floats, "computes_bfloat16", lambda place: True)
    with pytest.raises(ClinpromptError, match="CP-CLI-160") as caught:
        agreed_dtype(sets("float32", "auto", "bfloat16"), "cpu")
    assert "'runs/0' in float32, 'runs/1' in auto, 'runs/2' in bfloat16" in str(caught.value)
