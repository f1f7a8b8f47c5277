"""Lengths of rows: the tokenizer's own where it is here, and said to be estimates where not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.training import toy

from clinprompt.experiments.plan.rows import ASSUMED, CHARACTERS, EstimatedCodec, Rows, codec_of
from clinprompt.experiments.plan.shapes import Shape, shape_of, shape_of_config
from clinprompt.tasks import catalogue
from clinprompt.training.data import thin_empty
from clinprompt.training.settings import BackboneSettings, DataSettings, SourceDataSettings

SETTINGS = DataSettings(dev_examples=3)


@pytest.fixture(scope="module")
def shape() -> Shape:
    return shape_of_config("tiny", toy.prepared().backbone.model.config)


def test_rows_are_those_of_training(shape: Shape, cards: list[Path]) -> None:
    rows = Rows(shape, BackboneSettings(), None, toy.prepared().codec)
    trained = toy.token_tasks(cards, toy.prepared(), dev_examples=3)
    for path, task in zip(cards, trained, strict=True):
        found = rows.task(catalogue.find(path), SETTINGS, toy.LENGTH, 0)
        assert found.fixed == task.fixed
        assert found.rows == task.rows
        assert rows.by[task.name] == "tokens"
        assert rows.task(catalogue.find(path), SETTINGS, toy.LENGTH, 0) is found


def test_rows_that_name_nothing_are_left_out_as_in_training(shape: Shape) -> None:
    card, codec = catalogue.find("syn-drug-effects"), toy.prepared().codec
    wide = {"max_tokens": 4000, "train_examples": 60}
    rows = Rows(replace(shape, context=9000), BackboneSettings(), None, codec)
    everything = rows.task(card, SourceDataSettings(**wide), 3, 0)
    thinned = rows.task(card, SourceDataSettings(**wide, most_empty=0.1), 3, 0)
    thin_empty(codec, everything, 0.1, 0)
    assert thinned.thinned["train"] > 0
    assert thinned.rows == everything.rows
    estimated = Rows(rows.shape, BackboneSettings(), None, EstimatedCodec())
    found = estimated.task(card, SourceDataSettings(**wide, most_empty=0.1), 3, 0)
    assert [row.id for row in found.rows["train"]] == [row.id for row in thinned.rows["train"]]


def test_test_rows_count_options_or_answers(shape: Shape, cards: list[Path]) -> None:
    rows = Rows(shape, BackboneSettings(), None, toy.prepared().codec)
    for path in cards:
        card = catalogue.find(path)
        found = rows.test(card, None)
        assert len(found) == toy.SIZES["test"]
        assert all((row.options > 0) == card.closed for row in found)
        assert all((row.answer > 0) != card.closed for row in found)
        assert len(rows.test(card, 2)) == 2


def test_characters_stand_in_for_a_tokenizer(shape: Shape, cards: list[Path]) -> None:
    rows = Rows(shape, BackboneSettings(), None, EstimatedCodec())
    card = catalogue.find(cards[0])
    exact = Rows(shape, BackboneSettings(), None, toy.prepared().codec)  # bytes are tokens
    few = rows.task(card, SETTINGS, 3, 0).rows["train"]
    many = exact.task(card, SETTINGS, 3, 0).rows["train"]
    tokens, characters = (sum(len(r.input) for r in part) for part in (few, many))
    assert tokens == pytest.approx(characters / CHARACTERS, rel=0.5)
    assert rows.by[card.name] == "characters"


def test_sets_that_are_not_here_are_assumed() -> None:
    shape = shape_of("meta-llama/Llama-3.1-8B")
    card = catalogue.find("n2c2-2022-sdoh-uw-ner")
    rows = Rows(shape, BackboneSettings(), None, EstimatedCodec())
    task = rows.task(card, DataSettings(dev_examples=7), 100, 0)
    given, written = ASSUMED[card.form]
    assert {(len(r.input), len(r.answer)) for r in task.rows["train"]} == {(given, written)}
    assert len(task.rows["dev"]) == 7
    assert len(rows.task(card, DataSettings(), 100, 0, shots=16).rows["train"]) == 16
    short = rows.task(card, DataSettings(max_tokens=40), 100, 0).rows["train"][0]
    assert len(short.input) + len(short.answer) <= 40
    assert rows.by == {card.name: "assumed"}
    assert rows.test(card, 5)[0].answer == written


def test_the_tokenizer_is_found_beside_the_model(tmp_path: Path) -> None:
    folder = toy.save_backbone(tmp_path / "model")
    found = codec_of(BackboneSettings(name=str(folder)), "before")
    assert not isinstance(found, EstimatedCodec)
    away = codec_of(BackboneSettings(name=str(tmp_path / "none")), "before")
    assert isinstance(away, EstimatedCodec)


@pytest.mark.parametrize("placement", ["before", "after"])
def test_estimates_have_the_parts_of_a_placement(placement: str) -> None:
    codec = EstimatedCodec(placement)  # type: ignore[arg-type]
    whole = len(codec.fixed("x" * 38)) + len(codec.rows(["y" * 380])[0])
    ((note, rest),) = codec.divided(["y" * 380], [""])
    parts = len(note) + len(rest) + len(EstimatedCodec("after").fixed("x" * 38))
    assert parts >= 110
    assert (whole == len(codec.fixed("")) + 10 + 100 + 8) or placement == "after"
