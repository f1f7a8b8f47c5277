"""The benchmark of one note runs from end to end with a tiny model."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.training import toy

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "one_note.py"
SETTING = {"tasks": 3, "note": 40, "virtual": 4, "answer": 2, "threads": 1, "closed": 1}


def test_every_contender_gives_every_figure(tmp_path: Path) -> None:
    folder, out = toy.save_backbone(tmp_path / "tiny"), tmp_path / "found.json"
    setting = json.dumps({**SETTING, "backbone": str(folder)})
    ours = ("after", "after-layers", "before", "before-one-by-one")
    command = [sys.executable, str(SCRIPT), "--rounds", "1", "--setting", setting, "-o", str(out)]
    done = subprocess.run(
        [*command, "--only", *ours], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(out.read_text(encoding="utf-8"))
    assert found == json.loads(done.stdout)
    assert list(found["contenders"]) == list(ours)
    for one in found["contenders"].values():
        assert "failed" not in one
        assert 0 < one["new_tokens"] <= 4  # of two open tasks; a label is scored
        assert one["seconds"] > 0
    for name in ("after", "after-layers"):
        assert set(found[f"{name}_is_faster_by"]) == set(ours) - {name}
