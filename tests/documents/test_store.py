"""Files of folders and archives: packed ones, links, broken and locked archives."""

from __future__ import annotations

import gzip
import io
import lzma
import os
import random
import tarfile
import zipfile
from pathlib import Path

import pytest
from tests.documents.fuzzing import Held, mutated, survives

from clinprompt.documents import formats
from clinprompt.documents.store import members
from clinprompt.errors import ClinpromptError
from clinprompt.report import Report

TEXT = b"aspirin\r\nand more"
ANN = b"T1\tDrug 0 7\taspirin\n"


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    """BRAT with its files packed one by one, and an archive that is none of its documents."""
    folder = tmp_path / "notes"
    (folder / "b").mkdir(parents=True)
    (folder / "b" / "1.txt.gz").write_bytes(gzip.compress(TEXT))
    (folder / "b" / "1.ann.xz").write_bytes(lzma.compress(ANN))
    (folder / "old.tar.gz").write_bytes(gzip.compress(b"x"))
    return folder


def archive(folder: Path, ending: str) -> Path:
    path = folder.parent / f"n{ending}"
    if ending == ".zip":
        with zipfile.ZipFile(path, "w") as held:
            for file in sorted(folder.rglob("*.*")):
                held.write(file, file.relative_to(folder))
    else:
        with tarfile.open(path, "w:gz") as held:
            held.add(folder, ".")
    return path


@pytest.mark.parametrize("ending", ["", ".zip", ".tar.gz"])
def test_packed_files_are_opened_and_called_without_their_ending(packed: Path, ending: str) -> None:
    path = archive(packed, ending) if ending else packed
    found = {one.name: one for one in members(path)}
    assert sorted(found) == ["b/1.ann", "b/1.txt", "old.tar.gz"]
    assert found["b/1.txt"].read() == TEXT and found["b/1.ann"].suffix == ".ann"
    assert found["b/1.txt"].place.endswith("1.txt.gz")
    report = Report()
    (document,) = formats.read("brat", path, report)
    assert document.id == "b/1" and document.mentions[0].surface(document.text) == "aspirin"
    assert report.counts == {"file that format 'brat' doesn't read": 1}


@pytest.mark.parametrize("name", ["1.txt.gz", "1.ann.xz"])
def test_a_packed_file_is_read_with_its_partner(packed: Path, name: str) -> None:
    (document,) = formats.read("brat", packed / "b" / name, Report())
    assert document.id == "1" and len(document.mentions) == 1


@pytest.mark.parametrize(("ending", "code"), [(".gz", "CP-DOC-002"), (".xz", "CP-DATA-003")])
@pytest.mark.parametrize("inside", [False, True])
def test_broken_packed_files(tmp_path: Path, ending: str, code: str, inside: bool) -> None:
    folder = tmp_path / "f"
    folder.mkdir()
    (folder / f"a.txt{ending}").write_bytes(b"no such thing")
    with pytest.raises(ClinpromptError) as caught:
        members(archive(folder, ".zip") if inside else folder)[0].read()
    assert caught.value.code == code and f"a.txt{ending}" in str(caught.value)


def test_links_of_a_folder(tmp_path: Path) -> None:
    folder, other = tmp_path / "f", tmp_path / "other"
    for one in (folder, other):
        one.mkdir()
        (one / "a.txt").write_text("x")
    (folder / "linked").symlink_to(other)
    (other / "back").symlink_to(folder)
    (folder / "gone.txt").symlink_to(tmp_path / "nothing")
    found = {one.name: one for one in members(folder)}
    assert sorted(found) == ["a.txt", "gone.txt", "linked/a.txt"]
    with pytest.raises(ClinpromptError):
        found["gone.txt"].read()


def linked(path: Path, kind: bytes, target: str) -> Path:
    with tarfile.open(path, "w") as held:
        info = tarfile.TarInfo("d/a.txt")
        info.size = 1
        held.addfile(info, io.BytesIO(b"x"))
        link = tarfile.TarInfo("d/b.txt")
        link.type, link.linkname = kind, target
        held.addfile(link)
    return path


@pytest.mark.parametrize(("kind", "to"), [(tarfile.LNKTYPE, "d/a.txt"), (tarfile.SYMTYPE, "a.txt")])
def test_links_of_an_archive(tmp_path: Path, kind: bytes, to: str) -> None:
    found = members(linked(tmp_path / "n.tar", kind, to))
    assert [(one.name, one.read()) for one in found] == [("d/a.txt", b"x"), ("d/b.txt", b"x")]


@pytest.mark.parametrize("to", ["/etc/passwd", "gone.txt"])
def test_links_that_leave_an_archive(tmp_path: Path, to: str) -> None:
    with pytest.raises(ClinpromptError) as caught:
        members(linked(tmp_path / "n.tar", tarfile.SYMTYPE, to))
    assert caught.value.code == "CP-DOC-372"


def test_an_encrypted_archive(tmp_path: Path) -> None:
    path = tmp_path / "n.zip"
    with zipfile.ZipFile(path, "w") as held:
        held.writestr("a.txt", "x")
    raw = bytearray(path.read_bytes())
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        raw[raw.index(mark) + at] |= 1
    path.write_bytes(raw)
    with pytest.raises(ClinpromptError) as caught:
        members(path)
    assert caught.value.code == "CP-DOC-371"


def test_a_name_that_is_too_long() -> None:
    with pytest.raises(ClinpromptError) as caught:
        members(Path("x" * 3000))
    assert caught.value.code == "CP-DOC-370"


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may read anything")
def test_what_may_not_be_read(tmp_path: Path) -> None:
    (tmp_path / "n.zip").write_bytes(b"")
    (tmp_path / "n.zip").chmod(0)
    (tmp_path / "f" / "locked").mkdir(mode=0, parents=True)
    for path in (tmp_path / "n.zip", tmp_path / "f"):
        with pytest.raises(ClinpromptError) as caught:
            members(path)
        assert caught.value.code == "CP-DOC-370"


@pytest.mark.parametrize("ending", [".zip", ".tar"])
def test_broken_archives(tmp_path: Path, ending: str) -> None:
    """With every way of packing: each library complains in its own way."""
    seeds = []
    text = random.Random(1).randbytes(200)
    for kind in (0, 8, 12, 14) if ending == ".zip" else ("", "gz", "bz2", "xz"):
        held = io.BytesIO()
        if isinstance(kind, int):
            with zipfile.ZipFile(held, "w", kind) as zipped:
                zipped.writestr("a.txt", text)
        else:
            with tarfile.open(fileobj=held, mode=f"w:{kind}") as packed:
                info = tarfile.TarInfo("a.txt")
                info.size = len(text)
                packed.addfile(info, io.BytesIO(text))
        seeds.append(held.getvalue())
    (tmp_path / f"n{ending}").touch()
    path = Held(tmp_path / f"n{ending}")

    def read(raw: bytes) -> None:
        path.raw = raw
        members(path)

    good, refused = survives(read, mutated(seeds, 2_000, 4))
    assert good > 20 and refused > 500
