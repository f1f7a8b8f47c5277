from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinprompt.artifacts import staging, swap
from clinprompt.artifacts.folder import check_target, verify_folder, write_folder
from clinprompt.artifacts.manifest import file_names
from clinprompt.errors import ClinpromptError


def writer(**files: bytes) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        for name, content in files.items():
            (folder / name).write_bytes(content)

    return write


def contents(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def refused(code: str, call: Callable[[], object]) -> ClinpromptError:
    with pytest.raises(ClinpromptError) as caught:
        call()
    assert caught.value.code == code
    return caught.value


NAMES = st.from_regex(r"[a-z0-9_-]{1,8}/[a-z0-9_-]{1,8}\.bin", fullmatch=True)


@settings(max_examples=25, deadline=None)
@given(st.dictionaries(NAMES, st.binary(max_size=50), min_size=1, max_size=5))
def test_round_trip_and_same_bytes_twice(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]
) -> None:
    def write(folder: Path) -> None:
        for name, content in files.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes(content)

    def write_backwards(folder: Path) -> None:
        for name, content in reversed(files.items()):
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes(content)

    base = tmp_path_factory.mktemp("twice")
    first = write_folder(base / "one", write, kind="sample")
    write_folder(base / "two", write_backwards, kind="sample")
    assert contents(base / "one") == contents(base / "two")
    assert {n: (base / "one" / n).read_bytes() for n in file_names(base / "one")} == files
    assert verify_folder(base / "one") == first


def test_makes_parents_and_leaves_nothing_beside(tmp_path: Path) -> None:
    write_folder(tmp_path / "x" / "y", writer(f=b"1"), kind="sample")
    assert [p.name for p in (tmp_path / "x").iterdir()] == ["y"]


def test_permissions_follow_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_folder(tmp_path / "y", writer(f=b"1"), kind="sample")
    finally:
        os.umask(before)
    assert (tmp_path / "y").stat().st_mode & 0o777 == 0o750


def test_existing_is_refused_and_overwritten_when_asked(tmp_path: Path) -> None:
    path = tmp_path / "saved"
    write_folder(path, writer(f=b"old", gone=b"x"), kind="sample")
    write = writer(f=b"new")
    refused("CP-ART-001", lambda: write_folder(path, write, kind="sample"))
    assert (path / "f").read_bytes() == b"old"
    write_folder(path, write, kind="sample", overwrite=True)
    assert sorted(contents(path)) == ["f", "manifest.json"]
    assert (path / "f").read_bytes() == b"new"
    assert names(tmp_path) == ["saved"]


def test_damaged_folder_of_the_same_kind_may_be_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "saved"
    write_folder(path, writer(f=b"old"), kind="sample")
    (path / "f").write_bytes(b"spoiled")
    write_folder(path, writer(f=b"new"), kind="sample", overwrite=True)
    assert verify_folder(path)


def test_other_things_are_never_overwritten(tmp_path: Path) -> None:
    def save(path: Path) -> Callable[[], object]:
        return lambda: write_folder(path, writer(f=b"new"), kind="sample", overwrite=True)

    file, foreign, other = tmp_path / "file", tmp_path / "foreign", tmp_path / "other"
    file.write_text("mine")
    foreign.mkdir()
    (foreign / "thesis.tex").write_text("mine")
    write_folder(other, writer(f=b"x"), kind="checkpoint")
    for path in (file, foreign, other):
        refused("CP-ART-002", save(path))
    assert "'checkpoint', not a 'sample'" in refused("CP-ART-002", save(other)).message
    assert file.read_text() == "mine"
    assert (foreign / "thesis.tex").read_text() == "mine"
    assert contents(other)["f"] == b"x"


@pytest.mark.parametrize("name", ["notes.txt", ".git"])
def test_a_users_file_inside_is_not_lost(tmp_path: Path, name: str) -> None:
    path = tmp_path / "saved"
    write_folder(path, writer(f=b"old"), kind="sample")
    (path / name).write_text("mine")
    error = refused(
        "CP-ART-003", lambda: write_folder(path, writer(f=b"n"), kind="sample", overwrite=True)
    )
    assert name in error.message
    assert (path / name).read_text() == "mine"


def test_empty_folder_and_links_are_followed(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "disk")
    write_folder(tmp_path / "link", writer(f=b"1"), kind="sample")
    write_folder(tmp_path / "link", writer(f=b"2"), kind="sample", overwrite=True)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "disk" / "f").read_bytes() == b"2"


def test_target_that_appears_while_writing_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "saved"

    def write(folder: Path) -> None:
        writer(f=b"mine")(folder)
        write_folder(path, writer(f=b"theirs"), kind="sample")

    refused("CP-ART-001", lambda: write_folder(path, write, kind="sample"))
    assert contents(path)["f"] == b"theirs"
    assert names(tmp_path) == ["saved"]


def test_check_target_before_the_work(tmp_path: Path) -> None:
    check_target(tmp_path / "free", kind="sample")
    write_folder(tmp_path / "taken", writer(f=b"1"), kind="sample")
    refused("CP-ART-001", lambda: check_target(tmp_path / "taken", kind="sample"))
    check_target(tmp_path / "taken", kind="sample", overwrite=True)


# ---- failures ----------------------------------------------------------------------------------


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="no /dev/full here")
def test_really_full_device(tmp_path: Path) -> None:
    def write(folder: Path) -> None:
        (folder / "f").write_bytes(b"part")
        Path("/dev/full").write_bytes(b"the rest")

    error = refused("CP-ART-004", lambda: write_folder(tmp_path / "s", write, kind="sample"))
    assert "untouched" in error.message
    assert names(tmp_path) == []


