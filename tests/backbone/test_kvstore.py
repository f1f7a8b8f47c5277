"""Keys and values on disk: what is read is what would be computed, or it is computed."""

from __future__ import annotations

import json
import logging
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
import safetensors
import safetensors.torch
import torch

from clinprompt.backbone import engine, kvstore
from clinprompt.backbone.engine import Prefix
from clinprompt.backbone.kvstore import KVStore
from clinprompt.backbone.model import Backbone
from clinprompt.errors import ClinpromptError
from tests.backbone import tiny

FIXED = [5, 6, 7]


def prompt(seed: int = 0) -> torch.Tensor:
    return torch.randn(4, 32, generator=torch.Generator().manual_seed(seed))


def store(folder: Path, backbone: Backbone | None = None, fingerprint: str = "f" * 64) -> KVStore:
    return KVStore(folder, backbone or tiny.backbone("llama"), fingerprint)


def equal(one: Prefix, other: Prefix) -> bool:
    pairs = zip(one.layers, other.layers, strict=True)
    return torch.equal(one.lengths, other.lengths) and all(
        torch.equal(a, b) for own, its in pairs for a, b in zip(own, its, strict=True)
    )


def the_file(folder: Path) -> Path:
    (path,) = folder.iterdir()
    return path


@pytest.mark.parametrize("architecture", sorted(tiny.CONFIGS))
def test_what_is_read_is_what_was_computed(architecture: str, tmp_path: Path) -> None:
    backbone = tiny.backbone(architecture)
    for soft in (prompt(), None):
        with torch.no_grad():
            expected = engine.prefix(backbone, [soft], [FIXED])
        writing, reading = (store(tmp_path / "kv", backbone) for _ in range(2))
        assert equal(writing.prefix(soft, FIXED), expected)
        found = reading.prefix(soft, FIXED)
        assert equal(found, expected)
        assert (writing.read, writing.computed, reading.read, reading.computed) == (0, 1, 1, 0)
        assert found.layers[0][0].dtype == expected.layers[0][0].dtype


def test_each_thing_that_counts_has_a_file_of_its_own(tmp_path: Path) -> None:
    backbone = tiny.backbone("llama")
    store(tmp_path, backbone).prefix(prompt(), FIXED)
    half = tiny.backbone("llama")
    half.model.to(torch.bfloat16)
    others = (
        (store(tmp_path, backbone), prompt(1), FIXED),
        (store(tmp_path, backbone), None, FIXED),
        (store(tmp_path, backbone), prompt(), [5, 6]),
        (store(tmp_path, backbone), prompt()[:3], FIXED),
        (store(tmp_path, backbone, "e" * 64), prompt(), FIXED),
        (store(tmp_path, half), prompt(), FIXED),
    )
    for count, (one, soft, fixed) in enumerate(others, 2):
        one.prefix(soft, fixed)
        assert (one.read, one.computed) == (0, 1)
        assert len(list(tmp_path.iterdir())) == count


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def one_bit(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[-50] ^= 1
    path.write_bytes(bytes(raw))


def rewritten(change: Callable[[dict, dict], None]) -> Callable[[Path], None]:
    """Another file in its place, sound in itself."""

    def write(path: Path) -> None:
        with safetensors.safe_open(path, framework="pt") as file:
            told = dict(file.metadata())
        tensors = safetensors.torch.load(path.read_bytes())
        change(told, tensors)
        every = [tensors[name] for name in sorted(tensors)]
        told["content"] = kvstore._digest(every)
        path.write_bytes(safetensors.torch.save(tensors, told))

    return write


def longer(_: dict, tensors: dict) -> None:
    for name in tensors:
        tensors[name] = torch.cat([tensors[name], tensors[name][:, :, :1]], dim=2)


def other_type(_: dict, tensors: dict) -> None:
    for name in tensors:
        tensors[name] = tensors[name].bfloat16()


DAMAGES: dict[str, Callable[[Path], None]] = {
    "cut off": cut_off,
    "empty": emptied,
    "one bit": one_bit,
    "of another backbone": rewritten(lambda told, _: told.update(backbone="0" * 64)),
    "of another prompt": rewritten(lambda told, _: told.update(prompt="0" * 64)),
    "of another version": rewritten(lambda told, _: told.update(format="clinprompt-kv-0")),
    "a layer short": rewritten(lambda _, tensors: [tensors.pop(f"0003.{x}") for x in "kv"]),
    "values missing": rewritten(lambda _, tensors: tensors.pop("0002.v")),
    "longer": rewritten(longer),
    "in another float type": rewritten(other_type),
}


@pytest.mark.parametrize("damage", DAMAGES, ids=str)
def test_a_file_that_is_not_what_it_should_be_is_replaced(
    damage: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    expected = store(tmp_path).prefix(prompt(), FIXED)
    path = the_file(tmp_path)
    DAMAGES[damage](path)
    reading = store(tmp_path)
    with caplog.at_level(logging.WARNING):
        found = reading.prefix(prompt(), FIXED)
    assert equal(found, expected)
    assert (reading.read, reading.computed) == (0, 1)
    assert len(caplog.records) == 1
    assert str(path) in caplog.text
    again = store(tmp_path)
    assert equal(again.prefix(prompt(), FIXED), expected)
    assert again.read == 1  # it was mended


def test_another_version_of_a_library_computes_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(tmp_path).prefix(prompt(), FIXED)
    monkeypatch.setattr(kvstore, "_versions", lambda: "another")
    other = store(tmp_path)
    other.prefix(prompt(), FIXED)
    assert (other.read, other.computed) == (0, 1)


def test_files_are_their_owners_and_hold_digests_alone(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "kv"
    store(folder).prefix(prompt(), FIXED)
    path = the_file(folder)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    length = int.from_bytes(path.read_bytes()[:8], "little")
    told = json.loads(path.read_bytes()[8 : 8 + length])["__metadata__"]
    assert set(told) == {"format", "versions", "backbone", "prompt", "text", "dtype", "content"}
    for name in ("backbone", "prompt", "text", "content"):
        assert len(told[name]) == 64


def test_a_file_that_can_not_be_written_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    one = store(tmp_path)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with caplog.at_level(logging.WARNING):
        found = one.prefix(prompt(), FIXED)
    assert "No space left" in caplog.text
    assert list(tmp_path.iterdir()) == []  # nothing half-written
    with torch.no_grad():
        assert equal(found, engine.prefix(one.backbone, [prompt()], [FIXED]))


def test_a_folder_that_can_not_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ClinpromptError, match="CP-BACK-110"):
        store(tmp_path / "file")
    with pytest.raises(ClinpromptError, match="CP-BACK-110"):
        store(tmp_path / "file" / "below")
