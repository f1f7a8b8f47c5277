"""Float types: the checkpoint's, unless it can't be trained in or the CPU does not compute it."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from clinprompt.backbone import floats

CPU, GPU = torch.device("cpu"), torch.device("cuda")
FULL, HALF, SHORT = torch.float32, torch.float16, torch.bfloat16


@pytest.fixture(autouse=True)
def _fresh() -> None:
    floats.say.cache_clear()


def able(monkeypatch: pytest.MonkeyPatch, answer: bool) -> None:
    monkeypatch.setattr(floats, "computes_bfloat16", lambda place: answer or place.type == "cuda")


@pytest.mark.parametrize(
    ("asked", "stored", "where", "can", "expected", "said"),
    [
        ("auto", FULL, CPU, False, FULL, ""),
        ("auto", FULL, CPU, True, FULL, ""),
        ("auto", SHORT, CPU, True, SHORT, ""),
        ("auto", SHORT, CPU, False, FULL, "twice the memory"),
        ("auto", HALF, CPU, True, SHORT, ""),
        ("auto", HALF, CPU, False, FULL, "twice the memory"),
        ("auto", SHORT, GPU, False, SHORT, ""),
        ("bfloat16", FULL, CPU, False, SHORT, "small part of the speed"),
        ("bfloat16", SHORT, CPU, True, SHORT, ""),
        ("float32", SHORT, CPU, False, FULL, ""),
    ],
)
def test_the_type_that_is_computed_in(
    asked: Any,
    stored: torch.dtype,
    where: torch.device,
    can: bool,
    expected: torch.dtype,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    able(monkeypatch, can)
    assert floats.float_type(asked, stored, where) == expected
    assert floats.float_type(asked, stored, where) == expected
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == (1 if said else 0)  # once, however often it is asked
    assert all(said in line for line in lines)


@pytest.mark.parametrize(
    ("recorded", "can", "expected"),
    [
        ({"backbone": {"dtype": "bfloat16"}}, True, "bfloat16"),
        ({"backbone": {"dtype": "bfloat16"}}, False, "float32"),
        ({"backbone": {"dtype": "float32"}}, True, "float32"),
        ({"backbone": {"dtype": "auto"}}, True, "auto"),
        ({"backbone": {}}, True, "auto"),
        ({"backbone": "smollm2"}, False, "auto"),
        ({}, False, "auto"),
    ],
)
def test_prompts_are_asked_in_the_type_they_were_trained_in(
    recorded: Any, can: bool, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    able(monkeypatch, can)
    assert floats.trained_in(recorded, CPU) == expected


def test_a_gpu_is_taken_to_compute_it() -> None:
    assert floats.computes_bfloat16(GPU)


def test_a_build_without_onednn_does_not_compute_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(floats.torch.ops, "mkldnn", object())
    assert not floats.computes_bfloat16(CPU)
