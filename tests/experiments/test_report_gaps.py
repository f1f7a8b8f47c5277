from __future__ import annotations

import json

import numpy as np
import pytest
from tests.experiments.report_cells import BACKBONE, TARGETS, write_comparison

from clinprompt.examples import EntityAnswer, Example, LabelAnswer, RelationAnswer, TextAnswer
from clinprompt.experiments.compare.cell import Main
from clinprompt.experiments.report.gaps import Gap, Gaps
from clinprompt.experiments.report.reading import read
from clinprompt.experiments.report.rebuilt import rebuilt
from clinprompt.experiments.report.writing import make
from clinprompt.inference.records import answer_record
from clinprompt.metrics import Item, paired_bootstrap, score
from clinprompt.tasks import catalogue
from clinprompt.tasks.loading import load
from clinprompt.tasks.suite import find_suite

SKILL = {"bare": 0.1, "pt": 0.3, "mpt": 0.9, "lora": 0.6}
COUNT = 60


def wrong(example: Example) -> object:
    """A possible answer that differs from gold where it can."""
    match example.answer:
        case EntityAnswer(entities=found):
            return EntityAnswer(found[1:])
        case RelationAnswer(relations=found):
            return RelationAnswer(found[1:])
        case TextAnswer(text=text):
            return TextAnswer(" ".join(reversed(text.split()[:3])) or "nothing")
        case LabelAnswer():
            return None
    return None


SYNTHETIC = find_suite("synthetic")


