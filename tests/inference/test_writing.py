from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from clinprompt.inference.writing import write_atomically


def test_files_are_written_as_a_whole(tmp_path: Path) -> None:
    target = tmp_path / "a.json"
    write_atomically(target, ["é\n", "2\n"])
    assert target.read_bytes() == "é\n2\n".encode()
    write_atomically(target, ["new"])
    assert target.read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_a_failure_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "a.json"
    target.write_text("old")

    def failing() -> Iterator[str]:
        yield "half"
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        write_atomically(target, failing())
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions and links")
def test_permissions_and_links_stay(tmp_path: Path) -> None:
    target, link = tmp_path / "a.json", tmp_path / "link.json"
    target.write_text("old")
    target.chmod(0o600)
    link.symlink_to(target)
    write_atomically(link, ["new"])
    assert link.is_symlink()
    assert target.read_text() == "new"
    assert target.stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(not Path("/dev/null").exists(), reason="no devices here")
def test_devices_are_written_to() -> None:
    write_atomically(Path("/dev/null"), ["gone"])
    assert not Path("/dev/null").is_file()
