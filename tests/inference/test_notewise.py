"""Prompts after the text: one encoding a note, and answers that depend on nothing else."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import torch
from tests.inference import world
from torch.nn import functional as F

from clinprompt import verbalize
from clinprompt.artifacts.meta import PromptMeta
from clinprompt.artifacts.prompt_set import PromptSet
from clinprompt.errors import ClinpromptError
from clinprompt.examples import Input, PremiseInput, QuestionInput, TextInput
from clinprompt.inference.batches import Size
from clinprompt.inference.notewise import note_batches
from clinprompt.inference.predictor import Predictor
from clinprompt.inference.requests import Prediction, PredictorSettings, Request, Row
from clinprompt.inference.together import together
from clinprompt.inference.windows.predictor import WindowPredictor
from clinprompt.tasks.card import Card
from clinprompt.training.data import written
from clinprompt.verbalize.fit import Fitted

NOTES = ("fever and cough, aspirin given", "no pain of naïve 🩺 " * 4, "cough")
# The tasks that can share a note: in a pair's, mentions are marked.
SHARING = [card for card in world.cards() if card.form != "pair"]


def after_set(*cards: Card, seed: int = 0, length: int = 4) -> PromptSet:
    ready = world.prepared().placed("after")
    before = world.prompt_set(ready, *cards, seed=seed).meta
    meta = PromptMeta.model_validate(
        {**before.model_dump(), "placement": "after", "length": length}
    )
    generator = torch.Generator().manual_seed(seed)
    return PromptSet(meta, {"prompts": torch.randn(meta.shapes()["prompts"], generator=generator)})


def predictor(kind: type[Predictor] = Predictor, **settings: object) -> Predictor:
    chosen = PredictorSettings(**({"max_new": 6} | settings))  # type: ignore[arg-type]
    return kind.of(after_set(*world.cards()), chosen, prepared=world.prepared())


def asked(card: Card, note: str) -> Input:
    if card.type == "nli":
        return PremiseInput(note, "pain")
    if card.type == "qa":
        choices = ("fever", "cough", "no pain") if card.form == "choice" else ()
        return QuestionInput("what of pain", note, choices)
    return TextInput(note)


def requests() -> list[Request]:
    """Every task that can share asks every note, and some inputs of their own besides."""
    shared = [Request(c.name, asked(c, note), note) for note in NOTES for c in SHARING]
    own = [Request(c.name, world.an_input(c, seed)) for c in world.cards() for seed in range(2)]
    return shared + own


@cache
def alone() -> tuple[Prediction, ...]:
    return tuple(predictor().answer([one])[0] for one in requests())


def same(found: Sequence[Prediction], expected: Sequence[Prediction]) -> bool:
    for one, other in zip(found, expected, strict=True):
        if one.probabilities is not None and other.probabilities is not None:
            assert dict(one.probabilities) == pytest.approx(dict(other.probabilities), abs=1e-5)
        assert one.confidences == pytest.approx(other.confidences, abs=1e-4)
        if one.emptiness is not None and other.emptiness is not None:
            assert one.emptiness == pytest.approx(other.emptiness, rel=1e-2)
            one, other = replace(one, emptiness=None), replace(other, emptiness=None)
        blank = {"probabilities": None, "confidences": ()}
        assert replace(one, **blank) == replace(other, **blank)
    return True


@pytest.mark.parametrize("budget", [1, 150, 10_000])
def test_answers_are_the_same_alone_and_in_any_mix(budget: int) -> None:
    assert same(predictor(batch_tokens=budget).answer(requests()), alone())


@pytest.mark.parametrize("seed", range(3))
def test_the_order_does_not_matter(seed: int) -> None:
    order = list(range(len(requests())))
    random.Random(seed).shuffle(order)
    found = predictor().answer([requests()[i] for i in order])
    assert same(found, [alone()[i] for i in order])


def test_a_note_is_encoded_once_for_all_tasks() -> None:
    answering = predictor()
    assert answering._notes is not None
    shared = requests()[: len(NOTES) * len(SHARING)]
    answering.answer(shared)
    assert answering._notes.encoded == len(NOTES)
    again = answering.answer(shared)
    assert answering._notes.encoded == len(NOTES)
    assert same(again, alone()[: len(shared)])


def test_notes_that_are_not_kept_give_the_same_answers() -> None:
    answering = predictor(notes_mb=0)
    assert same(answering.answer(requests()), alone())
    assert answering._notes is not None
    assert answering._notes.bytes == 0
    assert answering._notes.encoded > len(NOTES)


def test_the_answer_is_what_the_concatenation_gives() -> None:
    """Scores of a closed task against the model's own pass over [note][prompt][rest][option]."""
    card, answering = world.card("nli"), predictor()
    value = asked(card, NOTES[1])
    found = answering.answer([Request("nli", value)])[0].probabilities
    assert found is not None
    backbone, codec = answering.backbone, answering.codec
    ids, shared = written(codec, card, [value])[0]
    prompt = after_set(*world.cards()).task_prompt("nli")
    behind = codec.fixed(verbalize.instruction(card)) + ids[shared:]
    scores = []
    for option in codec.answers([text for _, text in verbalize.options(card, value)]):
        parts = [torch.tensor(ids[:shared]), torch.tensor(behind + option)]
        note, rest = (backbone.embed(part) for part in parts)
        with torch.no_grad():
            embeddings = torch.cat([note, prompt, rest])[None]
            logits = backbone.model(inputs_embeds=embeddings, use_cache=False).logits[0]
        at = logits[-len(option) - 1 : -1].float()
        scores.append(-F.cross_entropy(at, torch.tensor(option), reduction="sum"))
    assert list(found.values()) == pytest.approx(torch.stack(scores).softmax(0).tolist(), abs=1e-5)