@pytest.mark.parametrize("card", [*SYNTHETIC.sources, *SYNTHETIC.targets], ids=lambda c: c.name)
def test_rebuilt_answers_have_the_scores_of_the_real_ones(card, tmp_path):
    examples = load(card, None, splits=("test",)).splits["test"][:30]
    labels = [e.answer for e in examples if isinstance(e.answer, LabelAnswer)]
    items = []
    for number, example in enumerate(examples):
        predicted = [example.answer, None, wrong(example)][number % 3]
        if labels and number % 3 == 2:
            predicted = labels[number // 2]
        items.append(
            Item(example.id, example.document, example.input, example.answer, predicted, 1, 2, True)
        )
    path = tmp_path / "predictions.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for item in items:
            record = {
                "id": item.id,
                "document": item.document,
                "gold": answer_record(item.gold, item.input),
                "answer": answer_record(item.predicted, item.input),
                "unaligned": 1,
                "unparsable": 2,
                "truncated": True,
            }
            file.write(json.dumps(record) + "\n")
    found, expected = score(card, rebuilt(card, path)), score(card, items)
    assert found.metrics == expected.metrics
    assert found.counts == expected.counts


def answered(folder, cells, count: int = COUNT):
    """Write predictions that are right as often as the method's skill, and the scores of them."""
    done = {}
    for name, cell in cells.items():
        key = cell.key
        draw = np.random.default_rng([ord(c) for c in name])
        lines = []
        for number in range(count):
            right = bool(draw.random() < SKILL[key.method])
            label = ("contrasting", "reasoning")[number % 2]
            if key.target == "scinli":
                gold: dict = {"label": label}
                answer: dict | None = {"label": label if right else "neutral"}
            elif key.target == "ncbi-disease":
                gold = {"entities": [{"label": "Disease", "spans": [[3, 6]], "text": "flu"}]}
                answer = gold if right else None
            else:
                gold, answer = {"text": "no fever"}, {"text": "no fever" if right else "pain"}
            record = {"id": f"{number:03}", "document": f"{number:03}", "gold": gold}
            lines.append(json.dumps({**record, "answer": answer}))
        path = key.folder(folder) / "predictions.jsonl"
        path.write_text("\n".join(lines) + "\n")
        found = score(catalogue.find(key.target), rebuilt(catalogue.find(key.target), path))
        main = Main(metric=found.metric, value=found.value, low=found.low, high=found.high)
        done[name] = cell.model_copy(update={"main": main})
        done[name].write(folder)
    return done


@pytest.fixture(scope="module")
def one_seed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("one")
    return folder, answered(folder, write_comparison(folder, predictions=False))


def test_a_gap_is_that_of_the_metrics_paired_bootstrap(one_seed):
    folder, cells = one_seed
    gaps = Gaps(read(folder))
    for number, target in enumerate(TARGETS):
        card = catalogue.find(target)
        sides = [
            rebuilt(
                card,
                cells[f"{BACKBONE}/{target}/{m}-32-s0"].key.folder(folder) / "predictions.jsonl",
            )
            for m in ("mpt", "lora")
        ]
        expected = paired_bootstrap(card, *sides, resamples=1000, seed=1 + number)
        found = gaps.at(BACKBONE, target, "mpt", "lora", 32)
        assert found == Gap(
            pytest.approx(expected.difference),
            pytest.approx(expected.low),
            pytest.approx(expected.high),
        )
    assert not gaps.problems


def test_the_average_is_the_mean_and_narrower_than_its_targets(one_seed):
    folder, _ = one_seed
    gaps = Gaps(read(folder))
    own = [gaps.at(BACKBONE, target, "mpt", "lora", 32) for target in TARGETS]
    average = gaps.average(BACKBONE, "mpt", "lora", 32)
    assert average.value == pytest.approx(np.mean([one.value for one in own]))
    widths = [one.high - one.low for one in own]
    assert average.high - average.low == pytest.approx(
        np.sqrt(np.sum(np.square(widths))) / len(own), rel=0.15
    )


def test_both_sides_of_a_difference(one_seed):
    folder, _ = one_seed
    gaps = Gaps(read(folder))
    there = gaps.average(BACKBONE, "mpt", "pt", "full")
    back = gaps.average(BACKBONE, "pt", "mpt", "full")
    assert (there.value, there.low, there.high) == pytest.approx(
        (-back.value, -back.high, -back.low)
    )
    assert (there.outcome, back.outcome) == ("win", "loss")


def test_several_seeds_share_their_test_examples(tmp_path):
    cells = answered(tmp_path, write_comparison(tmp_path, seeds=(0, 1), predictions=False))
    gaps = Gaps(read(tmp_path))
    found = gaps.at(BACKBONE, "scinli", "mpt", "pt", 32)
    values = [
        cells[f"{BACKBONE}/scinli/mpt-32-s{s}"].main.value
        - cells[f"{BACKBONE}/scinli/pt-32-s{s}"].main.value
        for s in (0, 1)
    ]
    assert found.value == pytest.approx(np.mean(values))
    assert found.low < found.value < found.high


@pytest.mark.parametrize(
    ("low", "high", "outcome"),
    [(0.1, 2, "win"), (-2, -0.1, "loss"), (-0.1, 2, "tie"), (0, 2, "tie"), (None, None, "open")],
)
def test_outcome(low, high, outcome):
    assert Gap(1.0, low, high).outcome == outcome


def test_no_average_where_a_cell_of_either_is_missing(tmp_path):
    lost = f"{BACKBONE}/scinli/lora-32-s0"
    answered(tmp_path, write_comparison(tmp_path, missing=(lost,), predictions=False))
    gaps = Gaps(read(tmp_path))
    assert gaps.at(BACKBONE, "scinli", "mpt", "lora", 32) is None
    assert gaps.at(BACKBONE, "mts-dialog", "mpt", "lora", 32) is not None
    assert gaps.average(BACKBONE, "mpt", "lora", 32) is None
    page = make(tmp_path).files["report.html"]
    assert "2 of 3 targets" in page


def test_an_average_is_of_the_seeds_that_both_have_on_every_target(tmp_path):
    first, both = tmp_path / "first", tmp_path / "both"
    answered(first, write_comparison(first, predictions=False))
    lost = f"{BACKBONE}/scinli/lora-32-s1"
    answered(both, write_comparison(both, seeds=(0, 1), missing=(lost,), predictions=False))
    gaps = Gaps(read(both))
    found = gaps.average(BACKBONE, "mpt", "lora", 32)
    expected = Gaps(read(first)).average(BACKBONE, "mpt", "lora", 32)
    assert (found.seeds, found.planned) == (1, 2)
    assert (found.value, found.low, found.high) == (expected.value, expected.low, expected.high)
    assert gaps.at(BACKBONE, "mts-dialog", "mpt", "lora", 32).seeds == 2
    whole = gaps.average(BACKBONE, "mpt", "pt", 32)
    assert (whole.seeds, whole.planned) == (2, 2)
    page = make(both).files["report.md"]
    assert f"+{found.value:.1f} ▲ \\[{found.low:.1f}, {found.high:.1f}\\] 1 of 2 seeds" in page


def test_scores_that_the_predictions_do_not_give_have_no_interval(tmp_path):
    cells = answered(tmp_path, write_comparison(tmp_path, predictions=False))
    name = f"{BACKBONE}/scinli/lora-32-s0"
    cell = cells[name]
    cell.model_copy(
        update={"main": cell.main.model_copy(update={"value": cell.main.value + 1})}
    ).write(tmp_path)
    gaps = Gaps(read(tmp_path))
    found = gaps.at(BACKBONE, "scinli", "mpt", "lora", 32)
    assert (found.outcome, found.low) == ("open", None)
    assert gaps.average(BACKBONE, "mpt", "lora", 32).outcome == "open"
    assert list(gaps.problems) == [f"{name}: its predictions do not give its score"]
    assert "its predictions do not give its score" in make(tmp_path).files["report.html"]


def test_other_test_examples_are_not_paired(tmp_path):
    cells = answered(tmp_path, write_comparison(tmp_path, predictions=False))
    name = f"{BACKBONE}/scinli/lora-32-s0"
    path = cells[name].key.folder(tmp_path) / "predictions.jsonl"
    path.write_text(path.read_text().replace('"id": "000"', '"id": "other"'))
    gaps = Gaps(read(tmp_path))
    assert gaps.at(BACKBONE, "scinli", "mpt", "lora", 32).outcome == "open"
    assert list(gaps.problems) == ["scinli: the test examples of mpt and lora differ"]


def test_the_report_shows_wins_and_losses(one_seed):
    folder, _ = one_seed
    report = make(folder)
    gaps = Gaps(read(folder))
    lost = gaps.average(BACKBONE, "pt", "lora", 32)
    assert lost.outcome == "loss"
    shown = f"−{abs(lost.value):.1f} ▼"
    assert (
        f'class="n loss" title="below the reference">{shown}<small>' in report.files["report.html"]
    )
    assert shown in report.files["report.md"]
    picture = report.files["difference-lora-1.svg"]
    assert 'class="loss"' in picture
    assert 'class="win"' in picture
