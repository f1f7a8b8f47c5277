"""The answers of every bundled task survive the way to text and back."""

from __future__ import annotations

from pathlib import Path

import pytest

from clinprompt.tasks import catalogue, loading
from clinprompt.verbalize import answer_text, canonical, input_text, instruction, options, parse

SAMPLE = 250


NAMES = [card.name for card in catalogue.all_cards() if not card.obtain]


@pytest.mark.data
@pytest.mark.parametrize("name", NAMES)
def test_answers_survive(data_root: Path, name: str) -> None:
    card = catalogue.find(name)
    assert instruction(card).startswith(card.instruction.strip())
    split = card.splits[-1]
    examples = loading.load(card, data_root, splits=[split]).splits[split]
    sample = examples[:: max(1, len(examples) // SAMPLE)]
    assert sample
    for example in sample:
        assert example.answer is not None, example.id
        assert input_text(card, example.input).strip(), example.id
        text = answer_text(card, example.input, example.answer)
        assert text, example.id
        parsed = parse(card, example.input, text)
        assert parsed.answer == example.answer, example.id
        assert canonical(example.answer) == example.answer, example.id
        assert (parsed.unaligned, parsed.unparsable) == (0, 0), example.id
        if card.closed:
            assert (example.answer, text) in options(card, example.input), example.id
