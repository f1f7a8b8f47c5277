"""Lists that are left empty only where that is probable enough."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.inference import world
from torch import Tensor

from clinprompt import verbalize
from clinprompt.errors import ClinpromptError
from clinprompt.examples import EntityAnswer
from clinprompt.inference import emptiness
from clinprompt.inference.emptiness import NotNone
from clinprompt.inference.evaluate import setup_of
from clinprompt.inference.grounding import Grounder
from clinprompt.inference.predict import made_by_of
from clinprompt.inference.predictor import Predictor
from clinprompt.inference.requests import Prediction, PredictorSettings, Request, Row
from clinprompt.verbalize.fit import Fitted

LISTS = ("mentions", "list")
COUNT = 8


class Fixed:
    """A constraint that takes some tokens."""

    def __init__(self, takes: set[int]) -> None:
        self.takes, self.taken = takes, list[int]()

    def mask(self) -> Tensor | None:
        return torch.ones(3, dtype=torch.bool)

    def advance(self, token: int) -> bool:
        if token in self.takes:
            self.taken.append(token)
        return token in self.takes


WORDS = ["no", " ", "None", "\n", "Sign", "e"]  # the first begins the usual "none"
TOKENS = st.integers(0, len(WORDS) - 1)


@given(st.lists(TOKENS), st.none() | st.sets(TOKENS))
def test_none_is_refused_as_the_first_word_and_nowhere_else(offered, takes):
    within = None if takes is None else Fixed(takes)
    held = NotNone(0, lambda ids: "".join(WORDS[i] for i in ids), within)
    taken = list[int]()
    for token in offered:
        begun = any(WORDS[i].strip() for i in taken)
        wanted = (begun or token not in (0, 2)) and (takes is None or token in takes)
        assert held.advance(token) is wanted
        taken += [token] * wanted
    if within is None:
        assert held.mask() is None
    else:
        assert within.taken == taken  # what is refused never reaches it
        assert torch.equal(held.mask(), within.mask())


def prediction(value: float | None) -> Prediction:
    return Prediction(EntityAnswer(()), "none", emptiness=value)


PROBABLE = st.lists(st.none() | st.floats(0, 1), max_size=6)


@given(PROBABLE, st.floats(0.5, 1))
def test_what_is_probable_enough_or_names_something_is_not_asked_again(values, above):
    asked = list[Row]()

    def ask(rows: Any) -> list[Prediction]:
        asked.extend(rows)
        return [Prediction(None, row.task) for row in rows]

    rows = [Row(str(i), Fitted(world.an_input(world.card("mentions"), i), [1])) for i in range(6)]
    rows = rows[: len(values)]
    found = [prediction(value) for value in values]
    answers = emptiness.believed(found, rows, ask, above)
    for place, (value, one) in enumerate(zip(values, answers, strict=True)):
        again = value is not None and value <= above
        assert one == (Prediction(None, str(place)) if again else found[place])
    assert all(row.named for row in asked)
    assert emptiness.believed(found, rows, ask, None) == found


def predictor(**settings: Any) -> Predictor:
    """Without prompts. Random backbones write nonsense, which a grammar makes lists of."""
    chosen = PredictorSettings(max_new=40, grounded=True, **settings)
    found = Predictor(world.prepared(), chosen)
    for name in LISTS:
        found.add(world.card(name), None)
    return found


def requests() -> list[Request]:
    return [
        Request(name, world.an_input(world.card(name), i)) for i in range(COUNT) for name in LISTS
    ]


def test_the_emptiness_of_an_answer_is_the_probability_of_none_and_its_end():
    one, ready = predictor(), world.prepared()
    empty = 0
    for request, found in zip(requests(), one.answer(requests()), strict=True):
        if found.text.strip() != "none":
            assert found.emptiness is None
            continue
        none = [*ready.codec.texts([found.text])[0], ready.codec.end]
        fixed = ready.codec.fixed(verbalize.instruction(world.card(request.task)))
        ids = [*fixed, *one.prepare(request).seen.ids, *none]
        with torch.no_grad():
            steps = ready.backbone.model(torch.tensor([ids[:-1]])).logits[0, -len(none) :]
        logprobs = steps.float().log_softmax(-1)[torch.arange(len(none)), torch.tensor(none)]
        assert found.emptiness == pytest.approx(math.exp(float(logprobs.sum())), rel=1e-3)
        empty += 1
    assert empty


def test_doubted_lists_are_the_best_that_name_something(monkeypatch):
    """The same as masking the first token of "none" by hand, in every row."""
    plain = predictor().answer(requests())
    named = predictor(empty_above=0.9).answer(requests())
    codec = world.prepared().codec
    first, decode = codec.answers(["none"])[0][0], codec.decode
    made = Grounder.__call__

    def masked(self: Grounder, *asked: Any) -> Any:
        within = made(self, *asked)
        real, take, begun = within.mask, within.advance, [False]

        def mask() -> Tensor:
            allowed = real().clone()
            if not begun[0]:
                allowed[first] = False
            return allowed

        def advance(token: int) -> bool:
            begun[0] = begun[0] or not decode([token]).isspace()
            return take(token)

        within.mask, within.advance = mask, advance
        return within

    monkeypatch.setattr(Grounder, "__call__", masked)
    by_hand = predictor().answer(requests())
    changed = 0
    for before, now, wanted in zip(plain, named, by_hand, strict=True):
        if before.emptiness is None:
            assert now == before
        else:
            assert (now.answer, now.text) == (wanted.answer, wanted.text)
            assert now.text.strip() != "none"
            changed += 1
    assert changed


def test_it_is_told_in_records_and_has_to_be_a_probability_from_a_half():
    plain, held = Predictor(world.prepared()), predictor(empty_above=0.8)
    assert "decoding" not in setup_of(plain)
    assert setup_of(held)["decoding"] == {"empty_above": 0.8}
    assert "empty_above=0.8" in made_by_of(held, "0" * 64).settings
    for wrong in (0.3, 1.2, math.nan):
        with pytest.raises(ClinpromptError) as caught:
            predictor(empty_above=wrong)
        assert caught.value.code == "CP-INF-453"
