"""Free texts in which no run of tokens stands twice."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.inference import test_notewise, world

from clinprompt import verbalize
from clinprompt.errors import ClinpromptError
from clinprompt.inference import reading
from clinprompt.inference.evaluate import setup_of
from clinprompt.inference.predict import made_by_of
from clinprompt.inference.predictor import Predictor
from clinprompt.inference.repetition import NoRepeat
from clinprompt.inference.requests import PredictorSettings, Request, Row

FREE, QUOTING = ("answer", "summary"), ("mentions", "list", "span")


def runs(ids: list[int], n: int) -> list[tuple[int, ...]]:
    return [tuple(ids[i : i + n]) for i in range(len(ids) - n + 1)]


@given(st.lists(st.integers(0, 3), max_size=60), st.integers(2, 5))
def test_a_token_is_refused_where_it_would_end_a_run_that_was_said_and_only_there(offered, n):
    constraint, taken = NoRepeat(n), []
    for token in offered:
        would = runs([*taken, token], n)
        repeats = len(would) != len(set(would))
        assert constraint.advance(token) is not repeats
        if not repeats:
            taken.append(token)
    assert constraint.mask() is None


def answered(monkeypatch: Any, predictor: Predictor, names: tuple[str, ...]) -> dict[str, list]:
    """Rows of four answers of each task, with their token ids."""
    found: dict[str, list] = {name: [] for name in names}
    read = reading.read

    def noting(codec: Any, card: Any, row: Row, new: Any, *more: Any) -> Any:
        found[row.task].append((row, list(new.ids)))
        return read(codec, card, row, new, *more)

    cards = {card.name: card for card in world.cards()}
    asked = [Request(name, world.an_input(cards[name], i)) for name in names for i in range(4)]
    with monkeypatch.context() as patch:
        patch.setattr(reading, "read", noting)
        predictor.answer(asked)
    return found


@pytest.mark.parametrize("architecture", ["llama", "gpt_oss"])
def test_answers_are_the_most_probable_tokens_that_repeat_no_run(monkeypatch, architecture):
    ready = world.prepared(architecture)
    predictor = Predictor(ready, PredictorSettings(max_new=80, no_repeat_ngram=2))
    for name in FREE:
        predictor.add(world.card(name), None)
    refused = 0
    for name, rows in answered(monkeypatch, predictor, FREE).items():
        fixed = ready.codec.fixed(verbalize.instruction(world.card(name)))
        for row, ids in rows:
            whole = torch.tensor([[*fixed, *row.seen.ids, *ids[:-1]]])
            with torch.no_grad():  # all positions at once: each sees what stands before it
                steps = ready.backbone.model(whole).logits[0, -len(ids) :]
            for k, (token, logits) in enumerate(zip(ids, steps, strict=True)):
                order = logits.argsort(descending=True).tolist()
                said = set(runs(ids[:k], 2))
                wanted = next(t for t in order if (*ids[max(0, k - 1) : k], t) not in said)
                assert float(logits[token]) == pytest.approx(float(logits[wanted]), abs=1e-4)
                refused += wanted != order[0]
            assert len(set(runs(ids, 2))) == len(runs(ids, 2))
    assert refused  # without it these answers go round in circles


@pytest.mark.parametrize("placement", ["before", "after"])
def test_texts_alone_are_held_to_it_wherever_prompts_stand(monkeypatch, placement):
    def one(**settings: Any) -> Predictor:
        chosen = {"max_new": 80} | settings
        if placement == "after":
            return test_notewise.predictor(**chosen)
        ready = world.prepared()
        prompts = world.prompt_set(ready, *world.cards())
        return Predictor.of(prompts, PredictorSettings(**chosen), prepared=ready)

    free = answered(monkeypatch, one(), FREE + QUOTING)
    held = answered(monkeypatch, one(no_repeat_ngram=3), FREE + QUOTING)
    for name in QUOTING:
        assert sorted(ids for _, ids in held[name]) == sorted(ids for _, ids in free[name])
    for name in FREE:
        assert all(len(set(runs(ids, 3))) == len(runs(ids, 3)) for _, ids in held[name])
    circles = [ids for name in FREE for _, ids in free[name]]
    assert any(len(set(runs(ids, 3))) < len(runs(ids, 3)) for ids in circles)


def test_records_say_so_and_runs_below_two_are_refused():
    ready = world.prepared()
    plain = Predictor(ready, PredictorSettings())
    held = Predictor(ready, PredictorSettings(no_repeat_ngram=4))
    assert "decoding" not in setup_of(plain)
    assert setup_of(held)["decoding"] == {"no_repeat_ngram": 4}
    assert "no_repeat_ngram=4" in made_by_of(held, "0" * 64).settings
    with pytest.raises(ClinpromptError) as caught:
        Predictor(ready, PredictorSettings(no_repeat_ngram=1))
    assert caught.value.code == "CP-INF-452"
