from __future__ import annotations

import hashlib
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from clinprompt.artifacts.fingerprint import (
    BackboneFingerprint,
    config_digest,
    difference,
    fingerprint,
    require_same,
    tokenizer_digest,
    weights_digest,
)
from clinprompt.errors import ClinpromptError

CONFIG: dict[str, Any] = {
    "model_type": "llama",
    "hidden_size": 8,
    "num_hidden_layers": 2,
    "rms_norm_eps": 1e-5,
    "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "factor": None},
    "sliding_window": None,
}


def weights(seed: int = 0, dtype: torch.dtype = torch.float32) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    shapes = {"embed": (11, 8), "layer.weight": (8, 8), "norm": (8,), "scale": ()}
    return {
        name: torch.randn(shape, generator=generator, dtype=torch.float32).to(dtype)
        for name, shape in shapes.items()
    }


def test_weights_digest_as_written_down() -> None:
    """1.0 is 0x3f80 in bfloat16, -2.0 is 0xc000; names in order; shape as 1x2."""
    expected = hashlib.sha256(b"a 1x2\n\x80\x3f\x00\xc0b \n\x80\x3f").hexdigest()
    tensors = {"b": torch.tensor(1.0), "a": torch.tensor([[1.0, -2.0]])}
    assert weights_digest(tensors.items()) == expected


def test_weights_are_sampled_at_start_middle_and_end() -> None:
    values = torch.arange(20.0)
    whole = weights_digest([("w", values)], sample=2)
    for index in range(20):
        changed = values.clone()
        changed[index] += 100
        seen = weights_digest([("w", changed)], sample=2) != whole
        assert seen == (index in {0, 1, 9, 10, 18, 19})
    for size in (5, 6):  # nothing is left out, nor taken twice
        few = [("w", values[:size])]
        assert weights_digest(few, sample=2) == weights_digest(few)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000))
def test_weights_digest_does_not_depend_on_float_type_layout_or_order(seed: int) -> None:
    half = weights(seed, torch.bfloat16)
    expected = weights_digest(half.items())
    # a bfloat16 checkpoint loaded wider, and a float32 checkpoint loaded as bfloat16
    for dtype in (torch.float32, torch.float64):
        assert weights_digest((n, t.to(dtype)) for n, t in half.items()) == expected
    full = weights(seed)
    assert weights_digest(full.items()) == expected
    assert weights_digest(reversed(full.items())) == expected
    strided = {n: t.t().contiguous().t() if t.ndim == 2 else t for n, t in full.items()}
    assert weights_digest(strided.items()) == expected
    parameters = {n: torch.nn.Parameter(t) for n, t in full.items()}
    assert weights_digest(parameters.items()) == expected


def test_float16_load_of_a_bfloat16_checkpoint_matches() -> None:
    half = weights(dtype=torch.bfloat16)
    same = {name: tensor.to(torch.float16) for name, tensor in half.items()}
    assert weights_digest(same.items()) == weights_digest(half.items())


def test_weights_digest_sees_values_names_and_shapes() -> None:
    base = weights()
    digests = {weights_digest(base.items()), weights_digest(weights(1).items())}
    digests.add(weights_digest({**base, "norm": base["norm"] * 1.01}.items()))
    digests.add(weights_digest({("x" + n): t for n, t in base.items()}.items()))
    digests.add(weights_digest({**base, "embed": base["embed"].reshape(8, 11)}.items()))
    digests.add(weights_digest(list(base.items())[1:]))
    assert len(digests) == 6


def test_packed_weights_are_hashed_as_they_are() -> None:
    packed = torch.arange(256, dtype=torch.uint8)
    expected = hashlib.sha256(b"q 256\n" + bytes(range(256))).hexdigest()
    assert weights_digest([("q", packed)]) == expected
    assert weights_digest([("q", packed.view(torch.int8))]) == expected


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ([], "none"),
        ([("a", torch.zeros(1)), ("a", torch.zeros(1))], "twice"),
        ([("a", torch.zeros(1, device="meta"))], "'a' was not loaded"),
    ],
)
def test_nothing_to_hash(parameters: list[tuple[str, torch.Tensor]], reason: str) -> None:
    with pytest.raises(ClinpromptError, match=f"CP-ART-021.*{reason}"):
        weights_digest(parameters)