@pytest.mark.parametrize("failing", range(1, 6))
@pytest.mark.parametrize("overwrite", [False, True])
def test_disk_full_at_every_sync(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: int, overwrite: bool
) -> None:
    path = tmp_path / "saved"
    if overwrite:
        write_folder(path, writer(f=b"old", g=b"old"), kind="sample")
    before = contents(path) if overwrite else {}
    calls, real = 0, os.fsync

    def fsync(descriptor: int) -> None:
        nonlocal calls
        calls += 1
        if calls == failing:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    write = writer(f=b"new", g=b"new")
    save = lambda: write_folder(path, write, kind="sample", overwrite=overwrite)  # noqa: E731
    refused("CP-ART-004", save)
    # f, g, manifest and the folder are synced before the rename, the parent after it.
    if failing <= 4:
        assert (contents(path) if overwrite else names(tmp_path)) == (before or [])
    else:
        assert contents(path)["f"] == b"new"
    save() if overwrite or failing <= 4 else None
    assert contents(path)["f"] == b"new"
    assert names(tmp_path) == ["saved"]


def test_full_disk_in_the_words_of_another_library(tmp_path: Path) -> None:
    def write(folder: Path) -> None:
        raise RuntimeError("I/O error: No space left on device (os error 28)")

    refused("CP-ART-004", lambda: write_folder(tmp_path / "s", write, kind="sample"))


def test_other_failures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(folder: Path) -> None:
        (folder / "f").touch()
        raise KeyboardInterrupt

    def faulty(folder: Path) -> None:
        (folder / "f").touch()
        raise ZeroDivisionError

    with pytest.raises(KeyboardInterrupt):
        write_folder(tmp_path / "s", interrupted, kind="sample")
    with pytest.raises(ZeroDivisionError):
        write_folder(tmp_path / "s", faulty, kind="sample")
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "s"
    refused("CP-ART-005", lambda: write_folder(path, writer(f=b"1"), kind="sample"))
    assert names(tmp_path) == ["file"]


def test_without_exchange_a_failed_second_rename_puts_the_old_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "saved"
    write_folder(path, writer(f=b"old"), kind="sample")
    monkeypatch.setattr(swap, "exchange", lambda first, second: False)
    calls, real = 0, os.replace

    def replace(first: Path, second: Path) -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        real(first, second)

    monkeypatch.setattr(os, "replace", replace)
    save = lambda: write_folder(path, writer(f=b"new"), kind="sample", overwrite=True)  # noqa: E731
    refused("CP-ART-005", save)
    assert contents(path)["f"] == b"old"
    save()
    assert contents(path)["f"] == b"new"
    assert names(tmp_path) == ["saved"]


# ---- leftovers and neighbours ------------------------------------------------------------------


def test_leftovers_go_but_neighbours_stay(tmp_path: Path) -> None:
    for name in (".saved.tmp-0123abcd", ".saved.tmp-other", ".saved2.tmp-0123abcd", "saved2"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "f").touch()
    (tmp_path / ".saved.tmp-aaaaaaaa").touch()  # a file, not one of ours
    write_folder(tmp_path / "saved", writer(f=b"1"), kind="sample")
    expected = [
        ".saved.tmp-aaaaaaaa",
        ".saved.tmp-other",
        ".saved2.tmp-0123abcd",
        "saved",
        "saved2",
    ]
    assert names(tmp_path) == expected


def test_folder_of_a_living_writer_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "saved"
    child = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys\nfrom pathlib import Path\n"
            "from clinprompt.artifacts import staging\n"
            f"with staging.building(Path({str(path)!r})) as folder:\n"
            "    print(folder, flush=True)\n    sys.stdin.read()\n",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert child.stdout is not None
    folder = Path(child.stdout.readline().strip())
    try:
        write_folder(path, writer(f=b"1"), kind="sample")
        assert folder.is_dir()
    finally:
        child.kill()
        child.communicate()
    write_folder(path, writer(f=b"2"), kind="sample", overwrite=True)
    assert not folder.exists()


def test_threads_that_save_to_one_place(tmp_path: Path) -> None:
    """Whoever comes last wins; every reader sees one of the versions, whole."""
    path = tmp_path / "saved"
    write_folder(path, writer(a=b"0", b=b"0"), kind="sample")
    errors: list[Exception] = []

    def save(value: bytes) -> None:
        try:
            for _ in range(5):
                write_folder(path, writer(a=value, b=value), kind="sample", overwrite=True)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=save, args=(value,)) for value in (b"1", b"2", b"3")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    verify_folder(path)
    found = contents(path)
    assert found["a"] == found["b"]
    assert names(tmp_path) == ["saved"]


def test_exchange_needs_two_folders(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    (tmp_path / "a" / "here").touch()
    if not swap.exchange(tmp_path / "a", tmp_path / "b"):
        pytest.skip("this system can't exchange two folders")
    assert (tmp_path / "b" / "here").exists()
    with pytest.raises(FileNotFoundError):
        swap.exchange(tmp_path / "a", tmp_path / "missing")


def test_exchange_is_for_linux_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert swap.exchange(tmp_path / "a", tmp_path / "b") is False


def test_backup_is_read_where_a_run_died_between_two_renames(tmp_path: Path) -> None:
    path = tmp_path / "saved"
    write_folder(path, writer(f=b"old"), kind="sample")
    path.rename(staging.backup_of(path))
    assert verify_folder(path)
    refused("CP-ART-001", lambda: check_target(path, kind="sample"))
    refused("CP-ART-001", lambda: write_folder(path, writer(f=b"new"), kind="sample"))
    assert contents(path)["f"] == b"old"
