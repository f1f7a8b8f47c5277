from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.inference import world
from tests.inference.lexicon import pair_card

from clinprompt.documents.model import Document, Mention
from clinprompt.errors import ClinpromptError
from clinprompt.examples import Entity, PremiseInput, QuestionInput, TextInput
from clinprompt.inference.notes.pairs import candidates, kinds_of, unrelated
from clinprompt.inference.notes.plan import fixed_question, make_plan
from clinprompt.tasks import catalogue
from clinprompt.tasks.card import Card, DataSpec


def cards(*all_cards: Card) -> dict[str, Card]:
    return {card.name: card for card in all_cards}


def test_what_can_be_asked_of_a_note_and_why_the_rest_can_not() -> None:
    plan = make_plan(cards(*world.cards()), questions={"label": "Is it bad?"})
    assert list(plan.cards) == ["mentions", "list", "label", "summary"]
    assert set(plan.unasked) == {"pair", "choice", "nli", "span", "answer"}
    assert "--question 'nli=...'" in plan.unasked["nli"]
    assert "its card does not say which mentions" in plan.unasked["pair"]
    requests = plan.requests(Document("a", "fever"))
    assert [request.input for request in requests] == [
        TextInput("fever"),
        TextInput("fever"),
        QuestionInput("Is it bad?", "fever"),
        TextInput("fever"),
    ]


def test_questions_go_to_their_tasks() -> None:
    asked = {"span": "Where?", "nli": "He is ill.", "summary": "Why?", "answer": "What?"}
    plan = make_plan(cards(*(world.card(name) for name in asked)), questions=asked)
    found = {request.task: request.input for request in plan.requests(Document("a", "fever"))}
    assert found == {
        "span": QuestionInput("Where?", "fever"),
        "nli": PremiseInput("fever", "He is ill."),
        "summary": TextInput("fever", question="Why?"),
        "answer": QuestionInput("What?", "fever"),
    }
    with pytest.raises(ClinpromptError, match="CP-INF-310"):
        make_plan(cards(world.card("mentions")), questions={"mentions": "Where?"})
    with pytest.raises(ClinpromptError, match="CP-INF-312"):
        make_plan(cards(world.card("choice"), world.card("span")))


def test_a_card_may_fix_its_question() -> None:
    card = catalogue.find("medical-abstracts-tc")
    question = "Which group of conditions is this abstract about?"
    assert fixed_question(card) == question
    assert make_plan(cards(card)).questions == {card.name: question}
    own = make_plan(cards(card), questions={card.name: "Which?"})
    assert own.questions == {card.name: "Which?"}
    assert fixed_question(catalogue.find("headqa")) is None


def test_pairs_are_made_of_mentions_that_somebody_finds() -> None:
    ner, pair = world.card("mentions"), pair_card()
    assert make_plan(cards(ner, pair)).kinds == {"pair": {("Drug", "Sign")}}
    with pytest.raises(ClinpromptError, match="no other task finds them"):
        make_plan(cards(pair))
    with pytest.raises(ClinpromptError, match="no other task finds them"):
        make_plan(cards(pair), existing="replace")
    for existing in ("keep", "mentions"):
        assert make_plan(cards(pair), existing=existing).cards == cards(pair)
    other = make_plan(cards(ner, pair_card(arguments={"yes": ("Drug", "Gene")})))
    assert "Drug and Gene" in other.unasked["pair"]
    listed = make_plan(cards(world.card("list"), pair))
    assert "pair" in listed.kinds
    named = make_plan(cards(ner, world.card("pair")), kinds={"pair": frozenset({("Sign", "Drug")})})
    assert named.kinds == {"pair": {("Sign", "Drug")}}
    with pytest.raises(ClinpromptError, match="CP-INF-311"):
        make_plan(cards(ner), kinds={"mentions": frozenset({("Sign", "Drug")})})


def test_argument_types_come_from_the_card_or_its_reader() -> None:
    assert kinds_of(catalogue.find("bc5cdr-cid-pair")) == {("Chemical", "Disease")}
    assert kinds_of(catalogue.find("pgr")) == {("Gene", "Phenotype")}
    assert kinds_of(catalogue.find("chemprot")) is None
    odd = DataSpec(
        reader="none", files={"test": ["x"]}, options={"relations": {"a": ["x"], "b": 3}, "head": 1}
    )
    assert kinds_of(world.card("pair", data=odd)) is None


def test_labels_that_say_there_is_no_relation() -> None:
    assert unrelated(pair_card(), "no")
    assert not unrelated(pair_card(), "yes")
    assert unrelated(catalogue.find("syn-med-reasons"), "none")
    assert not unrelated(catalogue.find("syn-med-reasons"), "causes")


def test_the_nearest_pairs_are_taken_and_the_rest_counted() -> None:
    drugs = [Entity(((at, at + 2),), "Drug") for at in (0, 10)]
    signs = [Entity(((at, at + 2),), "Sign") for at in (4, 30)]
    every, none_left = candidates([*drugs, *signs, drugs[0]], frozenset({("Drug", "Sign")}), 10)
    assert none_left == 0
    assert every == [
        (drugs[0], signs[0]),
        (drugs[0], signs[1]),
        (drugs[1], signs[0]),
        (drugs[1], signs[1]),
    ]
    some, left = candidates([*drugs, *signs], frozenset({("Drug", "Sign")}), 2)
    assert some == [(drugs[0], signs[0]), (drugs[1], signs[0])]
    assert left == 2


MENTIONS = st.lists(
    st.builds(
        lambda at, size, label: Entity(((at, at + size),), label),
        st.integers(0, 30), st.integers(1, 4), st.sampled_from("AB"),
    ),
    max_size=8,
)  # fmt: skip


@given(
    MENTIONS,
    st.frozensets(st.tuples(st.sampled_from("AB"), st.sampled_from("AB"))),
    st.integers(1, 99),
)
def test_no_pair_is_lost_unseen(mentions: list[Entity], kinds: frozenset, most: int) -> None:
    found, left = candidates(mentions, kinds, most)
    wanted = {(a, b) for a in mentions for b in mentions if a != b and (a.label, b.label) in kinds}
    assert len(found) == min(most, len(wanted))
    assert len(found) + left == len(wanted)
    assert set(found) <= wanted
    assert found == sorted(found)


def test_a_digest_changes_with_what_answers_depend_on() -> None:
    text, drug = "aspirin for fever", Mention("T1", "Drug", ((0, 7),))
    plain, marked = Document("a", text), Document("a", text, (drug,))
    unused = Document("a", text, (Mention("T1", "Gene", ((0, 7),)),))
    pairs = make_plan(cards(pair_card()), existing="keep")
    assert len({pairs.digest(one) for one in (plain, marked, Document("a", text + " "))}) == 3
    assert pairs.digest(unused) == pairs.digest(plain)
    for plan in (
        make_plan(cards(world.card("mentions")), existing="keep"),
        make_plan(cards(world.card("mentions"), pair_card()), existing="replace"),
    ):
        assert plan.digest(marked) == plan.digest(plain)
