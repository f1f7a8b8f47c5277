from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from clinprompt.errors import ClinpromptError
from clinprompt.training.workspace import clear_checkpoints, occupied, work_folder, workspace

HOLDER = """
import sys, time
from pathlib import Path
from clinprompt.training.workspace import workspace
with workspace(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_it_stands_beside_the_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert work_folder(tmp_path / "a.b") == tmp_path / "a.b.work"
    (tmp_path / "deep").mkdir()
    monkeypatch.chdir(tmp_path / "deep")
    assert work_folder(Path("x")) == tmp_path / "deep" / "x.work"
    assert work_folder(Path()) == tmp_path / "deep.work"
    assert work_folder(Path("..")) == tmp_path.with_name(tmp_path.name + ".work")
    (tmp_path / "link").symlink_to(tmp_path / "deep")
    assert work_folder(tmp_path / "link") == tmp_path / "link.work"


def test_it_goes_away_only_when_empty(tmp_path: Path) -> None:
    with workspace(tmp_path / "out") as folder:
        assert folder == tmp_path / "out.work"
    assert not folder.exists()
    with workspace(tmp_path / "out"):
        (folder / "kept").touch()
    assert folder.is_dir()


def test_checkpoints_are_cleared_and_all_else_stays(tmp_path: Path) -> None:
    folder = tmp_path / "out.work"
    (folder / "teachers").mkdir(parents=True)
    for name in ("distil.ckpt", "teachers.ckpt", "distil.ckpt.tmp", "notes.txt"):
        (folder / name).touch()
    clear_checkpoints(folder)
    assert sorted(p.name for p in folder.iterdir()) == ["notes.txt", "teachers"]
    clear_checkpoints(tmp_path / "never-there")


def test_nothing_and_an_empty_folder_are_free(tmp_path: Path) -> None:
    assert not occupied(tmp_path / "no")
    assert not occupied(tmp_path)
    (tmp_path / "file").touch()
    assert occupied(tmp_path)
    assert occupied(tmp_path / "file")


@pytest.mark.skipif(os.name == "nt", reason="no locks")
def test_a_second_process_is_kept_out_until_the_first_is_killed(tmp_path: Path) -> None:
    out = tmp_path / "out"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(out)], stdout=subprocess.PIPE, env=environment
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(ClinpromptError, match="CP-TRAIN-085"), workspace(out):
            pass
        assert work_folder(out).is_dir()  # the refused one takes nothing away
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()
    with workspace(out):
        pass
