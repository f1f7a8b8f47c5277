"""The lean decoder against the library's own layers, in float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import peft
import pytest
import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, LlamaConfig, Qwen2Config

from clinprompt.backbone import engine
from clinprompt.backbone.decode import greedy
from clinprompt.backbone.engine import Rows
from clinprompt.backbone.lean import attention
from clinprompt.backbone.lean.decoder import Lean
from clinprompt.backbone.model import Backbone
from clinprompt.backbone.template import plain_template
from tests.backbone import tiny

MORE: dict[str, Callable[[], object]] = {
    "qwen2": lambda: Qwen2Config(**{**tiny._SIZES, "sliding_window": None}),
    "llama_biased": lambda: LlamaConfig(**tiny._SIZES, attention_bias=True),
    "llama_scaled": lambda: LlamaConfig(
        **tiny._SIZES,
        rope_parameters={"rope_type": "linear", "factor": 2.0, "rope_theta": 10000.0},
    ),
}
EPSILON = 1e-6
LEAN = ("llama", "mistral", "qwen3", *MORE)


def made(name: str) -> Backbone:
    if name in MORE:
        torch.manual_seed(0)
        model = AutoModelForCausalLM.from_config(MORE[name]())
        with torch.no_grad():
            for parameter_name, parameter in model.named_parameters():
                if "norm" in parameter_name or "bias" in parameter_name:
                    parameter.add_(torch.randn_like(parameter) * 0.2)
        tokenizer = tiny.tokenizer()
        backbone = Backbone(model, tokenizer, name, plain_template(tokenizer))
    else:
        backbone = tiny.backbone(name)
    assert backbone.lean is not None, backbone.why_standard
    backbone.model.double()
    for module in backbone.model.modules():
        if type(module).__name__.endswith("RMSNorm"):  # the library's rounds to float32 inside
            module.forward = exact_norm(module)
    return backbone


def exact_norm(module: Any) -> Callable[[Tensor], Tensor]:
    def forward(x: Tensor) -> Tensor:
        return module.weight * x / (x.square().mean(-1, keepdim=True) + EPSILON).sqrt()

    return forward


def rows() -> Rows:
    given = [[11, 12, 13, 14, 15, 16, 17, 18, 19], [20, 21], [30], [31, 32, 33, 34, 35]]
    return Rows.of(given, [0, 1, 2, 1], torch.device("cpu"))


def passed(backbone: Backbone, read: tuple[Tensor, Tensor] | None) -> tuple[Tensor, list[Tensor]]:
    """Hidden states of real tokens and the gradients at the prompts."""
    torch.manual_seed(1)
    soft = [torch.randn(n, 32).double().requires_grad_() for n in (5, 9, 2)]
    batch = rows()
    before = engine.prefix(backbone, soft, [[1, 2, 3], [4], []])
    found = engine.hidden(backbone, before, batch, read=read)
    if read is None:
        valid = torch.arange(batch.ids.shape[1]) < batch.lengths[:, None]
        found = found[valid]
    torch.manual_seed(2)
    (found * torch.randn_like(found)).sum().backward()
    return found.detach(), [p.grad for p in soft]


@pytest.mark.parametrize("blocks", [False, True], ids=["kept", "by-blocks"])
@pytest.mark.parametrize("some", [False, True], ids=["all", "read"])
@pytest.mark.parametrize("name", LEAN)
def test_states_and_gradients_are_those_of_the_layers(
    name: str, some: bool, blocks: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if blocks:
        monkeypatch.setattr(attention, "MOST_KEPT", 0)
    backbone = made(name)
    # One position is read twice, one row not at all.
    read = (torch.tensor([0, 0, 1, 3, 3]), torch.tensor([7, 8, 1, 2, 2])) if some else None
    states, gradients = passed(backbone, read)
    backbone.lean = None
    theirs, expected = passed(backbone, read)
    torch.testing.assert_close(states, theirs, rtol=1e-9, atol=1e-9)
    for ours, other in zip(gradients, expected, strict=True):
        torch.testing.assert_close(ours, other, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("name", LEAN)
def test_gradient_reaches_the_rows_own_embeddings(name: str) -> None:
    backbone = made(name)
    batch, found = rows(), []
    torch.manual_seed(3)
    given = torch.randn(4, 9, 32).double()
    for lean in (backbone.lean, None):
        backbone.lean = lean
        embeddings = given.clone().requires_grad_()
        before = engine.prefix(backbone, [torch.ones(3, 32).double()] * 3, [[1], [2], [3]])
        laid = engine.layout(before, batch)
        states = backbone.run(
            embeddings,
            laid.positions[:, laid.prefix :],
            laid.mask(backbone, 0, 9),
            engine.PrefixKV(before.layers, batch.task),
            valid=laid.valid[:, laid.prefix :],
        )
        valid = torch.arange(9) < batch.lengths[:, None]
        states[valid].sin().sum().backward()
        assert embeddings.grad is not None
        found.append(embeddings.grad[valid])
    torch.testing.assert_close(found[0], found[1], rtol=1e-8, atol=1e-9)


def test_padding_is_not_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    backbone = made("llama")
    seen: list[int] = []
    from clinprompt.backbone.lean import halves

    inner = halves.rms_norm

    def counting(x: Tensor, *rest: object) -> tuple[Tensor, Tensor]:
        seen.append(len(x))
        return inner(x, *rest)

    monkeypatch.setattr(halves, "rms_norm", counting)
    passed(backbone, (torch.tensor([0, 1]), torch.tensor([8, 1])))
    tokens, prefix_tokens = 9 + 2 + 1 + 5, 8 + 10 + 2
    layers = 4
    assert seen == (
        [prefix_tokens] * (2 * layers - 1)  # keys alone of the last layer
        + [tokens] * (2 * layers - 1)
        + [2, 2]  # read positions alone: the last feed-forward half, the final norm
    )


@pytest.mark.parametrize("name", ["gemma3", "gpt_oss"])
def test_unknown_layers_keep_their_own_forward(name: str) -> None:
    backbone = tiny.backbone(name)
    assert backbone.lean is None
    assert "not known" in str(backbone.why_standard)


def test_layers_that_only_look_known_keep_their_own_forward() -> None:
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(tiny.CONFIGS["llama"]())
    inner = model.model.layers[1].mlp.forward
    model.model.layers[1].mlp.forward = lambda x: inner(x) * 1.5
    tokenizer = tiny.tokenizer()
    backbone = Backbone(model, tokenizer, "patched", plain_template(tokenizer))
    assert backbone.lean is None
    assert "other values" in str(backbone.why_standard)


def test_trained_or_replaced_weights_take_the_layers_own_forward(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    backbone = made("llama")

    def never(*_: object, **__: object) -> None:
        raise AssertionError("the lean decoder was used")

    passed(backbone, None)
    monkeypatch.setattr(Lean, "run", never)
    weight = backbone.model.model.layers[2].mlp.up_proj.weight
    weight.requires_grad_(True)
    passed(backbone, None)
    assert weight.grad is not None
    weight.requires_grad_(False)
    with pytest.raises(AssertionError, match="lean decoder was used"):
        passed(backbone, None)


EVERY = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


def adapted(backbone: Backbone, *layers: str, **more: Any) -> dict[str, Tensor]:
    """PEFT's adapters in a backbone, none of them zero; their parameters by name."""
    torch.manual_seed(4)
    fields = {"r": 2, "lora_alpha": 3, "init_lora_weights": False} | more
    config = peft.LoraConfig(target_modules=list(layers), **fields)
    peft.inject_adapter_in_model(config, backbone.model)
    backbone.model.double()
    found = {n: p for n, p in backbone.model.named_parameters() if p.requires_grad}
    assert len(found) == 4 * 2 * len(layers)
    return found


