"""What windows of one text make of single answers: labels, spans, summaries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from tests.inference import world
from tests.inference.windows_world import (
    NOTE,
    long_input,
    oracle,
    place,
    predictor,
)

from clinprompt import verbalize
from clinprompt.errors import ClinpromptError
from clinprompt.examples import (
    Entity,
    Input,
    LabelAnswer,
    PairInput,
    PremiseInput,
    QuestionInput,
    SpanAnswer,
    TextAnswer,
    TextInput,
    source_text,
)
from clinprompt.inference.predictor import Predictor
from clinprompt.inference.requests import Prediction, Request, Row
from clinprompt.inference.windows.pooling import pooled
from clinprompt.tasks.card import Card


@pytest.mark.parametrize("name", ["label", "choice", "nli"])
def test_closed_answers_are_pooled_over_the_windows(name: str) -> None:
    answering, plain = predictor(window=250), predictor(Predictor)
    request = Request(name, long_input(name))
    row, found = answering.prepare(request), answering.answer([request])[0]
    alone = [plain.answer([Request(name, part.seen.input)])[0] for part in row.parts]
    assert len(alone) >= 3
    expected = pooled([one.probabilities for one in alone])
    assert found.probabilities == pytest.approx(expected, rel=2e-3, abs=1e-30)
    assert found.answer == LabelAnswer(max(expected, key=expected.__getitem__))
    assert found.merged == "best-window"


def test_negative_labels_must_hold_in_every_window(monkeypatch: pytest.MonkeyPatch) -> None:
    oracle(monkeypatch, lambda _, v: "follows" if "aspirin" in v.premise else "open")  # type: ignore[union-attr]
    request = Request("nli", long_input("nli"))
    answering = predictor(window=250)
    assert answering.answer([request])[0].answer == LabelAnswer("entailment")  # first of equals
    answering.add(world.card("nli", negative_labels=["neutral"]), torch.zeros(4, 32))
    found = answering.answer([request])[0]
    assert found.answer == LabelAnswer("entailment")
    assert found.probabilities == pytest.approx({"entailment": 0.9, "neutral": 0.1})
    missing = Request("nli", PremiseInput(NOTE.replace("aspirin", "nothing"), "so"))
    assert answering.answer([missing])[0].answer == LabelAnswer("neutral")


def test_a_pair_is_asked_in_a_window_about_its_mentions() -> None:
    answering, plain = predictor(window=150), predictor(Predictor)
    request = Request("pair", long_input("pair"))
    row, found = answering.prepare(request), answering.answer([request])[0]
    (part,) = row.parts
    shown = part.seen.input
    assert isinstance(shown, PairInput)
    assert (shown.head.surface(shown.text), shown.tail.surface(shown.text)) == ("aspirin", "pain")
    assert found.probabilities == plain.answer([Request("pair", shown)])[0].probabilities
    assert (found.windows, found.truncated, found.merged) == (1, True, "around-mentions")
    assert row.seen.characters == len(NOTE) - len(shown.text) > 0


def test_mentions_too_far_apart_are_refused() -> None:
    ends = Entity((place(NOTE, "aspirin"),), "Drug"), Entity((place(NOTE, "cough"),), "Sign")
    with pytest.raises(ClinpromptError, match="CP-INF-103") as caught:
        predictor().prepare(Request("pair", PairInput(NOTE, *ends), "far"))
    assert "'far'" in str(caught.value) and "aspirin" not in str(caught.value)


def test_a_span_answer_comes_from_the_surest_window(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every window finds something; the backbone itself then scores each find against none."""
    answering = predictor(window=200, overlap=0)
    request = Request("span", long_input("span"))
    row = answering.prepare(request)
    real, words = Predictor.run, ["aspirin", "lunch", "cough"]

    def run(self: Predictor, rows: Sequence[Row], progress: Any = None) -> list[Prediction]:
        if rows[0].options:
            return real(self, rows, progress)
        found = []
        for part in rows:
            text = next(w for w in words if w in source_text(part.seen.input))
            parsed = verbalize.parse(self.cards["span"], part.seen.input, text)
            found.append(Prediction(parsed.answer, text))
        return found

    monkeypatch.setattr(Predictor, "run", run)
    found = answering.answer([request])[0]
    card, sure = answering.cards["span"], {}
    for (start, _), part in zip(row.windows, row.parts, strict=True):
        word = next(w for w in words if w in source_text(part.seen.input))
        ids = tuple(map(tuple, answering.codec.answers([word, "none"])))
        options = ((LabelAnswer("a"), word), (LabelAnswer("n"), "none"))
        (alone,) = real(answering, [Row(card.name, part.seen, options, ids)])
        a, b = place(source_text(part.seen.input), word)
        sure[a + start, b + start] = (alone.probabilities or {})["a"]
    assert len(sure) > 2
    best = max(sure, key=sure.__getitem__)
    assert found.answer == SpanAnswer((best,))
    assert found.text == NOTE[slice(*best)]
    assert (found.merged, found.windows) == ("best-window", len(row.windows))


