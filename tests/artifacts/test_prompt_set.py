from __future__ import annotations

import errno
import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from clinprompt.artifacts.folder import write_folder
from clinprompt.artifacts.manifest import verify_folder
from clinprompt.artifacts.meta import Parents, PromptMeta
from clinprompt.artifacts.prompt_set import KIND, META, README, TENSORS, PromptSet
from clinprompt.errors import ClinpromptError

GOLDEN = Path(__file__).parent / "golden"
MakeSet = Callable[..., PromptSet]
PLAIN: dict[str, Any] = {"kind": "prompt-tuning", "form": "plain", "rank": None}


def tree(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def rewrite(folder: Path, **files: bytes) -> None:
    """Put other content into a saved set, with a manifest that fits."""
    content = {META: (folder / META).read_bytes(), TENSORS: (folder / TENSORS).read_bytes()}
    content |= {name.replace("__", "."): value for name, value in files.items()}

    def write(place: Path) -> None:
        for name, value in content.items():
            (place / name).write_bytes(value)

    write_folder(folder, write, kind=KIND, overwrite=True)


def load_refused(folder: Path) -> ClinpromptError:
    with pytest.raises(ClinpromptError) as caught:
        PromptSet.load(folder)
    return caught.value


@settings(max_examples=30, deadline=None)
@given(
    tasks=st.integers(1, 4),
    length=st.integers(1, 6),
    hidden=st.integers(1, 8),
    rank=st.one_of(st.none(), st.integers(1, 3)),
    seed=st.integers(0, 2**31),
)
def test_round_trip(
    tmp_path_factory: pytest.TempPathFactory,
    make_set: MakeSet,
    tasks: int,
    length: int,
    hidden: int,
    rank: int | None,
    seed: int,
) -> None:
    form = PLAIN if rank is None else {"rank": rank}
    first = make_set(seed, tasks=tasks, length=length, hidden=hidden, **form)
    path = tmp_path_factory.mktemp("set") / "saved"
    manifest = first.save(path)
    again = PromptSet.load(path)
    assert again.meta == first.meta
    assert again.digest == first.digest == manifest.digest == verify_folder(path).digest
    assert again.tensors.keys() == first.tensors.keys()
    for name, tensor in first.tensors.items():
        assert again.tensors[name].equal(tensor) and again.tensors[name].dtype == torch.float32
    for name in first.meta.names:
        assert again.task_prompt(name).shape == (length, hidden)
        assert again.task_prompt(name).equal(first.task_prompt(name))


def test_extreme_values_survive(tmp_path: Path, make_set: MakeSet) -> None:
    values = torch.tensor([3.4e38, -3.4e38, 1e-45, -0.0], dtype=torch.float32)
    tensors = dict(make_set().tensors) | {"shared": values.repeat(3, 1)}
    PromptSet(make_set().meta, tensors).save(tmp_path / "s")
    loaded = PromptSet.load(tmp_path / "s").tensors["shared"]
    assert loaded.view(torch.int32).equal(values.repeat(3, 1).view(torch.int32))


def test_same_content_same_bytes(tmp_path: Path, make_set: MakeSet) -> None:
    make_set(7).save(tmp_path / "a")
    other = make_set(7)
    backwards = {name: tensor.clone() for name, tensor in reversed(other.tensors.items())}
    PromptSet(other.meta, backwards).save(tmp_path / "deeper" / "b")
    PromptSet.load(tmp_path / "a").save(tmp_path / "c")
    assert tree(tmp_path / "a") == tree(tmp_path / "deeper" / "b") == tree(tmp_path / "c")
    assert sorted(tree(tmp_path / "a")) == [README, "manifest.json", META, TENSORS]


def test_digest_follows_the_content(make_set: MakeSet) -> None:
    digests = {
        make_set(0).digest,
        make_set(1).digest,
        make_set(0, seeds={"training": 2}).digest,
        make_set(0, backbone="other").digest,
    }
    assert len(digests) == 4
    assert make_set(0).digest == make_set(0).digest


def test_task_prompt_is_the_product(make_meta: Callable[..., PromptMeta]) -> None:
    shared = torch.arange(12.0).reshape(3, 4)
    u = torch.tensor([[[1.0], [2.0], [3.0]], [[1.0], [0.0], [-1.0]]])
    v = torch.tensor([[[1.0, 0.0, 2.0, 1.0]], [[1.0, 1.0, 1.0, 1.0]]])
    prompts = PromptSet(make_meta(), {"shared": shared, "u": u, "v": v})
    first = [[0, 0, 4, 3], [8, 0, 24, 14], [24, 0, 60, 33]]
    second = [[0, 1, 2, 3], [0, 0, 0, 0], [-8, -9, -10, -11]]
    assert prompts.task_prompt("task-0").tolist() == first
    assert prompts.task_prompt("task-1").tolist() == second
    with pytest.raises(ClinpromptError, match=r"CP-ART-035.*task-9.*did you mean"):
        prompts.task_prompt("task-9")


def test_tensors_are_copies(make_set: MakeSet) -> None:
    source = {name: tensor.clone().requires_grad_() for name, tensor in make_set().tensors.items()}
    prompts = PromptSet(make_set().meta, source)
    with torch.no_grad():
        source["shared"].zero_()
    assert prompts.tensors["shared"].any() and not prompts.tensors["shared"].requires_grad
    plain = make_set(**PLAIN)
    plain.task_prompt("task-0").zero_()
    assert plain.task_prompt("task-0").any()


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("u", lambda t: t[:1], "u: float32 [1, 3, 1], not float32 [2, 3, 1]"),
        ("shared", lambda t: t.t().contiguous(), "shared: float32 [4, 3], not float32 [3, 4]"),
        ("v", lambda t: t.double(), "v: float64 [2, 1, 4], not float32"),
        ("v", lambda t: t.bfloat16(), "v: bfloat16"),
        ("u", None, "u: missing, not float32"),
        ("extra", lambda t: torch.zeros(1), "extra: float32 [1], not wanted"),
    ],
)
def test_tensors_that_do_not_fit(
    tmp_path: Path,
    make_set: MakeSet,
    name: str,
    change: Callable[[Any], torch.Tensor] | None,
    words: str,
) -> None:
    base = make_set()
    base.save(tmp_path / "s")
    tensors = dict(base.tensors)
    if change is None:
        del tensors[name]
    else:
        tensors[name] = change(tensors.get(name))
    with pytest.raises(ClinpromptError, match="CP-ART-033"):
        PromptSet(base.meta, tensors)
    rewrite(tmp_path / "s", prompts__safetensors=safetensors.torch.save(tensors))
    error = load_refused(tmp_path / "s")
    assert error.code == "CP-ART-033" and words in error.message
    assert error.file == str(tmp_path / "s" / TENSORS)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("name", ["shared", "u", "v"])