@pytest.mark.parametrize("blocks", [False, True], ids=["kept", "by-blocks"])
@pytest.mark.parametrize("some", [False, True], ids=["all", "read"])
@pytest.mark.parametrize("layers", [EVERY, ("k_proj", "v_proj"), ("down_proj", "o_proj")])
@pytest.mark.parametrize("name", LEAN)
def test_adapters_beside_the_weights_get_pefts_gradients(
    name: str, layers: tuple[str, ...], some: bool, blocks: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if blocks:
        monkeypatch.setattr(attention, "MOST_KEPT", 0)
    backbone = made(name)
    trained = adapted(backbone, *layers)
    read = (torch.tensor([0, 0, 1, 3, 3]), torch.tensor([7, 8, 1, 2, 2])) if some else None
    ran: list[int] = []
    run = Lean.run
    monkeypatch.setattr(Lean, "run", lambda *a, **k: (ran.append(1), run(*a, **k))[1])
    found = []
    lean = backbone.lean
    for backbone.lean in (lean, None):
        states, gradients = passed(backbone, read)
        found.append([states, *gradients, *(p.grad for p in trained.values())])
        for parameter in trained.values():
            parameter.grad = None
    assert len(ran) == 2  # prefix and rows
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-8, atol=1e-9)
    assert all(bool(gradient.any()) for gradient in found[0][4:])


