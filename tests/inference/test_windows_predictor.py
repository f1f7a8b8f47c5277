from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.inference import world
from tests.inference.windows_world import (
    FILLER,
    NOTE,
    everything,
    long_input,
    oracle,
    place,
    predictor,
)

from clinprompt import verbalize
from clinprompt.backbone.model import Backbone
from clinprompt.errors import ClinpromptError
from clinprompt.examples import (
    Entity,
    EntityAnswer,
    Example,
    Input,
    PremiseInput,
    QuestionInput,
    Relation,
    RelationAnswer,
    TextAnswer,
    TextInput,
    source_text,
)
from clinprompt.inference.evaluate import evaluate
from clinprompt.inference.journal import Journal
from clinprompt.inference.predict import made_by_of, predict
from clinprompt.inference.predictor import Predictor
from clinprompt.inference.requests import Prediction, Request, Row
from clinprompt.inference.source import Reader
from clinprompt.inference.windows import predictor as module
from clinprompt.inference.windows.merging import LongRow
from clinprompt.inference.windows.predictor import WindowPredictor, predictor_class
from clinprompt.inference.windows.views import moved
from clinprompt.tasks.card import Card


@pytest.mark.parametrize("card", world.cards(), ids=lambda card: card.name)
def test_an_input_that_fits_is_answered_as_without_windows(card: Card) -> None:
    plain, windowed = predictor(Predictor), predictor()
    asked = [Request(card.name, world.an_input(card, i), str(i)) for i in range(4)]
    found = windowed.answer(asked)
    assert found == plain.answer(asked)
    assert all(one.windows == 1 and one.merged is None for one in found)
    assert [windowed.prepare(one) for one in asked] == [plain.prepare(one) for one in asked]


@pytest.mark.parametrize("card", world.cards(), ids=lambda card: card.name)
def test_long_inputs_of_every_form_are_answered_and_flagged(card: Card) -> None:
    request = Request(card.name, long_input(card.name), "long")
    if card.name == "answer":
        request = Request(card.name, QuestionInput("Why?", NOTE), "long")
    with pytest.raises(ClinpromptError, match="CP-INF-006"):
        predictor(Predictor).answer([request])
    answering = predictor()
    row, found = answering.prepare(request), answering.answer([request])[0]
    assert isinstance(row, LongRow)
    assert found.windows == len(row.windows) == (1 if card.form == "pair" else found.windows)
    assert found.merged is not None
    assert found.truncated == (card.form == "pair")
    assert (found.probabilities is None) != card.closed
    assert found == answering.answer([request])[0]
    room = answering._room(
        answering._tasks[card.name],
        answering._answers(answering._tasks[card.name], request.input)[2],
    )
    for (start, end), part in zip(row.windows, row.parts, strict=True):
        assert (
            part.seen.ids == answering.codec.rows([verbalize.input_text(card, part.seen.input)])[0]
        )
        assert len(part.seen.ids) <= room
        shown = part.seen.input
        text = shown.premise if isinstance(shown, PremiseInput) else source_text(shown)
        assert text == NOTE[start:end]