def test_nan_and_infinity_are_refused(
    tmp_path: Path, make_set: MakeSet, name: str, value: float
) -> None:
    base = make_set()
    base.save(tmp_path / "s")
    tensors = {n: t.clone() for n, t in base.tensors.items()}
    tensors[name].view(-1)[-1] = value
    with pytest.raises(ClinpromptError, match=f"CP-ART-034.*'{name}' holds 1 values"):
        PromptSet(base.meta, tensors)
    rewrite(tmp_path / "s", prompts__safetensors=safetensors.torch.save(tensors))
    assert load_refused(tmp_path / "s").code == "CP-ART-034"


def test_description_of_another_set_is_refused(tmp_path: Path, make_set: MakeSet) -> None:
    make_set().save(tmp_path / "s")
    for changes in ({"tasks": 3}, {"rank": 2}, {"length": 4}, {"hidden": 5}, PLAIN):
        rewrite(tmp_path / "s", meta__json=make_set(**changes).meta.to_bytes())
        assert load_refused(tmp_path / "s").code == "CP-ART-033"


class _Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("/tmp/clinprompt-unpickled",)


@pytest.mark.parametrize("content", [b"", b"x" * 100, pickle.dumps(_Bomb()), b"\xff" * 8 + b"{}"])
def test_tensors_in_another_format(tmp_path: Path, make_set: MakeSet, content: bytes) -> None:
    make_set().save(tmp_path / "s")
    rewrite(tmp_path / "s", prompts__safetensors=content)
    assert load_refused(tmp_path / "s").code == "CP-ART-032"
    assert not Path("/tmp/clinprompt-unpickled").exists()


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_any_spoiled_byte_of_any_file_is_refused(
    tmp_path_factory: pytest.TempPathFactory, make_set: MakeSet, data: Any
) -> None:
    path = tmp_path_factory.mktemp("spoiled") / "s"
    make_set().save(path)
    file = path / data.draw(st.sampled_from([META, TENSORS]))
    content = bytearray(file.read_bytes())
    index = data.draw(st.integers(0, len(content) - 1))
    kind = data.draw(st.sampled_from(["change", "insert", "delete", "truncate"]))
    if kind == "change":
        content[index] ^= data.draw(st.integers(1, 255))
    elif kind == "insert":
        content.insert(index, data.draw(st.integers(0, 255)))
    else:
        del content[index : index + 1 if kind == "delete" else None]
    file.write_bytes(content)
    codes = {"insert": "013", "change": "013", "delete": "012", "truncate": "012"}
    assert load_refused(path).code == f"CP-ART-{codes[kind]}"
    shutil.rmtree(path)


