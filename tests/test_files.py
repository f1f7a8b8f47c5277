"""Opening files as they lie."""

from __future__ import annotations

import io
import lzma
import random
import tarfile
from pathlib import Path

import pytest

from clinprompt.errors import ClinpromptError
from clinprompt.files import decode, read_bytes, read_text, tar_members

TEXT = "\ufeffé\r\nx\u2028y\n"


@pytest.mark.parametrize("name", ["x.txt", "x.txt.xz"])
def test_text_without_bom_and_with_its_line_ends(tmp_path: Path, name: str) -> None:
    raw = TEXT.encode()
    (tmp_path / name).write_bytes(lzma.compress(raw) if name.endswith("xz") else raw)
    assert read_text(tmp_path / name) == TEXT[1:]


def test_other_encodings(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes("a\né".encode("cp1252"))
    assert read_text(tmp_path / "x", "cp1252") == "a\né"
    with pytest.raises(ClinpromptError, match="byte 0xe9 is not utf-8") as caught:
        read_text(tmp_path / "x")
    assert (caught.value.code, caught.value.line) == ("CP-DATA-004", 2)


def test_missing_unreadable_and_broken_files(tmp_path: Path) -> None:
    whole = lzma.compress(b"text" * 1000)
    (tmp_path / "cut.xz").write_bytes(whole[:-20])
    (tmp_path / "plain.xz").write_bytes(b"text")
    for name, code in (
        ("none.txt", "CP-DATA-001"),
        (".", "CP-DATA-002"),
        ("cut.xz", "CP-DATA-003"),
        ("plain.xz", "CP-DATA-003"),
    ):
        with pytest.raises(ClinpromptError) as caught:
            read_bytes(tmp_path / name)
        assert caught.value.code == code
        assert caught.value.file == str(tmp_path / name)


def archive(path: Path, members: dict[str, bytes]) -> None:
    with tarfile.open(path, "w:xz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        tar.addfile(_folder("notes/deep"))


def _folder(name: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = tarfile.DIRTYPE
    return info


def test_members_of_an_archive(tmp_path: Path) -> None:
    members = {"notes/b.txt": b"2", "notes/a.txt": b"1", "notes/c.xml": b"3"}
    archive(tmp_path / "x.tar.xz", members)
    assert list(tar_members(tmp_path / "x.tar.xz")) == sorted(members.items())
    assert [name for name, _ in tar_members(tmp_path / "x.tar.xz", ".xml")] == ["notes/c.xml"]


def test_broken_archives(tmp_path: Path) -> None:
    archive(tmp_path / "x.tar.xz", {"a": bytes(range(256)) * 400})
    whole = (tmp_path / "x.tar.xz").read_bytes()
    (tmp_path / "cut.tar.xz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "no.tar.xz").write_bytes(lzma.compress(b"no archive"))
    for name, code in (
        ("cut.tar.xz", "CP-DATA-005"),
        ("no.tar.xz", "CP-DATA-005"),
        ("none.tar.xz", "CP-DATA-001"),
    ):
        with pytest.raises(ClinpromptError) as caught:
            list(tar_members(tmp_path / name))
        assert caught.value.code == code


@pytest.mark.parametrize("ending", ["gz", "bz2", "xz"])
def test_any_damage_to_an_archive_is_told_in_one_way(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"x.tar.{ending}"
    with tarfile.open(path, f"w:{ending}") as tar:  # type: ignore[call-overload]
        info = tarfile.TarInfo("a")
        content = random.Random(0).randbytes(3000)
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))
    whole, at, codes = path.read_bytes(), random.Random(1), set()
    for _ in range(200):
        damaged = bytearray(whole)
        for _ in range(3):
            damaged[at.randrange(len(damaged))] ^= 1 << at.randrange(8)
        path.write_bytes(damaged)
        try:
            list(tar_members(path))
        except ClinpromptError as error:
            codes.add(error.code)
    assert codes == {"CP-DATA-005"}


@pytest.mark.parametrize("encoding", ["UTF-8", "utf8", "U8", "utf_8_sig"])
def test_utf8_under_other_names_loses_its_mark(encoding: str) -> None:
    assert decode(b"\xef\xbb\xbfa\r\n", Path("f"), encoding) == "a\r\n"


@pytest.mark.parametrize("encoding", ["idna", "punycode", "undefined", "rot13", "a\0b", "", "no"])
def test_what_is_no_encoding_of_files(encoding: str) -> None:
    with pytest.raises(ClinpromptError) as caught:
        decode(b"a..b\xff.", Path("f"), encoding)
    assert caught.value.code in ("CP-DATA-004", "CP-DATA-008")  # some take these bytes apart


@pytest.mark.parametrize(("encoding", "raw"), [("utf-7", b"a\n+2A"), ("utf-16", b"\xff\xfea\0b")])
def test_an_end_that_is_cut(encoding: str, raw: bytes) -> None:
    with pytest.raises(ClinpromptError) as caught:
        decode(raw, Path("f"), encoding)
    assert caught.value.code == "CP-DATA-004"