def test_a_single_find_is_the_span_and_no_find_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = oracle(monkeypatch, lambda _, v: "cough" if "cough" in source_text(v) else "none")
    found = predictor(window=200).answer([Request("span", long_input("span"))])[0]
    assert found.answer == SpanAnswer((place(NOTE, "cough"),))
    assert len(asked) == found.windows  # nothing was asked again
    missing = Request("span", QuestionInput("why?", NOTE.replace("cough", "rash")))
    assert predictor(window=200).answer([missing])[0].answer == SpanAnswer(())
    oracle(monkeypatch, lambda *_: "not in the text")
    found = predictor(window=200).answer([missing])[0]
    assert found.answer is None
    assert found.unaligned == found.windows


def test_summaries_are_summarised() -> None:
    answering, plain = predictor(), predictor(Predictor)
    request = Request("summary", TextInput(NOTE * 3, "What happened?"))
    parts = answering.prepare(request).parts
    alone = [plain.answer([Request("summary", part.seen.input)])[0] for part in parts]
    said = dict.fromkeys(one.text.strip() for one in alone)
    together = TextInput("\n".join(text for text in said if text), "What happened?")
    last = plain.answer([Request("summary", together)])[0]
    found = answering.answer([request])[0]
    assert (found.answer, found.text) == (last.answer, last.text)
    assert (found.merged, found.windows) == ("map-merge", len(parts))
    assert found.windows > 3
    assert found.unfinished == any(one.unfinished for one in [*alone, last])
    assert found.unparsable == sum(one.unparsable for one in [*alone, last])


def test_summaries_that_are_too_long_together_are_read_in_windows_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def half(_: Card, value: Input) -> str:
        words = source_text(value).split()
        return " ".join(words[: max(1, len(words) // 2)])

    asked = oracle(monkeypatch, half)
    found = predictor(window=200, overlap=0).answer([Request("summary", TextInput(NOTE * 2))])[0]
    assert found.merged == "map-merge"
    assert found.answer == TextAnswer(found.text)
    assert len(asked) > found.windows + 1  # windows, windows of their summaries, the last one
    assert len(found.text) < 200


def test_summaries_that_do_not_get_shorter_are_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = oracle(monkeypatch, lambda _, v: source_text(v) + " indeed")
    found = predictor(window=200).answer([Request("summary", TextInput(NOTE))])[0]
    assert found.merged == "joined"
    assert len(asked) == found.windows
    assert found.text.count("indeed") == found.windows
    oracle(monkeypatch, lambda *_: " ")
    found = predictor(window=200).answer([Request("summary", TextInput(NOTE))])[0]
    assert (found.answer, found.merged) == (TextAnswer(""), "joined")
    assert found.unparsable == found.windows