def test_two_windows_list_what_the_whole_text_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Well-separated content: windowed and whole answers are equal."""
    oracle(monkeypatch, everything)
    for name in ("mentions", "list"):
        request = Request(name, TextInput(NOTE[:300] + " heparin for cough."), "n")
        whole = predictor(Predictor).answer([request])[0]
        found = predictor(window=200, overlap=0).answer([request])[0]
        assert found.windows == 2
        assert found.merged == "union"
        assert found.answer == whole.answer
        assert whole.answer not in (EntityAnswer(()), RelationAnswer(()))


def test_mentions_have_their_offsets_in_the_note(monkeypatch: pytest.MonkeyPatch) -> None:
    oracle(monkeypatch, everything)
    found = predictor().answer([Request("mentions", TextInput(NOTE))])[0]
    assert isinstance(found.answer, EntityAnswer)
    assert [NOTE[slice(*e.spans[0])] for e in found.answer.entities] == ["aspirin", "pain", "cough"]
    found = predictor().answer([Request("list", TextInput(NOTE))])[0]
    head, tail = (
        Entity((place(NOTE, word),), label)
        for word, label in (("aspirin", "Drug"), ("pain", "Sign"))
    )
    assert found.answer == RelationAnswer((Relation(head, tail, "treats"),))


def test_counts_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = oracle(monkeypatch, lambda *_: "drug: nowhere\ngibberish\n" + "sign: ate")
    found = predictor(window=250, overlap=0).answer([Request("mentions", TextInput(NOTE))])[0]
    assert found.windows == len(asked) >= 3
    assert found.unaligned == found.unparsable == len(asked)
    assert isinstance(found.answer, EntityAnswer)
    assert len(found.answer.entities) == len(asked)  # the first one of each window
    assert found.text.count("gibberish") == len(asked)


def test_confidences_are_those_of_the_surest_window(monkeypatch: pytest.MonkeyPatch) -> None:
    note = "Aspirin for pain. " + FILLER * 9 + "Aspirin again. " + FILLER * 9 + "Cough."
    values = iter([0.2, 0.9, 0.4, 0.7, 0.3, 0.6, 0.5, 0.8, 0.1])
    listed: list[tuple[Entity, float]] = []
    oracle(monkeypatch, lambda _, v: "drug: again\nsign: slept\nsign: cough")
    real = Predictor.run

    def run(self: Predictor, rows: Sequence[Row], progress: Any = None) -> list[Prediction]:
        found = []
        for row, one in zip(rows, real(self, rows), strict=True):
            assert isinstance(one.answer, EntityAnswer)
            sure = tuple(next(values) for _ in one.answer.entities)
            start = note.index(source_text(row.seen.input))
            for entity, value in zip(one.answer.entities, sure, strict=True):
                listed.append((moved(entity, start), value))
            found.append(replace(one, confidences=sure, dropped=2))
        return found

    monkeypatch.setattr(Predictor, "run", run)
    request = Request("mentions", TextInput(note))
    found = predictor(window=400, overlap=200).answer([request])[0]
    assert isinstance(found.answer, EntityAnswer)
    assert len(listed) > len(found.answer.entities) == len(found.confidences)
    for entity, value in zip(found.answer.entities, found.confidences, strict=True):
        assert value == max(sure for one, sure in listed if one == entity)
    assert found.dropped == 2 * found.windows


def test_windows_have_the_size_asked_for_and_those_of_lists_a_smaller_default(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "LIST_WINDOW", 120)

    def largest(name: str, **settings: Any) -> int:
        row = predictor(**settings).prepare(Request(name, long_input(name)))
        return max(len(part.seen.ids) for part in row.parts)

    assert 60 < largest("mentions") <= 120
    assert 60 < largest("list") <= 120
    assert 250 < largest("summary") < 512  # what the context leaves
    assert 120 < largest("mentions", window=200) <= 200
    assert 200 < largest("mentions", window=4000) < 512  # never more than fits


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("choice", QuestionInput("b", None, ("c" * 600, "d")), "CP-INF-101"),
        ("answer", QuestionInput("b" * 600), "CP-INF-101"),
        ("nli", PremiseInput("a", "b" * 600), "CP-INF-102"),
        ("summary", TextInput("a", "b" * 600), "CP-INF-102"),
        ("summary", TextInput(" "), "CP-INF-004"),
        ("summary", PremiseInput("a", "b"), "CP-TEXT-001"),
        ("nothing", TextInput("a"), "CP-INF-003"),
    ],
)
def test_what_can_not_be_read_in_windows_is_refused(name: str, value: Input, code: str) -> None:
    with pytest.raises(ClinpromptError) as caught:
        predictor().answer([Request(name, value, "x")])
    assert caught.value.code == code
    assert "bbb" not in str(caught.value)


@pytest.mark.parametrize("changes", [{"window": 0}, {"overlap": -1}, {"window": 9, "overlap": 5}])
def test_senseless_sizes_are_refused(changes: dict[str, int]) -> None:
    with pytest.raises(ClinpromptError, match="CP-INF-100"):
        predictor(**changes)


def test_settings_choose_the_predictor() -> None:
    assert predictor_class("window") is WindowPredictor
    assert predictor_class("refuse") is predictor_class("truncate") is Predictor


def test_rows_of_windows_go_through_batches_of_bounded_size(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Twenty times the context, in several forms at once: never more than a batch is alive."""
    sizes: list[tuple[int, int]] = []
    real = Backbone.run

    def run(backbone: Any, embeddings: Any, *rest: Any, want: Any = "all", **more: Any) -> Any:
        if isinstance(want, tuple) or (embeddings.shape[1] > 1 and want != "keys"):
            sizes.append(tuple(embeddings.shape[:2]))  # texts: no prefix, no new token
        return real(backbone, embeddings, *rest, want=want, **more)

    monkeypatch.setattr(Backbone, "run", run)
    answering = predictor(window=180, batch_tokens=2000, max_new=4)
    note = NOTE * 15
    asked = [Request(name, TextInput(note)) for name in ("mentions", "summary")]
    asked.append(Request("nli", PremiseInput(note, "so")))
    seen: list[tuple[int, int]] = []
    found = answering.answer(asked, lambda done, total: seen.append((done, total)))
    assert sum(one.windows for one in found) > 150
    assert sum(rows for rows, _ in sizes) >= sum(one.windows for one in found)
    assert max(rows * columns for rows, columns in sizes) <= 2000
    assert max(rows for rows, _ in sizes) > 1
    assert seen[-1] == (3, 3)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_a_mixed_batch_answers_as_one_by_one() -> None:
    asked = [Request(card.name, long_input(card.name)) for card in world.cards()]
    asked += [Request(card.name, world.an_input(card, 1)) for card in world.cards()]
    answering = predictor(window=300)
    for request, one in zip(asked, answering.answer(asked), strict=True):
        alone = answering.answer([request])[0]
        assert (one.answer, one.text, one.windows) == (alone.answer, alone.text, alone.windows)