@pytest.mark.parametrize(
    "changes",
    [
        {"dtype": "bfloat16"},
        {"torch_dtype": "float32", "transformers_version": "9", "_name_or_path": "/home/me/x"},
        {"use_cache": False, "_attn_implementation": "sdpa", "quantization_config": {"bits": 4}},
        {"rope_parameters": {"rope_theta": 10000, "rope_type": "default"}},
        {"head_dim": None},
    ],
)
def test_config_digest_ignores_what_changes_no_answer(changes: dict[str, Any]) -> None:
    assert config_digest(CONFIG | changes) == config_digest(CONFIG)


@pytest.mark.parametrize(
    "changes",
    [
        {"rms_norm_eps": 1e-6},
        {"rope_parameters": {"rope_type": "default", "rope_theta": 500000.0}},
        {"sliding_window": 4096},
        {"model_type": "mistral"},
    ],
)
def test_config_digest_sees_what_does(changes: dict[str, Any]) -> None:
    assert config_digest(CONFIG | changes) != config_digest(CONFIG)


def test_tokenizer_digest() -> None:
    vocabulary = {"a": 0, "b": 1, "é\udcff": 2}

    def encode(text: str) -> list[int]:
        return [len(word) for word in text.split(" ")]

    base = tokenizer_digest(vocabulary, encode)
    assert tokenizer_digest(dict(reversed(vocabulary.items())), encode) == base
    others = {
        tokenizer_digest({**vocabulary, "c": 3}, encode),
        tokenizer_digest({"a": 1, "b": 0, "é\udcff": 2}, encode),
        tokenizer_digest(vocabulary, lambda text: encode(text.lower().replace("  ", " "))),
    }
    assert len({base, *others}) == 4


def test_tokenizer_digest_as_written_down() -> None:
    lines = b"0\tz\n1\ta\n" + 5 * b"7 8\n"
    assert tokenizer_digest({"a": 1, "z": 0}, lambda _: [7, 8]) == hashlib.sha256(lines).hexdigest()


class _Tokenizer:
    def get_vocab(self) -> dict[str, int]:
        return {"a": 0, "b": 1}

    def __call__(self, text: str, add_special_tokens: bool) -> SimpleNamespace:
        assert add_special_tokens is False
        return SimpleNamespace(input_ids=[ord(character) for character in text])


def backbone(dtype: torch.dtype, **changes: Any) -> Any:
    config = SimpleNamespace(**CONFIG | changes, to_dict=lambda: CONFIG | changes)
    tensors = weights(dtype=dtype)
    return SimpleNamespace(
        config=config,
        hidden_size=8,
        vocabulary=11,
        parameters=sum(t.numel() for t in tensors.values()),
        tokenizer=_Tokenizer(),
        model=SimpleNamespace(named_parameters=lambda: tensors.items()),
    )


def test_fingerprint_of_a_backbone_in_two_float_types() -> None:
    full = fingerprint(backbone(torch.float32))
    assert difference(full, fingerprint(backbone(torch.bfloat16))) == []
    require_same(full, fingerprint(backbone(torch.bfloat16)))
    assert (full.model_type, full.layers, full.parameters) == ("llama", 2, 161)
    assert BackboneFingerprint.model_validate_json(full.model_dump_json()) == full
    other = fingerprint(backbone(torch.float32, rms_norm_eps=1e-6))
    assert difference(full, other) == ["other config"]


def test_wrong_backbone_is_refused_with_both_fingerprints(
    make_fingerprint: Callable[..., BackboneFingerprint],
) -> None:
    trained = make_fingerprint()
    loaded = make_fingerprint(hidden=8, model_type="qwen3", weights="0" * 64)
    assert difference(trained, loaded) == [
        "model_type is qwen3 instead of llama",
        "hidden is 8 instead of 4",
        "other weights",
    ]
    with pytest.raises(ClinpromptError) as caught:
        require_same(trained, loaded)
    assert caught.value.code == "CP-ART-020"
    assert str(trained) in str(caught.value) and str(loaded) in str(caught.value)
    assert "llama H=4" in str(caught.value) and "weights=eeeeeeeeeeee" in str(caught.value)


@pytest.mark.parametrize("field", list(BackboneFingerprint.model_fields))
def test_every_field_counts(
    make_fingerprint: Callable[..., BackboneFingerprint], field: str
) -> None:
    changed = {"model_type": "x"}.get(field) or ("1" * 64 if len(str(
        getattr(make_fingerprint(), field))) == 64 else 99)  # fmt: skip
    lines = difference(make_fingerprint(), make_fingerprint(**{field: changed}))
    assert len(lines) == 1 and field in lines[0]
