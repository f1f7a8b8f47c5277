from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

import pytest
from tests.inference import world

from clinprompt import verbalize
from clinprompt.backbone.codec import Codec
from clinprompt.backbone.decode import Generated
from clinprompt.backbone.decoding import Decoder
from clinprompt.errors import ClinpromptError
from clinprompt.examples import (
    Answer,
    Entity,
    EntityAnswer,
    Example,
    LabelAnswer,
    TextAnswer,
    TextInput,
    source_text,
)
from clinprompt.inference import predictor as predictor_module
from clinprompt.inference.evaluate import evaluate, prompt_record, sample
from clinprompt.inference.predictor import Predictor
from clinprompt.inference.requests import PredictorSettings
from clinprompt.tasks.card import Card


def predictor(card: Card, **settings: Any) -> Predictor:
    ready = world.prepared()
    return Predictor.of(
        world.prompt_set(ready, card), PredictorSettings(**settings), prepared=ready
    )


def writes(monkeypatch: pytest.MonkeyPatch, codec: Codec, texts: dict[str, str]) -> None:
    """Let the backbone write, to an input that holds a key, the text of that key."""

    def stream(_: Any, asks: Any, *__: Any) -> Iterator[tuple[int, Generated]]:
        for place, ask in enumerate(asks):
            text = next(texts[key] for key in texts if key in codec.decode(ask.ids))
            yield place, world.generated(codec.answers([text]))[0]

    monkeypatch.setattr(Decoder, "stream", stream)


def note(name: str, *spans: tuple[int, int]) -> Example:
    entities = tuple(Entity((span,), "Drug") for span in spans)
    return Example(
        name, f"document of {name}", TextInput(f"{name} took aspirin"), EntityAnswer(entities)
    )


def test_scores_are_those_of_what_was_written(monkeypatch: pytest.MonkeyPatch) -> None:
    card = world.card("mentions")
    answering = predictor(card)
    examples = [note("Ann", (9, 16)), note("Bob", (9, 16)), note("Cy")]
    writes(
        monkeypatch,
        answering.codec,
        {
            "Ann": "drug: aspirin",
            "Bob": "drug: statin\nhello",
            "Cy": "drug: aspirin",
        },
    )
    found = evaluate(answering, card, examples, resamples=10)
    # one right, one missed, one wrong
    assert found.scores.metrics["entity_f1"].value == pytest.approx(50)
    assert found.counts["unaligned"] == 1
    assert found.counts["unparsable"] == 1
    assert found.counts["unfinished"] == found.counts["truncated"] == 0
    assert [item.id for item in found.items] == ["Ann", "Bob", "Cy"]
    lines = [json.loads(line) for line in found.lines()]
    tokens = len("drug: aspirin") + 1  # bytes and the end, each of log-probability -0.1
    sure = lines[0]["answer"]["entities"][0].pop("confidence")
    assert sure == pytest.approx(math.exp(-0.1 * tokens), abs=1e-6)
    assert lines[0]["gold"] == lines[0]["answer"]
    assert lines[1]["answer"] == {"entities": []}
    assert lines[1]["output"] == "drug: statin\nhello"
    assert lines[2]["document"] == "document of Cy"


@pytest.mark.parametrize("card", world.cards(), ids=lambda card: card.name)
def test_gold_answers_score_a_hundred(card: Card, monkeypatch: pytest.MonkeyPatch) -> None:
    answering = predictor(card)
    value = world.an_input(card, 3)
    answer: Answer
    if card.closed:  # what the backbone chooses is right by definition
        answer = answering.answer([predictor_module.Request(card.name, value)])[0].answer
    else:
        words = source_text(value).split() or ["some"]
        lines = {
            "mentions": f"drug: {words[0]}",
            "list": f"treats: {words[0]} -> {words[-1]}",
            "span": words[0],
        }
        answer = verbalize.parse(card, value, lines.get(card.form, "some words")).answer
        ids = answering.codec.answers([verbalize.answer_text(card, value, answer)])
        world.says(monkeypatch, world.generated(ids))
    found = evaluate(answering, card, [Example("a", "a", value, answer)], resamples=10)
    assert found.scores.value == pytest.approx(100)
    assert found.counts["unparsable"] == found.counts["unaligned"] == 0


def test_flags_of_answers_are_counted() -> None:
    card = world.card("summary")
    long = Example("a", "a", TextInput("word " * 200), TextAnswer("x"))
    short = Example("b", "b", TextInput("word"), TextAnswer("x"))
    found = evaluate(predictor(card, long_inputs="truncate", max_new=3), card, [long, short])
    assert found.counts["truncated"] == 1
    assert found.counts["unfinished"] == sum(p.unfinished for p in found.predictions) > 0


def test_json_says_what_the_numbers_depend_on() -> None:
    card = world.card("nli")
    examples = [
        Example(str(i), str(i), world.an_input(card, i), LabelAnswer("entailment"))
        for i in range(5)
    ]
    answering = predictor(card)
    ticks = iter([10.0, 12.5])
    found = evaluate(answering, card, examples, resamples=20, seed=3, clock=lambda: next(ticks))
    content = json.loads(json.dumps(found.to_json(split="test", limit=None)))
    assert content["task"] == "nli"
    assert (content["split"], content["limit"], content["n"]) == ("test", None, 5)
    assert content["scores"]["metric"] == "macro_f1"
    assert set(content["scores"]["metrics"]["accuracy"]) == {"value", "low", "high"}
    assert content["scores"]["bootstrap"] == {"resamples": 20, "seed": 3, "level": 0.95}
    assert content["counts"]["unfinished"] == 0
    weights = answering.prepared.fingerprint.weights
    assert content["backbone"]["weights"] == weights[:12]
    assert content["backbone"]["dtype"] == "float32"
    assert {"torch", "transformers", "clinprompt"} <= set(content["versions"])
    assert (content["seconds"], content["examples_per_second"]) == (2.5, 2.0)


def test_the_record_of_a_prompt() -> None:
    prompts = world.prompt_set(world.prepared(), world.card("nli"))
    record = prompt_record(prompts, "nli")
    assert record is not None
    assert record["digest"] == prompts.digest
    assert record["trainable_parameters"] == 128
    assert prompt_record(None, "nli") is None


def test_examples_without_gold_answers_are_refused_before_anything_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    card = world.card("nli")
    monkeypatch.setattr(Predictor, "run", lambda *_: pytest.fail("ran"))
    example = Example("e7", "d", world.an_input(card, 0))
    with pytest.raises(ClinpromptError, match=r"CP-INF-020.*'e7'"):
        evaluate(predictor(card), card, [example])
    wrong = world.card("nli", metric="rougeL")
    with pytest.raises(ClinpromptError, match="CP-EVAL-002"):
        evaluate(predictor(wrong), wrong, [])


def test_samples_are_seeded_nested_and_in_order() -> None:
    examples = [Example(f"e{i}", "d", TextInput("a")) for i in range(50)]
    ten, twenty = sample(examples, 10, 1), sample(examples, 20, 1)
    assert len(ten) == 10
    assert len(twenty) == 20
    assert {e.id for e in ten} < {e.id for e in twenty}
    assert ten != examples[:10]
    assert [examples.index(e) for e in ten] == sorted(examples.index(e) for e in ten)
    assert sample(examples, 10, 1) == ten != sample(examples, 10, 2)
    shuffled = sample(examples[::-1], 10, 1)
    assert shuffled[::-1] == ten
    assert sample(examples, None, 1) == sample(examples, 80, 1) == examples
