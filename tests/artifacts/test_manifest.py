from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinprompt.artifacts.folder import write_folder
from clinprompt.artifacts.manifest import (
    MANIFEST,
    FileRecord,
    Manifest,
    read_manifest,
    read_verified,
    verify_folder,
)
from clinprompt.errors import ClinpromptError

FILES = {"a.bin": b"first file", "b.bin": b"second", "deep/c.bin": b"third\x00\xff"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    def write(place: Path) -> None:
        (place / "deep").mkdir()
        for name, content in FILES.items():
            (place / name).write_bytes(content)
        (place / "README.md").write_text("read me")

    write_folder(tmp_path / "saved", write, kind="sample", free=("README.md",))
    return tmp_path / "saved"


def refused(path: Path, **options: Any) -> ClinpromptError:
    with pytest.raises(ClinpromptError) as caught:
        verify_folder(path, **options)
    return caught.value


def edit_manifest(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    content = json.loads((folder / MANIFEST).read_text())
    change(content)
    (folder / MANIFEST).write_text(json.dumps(content))


def test_untouched(folder: Path) -> None:
    manifest = verify_folder(folder, kind="sample")
    assert {n: (r.size, r.sha256) for n, r in manifest.files.items()} == {
        n: (len(c), hashlib.sha256(c).hexdigest()) for n, c in FILES.items()
    }
    assert read_verified(folder, manifest, "b.bin") == b"second"


@pytest.mark.parametrize("name", sorted(FILES))
@pytest.mark.parametrize(
    ("spoil", "code", "words"),
    [
        (lambda p: p.unlink(), "CP-ART-011", "missing"),
        (lambda p: p.write_bytes(p.read_bytes()[:-1]), "CP-ART-012", "truncated"),
        (lambda p: p.write_bytes(b""), "CP-ART-012", "truncated"),
        (lambda p: p.write_bytes(p.read_bytes() + b"!"), "CP-ART-013", "changed"),
        (lambda p: p.write_bytes(bytes([p.read_bytes()[0] ^ 1]) + p.read_bytes()[1:]),
         "CP-ART-013", "changed"),
        (lambda p: p.with_name("x.bin").write_bytes(b""), "CP-ART-014", "unexpected"),
        (lambda p: p.rename(p.with_name("x.bin")), "CP-ART-011", "missing"),
    ],
)  # fmt: skip
def test_each_mutation_has_its_message(
    folder: Path, name: str, spoil: Callable[[Path], object], code: str, words: str
) -> None:
    spoil(folder / name)
    error = refused(folder)
    assert error.code == code
    named = name if words != "unexpected" else name.replace(Path(name).name, "x.bin")
    assert f"{words} file '{named}'" in error.message


def test_two_swapped_files_are_two_problems(folder: Path) -> None:
    a, b = (folder / "a.bin").read_bytes(), (folder / "b.bin").read_bytes()
    (folder / "a.bin").write_bytes(b)
    (folder / "b.bin").write_bytes(a)
    error = refused(folder)
    assert error.code == "CP-ART-012"
    assert "'a.bin'" in error.message and "changed file 'b.bin'" in error.message


def test_at_most_five_problems_are_spelled_out(folder: Path) -> None:
    for number in range(7):
        (folder / f"new{number}").touch()
    assert refused(folder).message.endswith("; and 2 more")


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_any_flipped_bit_is_seen(tmp_path_factory: pytest.TempPathFactory, data: Any) -> None:
    place = tmp_path_factory.mktemp("bits") / "saved"
    content = data.draw(st.binary(min_size=1, max_size=40))
    write_folder(place, lambda p: (p / "f").write_bytes(content) and None, kind="sample")
    bit = data.draw(st.integers(0, 8 * len(content) - 1))
    flipped = bytearray(content)
    flipped[bit // 8] ^= 1 << bit % 8
    (place / "f").write_bytes(flipped)
    assert refused(place).code == "CP-ART-013"
    shutil.rmtree(place)


def test_unreadable_file(folder: Path) -> None:
    (folder / "a.bin").unlink()
    (folder / "a.bin").symlink_to(folder / "nowhere")
    assert refused(folder).code == "CP-ART-015"


def test_reordered_and_reformatted_manifest_is_the_same(folder: Path) -> None:
    before = verify_folder(folder)

    def reverse(content: dict[str, Any]) -> None:
        content["files"] = dict(reversed(content["files"].items()))

    edit_manifest(folder, reverse)
    assert verify_folder(folder).digest == before.digest
    assert verify_folder(folder) == before


def test_readme_may_be_edited_or_go_and_housekeeping_may_come(folder: Path) -> None:
    digest = verify_folder(folder).digest
    (folder / "README.md").write_text("license: mit")
    (folder / ".git").mkdir()
    (folder / ".git" / "HEAD").touch()
    (folder / ".gitattributes").touch()
    assert verify_folder(folder).digest == digest
    (folder / "README.md").unlink()
    assert verify_folder(folder).digest == digest
    (folder / "deep" / ".gitattributes").touch()
    assert refused(folder).code == "CP-ART-014"


def test_digest_can_be_made_with_the_shell_alone() -> None:
    files = {"b": FileRecord(size=2, sha256="b" * 64), "a": FileRecord(size=1, sha256="a" * 64)}
    lines = f"{'a' * 64} 1 a\n{'b' * 64} 2 b\n"
    expected = hashlib.sha256(lines.encode()).hexdigest()
    assert Manifest(kind="sample", files=files).digest == expected


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda c: c.update(format_version=2, files={}), "CP-ART-008"),
        (lambda c: c.update(format="other"), "CP-ART-009"),
        (lambda c: c.update(surprise=1), "CP-ART-009"),
        (lambda c: c.pop("kind"), "CP-ART-009"),
        (lambda c: c.update(files={}), "CP-ART-009"),
        (lambda c: c["files"]["a.bin"].update(size=-1), "CP-ART-009"),
        (lambda c: c["files"]["a.bin"].update(sha256="0"), "CP-ART-009"),
        (lambda c: c["files"]["a.bin"].update(sha256="0" * 64), "CP-ART-013"),
        (lambda c: c["files"]["a.bin"].update(size=1), "CP-ART-013"),
        (lambda c: c["files"].pop("a.bin"), "CP-ART-014"),
        (lambda c: c["files"].update(z={"size": 0, "sha256": "0" * 64}), "CP-ART-011"),
    ],
)
def test_edited_manifest(
    folder: Path, change: Callable[[dict[str, Any]], object], code: str
) -> None:
    edit_manifest(folder, change)
    assert refused(folder).code == code


