"""Rows that enter and leave say what they say alone, by the simplest decoding there is."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from clinprompt.backbone import decode, engine
from clinprompt.backbone.decode import Generated
from clinprompt.backbone.decoding import Ask, Decoder, Settings, generate, scheduler
from clinprompt.backbone.decoding.slots import SlotKV
from clinprompt.backbone.engine import Prefix, Soft
from clinprompt.backbone.model import Backbone
from tests.backbone import tiny
from tests.backbone.test_decode import Among

STOPS = frozenset({257})
FIXED = ([1, 2, 3], list(range(30, 55)), [])
ARCHITECTURES = sorted(tiny.CONFIGS)


@cache
def ready(architecture: str) -> tuple[Backbone, Prefix]:
    """A backbone, and prefixes of 8, 30 and 5 positions."""
    backbone = tiny.backbone(architecture)
    soft = torch.randn(3, 5, 32, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        return backbone, engine.prefix(backbone, list(soft), FIXED)


def some(count: int, seed: int, longest: int = 40) -> tuple[list[list[int]], list[int], list[int]]:
    """Random inputs, their prefixes, and most new tokens."""
    draw = random.Random(seed)
    inputs = [[draw.randrange(250) for _ in range(draw.randint(1, longest))] for _ in range(count)]
    return (
        inputs,
        [draw.randrange(3) for _ in inputs],
        [draw.randint(1, 14) for _ in inputs],
    )


def asks_of(before: Prefix, rows: Any, **more: Any) -> list[Ask]:
    return [Ask(i, before, m, task=t, **more) for i, t, m in zip(*rows, strict=True)]


def simplest(backbone: Backbone, before: Prefix, rows: Any, **more: Any) -> list[Generated]:
    """Each row alone: any other schedule is held to that."""
    found = []
    for given_, task, most in zip(*rows, strict=True):
        found += decode.greedy(
            backbone, before, [given_], [task], stops=STOPS, max_new=[most], **more
        )
    return found


def same(found: Sequence[Generated], expected: Sequence[Generated]) -> None:
    assert [one.ids for one in found] == [one.ids for one in expected]
    for one, other in zip(found, expected, strict=True):
        assert one.logprobs == pytest.approx(other.logprobs, abs=1e-3)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("tokens", [60, 400, 5000])
def test_any_memory_gives_what_a_row_says_alone(architecture: str, tokens: int) -> None:
    backbone, before = ready(architecture)
    rows = some(10, 3)
    found = generate(backbone, asks_of(before, rows), Settings(STOPS, tokens=tokens, prefill=60))
    same(found, simplest(backbone, before, rows))


@settings(max_examples=25)
@given(
    architecture=st.sampled_from(ARCHITECTURES),
    count=st.integers(1, 9),
    seed=st.integers(0, 10**6),
    tokens=st.integers(1, 600),
    slots=st.none() | st.integers(1, 5),
    prefill=st.integers(1, 200),
    known=st.booleans(),
    order=st.randoms(use_true_random=False),
)
def test_no_schedule_changes_a_row(
    architecture: str,
    count: int,
    seed: int,
    tokens: int,
    slots: int | None,
    prefill: int,
    known: bool,
    order: random.Random,
) -> None:
    backbone, before = ready(architecture)
    rows = some(count, seed, longest=30)
    expected = simplest(backbone, before, rows)
    places = list(range(count))
    order.shuffle(places)
    asks = asks_of(before, rows)
    decoder = Decoder(backbone, Settings(STOPS, tokens=tokens, slots=slots, prefill=prefill))
    for _ in range(2):  # in a memory that holds what earlier rows left
        coming = decoder.stream((asks[i] for i in places), count if known else None)
        found = {places[place]: new for place, new in coming}
        same([found[i] for i in range(count)], expected)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_long_texts_are_read_in_pieces(architecture: str, monkeypatch: pytest.MonkeyPatch) -> None:
    backbone, before = ready(architecture)
    rows = some(6, 5, longest=70)
    whole = generate(backbone, asks_of(before, rows), Settings(STOPS))
    monkeypatch.setattr(scheduler, "_MOST_SEEN", {"cpu": 1})
    monkeypatch.setattr(scheduler, "_FEWEST", 16)
    widths = []
    run = backbone.run

    def seen(embeddings: torch.Tensor, *args: Any, **more: Any) -> torch.Tensor:
        widths.append(embeddings.shape[1])
        return run(embeddings, *args, **more)

    monkeypatch.setattr(backbone, "run", seen)
    same(generate(backbone, asks_of(before, rows), Settings(STOPS)), whole)
    assert max(widths) == 16


def test_rows_are_asked_for_when_there_is_room() -> None:
    backbone, before = ready("llama")
    asks = asks_of(before, some(8, 1))
    taken = 0

    def coming() -> Iterator[Ask]:
        nonlocal taken
        for ask in asks:
            taken += 1
            yield ask

    decoder = Decoder(backbone, Settings(frozenset(), slots=2))
    most = 0
    for ended, _ in enumerate(decoder.stream(coming())):
        most = max(most, taken - ended)
    assert taken == 8
    assert most <= 4  # two live, the one that has just ended, and the next, which is known


def test_an_ended_row_makes_room_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    backbone, before = ready("llama")
    rows = [[7, 8]] * 6, [0] * 6, [12, 2, 2, 2, 2, 2]
    live = []
    step = Decoder._step
    monkeypatch.setattr(
        Decoder, "_step", lambda self, rows: (live.append(len(rows)), step(self, rows))[1]
    )
    generate(backbone, asks_of(before, rows), Settings(frozenset(), slots=2))
    # One long row, and beside it five short ones, one after the other.
    assert len(live) == 11
    assert live[:5] == [2] * 5
    assert live[-6:] == [1] * 6


def test_memory_is_taken_once() -> None:
    backbone, before = ready("qwen3")
    decoder = Decoder(backbone, Settings(STOPS, tokens=500))
    rows = some(12, 9)
    decoder.generate(asks_of(before, rows))
    memory = decoder._memory
    assert memory is not None
    places = [k.data_ptr() for k, _ in memory._memory]
    decoder.generate(asks_of(before, tuple(part[:5] for part in rows)))
    assert decoder._memory is memory
    assert [k.data_ptr() for k, _ in memory._memory] == places
    assert memory.slots * memory.columns <= 512  # whole blocks of columns


def test_prefixes_of_different_objects_and_soft_rows_stand_side_by_side() -> None:
    backbone, before = ready("gemma3")
    soft = torch.randn(6, 32, generator=torch.Generator().manual_seed(4))
    with torch.no_grad():
        note = engine.prefix(backbone, [None], [list(range(60, 100))])
    places = [0] * 6
    expected = [
        *simplest(backbone, before, ([[5, 6]], [1], [9])),
        *decode.greedy(
            backbone,
            note,
            [[*places, 11, 12, 13]],
            [0],
            stops=STOPS,
            max_new=[9],
            soft=Soft(soft[None], torch.tensor([6]), torch.tensor([0])),
        ),
        *simplest(backbone, note, ([[14]], [0], [9])),
    ]
    asks = [
        Ask([5, 6], before, 9, task=1),
        Ask([11, 12, 13], note, 9, soft=soft),
        Ask([14], note, 9),
    ]
    same(generate(backbone, asks, Settings(STOPS)), expected)


@pytest.mark.parametrize("architecture", ["llama", "gpt_oss"])
def test_held_rows_are_the_same_beside_free_ones(architecture: str) -> None:
    backbone, before = ready(architecture)
    rows = some(6, 11)
    allowed = [range(10, 40), None, (60, 61), (), range(250), None]

    def held() -> list[Among | None]:
        return [
            None if one is None else Among(one, masked=i % 2 == 0) for i, one in enumerate(allowed)
        ]

    expected = []
    for i, constraint in enumerate(held()):
        row = tuple(part[i : i + 1] for part in rows)
        expected += simplest(backbone, before, row, constraints=[constraint])
    asks = [
        Ask(i, before, m, task=t, constraint=c) for i, t, m, c in zip(*rows, held(), strict=True)
    ]
    found = generate(backbone, asks, Settings(STOPS, slots=3))
    same(found, expected)
    assert found[3] == Generated()


def test_nan_ends_its_row_and_touches_no_other() -> None:
    backbone, before = ready("llama")
    bad = torch.full((4, 32), math.nan)
    fine = Ask([5, 9, 3], before, 10)
    alone = generate(backbone, [fine], Settings(frozenset()))[0]
    asks = [Ask([1], before, 30, soft=bad), Ask([2], before, 25, soft=bad), fine, fine]
    for slots in (1, 2, 4):
        found = generate(backbone, asks, Settings(frozenset(), slots=slots))
        assert len(found[0].ids) == len(found[1].ids) == 1
        assert math.isnan(found[0].logprobs[0])
        same(found[2:], [alone, alone])


def test_a_stream_that_is_left_early_leaves_nothing_behind() -> None:
    backbone, before = ready("mistral")
    decoder = Decoder(backbone, Settings(frozenset(), slots=2))
    bad = Ask([1], before, 30, soft=torch.full((4, 32), math.nan))
    rows = some(5, 2)
    asks = asks_of(before, rows)
    stream = decoder.stream(iter([bad, *asks]))
    next(stream)
    stream.close()
    same(decoder.generate(asks), generate(backbone, asks, Settings(frozenset())))


def test_failing_in_the_middle_forgets_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    backbone, before = ready("llama")
    decoder = Decoder(backbone, Settings(frozenset(), slots=2))
    asks = asks_of(before, ([[1], [2], [3]], [0, 1, 2], [5, 5, 5]))

    def fails(*_: Any, **__: Any) -> None:
        raise torch.OutOfMemoryError

    monkeypatch.setattr(SlotKV, "move", fails)
    asks[0] = Ask([1], before, 2)
    with pytest.raises(torch.OutOfMemoryError):
        decoder.generate(asks)
    monkeypatch.undo()
    assert decoder._memory is None
    same(decoder.generate(asks), generate(backbone, asks, Settings(frozenset())))


def test_nothing_asked_is_nothing_said() -> None:
    backbone, _ = ready("llama")
    assert generate(backbone, [], Settings(STOPS)) == []
