"""Each card of a set that can't be passed on, on a small invented folder of the set's layout."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.tasks.gated_world import inference, make_world

from clinprompt.examples import Entity, EntityAnswer, Example, RelationAnswer, source_text
from clinprompt.tasks import catalogue, loading
from clinprompt.tasks.validation import complaints
from clinprompt.verbalize import answer_text, canonical, input_text, instruction, options, parse

CARDS = [path.stem for path in sorted((catalogue.CARDS / "gated").glob("*.yaml"))]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_world(tmp_path_factory.mktemp("gated"))


def mentions(example: Example) -> list[Entity]:
    match example.answer:
        case EntityAnswer(entities=entities):
            return list(entities)
        case RelationAnswer(relations=relations):
            return [end for one in relations for end in (one.head, one.tail)]
    return []


def test_there_are_cards() -> None:
    assert len(CARDS) >= 30


@pytest.mark.parametrize("name", CARDS)
def test_says_how_to_get_it(name: str) -> None:
    card = catalogue.find(name)
    assert len(card.obtain.split()) > 10
    first = next(iter(card.data.files.values()))[0].split("/")[0]
    assert first in card.obtain, "it names the folder"
    assert card.license and card.citation and card.homepage.startswith("https://") and card.notes
    assert card.access == "agreement" or "licen" in card.obtain or "ownload" in card.obtain


@pytest.mark.parametrize("name", CARDS)
def test_reads_its_layout_and_answers_survive(name: str, world: Path) -> None:
    card = catalogue.find(name)
    assert instruction(card).startswith(card.instruction.strip())
    data = loading.load(card, world)
    assert list(data.splits) == list(card.splits)
    assert not list(complaints(card, data.splits))
    for rows in data.splits.values():
        assert rows
        for example in rows:
            assert example.answer is not None
            assert input_text(card, example.input).strip()
            text = answer_text(card, example.input, example.answer)
            parsed = parse(card, example.input, text)
            assert parsed.answer == canonical(example.answer) == example.answer, example.id
            assert (parsed.unaligned, parsed.unparsable) == (0, 0)
            if card.closed:
                assert (example.answer, text) in options(card, example.input)
    if card.form in ("mentions", "list"):
        assert any(mentions(example) for rows in data.splits.values() for example in rows)


@pytest.mark.parametrize("name", CARDS)
def test_a_missing_copy_is_said_with_the_way_to_get_it(name: str, tmp_path: Path) -> None:
    card = catalogue.find(name)
    with pytest.raises(loading.ClinpromptError, match="needs a local copy") as caught:
        loading.load(card, tmp_path)
    assert caught.value.code == "CP-TASK-400"
    assert caught.value.hint == " ".join(card.obtain.split())


def found(name: str, world: Path, split: str = "test") -> list[tuple[str, str]]:
    """Label and covered text of all mentions of the first document."""
    rows = loading.load(catalogue.find(name), world).splits[split]
    first = [row for row in rows if row.document == rows[0].document]
    return [(m.label, m.surface(source_text(row.input))) for row in first for m in mentions(row)]


def test_shac_mentions(world: Path) -> None:
    assert found("n2c2-2022-sdoh-uw-ner", world) == [
        ("Alcohol", "drinks"),
        ("StatusTime", "drinks"),
        ("Amount", "1 beers"),
        ("Frequency", "daily"),
        ("StatusTime", "Denies"),
        ("Drug", "drug use"),
        ("LivingStatus", "Lives"),
        ("StatusTime", "Lives"),
        ("TypeLiving", "with his sister"),
        ("StatusEmploy", "Retired"),
        ("Employment", "baker"),
    ]
    assert found("n2c2-2022-sdoh-uw-status", world) == [
        ("StatusTime.current", "drinks"),
        ("StatusTime.none", "Denies"),
        ("StatusTime.current", "Lives"),
        ("TypeLiving.with_family", "with his sister"),
        ("StatusEmploy.retired", "Retired"),
    ]


def test_shac_relations(world: Path) -> None:
    example = loading.load(catalogue.find("n2c2-2022-sdoh-uw-re"), world).splits["test"][0]
    text = source_text(example.input)
    assert isinstance(example.answer, RelationAnswer)
    got = [(r.label, r.head.surface(text), r.tail.surface(text)) for r in example.answer.relations]
    assert got == [
        ("Alcohol.Status", "drinks", "drinks"),
        ("Alcohol.Amount", "drinks", "1 beers"),
        ("Alcohol.Frequency", "drinks", "daily"),
        ("Drug.Status", "drug use", "Denies"),
        ("LivingStatus.Status", "Lives", "Lives"),
        ("LivingStatus.Type", "Lives", "with his sister"),
        ("Employment.Status", "baker", "Retired"),
    ]


def test_adverse_events_with_a_mention_of_two_fragments(world: Path) -> None:
    assert ("Reason", "knee pain") in found("n2c2-2018-ade-ner", world)
    example = loading.load(catalogue.find("n2c2-2018-ade-re"), world).splits["test"][0]
    text = source_text(example.input)
    assert isinstance(example.answer, RelationAnswer)
    assert [
        (r.label, r.head.surface(text), r.tail.surface(text)) for r in example.answer.relations
    ] == [
        ("Strength-Drug", "5 mg", "Inventolol"),
        ("Reason-Drug", "knee pain", "Inventolol"),
        ("ADE-Drug", "rash", "Madeupicillin"),
    ]


def test_one_split_is_enough_to_read_it(tmp_path: Path) -> None:
    """Who has only the test files can evaluate."""
    inference(tmp_path)
    (tmp_path / "mednli/mli_train_v1.jsonl").unlink()
    card = catalogue.find("mednli")
    assert loading.load(card, tmp_path, splits=["test"]).splits["test"]
    with pytest.raises(loading.ClinpromptError, match=r"CP-TASK-400.*mli_train_v1"):
        loading.load(card, tmp_path, splits=["train"])