@pytest.mark.parametrize("name", ["../x", "/x", "a/../../x", ".", "a//b", "./a", "a\\b", MANIFEST])
def test_manifest_never_points_outside(folder: Path, name: str) -> None:
    edit_manifest(folder, lambda c: c["files"].update({name: {"size": 0, "sha256": "0" * 64}}))
    error = refused(folder)
    assert error.code == "CP-ART-009"
    assert "plain path" in error.message


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b"[" * 100_000, b'{"a": 1}'])
def test_damaged_manifest(folder: Path, content: bytes) -> None:
    (folder / MANIFEST).write_bytes(content)
    assert refused(folder).code == "CP-ART-009"


def test_every_truncation_of_the_manifest_is_seen(folder: Path) -> None:
    whole = (folder / MANIFEST).read_bytes()
    for length in range(len(whole) - 2):  # the last two bytes are "}" and a line end
        (folder / MANIFEST).write_bytes(whole[:length])
        assert refused(folder).code == "CP-ART-009"


def test_not_a_folder_of_ours(folder: Path, tmp_path: Path) -> None:
    assert refused(tmp_path / "nothing").code == "CP-ART-006"
    error = refused(folder / "a.bin")
    assert error.code == "CP-ART-006" and "a file" in error.message
    assert refused(tmp_path).code == "CP-ART-007"
    error = refused(folder, kind="prompt-set")
    assert error.code == "CP-ART-010"
    assert "'sample'" in error.message and "'prompt-set'" in error.message


def test_file_replaced_after_verifying(folder: Path) -> None:
    manifest = read_manifest(folder)
    (folder / "b.bin").write_bytes(b"Second")
    with pytest.raises(ClinpromptError, match="CP-ART-016"):
        read_verified(folder, manifest, "b.bin")
