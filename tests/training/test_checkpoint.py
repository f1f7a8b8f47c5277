from __future__ import annotations

import errno
import io
from pathlib import Path
from typing import Any

import pytest
import torch

from clinprompt.errors import ClinpromptError
from clinprompt.training import checkpoint

STATE = {"identity": "run/distil", "step": 3, "tensor": torch.arange(5.0), "history": [{"a": None}]}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "work" / "distil.ckpt"


def test_what_is_saved_is_loaded(path: Path) -> None:
    assert checkpoint.load(path, "run/distil") is None
    checkpoint.save(path, STATE)
    found = checkpoint.load(path, "run/distil")
    assert found is not None
    assert torch.equal(found.pop("tensor"), STATE["tensor"])
    assert found == {key: value for key, value in STATE.items() if key != "tensor"}
    assert [p.name for p in path.parent.iterdir()] == ["distil.ckpt"]


def test_of_another_run_it_is_refused(path: Path) -> None:
    checkpoint.save(path, STATE)
    with pytest.raises(ClinpromptError, match="CP-TRAIN-032") as caught:
        checkpoint.load(path, "other/distil")
    assert caught.value.file == str(path)


@pytest.mark.parametrize("what", ["cut", "junk", "empty", "no identity", "a pickle"])
def test_corrupt_it_is_refused(path: Path, what: str) -> None:
    checkpoint.save(path, STATE)
    content = path.read_bytes()
    if what == "no identity":
        torch.save({"step": 1}, path)
    elif what == "a pickle":  # an object that would have to be unpickled is never loaded
        torch.save({"identity": "run/distil", "path": Path()}, path)
    else:
        path.write_bytes({"cut": content[: len(content) // 2], "junk": b"junk", "empty": b""}[what])
    with pytest.raises(ClinpromptError, match="CP-TRAIN-031") as caught:
        checkpoint.load(path, "run/distil")
    assert "delete it" in str(caught.value)


class FullDisk(io.BytesIO):
    """Takes a few bytes."""

    def write(self, data: Any) -> int:
        if self.tell() + len(data) > 100:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(data)


def test_a_full_disk_keeps_the_old_one(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint.save(path, STATE)
    before = path.read_bytes()
    real = Path.open

    def full(self: Path, mode: str = "r", *args: Any, **options: Any) -> Any:
        if self.name.endswith(".tmp"):
            real(self, "wb").close()
            return FullDisk()
        return real(self, mode, *args, **options)

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(ClinpromptError, match="CP-TRAIN-030") as caught:
        checkpoint.save(path, {**STATE, "step": 4})
    assert "free some space" in str(caught.value)
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == ["distil.ckpt"]
    found = checkpoint.load(path, "run/distil")
    assert found is not None
    assert found["step"] == 3


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_failure_at_any_later_call_keeps_the_old_one(
    path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    checkpoint.save(path, STATE)

    def fail(*_: Any) -> None:
        raise OSError(errno.EIO, "Input/output error")

    target = checkpoint.os if call == "fsync" else Path
    monkeypatch.setattr(target, call, fail)
    with pytest.raises(ClinpromptError, match="CP-TRAIN-030"):
        checkpoint.save(path, {**STATE, "step": 4})
    monkeypatch.undo()
    found = checkpoint.load(path, "run/distil")
    assert found is not None
    assert found["step"] == 3


def test_no_place_for_the_folder_is_told_the_same_way(tmp_path: Path) -> None:
    (tmp_path / "work").write_text("a file", encoding="utf-8")
    with pytest.raises(ClinpromptError, match="CP-TRAIN-030"):
        checkpoint.save(tmp_path / "work" / "distil.ckpt", STATE)
