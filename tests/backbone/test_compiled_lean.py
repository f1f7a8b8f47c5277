"""The compiled decoder, not compiled, against the library's layers and the lean one, in float64."""

from __future__ import annotations

from typing import Any

import peft
import pytest
import torch
from torch import Tensor
from torch._dynamo.testing import CompileCounterWithBackend

from clinprompt.backbone import flex, packed
from clinprompt.backbone.lean import compiled
from clinprompt.backbone.lean.compiled import Compiled
from tests.backbone import exact_flex, test_lean, tiny

pytestmark = pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
READ = torch.tensor([0, 0, 1, 3, 3]), torch.tensor([7, 8, 1, 2, 2])


def never(*_: object, **__: object) -> None:
    raise AssertionError("another decoder was used")


@pytest.mark.parametrize("read", [None, READ], ids=["all", "read"])
@pytest.mark.parametrize("name", test_lean.LEAN)
def test_states_and_gradients_are_those_of_the_layers(
    name: str, read: tuple[Tensor, Tensor] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    exact_flex.allow(monkeypatch)
    backbone = test_lean.made(name)
    lean, expected_of_lean = test_lean.passed(backbone, read)
    backbone.lean = None
    theirs, expected = test_lean.passed(backbone, read)
    exact_flex.as_on_cuda(backbone)
    monkeypatch.setattr(packed, "run", never)
    states, gradients = test_lean.passed(backbone, read)
    torch.testing.assert_close(states, theirs, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(states, lean, rtol=1e-9, atol=1e-9)
    for ours, other, third in zip(gradients, expected, expected_of_lean, strict=True):
        torch.testing.assert_close(ours, other, rtol=1e-8, atol=1e-9)
        torch.testing.assert_close(ours, third, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("name", ["llama", "mistral", "qwen3"])
def test_against_the_naive_forward(name: str) -> None:
    backbone = exact_flex.in_float64(test_lean.made(name))
    exact_flex.as_on_cuda(backbone)
    torch.manual_seed(0)
    prompt, texts = torch.randn(7, 32).double(), [[5, 6, 7, 8], [9], [10] * 11]
    with torch.no_grad():
        before = test_lean.engine.prefix(backbone, [prompt], [[1, 2]])
        batch = test_lean.Rows.of(texts, [0, 0, 0], torch.device("cpu"))
        states = test_lean.engine.hidden(backbone, before, batch)
        backbone.model.config._attn_implementation = "sdpa"
        for row, text in enumerate(texts):
            known = tiny.naive_logits(backbone, prompt, [1, 2, *text])[9:]
            ours = backbone.logits(states[row, : len(text)])
            torch.testing.assert_close(ours, known, rtol=1e-5, atol=1e-5)


def test_prefixes_stand_once_and_padding_is_not_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    exact_flex.allow(monkeypatch)
    backbone = exact_flex.as_on_cuda(test_lean.made("llama"))
    seen: list[tuple[int, int]] = []
    inner = compiled.attend

    def counting(q: Tensor, k: Tensor, *rest: Any) -> Tensor:
        seen.append((q.shape[2], k.shape[2]))
        return inner(q, k, *rest)

    monkeypatch.setattr(compiled, "attend", counting)
    monkeypatch.setattr("clinprompt.backbone.sight.BLOCK", 4)
    test_lean.passed(backbone, READ)
    # 20 tokens of prefixes, of which the longest has 10; 17 of rows.
    assert seen == [(20, 20)] * 3 + [(20, 32 + 20)] * 4


ASKING = ("item", "__bool__", "__int__", "__float__", "__index__", "tolist", "nonzero")


def test_the_device_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """What makes the host wait for the device is refused while a batch runs."""
    exact_flex.allow(monkeypatch)
    backbone = exact_flex.as_on_cuda(test_lean.made("mistral"))

    def refused(*_: object) -> None:
        raise AssertionError("the device was asked for a value")

    soft = [torch.ones(n, 32).double().requires_grad_() for n in (5, 9)]
    batch = test_lean.Rows.of([[4, 5], [6]], [0, 1], torch.device("cpu"))
    read = torch.tensor([0, 1]), torch.tensor([1, 0])

    def attend(q: Tensor, k: Tensor, v: Tensor, *_: object, **__: object) -> Tensor:
        return q + k.sum() + v.sum()  # torch's reference asks, on a CPU

    monkeypatch.setattr(flex, "attend", attend)
    monkeypatch.setattr(compiled, "attend", attend)
    for name in ASKING:
        monkeypatch.setattr(torch.Tensor, name, refused)
    before = test_lean.engine.prefix(backbone, soft, [[1], [2, 3]])
    states = test_lean.engine.hidden(backbone, before, batch, read=read)
    states.sum().backward()
    backbone.compiled = None
    before = test_lean.engine.prefix(backbone, soft, [[1], [2, 3]])
    test_lean.engine.hidden(backbone, before, batch, read=read)


@pytest.mark.parametrize("name", ["gemma3", "gpt_oss"])
def test_unknown_layers_have_no_compiled_decoder(name: str) -> None:
    backbone = tiny.backbone(name)
    assert "not known" in str(Compiled.of(backbone.model.get_decoder(), backbone.attention))


def test_replaced_weights_take_the_librarys_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    exact_flex.allow(monkeypatch)
    backbone = exact_flex.as_on_cuda(test_lean.made("llama"))
    monkeypatch.setattr(Compiled, "run", never)
    with pytest.raises(AssertionError, match="another decoder"):
        test_lean.passed(backbone, None)
    config = peft.LoraConfig(r=2, target_modules=["q_proj"], init_lora_weights=False)
    peft.inject_adapter_in_model(config, backbone.model)
    test_lean.passed(backbone, None)


def test_what_is_compiled_is_one_graph_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch's tracer takes each function whole, and again for another length without new graphs."""
    exact_flex.allow(monkeypatch)
    torch._dynamo.reset()
    counter = CompileCounterWithBackend("aot_eager")
    monkeypatch.setattr(compiled.torch, "compile", traced(torch.compile, counter))
    backbone = exact_flex.as_on_cuda(test_lean.made("qwen3"), compiler=compiled.torch_compiled)
    monkeypatch.setattr("clinprompt.backbone.sight.BLOCK", 4)
    plain = exact_flex.as_on_cuda(test_lean.made("qwen3"))
    known, expected = test_lean.passed(plain, READ)
    ours, gradients = test_lean.passed(backbone, READ)
    torch.testing.assert_close(ours, known, rtol=1e-9, atol=1e-9)
    for one, other in zip(gradients, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-9)
    graphs = counter.frame_count
    torch.manual_seed(0)
    soft = [torch.randn(n, 32).double().requires_grad_() for n in (15, 19, 32)]
    before = test_lean.engine.prefix(backbone, soft, [[1, 2, 3], [4], []])
    batch = test_lean.Rows.of(
        [[7] * 21, [8] * 30, [9] * 14, [6] * 8], [0, 1, 2, 0], torch.device("cpu")
    )
    test_lean.engine.hidden(backbone, before, batch, read=READ).sum().backward()
    assert counter.frame_count == graphs


def traced(compile_: Any, counter: Any) -> Any:
    """torch.compile with a counting backend, where no other is asked for."""

    def call(function: Any, **more: Any) -> Any:
        return compile_(function, **{"backend": counter, **more})

    return call
