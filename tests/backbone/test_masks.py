from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import Gemma3TextConfig, LlamaConfig, MistralConfig

from clinprompt.backbone.masks import Attention, Distance, visibility
from clinprompt.errors import ClinpromptError
from tests.backbone import tiny


def _line(parents: list[int], column: int) -> list[int]:
    """A column and all above it."""
    line = []
    while column >= 0:
        line.append(column)
        column = parents[column]
    return line


def _depth(parents: list[int], column: int) -> int:
    return len(_line(parents, column)) - 1


def _parents(draw: st.DrawFn, count: int) -> list[int]:
    """Columns depth first: each continues the one before it, or one above that; or is a root."""
    parents: list[int] = []
    for column in range(count):
        above = _line(parents, column - 1) if column else []
        parents.append(draw(st.sampled_from([*above, -1])))
    return parents


@st.composite
def layouts(draw: st.DrawFn) -> dict[str, Any]:
    """Rows behind prefixes, both padded, as the engine lays them out."""
    rows = draw(st.integers(1, 3))
    longest_prefix, longest = draw(st.integers(0, 4)), draw(st.integers(1, 5))
    prefixes = [draw(st.integers(0, longest_prefix)) for _ in range(rows)]
    lengths = [draw(st.integers(1, longest)) for _ in range(rows)]
    own = torch.arange(longest).expand(rows, -1)
    columns = torch.arange(longest_prefix).expand(rows, -1)
    start = torch.tensor(prefixes)[:, None]
    parents = None
    if draw(st.booleans()):
        parents = [_parents(draw, longest)] * rows
        own = torch.tensor([[_depth(row, k) for k in range(longest)] for row in parents])
    filled = torch.arange(longest) < torch.tensor(lengths)[:, None]
    return {
        "query": start + own,
        "key": torch.cat([columns, start + own], dim=1),
        "valid": torch.cat([columns < start, filled], dim=1),
        "parents": parents,
        "prefix": longest_prefix,
    }


def brute_force(layout: dict[str, Any], b: int, q: int, k: int) -> bool:
    """Who sees whom, said in words."""
    if not layout["valid"][b, layout["prefix"] + q] and layout["prefix"] + q == k:
        return True
    return bool(layout["valid"][b, k]) and _seen(layout, b, q, k)


def _seen(layout: dict[str, Any], b: int, q: int, k: int) -> bool:
    if layout["parents"] is None or k < layout["prefix"]:
        return bool(layout["key"][b, k] <= layout["query"][b, q])
    return k - layout["prefix"] in _line(layout["parents"][b], q)


def look(layout: dict[str, Any]) -> tuple[torch.Tensor, Distance]:
    until = None
    if layout["parents"] is not None:
        own, s = len(layout["parents"][0]), layout["prefix"]
        ends = [
            max(q for q in range(own) if k in _line(layout["parents"][0], q)) + 1
            for k in range(own)
        ]
        row = [s + own] * s + [s + end for end in ends]
        until = torch.tensor([row] * len(layout["query"]))
    return visibility(layout["query"], layout["key"], layout["valid"], until=until)


@given(layouts())
def test_visibility_is_what_the_words_say(layout: dict[str, Any]) -> None:
    visible, distance = look(layout)
    b, q, k = visible.shape
    for index in torch.cartesian_prod(torch.arange(b), torch.arange(q), torch.arange(k)).tolist():
        seen = brute_force(layout, *index)
        assert bool(visible[tuple(index)]) == seen, index
        real = layout["query"][index[0], index[1]] - layout["key"][index[0], index[2]]
        for window in (1, 2, 4):
            assert bool(distance.below(window)[tuple(index)]) == (int(real) < window)


@given(layouts())
def test_no_query_sees_nothing_and_no_real_one_sees_padding(layout: dict[str, Any]) -> None:
    visible, _ = look(layout)
    assert visible.any(-1).all()
    real = layout["valid"][:, layout["prefix"] :]
    seen = visible & ~layout["valid"][:, None, :]
    assert not seen[real].any()


@given(layouts(), st.integers(1, 6))
def test_a_window_hides_what_lies_too_far_back_and_never_the_query_itself(
    layout: dict[str, Any], window: int
) -> None:
    visible, distance = look(layout)
    found = Attention(window, False, False).masks(visible, distance, torch.float32)
    assert isinstance(found, torch.Tensor)
    assert found.shape == (visible.shape[0], 1, *visible.shape[1:])
    assert torch.equal(found[:, 0], visible & distance.below(window))
    assert found.any(-1).all()


@given(layouts())
def test_the_three_forms_of_a_mask_say_the_same(layout: dict[str, Any]) -> None:
    visible, distance = look(layout)
    boolean = Attention(3, True, False).masks(visible, distance, torch.float32)
    additive = Attention(3, True, True).masks(visible, distance, torch.bfloat16)
    assert isinstance(boolean, dict) and isinstance(additive, dict)
    assert set(boolean) == set(additive) == {"full_attention", "sliding_attention"}
    for name, mask in additive.items():
        assert mask.dtype == torch.bfloat16
        assert torch.equal(mask == 0, boolean[name])
        assert torch.equal(mask != 0, mask == torch.finfo(torch.bfloat16).min)
    assert torch.equal(boolean["full_attention"][:, 0], visible)
    plain = Attention(None, False, False).masks(visible, distance, torch.float32)
    assert isinstance(plain, torch.Tensor)
    assert torch.equal(plain[:, 0], visible)


def test_padding_changes_nothing_that_a_real_query_sees() -> None:
    query, key = torch.tensor([[2, 3]]), torch.tensor([[0, 1, 2, 3]])
    alone, _ = visibility(query, key, torch.ones(1, 4, dtype=torch.bool))
    padded, _ = visibility(
        torch.tensor([[2, 3, 4, 5]]),
        torch.tensor([[0, 1, 2, 3, 2, 3, 4, 5]]),  # a longer prefix in the same batch
        torch.tensor([[True, True, False, False, True, True, False, False]]),
    )
    assert torch.equal(padded[:, :2][:, :, [0, 1, 4, 5]], alone)
    assert not padded[:, :2][:, :, [2, 3, 6, 7]].any()


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (tiny.CONFIGS["llama"](), Attention(None, False, False)),
        (tiny.CONFIGS["mistral"](), Attention(7, False, False)),
        (tiny.CONFIGS["gemma3"](), Attention(6, True, False)),
        (tiny.CONFIGS["qwen3"](), Attention(None, False, False)),
        (tiny.CONFIGS["gpt_oss"](), Attention(6, True, False)),
        (MistralConfig(sliding_window=None), Attention(None, False, False)),
        (LlamaConfig(), Attention(None, False, False)),
        (  # a window that no layer uses
            Gemma3TextConfig(
                num_hidden_layers=2, sliding_window=6, layer_types=["full_attention"] * 2
            ),
            Attention(None, False, False),
        ),
        (
            Gemma3TextConfig(
                num_hidden_layers=2, sliding_window=6, layer_types=["sliding_attention"] * 2
            ),
            Attention(6, False, False),
        ),
    ],
)
def test_attention_is_read_off_the_configuration(config: Any, expected: Attention) -> None:
    assert Attention.of(config, "sdpa") == expected
    assert Attention.of(config, "eager").additive


def test_layers_of_another_kind_are_refused() -> None:
    config = SimpleNamespace(layer_types=["full_attention", "linear_attention", "mamba"])
    with pytest.raises(ClinpromptError, match="CP-BACK-010") as caught:
        Attention.of(config, "sdpa")
    assert "linear_attention, mamba" in caught.value.message