def test_frozen_prompts_leave_the_adapters_gradients() -> None:
    """Nothing that the first layer reads has a gradient."""
    backbone = made("llama")
    trained = adapted(backbone, "q_proj", "v_proj")
    found = []
    lean = backbone.lean
    for backbone.lean in (lean, None):
        before = engine.prefix(backbone, [torch.ones(3, 32).double()] * 3, [[1], [2], [3]])
        valid = torch.arange(9) < rows().lengths[:, None]
        engine.hidden(backbone, before, rows())[valid].sin().sum().backward()
        found.append([p.grad for p in trained.values()])
        for parameter in trained.values():
            parameter.grad = None
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_greedy_decoding_with_an_adapter(dtype: torch.dtype) -> None:
    """Frozen adapters, step by step behind a memory of keys and values."""
    backbone = made("qwen3")
    for parameter in adapted(backbone, *EVERY).values():
        parameter.requires_grad_(False)
    backbone.model.to(dtype)
    found = []
    lean = backbone.lean
    for backbone.lean in (lean, None):
        before = engine.prefix(backbone, [None], [[1, 2, 3]])
        asked = {"stops": frozenset[int](), "max_new": [6, 3]}
        found.append(greedy(backbone, before, [[5, 6, 7], [9]], [0, 0], **asked))
    near = 1e-9 if dtype == torch.float64 else 0.2
    for ours, theirs in zip(*found, strict=True):
        assert ours.logprobs == pytest.approx(theirs.logprobs, abs=near)
        assert ours.ids == theirs.ids


@pytest.mark.parametrize(
    "changes", [{"lora_dropout": 0.1}, {"use_dora": True}, {"lora_bias": True}], ids=str
)
def test_adapters_of_other_kinds_take_the_layers_own_forward(
    changes: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    backbone = made("llama")
    config = peft.LoraConfig(r=2, target_modules=["q_proj"], init_lora_weights=False, **changes)
    peft.inject_adapter_in_model(config, backbone.model)
    backbone.model.double()

    def never(*_: object, **__: object) -> None:
        raise AssertionError("the lean decoder was used")

    monkeypatch.setattr(Lean, "run", never)
    passed(backbone, None)


@pytest.mark.parametrize("state", ["disabled", "merged", "two"])
def test_adapters_that_are_not_simply_at_work_take_the_layers_own_forward(
    state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    backbone = made("llama")
    adapted(backbone, "q_proj")
    for module in backbone.model.modules():
        if hasattr(module, "lora_A") and state == "disabled":
            module.enable_adapters(False)
        elif hasattr(module, "lora_A") and state == "merged":
            module.merge()
    if state == "two":
        config = peft.LoraConfig(r=1, target_modules=["q_proj"])
        peft.inject_adapter_in_model(config, backbone.model, adapter_name="second")
        backbone.model.double()

    def never(*_: object, **__: object) -> None:
        raise AssertionError("the lean decoder was used")

    monkeypatch.setattr(Lean, "run", never)
    passed(backbone, None)
