"""A task's examples as documents: what is in them comes back, and scores 100 against itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from tests.inference import world

from clinprompt.documents import formats
from clinprompt.documents.model import Attribute, Document, Normalization
from clinprompt.errors import ClinpromptError
from clinprompt.examples import (
    Entity,
    EntityAnswer,
    Example,
    Relation,
    RelationAnswer,
    TextAnswer,
    TextInput,
)
from clinprompt.inference.notes.annotate import annotated
from clinprompt.inference.notes.found import Found
from clinprompt.inference.notes.gold import gold_documents
from clinprompt.inference.notes.plan import Plan
from clinprompt.metrics.documents import DocumentScores, Settings, score_documents
from clinprompt.report import Report
from clinprompt.tasks import catalogue
from clinprompt.tasks.card import Card
from clinprompt.tasks.loading import load


def note(name: str, text: str = "Aspirin for pain.", **changes: object) -> Example:
    return replace(Example(name, name, TextInput(text), EntityAnswer(())), **changes)  # type: ignore[arg-type]


def back(documents: Sequence[Document], form: str, folder: Path) -> list[Document]:
    """Written and read again; nothing of the annotations may be lost."""
    report = Report()
    formats.write(form, folder / f"gold-{form}", documents, report)
    assert not [reason for reason in report.counts if "metadata" not in reason]
    return list(formats.read(form, folder / f"gold-{form}", report))


def against_itself(card: Card, documents: Sequence[Document]) -> DocumentScores:
    fields = {card.name: "text"} if card.form == "text" else {}
    return score_documents(documents, documents, Settings(resamples=4, fields=fields))  # type: ignore[arg-type]


def require_perfect(card: Card, documents: Sequence[Document]) -> None:
    scores = against_itself(card, documents)
    assert all(one.micro.f1.value == 100 for one in scores.sections.values())
    for one in scores.fields.values():
        assert one.metrics["exact_match"].value == 100
        assert one.metrics["rougeL"].value == 100


def require_answers(examples: Sequence[Example], documents: Sequence[Document], task: str) -> None:
    """The documents say what the examples say."""
    for example, document in zip(examples, documents, strict=True):
        assert document.text == example.input.text  # type: ignore[union-attr]
        mentions = {(one.label, one.spans) for one in document.mentions}
        place = {one.id: (one.label, one.spans) for one in document.mentions}
        match example.answer:
            case EntityAnswer(entities=entities):
                assert mentions == {(one.label, one.spans) for one in entities}
            case RelationAnswer(relations=relations):
                assert {
                    (one.label, *(place[argument.target] for argument in one.arguments))
                    for one in document.links
                } == {
                    (one.label, (one.head.label, one.head.spans), (one.tail.label, one.tail.spans))
                    for one in relations
                }
            case TextAnswer(text=text, references=references):
                assert [v for k, v in document.metadata if k == task] == [text, *references]


@pytest.mark.parametrize("name", ["syn-medications", "syn-drug-effects", "syn-dialogue-summary"])
@pytest.mark.parametrize("form", ["jsonl", "bioc-xml", "brat"])
def test_the_synthetic_corpus(name: str, form: str, tmp_path: Path) -> None:
    card = catalogue.find(name)
    examples = load(card, None, splits=("test",)).splits["test"][:12]
    documents = list(gold_documents(card, examples))
    assert [dict(one.metadata)["example"] for one in documents] == [one.id for one in examples]
    if form == "brat" and card.form == "text":  # has no place for metadata
        assert all(not one.metadata for one in back(documents, form, tmp_path))
        return
    again = sorted(back(documents, form, tmp_path), key=lambda one: one.id)
    ordered = sorted(zip(documents, examples, strict=True), key=lambda pair: pair[0].id)
    require_answers([example for _, example in ordered], again, name)
    assert any(one.annotations or one.metadata for one in again)
    require_perfect(card, again)


@pytest.mark.data
@pytest.mark.parametrize("name", ["ncbi-disease", "bc5cdr-cid", "phee", "mts-dialog"])
def test_real_cards(name: str, data_root: Path, tmp_path: Path) -> None:
    card = catalogue.find(name)
    examples = load(card, data_root, splits=("test",)).splits["test"][:40]
    documents = list(gold_documents(card, examples))
    again = back(documents, "bioc-json", tmp_path)
    assert again == [
        replace(one, passages=two.passages) for one, two in zip(documents, again, strict=True)
    ]
    require_answers(examples, again, name)
    require_perfect(card, again)
    assert ("relations.concept" in against_itself(card, again).sections) == (name == "bc5cdr-cid")


def test_concepts_of_composite_mentions() -> None:
    text = "Aspirin gave renal and liver failure."
    drug = Entity(((0, 7),), "Drug", "D001241")
    both = Entity(((13, 36),), "Sign", "D051437|OMIM:12")
    one = Entity(both.spans, "Sign", "OMIM:12")
    card = world.card("list")
    asked = TextInput(text, mentions=(drug, both))

    def of(tail: Entity) -> Document:
        answer = RelationAnswer((Relation(drug, tail, "treats"),))
        return next(gold_documents(card, [Example("a", "a", asked, answer)], concepts="Voc"))

    whole, part = of(both), of(one)
    assert [(n.target, n.resource, n.accession) for n in part.of(Normalization)] == [
        ("T1", "Voc", "D001241"),
        ("T2", "Voc", "D051437"),
        ("T2", "OMIM", "12"),
    ]
    assert not list(whole.of(Attribute))
    assert [(a.name, a.target, a.value) for a in part.of(Attribute)] == [
        ("Arg2Concept", "R1", "OMIM:12")
    ]


def test_all_references_and_the_question_are_kept() -> None:
    card = world.card("summary")
    example = note(
        "a", input=TextInput("Note.", question="Why?"), answer=TextAnswer("x", ("y", "z"))
    )
    (document,) = gold_documents(card, [example])
    assert document.metadata == (
        ("example", "a"),
        ("summary.question", "Why?"),
        ("summary", "x"),
        ("summary", "y"),
        ("summary", "z"),
    )


@pytest.mark.parametrize("form", ["pair", "choice", "label", "nli", "span", "answer"])
def test_what_asks_about_more_than_a_text_is_refused(form: str) -> None:
    card = world.card(form)
    example = Example("a", "a", world.an_input(card, 0), TextAnswer("x"))
    with pytest.raises(ClinpromptError) as caught:
        list(gold_documents(card, [example]))
    assert caught.value.code == "CP-INF-360"


def test_an_example_without_an_answer_is_refused() -> None:
    with pytest.raises(ClinpromptError) as caught:
        list(gold_documents(world.card("mentions"), [note("a", answer=None)]))
    assert caught.value.code == "CP-INF-362"


@pytest.mark.parametrize("other", ["a-1", "a/1", "A:1", "a::1", ".a:1"])
def test_names_that_collide_are_refused(other: str) -> None:
    with pytest.raises(ClinpromptError) as caught:
        list(gold_documents(world.card("mentions"), [note("a:1"), note(other)]))
    assert caught.value.code == "CP-INF-361"


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("../../etc/passwd", "etc-passwd"),
        ("C:\\a b\t<c>|d\n", "C-a-b-c-d"),
        ("..", "example"),
        ("", "example"),
        ("-x", "x"),
        ("naïve.β_1", "naïve.β_1"),
    ],
)
def test_unsafe_names(name: str, file: str, tmp_path: Path) -> None:
    (document,) = gold_documents(world.card("mentions"), [note(name)])
    assert document.id == file
    assert document.metadata == (("example", name),)
    formats.write("brat", tmp_path / "out", [document], Report())
    assert (tmp_path / "out" / f"{file}.txt").is_file()
    assert sorted(one.name for one in tmp_path.iterdir()) == ["out"]


def test_gold_is_never_taken_for_an_answer() -> None:
    card = world.card("summary")
    (gold,) = gold_documents(card, [note("a", answer=TextAnswer("x", ("y",)))])
    plan = Plan({"summary": card}, existing="keep")
    unusable = Found("summary", TextInput(gold.text), None)
    said = Found("summary", TextInput(gold.text), TextAnswer("z"))
    own = ("example", "a")
    assert annotated(gold, [said], plan).metadata == (own, ("summary", "z"))
    assert annotated(gold, [unusable], plan).metadata == (own, ("clinprompt.unusable", "summary"))
    refused = annotated(gold, [], plan, ["summary"])
    assert refused.metadata == (own, ("clinprompt.unanswered", "summary"))