def test_prompts_of_several_lengths_answer_together() -> None:
    cards = world.card("nli"), world.card("summary")
    sets = [after_set(card, seed=k, length=2 + 3 * k) for k, card in enumerate(cards)]
    both = together([(Path(str(k)), one) for k, one in enumerate(sets)])
    settings = PredictorSettings(max_new=6)
    mixed = both.predictor(world.prepared(), settings)
    ask = [Request(card.name, asked(card, NOTES[0])) for card in cards]
    apart = [
        Predictor.of(one, settings, prepared=world.prepared()).answer([request])[0]
        for one, request in zip(sets, ask, strict=True)
    ]
    assert same(mixed.answer(ask), apart)


def test_placements_do_not_mix() -> None:
    before = world.prompt_set(world.prepared(), world.card("summary"))
    with pytest.raises(ClinpromptError) as caught:
        together([(Path("a"), after_set(world.card("nli"))), (Path("b"), before)])
    assert caught.value.code == "CP-INF-470"
    assert "'a' stand after the text, and those in 'b' stand before" in str(caught.value)


def test_long_notes_are_cut_or_read_in_windows() -> None:
    long = " ".join(f"fever {n}" for n in range(90))
    card = world.card("summary")
    request = Request("summary", TextInput(long))
    with pytest.raises(ClinpromptError) as caught:
        predictor().prepare(request)
    assert caught.value.code == "CP-INF-006"
    row = predictor(long_inputs="truncate").prepare(request)
    answering = predictor(WindowPredictor, long_inputs="window")
    assert row.seen.truncated
    assert isinstance(row.seen.input, TextInput)
    ids, shared = written(answering.codec, card, [row.seen.input])[0]
    assert (row.seen.ids, row.shared) == (ids, shared)
    found = answering.answer([request, Request("nli", asked(world.card("nli"), NOTES[0]))])
    assert found[0].windows > 1
    assert found[1].windows == 1


def test_grounded_answers_hold_to_the_note() -> None:
    answering = predictor(grounded=True, max_new=None)
    ask = [
        Request(name, asked(world.card(name), n)) for n in NOTES for name in ("mentions", "span")
    ]
    found = answering.answer(ask)
    assert same(found, [predictor(grounded=True, max_new=None).answer([a])[0] for a in ask])
    assert not any(one.unaligned for one in found)


def a_row(note: Sequence[int], closed: bool) -> Row:
    answer = ((None, "a"),) if closed else ()
    ids = [*note, 1, 2]
    return Row("t", Fitted(TextInput("x"), ids), answer, shared=len(note))  # type: ignore[arg-type]


def test_batches_keep_a_notes_rows_together_within_the_budget() -> None:
    notes = [[7] * 5, [8] * 30, [9] * 28]
    rows = [a_row(notes[n % 3], n % 2 == 0) for n in range(24)]
    sizes = [Size(row.shared, 10, 5) for row in rows]
    found = note_batches(rows, sizes, 60)
    assert sorted(i for batch in found for i in batch) == list(range(24))
    for batch in found:
        assert len({bool(rows[i].options) for i in batch}) == 1
        assert 15 * len(batch) <= 60
    # 30 and 28 tokens are a bundle, 5 goes in the next: closed and open rows of a bundle in turn.
    seen = [rows[i].shared for batch in found for i in batch]
    assert set(seen[:16]) == {30, 28}
    assert set(seen[16:]) == {5}
    held = [Size(500, 1, 1)] * 24
    assert all(len(batch) == 1 for batch in note_batches(rows, held, 60))


def test_prompts_of_keys_and_values_answer_beside_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """In one call with prompts at the input, and as they do alone; where rows share their notes and
    where each has a copy."""
    cards = world.card("nli"), world.card("summary"), world.card("answer")
    plain, ready = after_set(*cards[:2]), world.prepared().placed("after")
    width = ready.backbone.keyvalue_width
    changed = {"depth": "layers", "width": width, "length": 3}
    meta = PromptMeta.model_validate(after_set(cards[2]).meta.model_dump() | changed)
    deep = PromptSet(meta, {"prompts": torch.randn(meta.shapes()["prompts"])})
    settings = PredictorSettings(max_new=6)
    both = together([(Path("a"), plain), (Path("b"), deep)])
    ask = [Request(card.name, asked(card, note)) for note in NOTES for card in cards]
    apart = [
        Predictor.of(deep if one.task == cards[2].name else plain, settings, prepared=ready).answer(
            [one]
        )[0]
        for one in ask
    ]
    assert same(both.predictor(world.prepared(), settings).answer(ask), apart)
    assert len({one.text for one in apart if one.text}) > 1
    copies = both.predictor(world.prepared(), settings)
    monkeypatch.setattr(copies.backbone, "lean", None)
    assert copies.backbone.lean is None
    assert same(copies.answer(ask), apart)
