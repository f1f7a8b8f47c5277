"""Options scored as a tree against a pass of the library's own model for each option."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from clinprompt.backbone import answers, engine, prefill
from clinprompt.backbone.engine import Prefix
from clinprompt.backbone.model import Backbone
from clinprompt.errors import ClinpromptError
from tests.backbone import tiny

ARCHITECTURES = sorted(tiny.CONFIGS)
FIXED = [[1, 2, 3], [4, 5, 6, 7, 8, 9, 10], []]
END = 257

# Few tokens, so that options begin alike; lengths around the windows of 6 and 7.
OPTION = st.lists(st.integers(60, 62), max_size=9).map(lambda ids: [*ids, END])
ROWS = st.lists(
    st.tuples(
        st.lists(st.integers(0, 255), min_size=1, max_size=20),
        st.lists(OPTION, min_size=1, max_size=8),
        st.integers(0, 2),
    ),
    min_size=1,
    max_size=4,
)


@cache
def backbone_of(architecture: str) -> Backbone:
    return tiny.backbone(architecture)


def soft() -> torch.Tensor:
    return torch.randn(3, 5, 32, generator=torch.Generator().manual_seed(1)) * 0.4


@cache
@torch.no_grad()
def prefix_of(architecture: str) -> Prefix:
    return engine.prefix(backbone_of(architecture), list(soft()), FIXED)


@torch.no_grad()
def alone(backbone: Backbone, task: int, text: list[int], option: list[int]) -> float:
    """One pass of the library's model for one option."""
    ids = FIXED[task] + text + option
    logits = tiny.naive_logits(backbone, soft()[task], ids)[-len(option) - 1 : -1]
    return -float(F.cross_entropy(logits, torch.tensor(option), reduction="sum"))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@settings(max_examples=12)
@given(ROWS, st.booleans())
def test_scores_are_those_of_a_pass_for_each_option(
    architecture: str, rows: list[Any], pieces: bool
) -> None:
    backbone = backbone_of(architecture)
    with pytest.MonkeyPatch.context() as patch:
        if pieces:  # of the text and of the options
            patch.setattr(prefill, "_MOST_SEEN", {"cpu": 1})
            patch.setattr(prefill, "_FEWEST", 4)
            patch.setattr(answers, "_HEAD_BYTES", {"cpu": 1})
        found = answers.score_options(
            backbone,
            prefix_of(architecture),
            [text for text, _, _ in rows],
            [options for _, options, _ in rows],
            [task for _, _, task in rows],
        )
    for (text, options, task), scores in zip(rows, found, strict=True):
        assert scores.dtype == torch.float64
        expected = [alone(backbone, task, text, option) for option in options]
        assert scores.tolist() == pytest.approx(expected, rel=2e-5, abs=2e-4)


def test_the_head_sees_each_node_once_and_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    backbone, seen = backbone_of("llama"), []
    monkeypatch.setattr(answers, "_HEAD_BYTES", {"cpu": 4 * tiny.VOCABULARY * 3})
    whole = Backbone.logits

    def counted(self: Backbone, hidden: torch.Tensor) -> torch.Tensor:
        seen.append(len(hidden))
        return whole(self, hidden)

    monkeypatch.setattr(Backbone, "logits", counted)
    options = [[60, 61, k, END] for k in range(8)]  # nodes: 60, 61 and eight behind them
    answers.score_options(backbone, prefix_of("llama"), [[1, 2]], [options], [0])
    assert seen == [3, 3, 3, 2]
    assert answers.option_columns(options) == 10


def test_an_empty_input_is_refused() -> None:
    backbone, before = backbone_of("llama"), prefix_of("llama")
    with pytest.raises(ClinpromptError, match="CP-BACK-180"):
        answers.score_options(backbone, before, [[1], []], [[[END]], [[END]]], [0, 0])


def test_single_tokens_and_no_options_at_all() -> None:
    backbone, before = backbone_of("llama"), prefix_of("llama")
    found = answers.score_options(backbone, before, [[1], [2]], [[[END]], []], [0, 1])
    assert found[0].tolist() == pytest.approx([alone(backbone, 0, [1], [END])], rel=1e-4)
    assert found[1].shape == (0,)
