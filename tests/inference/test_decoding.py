"""Open answers of a predictor: draws, stop texts, kept keys and values."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.inference import world

from clinprompt.backbone import engine
from clinprompt.errors import ClinpromptError
from clinprompt.examples import QuestionInput, TextInput
from clinprompt.inference.evaluate import setup_of
from clinprompt.inference.predict import made_by_of
from clinprompt.inference.predictor import Predictor
from clinprompt.inference.requests import PredictorSettings, Request

OPEN = ("mentions", "list", "span", "answer", "summary")


def predictor(architecture: str = "llama", **settings: Any) -> Predictor:
    ready = world.prepared(architecture)
    chosen = PredictorSettings(**({"max_new": 12} | settings))
    return Predictor.of(world.prompt_set(ready, *world.cards()), chosen, prepared=ready)


def requests(count: int = 2) -> list[Request]:
    found = [
        Request(card.name, world.an_input(card, i), f"{card.name}-{i}")
        for card in world.cards()
        for i in range(count)
    ]
    random.Random(0).shuffle(found)
    return found


@pytest.mark.parametrize("architecture", ["llama", "gemma3"])
def test_what_is_drawn_depends_on_seed_and_question_alone(architecture: str) -> None:
    drawing = {"temperature": 1.0, "top_p": 0.95}
    asked = requests()
    together = predictor(architecture, **drawing).answer(asked)
    shuffled = list(enumerate(asked))
    random.Random(1).shuffle(shuffled)
    again = predictor(architecture, **drawing, batch_tokens=300).answer([r for _, r in shuffled])
    for (i, _), one in zip(shuffled, again, strict=True):
        assert one.text == together[i].text
    alone = predictor(architecture, **drawing)
    for request, one in zip(asked, together, strict=True):
        assert alone.answer([request])[0].text == one.text
    other = predictor(architecture, **drawing, seed=1).answer(asked)
    likely = predictor(architecture).answer(asked)
    for found in (other, likely):
        pairs = list(zip(asked, found, together, strict=True))
        assert any(a.text != b.text for r, a, b in pairs if r.task in OPEN)
        assert all(a.text == b.text for r, a, b in pairs if r.task not in OPEN)


@pytest.mark.parametrize("name", ["top_k", "top_p"])
def test_draws_without_a_temperature_are_refused(name: str) -> None:
    with pytest.raises(ClinpromptError, match=f"CP-INF-450.*{name}"):
        predictor(**{name: 1})


def test_a_stop_text_ends_an_answer_and_is_no_part_of_it() -> None:
    request = Request("summary", TextInput("aspirin for cough"))
    free = predictor(max_new=30).answer([request])[0]
    assert free.unfinished
    stop = next(
        free.text[n : n + 2] for n in range(4, 20) if free.text.find(free.text[n : n + 2]) == n
    )
    found = predictor(max_new=30, stop=(stop, "not there")).answer([request])[0]
    assert found.text == free.text[: free.text.find(stop)]
    assert not found.unfinished


def test_lists_that_a_stop_text_ends_are_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    answering = predictor(stop=("##",))
    ids = answering.codec.texts(["drug: aspirin\nsign: cough##more"])
    new = world.generated(ids)[0]
    new.characters = answering.codec.decode(ids[0]).index("##")
    world.says(monkeypatch, [new])
    found = answering.answer([Request("mentions", TextInput("aspirin for cough"))])[0]
    assert len(found.confidences) == 2
    assert (found.unparsable, found.unaligned, found.unfinished) == (0, 0, False)
    assert found.text == "drug: aspirin\nsign: cough"


def test_settings_stand_in_the_record() -> None:
    plain = predictor()
    assert "decoding" not in setup_of(plain)
    assert "temperature" not in made_by_of(plain, "0" * 64).settings
    drawn = predictor(temperature=0.7, top_k=9, seed=3, stop=("\n\n", "ä b"))
    expected = {"temperature": 0.7, "top_k": 9, "seed": 3, "stop": ["\n\n", "ä b"]}
    assert setup_of(drawn)["decoding"] == expected
    words = made_by_of(drawn, "0" * 64).settings
    for word in ("temperature=0.7", "top_k=9", "seed=3", "stop="):
        assert word in words
    assert "\n" not in words


def test_kept_keys_and_values_change_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = requests()
    expected = predictor().answer(asked)
    assert predictor(kv_cache=tmp_path).answer(asked) == expected
    assert len(list(tmp_path.iterdir())) == len(world.cards())
    reading = predictor(kv_cache=tmp_path)

    def computed(*_: Any, **__: Any) -> None:
        raise AssertionError("computed again")

    with monkeypatch.context() as patch:
        patch.setattr(engine, "prefix", computed)
        assert reading.answer(asked) == expected
    for path in tmp_path.iterdir():
        path.write_bytes(path.read_bytes()[:-1])
    assert predictor(kv_cache=tmp_path).answer(asked) == expected


def test_a_prompt_of_another_template_is_not_taken_for_this_one(tmp_path: Path) -> None:
    ready, card = world.prepared(), world.card("answer")
    request = Request("answer", QuestionInput("why"))
    for instruction in ("Do this.", "Do that."):
        changed = card.model_copy(update={"instruction": instruction})
        answers = []
        for folder in (None, tmp_path):
            answering = Predictor(ready, PredictorSettings(max_new=8, kv_cache=folder))
            answering.add(changed, torch.ones(2, 32))
            answers.append(answering.answer([request])[0])
        assert answers[0] == answers[1]
    assert len(list(tmp_path.iterdir())) == 2