def test_nothing_asked() -> None:
    assert predictor().answer([]) == []
    assert list(predictor().stream(iter(()))) == []


def test_evaluation_counts_windows() -> None:
    card = world.card("summary")
    examples = [
        Example("a", "a", TextInput(NOTE), TextAnswer("fine")),
        Example("b", "b", TextInput("Denies cough."), TextAnswer("fine")),
    ]
    found = evaluate(predictor(window=300), card, examples, resamples=10)
    windows = found.predictions[0].windows
    assert windows > 1
    assert (found.counts["in_windows"], found.counts["windows"]) == (1, windows + 1)
    assert found.counts["truncated"] == 0
    lines = [json.loads(line) for line in found.lines()]
    assert [line["windows"] for line in lines] == [windows, 1]
    assert lines[0]["merged"] == "map-merge" and "merged" not in lines[1]
    content = found.to_json()
    assert (content["long_inputs"], content["window"], content["overlap"]) == ("window", 300, None)


def test_records_of_a_file_say_how_a_text_was_read(tmp_path: Path) -> None:
    answering = predictor(window=300)

    def run(answering: Any) -> Any:
        journal = Journal(tmp_path / "out.jsonl")
        lines = [
            json.dumps({"id": "long", "task": "summary", "text": NOTE}).encode() + b"\n",
            json.dumps({"id": "short", "task": "summary", "text": "Denies."}).encode() + b"\n",
        ]
        reader = Reader("in.jsonl", answering.cards)
        try:
            return predict(answering, lines, reader, journal, made_by_of(answering, "ab" * 32))
        finally:
            journal.close()

    assert run(answering).in_windows == 1
    rows = [json.loads(row) for row in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert rows[0]["windows"] > 1 and rows[0]["merged"] == "map-merge"
    assert rows[1]["windows"] == 1 and "merged" not in rows[1]
    assert not rows[0]["truncated"]
    assert run(answering).before == 2
    with pytest.raises(ClinpromptError, match="CP-INF-046"):
        run(predictor(window=200))  # other windows, other answers
