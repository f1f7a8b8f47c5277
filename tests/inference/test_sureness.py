"""Which predicted items are right, and what becomes of thresholds; from the command line too."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.inference import world
from typer.testing import CliRunner

from clinprompt.cli.app import app
from clinprompt.errors import ClinpromptError
from clinprompt.examples import (
    Answer,
    Entity,
    EntityAnswer,
    Example,
    LabelAnswer,
    PremiseInput,
    QuestionInput,
    Relation,
    RelationAnswer,
    SpanAnswer,
    TextAnswer,
    TextInput,
)
from clinprompt.inference import evaluate as module
from clinprompt.inference.evaluate import Evaluation, evaluate
from clinprompt.inference.predictor import Predictor
from clinprompt.inference.requests import Prediction, PredictorSettings, Request, Row
from clinprompt.inference.sureness import calibrate
from clinprompt.inference.windows.merging import LongRow, steps
from clinprompt.verbalize.fit import Fitted


def evaluated(
    name: str, cases: list[tuple[Any, Answer, Prediction]], **settings: Any
) -> Evaluation:
    """An evaluation of given predictions."""
    card, ready = world.card(name), world.prepared()
    answering = Predictor.of(
        world.prompt_set(ready, card), PredictorSettings(**settings), prepared=ready
    )
    examples = [Example(str(i), str(i), asked, gold) for i, (asked, gold, _) in enumerate(cases)]
    answering.answer = lambda *_, **__: [one for *_, one in cases]  # type: ignore[method-assign]
    return evaluate(answering, card, examples, resamples=5)


def drug(start: int, end: int) -> Entity:
    return Entity(((start, end),), "Drug")


def test_mentions_are_right_by_label_and_offsets() -> None:
    note = TextInput("aspirin and statin")
    gold = EntityAnswer((drug(0, 7), drug(12, 18)))
    said = EntityAnswer((drug(0, 7), drug(8, 11), Entity(((12, 18),), "Sign")))
    found = calibrate(
        evaluated("mentions", [(note, gold, Prediction(said, "", confidences=(0.9, 0.4, None)))])
    )
    assert (found.count, found.unknown) == (2, 1)
    assert found.ece == pytest.approx((0.1 + 0.4) / 2)
    best = found.best
    assert best is not None and (best.value, best.kept) == (0.9, 1)
    # The mention of unknown confidence is there in any case: 2 predicted, 2 gold, 1 right.
    assert (best.precision, best.recall, best.f1) == (50, 50, 50)


def test_relations_are_right_as_a_whole() -> None:
    note = TextInput("aspirin for pain")
    right = Relation(drug(0, 7), Entity(((12, 16),), "Sign"), "treats")
    wrong = replace(right, head=drug(0, 4))
    prediction = Prediction(RelationAnswer((wrong, right)), "", confidences=(0.2, 0.8))
    found = calibrate(evaluated("list", [(note, RelationAnswer((right,)), prediction)]))
    assert found.ece == pytest.approx(0.2)
    assert found.best is not None and found.best.f1 == 100


def test_closed_answers_are_as_sure_as_their_label() -> None:
    cases = [
        (
            PremiseInput("a", "b"),
            LabelAnswer("neutral"),
            Prediction(
                LabelAnswer(label),
                "",
                probabilities={"neutral": 0.7, "entailment": 0.3},
            ),
        )
        for label in ("neutral", "entailment")
    ]
    found = calibrate(evaluated("nli", cases))
    assert found.best is None and found.count == 2
    assert found.ece == pytest.approx((0.3 + 0.3) / 2)


def test_spans_are_right_by_their_words() -> None:
    asked = QuestionInput("Where?", "the left arm, the left leg. The left arm hurts")
    gold = SpanAnswer(((0, 12),))
    said = [SpanAnswer(((28, 40),)), SpanAnswer(((14, 26),)), SpanAnswer(())]
    cases = [(asked, gold, Prediction(one, "", confidences=(1.0,))) for one in said]
    assert calibrate(evaluated("span", cases)).bins[-1].accuracy == pytest.approx(1 / 3)
    nothing = [(asked, SpanAnswer(()), Prediction(one, "", confidences=(1.0,))) for one in said]
    assert calibrate(evaluated("span", nothing)).bins[-1].accuracy == pytest.approx(1 / 3)


def test_free_texts_have_no_confidence() -> None:
    case = (TextInput("a"), TextAnswer("b"), Prediction(TextAnswer("b"), "b"))
    assert calibrate(evaluated("summary", [case])) is None
    nothing = (TextInput("a"), EntityAnswer(()), Prediction(EntityAnswer(()), "none"))
    assert calibrate(evaluated("mentions", [nothing])) is None


def test_a_threshold_for_a_task_without_lists_is_refused() -> None:
    with pytest.raises(ClinpromptError, match="CP-INF-203"):
        evaluated("nli", [], threshold=0.5)


def test_what_was_dropped_is_counted() -> None:
    prediction = Prediction(EntityAnswer(()), "", dropped=3)
    found = evaluated("mentions", [(TextInput("a"), EntityAnswer(()), prediction)])
    assert found.counts["below_threshold"] == 3
    assert module.flags(prediction)["below_threshold"] == 3


def merged(name: str, windows: list[tuple[int, int]], found: list[Prediction]) -> Prediction:
    """The answer to a note of 60 characters that is made of those of its windows."""
    asked: Any = TextInput("x" * 60)
    if name == "span":
        asked = QuestionInput("Where?", "x" * 60)
    part = Row(name, Fitted(asked, []))
    row = LongRow(
        name,
        Fitted(asked, []),
        request=Request(name, asked),
        parts=(part,) * len(windows),
        windows=tuple(windows),
    )
    asking = SimpleNamespace(cards={name: world.card(name)})
    going = steps(asking, row)  # type: ignore[arg-type]
    next(going)
    with pytest.raises(StopIteration) as ended:
        going.send(found)
    prediction = ended.value.value
    assert isinstance(prediction, Prediction)
    return prediction


def test_of_several_windows_the_surest_counts() -> None:
    first = Prediction(
        EntityAnswer((drug(2, 5), drug(25, 30))), "", confidences=(0.3, 0.9), dropped=1
    )
    second = Prediction(
        EntityAnswer((drug(5, 10), drug(20, 22))), "", confidences=(0.4, 0.8), dropped=2
    )
    one = merged("mentions", [(0, 40), (20, 60)], [first, second])
    assert isinstance(one.answer, EntityAnswer)
    assert [entity.start for entity in one.answer.entities] == [2, 25, 40]
    assert one.confidences == (0.3, 0.9, 0.8)  # 25 to 30 is in both
    assert one.dropped == 3


def test_relations_and_spans_of_windows_keep_their_confidence() -> None:
    sign = Entity(((8, 9),), "Sign")
    listed = Prediction(
        RelationAnswer((Relation(drug(0, 3), sign, "treats"),)), "", confidences=(0.7,)
    )
    one = merged("list", [(0, 30), (30, 60)], [Prediction(RelationAnswer(()), ""), listed])
    assert isinstance(one.answer, RelationAnswer)
    assert one.answer.relations[0].head.start == 30
    assert one.confidences == (0.7,)
    none = Prediction(SpanAnswer(()), "none", confidences=(0.6,))
    span = Prediction(SpanAnswer(((1, 4),)), "xxx", confidences=(0.2,))
    one = merged("span", [(0, 30), (30, 60)], [none, span])
    assert (one.answer, one.confidences) == (SpanAnswer(((31, 34),)), (0.2,))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sureness")
    (folder / "notes.jsonl").write_text(
        "".join(
            json.dumps({"id": f"n{i}", "text": world.an_input(world.card("mentions"), i).text})
            + "\n"
            for i in range(3)
        )
    )
    world.saved(folder, world.card("mentions"))
    return folder


def test_scores_are_there_though_nothing_can_be_calibrated(folder: Path, tmp_path: Path) -> None:
    scores = tmp_path / "scores.json"
    words = ("evaluate", "--bare", "--task", "syn-problems", "--backbone", folder / "backbone")
    more = ("--calibration", "--limit", "2", "--max-new", "1", "--long-inputs", "truncate")
    command = [*map(str, (*words, *more, "--json", scores)), "--threads", "1"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    assert "nothing to calibrate" in result.output
    assert json.loads(scores.read_text())["calibration"] is None


def predict(folder: Path, out: Path, *more: Any) -> Any:
    words = ("predict", folder / "prompts", "-i", folder / "notes.jsonl", "-o", out, *more)
    return CliRunner().invoke(app, [*map(str, words), "--threads", "1", "--max-new", "40"])


def test_predict_grounded_from_the_command_line(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    result = predict(folder, out, "--grounded")
    assert result.exit_code == 0, result.output
    records = [json.loads(line) for line in out.read_text().splitlines()]
    assert len(records) == 3
    for record in records:
        assert (record["unaligned"], record["unparsable"]) == (0, 0)
        assert "grounded" in record["made_by"]["settings"]
        for entity in record["answer"]["entities"]:
            assert 0 <= entity["confidence"] <= 1
    # Free answers are others: they do not go on where grounded ones stopped.
    assert "CP-INF-046" in predict(folder, out, "--free").output
    kept = tmp_path / "kept.jsonl"
    assert predict(folder, kept, "--grounded", "--threshold", "1").exit_code == 0
    found = sum(len(record["answer"]["entities"]) for record in records)
    sure = [json.loads(line) for line in kept.read_text().splitlines()]
    dropped = sum(record.get("below_threshold", 0) for record in sure)
    assert dropped == found - sum(len(record["answer"]["entities"]) for record in sure)


def test_evaluate_grounded_with_calibration(folder: Path, tmp_path: Path) -> None:
    scores = tmp_path / "scores.json"
    words = ("evaluate", "--bare", "--task", "syn-problems", "--backbone", folder / "backbone")
    more = (
        "--grounded",
        "--calibration",
        "--limit",
        "3",
        "--max-new",
        "60",
        "--long-inputs",
        "truncate",
        "--json",
        scores,
    )
    result = CliRunner().invoke(app, [*map(str, (*words, *more)), "--threads", "1"])
    assert result.exit_code == 0, result.output
    content = json.loads(scores.read_text())
    assert "expected calibration error" in result.output
    assert content["grounded"] is True
    assert content["counts"]["unaligned"] == content["counts"]["unparsable"] == 0
    assert sum(one["count"] for one in content["calibration"]["bins"]) > 0
