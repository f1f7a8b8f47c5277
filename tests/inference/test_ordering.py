"""Fragments that an answer names in another order than the text's."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.inference import world

from clinprompt.examples import Entity, Input, QuestionInput, TextInput
from clinprompt.inference import reading
from clinprompt.inference.records import answer_record, read_answer
from clinprompt.inference.requests import Prediction, Row
from clinprompt.verbalize.fit import Fitted

TEXT = "A seaman had severe pain of arm and leg after malaria."
NOTE = TextInput(TEXT)


def read(name: str, text: str, value: Input = NOTE) -> Prediction:
    """What is made of an answer's text."""
    codec = world.prepared().codec
    ids = codec.tokenizer(text, add_special_tokens=False)["input_ids"]
    (new,) = world.generated([[*ids, codec.end]])
    return reading.read(codec, world.card(name), Row(name, Fitted(value, [1])), new)


def words(entity: Entity) -> list[str]:
    return [TEXT[start:end] for start, end in entity.spans]


def test_pieces_are_put_in_the_order_of_the_text():
    found = read("mentions", "sign: leg ... pain\ndrug: malaria")
    assert [words(one) for one in found.answer.entities] == [["pain", "leg"], ["malaria"]]
    assert (found.unaligned, len(found.confidences)) == (0, 2)

    found = read("list", "treats: malaria -> leg ... pain")
    (relation,) = found.answer.relations
    assert (words(relation.head), words(relation.tail)) == (["malaria"], ["pain", "leg"])

    asked = QuestionInput("Where?", TEXT)
    found = read("span", "leg ... pain", asked)
    assert [TEXT[a:b] for a, b in found.answer.spans] == ["pain", "leg"]


def test_a_piece_named_twice_is_no_mention_and_is_counted():
    found = read("mentions", "sign: malaria ... seaman ... seaman\ndrug: malaria")
    assert [words(one) for one in found.answer.entities] == [["malaria"]]
    assert (found.unaligned, len(found.confidences)) == (1, 1)

    found = read("list", "treats: malaria -> malaria ... seaman ... seaman\ntreats: arm -> leg")
    assert [words(one.head) for one in found.answer.relations] == [["arm"]]
    assert found.unaligned == 1

    found = read("span", "seaman ... seaman", QuestionInput("Who?", TEXT))
    assert (found.answer, found.unaligned) == (None, 1)


def test_the_same_mention_in_another_order_stands_once():
    found = read("mentions", "sign: pain ... leg\nsign: leg ... pain")
    assert [words(one) for one in found.answer.entities] == [["pain", "leg"]]
    assert found.unaligned == 1


@settings(deadline=None)
@given(
    st.lists(
        st.lists(st.sampled_from(TEXT.split()), min_size=1, max_size=4), min_size=1, max_size=4
    )
)
def test_whatever_is_answered_can_be_written_and_read_again(lines):
    said = "\n".join(f"sign: {' ... '.join(pieces)}" for pieces in lines)
    found = read("mentions", said)
    for entity in found.answer.entities:
        assert all(a[1] <= b[0] for a, b in pairwise(entity.spans))
    assert len(found.answer.entities) + found.unaligned + found.unparsable == len(lines)
    card = world.card("mentions")
    record = answer_record(found.answer, NOTE)
    assert read_answer(card, record, NOTE) == found.answer
