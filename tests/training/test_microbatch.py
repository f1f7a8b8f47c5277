"""Sizes of micro-batches where the recipe leaves them open."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tests.backbone import tiny
from tests.training import toy
from tests.training.stages import decomposed, result, same

from clinprompt.backbone.model import Backbone
from clinprompt.errors import ClinpromptError
from clinprompt.training import loop, microbatch, settings
from clinprompt.training.data import TokenTask
from clinprompt.training.prepare import _told
from clinprompt.training.progress import Progress
from clinprompt.training.settings import CPU_TOKENS, EngineSettings, Recipe

AUTO = EngineSettings()


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> list[TokenTask]:
    return toy.token_tasks(toy.write_tasks(tmp_path_factory.mktemp("tasks")), toy.prepared())


def on_cuda(backbone: Backbone, free: int, monkeypatch: pytest.MonkeyPatch) -> Backbone:
    """As if its weights were on a device with so many free bytes."""
    monkeypatch.setattr(Backbone, "device", property(lambda _: torch.device("cuda")))
    monkeypatch.setattr(microbatch, "free_bytes", lambda _: free)
    return backbone


def test_a_number_in_the_recipe_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = EngineSettings(microbatch_tokens=777)
    backbone = tiny.backbone("llama")
    assert microbatch.sized(engine, backbone) is engine
    assert microbatch.sized(engine, on_cuda(backbone, 2**40, monkeypatch)) is engine


def test_on_a_cpu_the_number_is_fixed() -> None:
    assert microbatch.sized(AUTO, tiny.backbone("llama")).microbatch_tokens == CPU_TOKENS
    assert AUTO.tokens == CPU_TOKENS


def test_on_cuda_it_follows_from_free_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    backbone = tiny.backbone("llama")
    each = microbatch.bytes_per_token(backbone)
    found = [
        microbatch.sized(AUTO, on_cuda(backbone, free, monkeypatch)).tokens
        for free in (0, each * 1000, each * 10_000, each * 10**6)
    ]
    assert found == [256, 512, 5888, 32768]  # 0.6 of what would fit, in steps of 256


def test_what_a_token_keeps_is_no_less_than_what_the_layers_keep() -> None:
    """Against what autograd is seen to keep in the library's layers."""
    backbone = tiny.backbone("llama")
    backbone.lean = None
    kept: dict[int, int] = {}

    def pack(x: torch.Tensor) -> torch.Tensor:
        if x.requires_grad and x.is_floating_point():
            kept[x.untyped_storage().data_ptr()] = x.untyped_storage().nbytes()
        return x

    tokens = 64
    embeddings = torch.randn(1, tokens, 32, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
        backbone.model.get_decoder()(inputs_embeds=embeddings, use_cache=False)
    seen = sum(kept.values()) / tokens
    assert 0.5 < seen / microbatch.bytes_per_token(backbone) < 2


def test_layers_with_experts_and_the_librarys_keep_more() -> None:
    backbone = tiny.backbone("gpt_oss")
    config = backbone.config
    plain = microbatch.bytes_per_token(backbone)
    config.num_experts_per_tok = 4
    assert microbatch.bytes_per_token(backbone) > 1.5 * plain
    llama = tiny.backbone("llama")
    standard = microbatch.bytes_per_token(llama)
    llama.compiled = object()  # type: ignore[assignment]
    assert microbatch.bytes_per_token(llama) == standard // 2


def test_halving_ends() -> None:
    engine, sizes = microbatch.sized(AUTO, tiny.backbone("llama")), []
    while engine is not None:
        sizes.append(engine.tokens)
        engine = microbatch.halved(engine)
    assert sizes == [1024, 512, 256]


def full_above(tokens: int) -> Any:
    real = loop._step

    def step(backbone: Backbone, stage: loop.Stage, number: int) -> Any:
        if number == 2 and stage.engine.tokens > tokens:
            raise torch.OutOfMemoryError
        return real(backbone, stage, number)

    return step


@pytest.mark.parametrize("memory", [1024, 100])
def test_a_step_that_does_not_fit_is_tried_with_half(
    memory: int, tasks: list[TokenTask], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[str] = []
    backbone = toy.prepared().backbone
    monkeypatch.setattr(settings, "CPU_TOKENS", 4096)  # one micro-batch, whole or halved twice

    def trained(folder: str) -> Any:
        stage = decomposed(tasks)
        stage.engine = EngineSettings(save_every=3)
        progress = Progress(write=lines.append)
        return result(stage, loop.run(backbone, stage, tmp_path / folder, "id", progress))

    expected = trained("whole")
    monkeypatch.setattr(loop, "_step", full_above(memory))
    if memory == 100:
        with pytest.raises(ClinpromptError, match=r"CP-TRAIN-092.*step 3.*256"):
            trained("full")
        return
    assert same(trained("smaller"), expected)  # a few short rows: one micro-batch either way
    told = [line for line in lines if "memory did not suffice" in line]
    assert [line.rsplit("=", 1)[1] for line in told] == ["2048", "1024"]
    assert all("step 3" in line for line in told)


def test_runs_from_before_the_settings_existed_are_the_same_runs() -> None:
    now = Recipe().model_dump()
    then = Recipe().model_dump()
    del then["backbone"]["attention"]
    then["engine"]["microbatch_tokens"] = CPU_TOKENS
    assert _told(now) == _told(then)
    for other in ({"attention": "sdpa"}, {"attention": "flex"}):
        changed = Recipe.model_validate({"backbone": other}).model_dump()
        assert _told(changed) != _told(now)
    smaller = Recipe.model_validate({"engine": {"microbatch_tokens": 64}}).model_dump()
    assert _told(smaller) != _told(now)
