from __future__ import annotations

import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from clinprompt.artifacts.describe import describe, render
from clinprompt.artifacts.folder import write_folder
from clinprompt.artifacts.prompt_set import META, TENSORS, PromptSet
from clinprompt.cli.app import app
from clinprompt.errors import ClinpromptError

MakeSet = Callable[..., PromptSet]


def printed(path: Path) -> str:
    console = Console(file=StringIO(), width=200, color_system=None)
    console.print(render(describe(path)))
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["show", *arguments], catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_describe_a_prompt_set(tmp_path: Path, make_set: MakeSet) -> None:
    prompts = make_set()
    prompts.save(tmp_path / "s")
    content = describe(tmp_path / "s")
    assert json.loads(json.dumps(content)) == content
    assert content["digest"] == prompts.digest and content["kind"] == "prompt-set"
    sizes = {name: (tmp_path / "s" / name).stat().st_size for name in (META, TENSORS)}
    assert content["files"] == sizes
    assert content["prompt"]["share"] == 0.026 and content["prompt"]["hidden"] == 4
    assert [task["name"] for task in content["tasks"]] == ["task-0", "task-1"]
    assert "tasks" not in content["prompt"]


def test_render_a_prompt_set(tmp_path: Path, make_set: MakeSet) -> None:
    prompts = make_set(contains_phi_note="[bold]none[/bold]")
    prompts.save(tmp_path / "s")
    text = printed(tmp_path / "s")
    for words in (
        "metaprompt",
        "verified",
        prompts.digest,
        "26 = 2.60 % of the backbone",
        "3 x 4, decomposed, task vectors of rank 1",
        "task-1 / dev / entity_f1",
        "PHI-derived",
        "[bold]none[/bold]",
    ):
        assert words in text
    assert "adapted from" not in text


def test_other_kinds_are_described_by_their_files(tmp_path: Path) -> None:
    write_folder(
        tmp_path / "c", lambda p: (p / "state.bin").write_bytes(b"123") and None, kind="checkpoint"
    )
    content = describe(tmp_path / "c")
    assert content["files"] == {"state.bin": 3} and "prompt" not in content
    assert "checkpoint" in printed(tmp_path / "c") and "state.bin" in printed(tmp_path / "c")


def test_damage_is_not_described(tmp_path: Path, make_set: MakeSet) -> None:
    make_set().save(tmp_path / "s")
    (tmp_path / "s" / META).unlink()
    with pytest.raises(ClinpromptError, match="CP-ART-011"):
        describe(tmp_path / "s")


def test_command(tmp_path: Path, make_set: MakeSet) -> None:
    make_set().save(tmp_path / "s")
    assert json.loads(run(str(tmp_path / "s"), "--json")) == describe(tmp_path / "s")
    assert "task-1" in run(str(tmp_path / "s"))
    (tmp_path / "s" / TENSORS).write_bytes(b"")
    result = CliRunner().invoke(app, ["show", str(tmp_path / "s")])
    assert result.exit_code == 2 and "CP-ART-012" in result.stderr and result.stdout == ""


def test_an_update_of_the_layers_is_told(tmp_path: Path, make_set: MakeSet) -> None:
    update = {"rank": 1, "alpha": 2.0, "layers": ("q_proj", "v_proj"), "numbers": 1234}
    given = {"kind": "adapted", "parents": {"metaprompt": "a" * 64}, "update": update}
    make_set(**given).save(tmp_path / "s")
    line = "rank 1 on q_proj, v_proj, 1,234 numbers"
    assert line in printed(tmp_path / "s")
    assert line in (tmp_path / "s" / "README.md").read_text()
    make_set().save(tmp_path / "t")
    assert "update of the layers" not in printed(tmp_path / "t")