def test_foreign_folders(tmp_path: Path, make_set: MakeSet) -> None:
    assert load_refused(tmp_path / "nothing").code == "CP-ART-006"
    (tmp_path / "adapter_config.json").write_text("{}")
    assert load_refused(tmp_path).code == "CP-ART-007"
    write_folder(tmp_path / "c", lambda p: (p / "f").touch(), kind="checkpoint")
    assert load_refused(tmp_path / "c").code == "CP-ART-010"
    make_set().save(tmp_path / "s")
    rewrite(tmp_path / "s", extra__bin=b"1")
    assert load_refused(tmp_path / "s").code == "CP-ART-032"


def test_meta_is_checked_at_load(tmp_path: Path, make_set: MakeSet) -> None:
    make_set().save(tmp_path / "s")
    content = json.loads((tmp_path / "s" / META).read_text())
    rewrite(tmp_path / "s", meta__json=json.dumps(content | {"lenght": 3}).encode())
    error = load_refused(tmp_path / "s")
    assert error.code == "CP-ART-031" and error.file == str(tmp_path / "s" / META)
    rewrite(tmp_path / "s", meta__json=b"{")
    assert load_refused(tmp_path / "s").code == "CP-ART-030"


def test_identity_is_that_of_the_files_not_of_how_they_would_be_written_now(
    tmp_path: Path, make_set: MakeSet
) -> None:
    make_set().save(tmp_path / "s")
    compact = json.dumps(json.loads((tmp_path / "s" / META).read_text())).encode()
    rewrite(tmp_path / "s", meta__json=compact)
    loaded = PromptSet.load(tmp_path / "s")
    assert loaded.meta == make_set().meta
    assert loaded.digest == verify_folder(tmp_path / "s").digest != make_set().digest


def test_overwrite(tmp_path: Path, make_set: MakeSet) -> None:
    make_set(1).save(tmp_path / "s")
    with pytest.raises(ClinpromptError, match="CP-ART-001"):
        make_set(2).save(tmp_path / "s")
    (tmp_path / "s" / README).write_text("edited")
    make_set(2).save(tmp_path / "s", overwrite=True)
    assert PromptSet.load(tmp_path / "s").digest == make_set(2).digest
    assert (tmp_path / "s" / README).read_text() != "edited"


def test_full_disk_keeps_the_old_set(
    tmp_path: Path, make_set: MakeSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_set(1).save(tmp_path / "s")
    before = tree(tmp_path / "s")
    real = Path.write_bytes

    def write_bytes(path: Path, content: bytes) -> int:
        if path.name == TENSORS:
            real(path, content[:10])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(path, content)

    monkeypatch.setattr(Path, "write_bytes", write_bytes)
    with pytest.raises(ClinpromptError, match="CP-ART-004"):
        make_set(2).save(tmp_path / "s", overwrite=True)
    assert tree(tmp_path / "s") == before
    assert [path.name for path in tmp_path.iterdir()] == ["s"]


def test_wrong_backbone(tmp_path: Path, make_set: MakeSet, make_fingerprint: Any) -> None:
    make_set().save(tmp_path / "s")
    prompts = PromptSet.load(tmp_path / "s")
    prompts.require_backbone(make_fingerprint())
    wrong = make_fingerprint(weights="0" * 64)
    with pytest.raises(ClinpromptError) as caught:
        prompts.require_backbone(wrong)
    assert caught.value.code == "CP-ART-020"
    assert str(wrong) in str(caught.value) and str(make_fingerprint()) in str(caught.value)


def test_golden_set_loads() -> None:
    """A folder saved by version 0.1.0: later versions must go on reading it."""
    prompts = PromptSet.load(GOLDEN)
    assert prompts.meta.kind == "adapted" and prompts.meta.names == ["golden-ner", "golden-nli"]
    assert prompts.digest == "d748309f093f414765d04329bf10638d0d706f8bfab84762d445831dff8b8dc1"
    assert prompts.tensors["shared"].tolist() == [[0.5, -1.0, 2.0, 0.0], [1.5, 3.0, -0.25, 8.0]]
    assert prompts.task_prompt("golden-nli").tolist() == [
        [1.0, 2.0, 2.0, 0.0],
        [-3.0, 6.0, 0.25, -8.0],
    ]
    assert prompts.meta.parents == Parents(metaprompt="a" * 64)
    assert prompts.meta.metrics["golden-ner"] == {"test": {"entity_f1": 0.75}}
