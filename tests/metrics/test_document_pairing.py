from __future__ import annotations

import pytest
from tests.metrics.annotated import doc, link, mention, scored, total

from clinprompt.documents.model import Argument, Attribute, Event, Link
from clinprompt.errors import ClinpromptError

ONE = mention("T1", "Drug", (0, 4))


def refused(code, gold, predicted, **chosen):
    with pytest.raises(ClinpromptError) as caught:
        scored(gold, predicted, **chosen)
    assert caught.value.code == code
    return str(caught.value)


def test_a_missing_document_is_missed():
    gold = [doc(ONE, id="a"), doc(ONE, id="b")]
    scores = scored(gold, gold[:1])
    assert total(scores, "entities.exact") == (1, 0, 1)
    assert scores.missing == ("b",) and scores.scored == 2
    assert "1 documents without predictions: all in them is missed" in scores.notes


def test_an_unknown_document_is_refused_or_wrong():
    predicted = [doc(ONE, id="a"), doc(ONE, id="b")]
    message = refused("CP-EVAL-103", predicted[:1], predicted)
    assert "'b'" in message and "--extra-documents count" in message
    scores = scored(predicted[:1], predicted, extra_documents="count")
    assert total(scores, "entities.exact") == (1, 1, 0)
    assert scores.extra == ("b",)


def test_different_texts_are_refused_without_showing_them():
    message = refused("CP-EVAL-102", doc(text="Mustermann"), doc(text="Musterfrau"))
    assert "'a'" in message and "first difference at 6" in message
    assert "Muster" not in message
    assert "line ends" not in message
    message = refused("CP-EVAL-102", doc(text="one\r\ntwo"), doc(text="one\ntwo"))
    assert "only line ends differ" in message
    for mode in ("clean", "n2c2"):
        refused("CP-EVAL-102", doc(text="one"), doc(text="one two"), mode=mode)


def test_an_id_may_come_once():
    assert "gold" in refused("CP-EVAL-101", [doc(), doc()], doc())
    assert "predictions" in refused("CP-EVAL-101", doc(), [doc(), doc()])


def test_nothing_to_score():
    refused("CP-EVAL-100", [], [])
    refused("CP-EVAL-100", [], doc(), extra_documents="count")
    refused("CP-EVAL-100", doc(id="a"), doc(id="b"), mode="n2c2")
    assert scored(doc(ONE), []).missing == ("a",)


def test_labels_that_are_nowhere_are_refused():
    gold = doc(ONE, mention("T2", "Dose", (5, 7)), link("R1", "has", "T1", "T2"))
    assert "did you mean 'Drug'?" in refused("CP-EVAL-104", gold, gold, labels=("Drugs",))
    refused("CP-EVAL-104", gold, gold, relation_labels=("advise",))
    scores = scored(gold, gold, labels=("Drug", "ADE"))
    assert total(scores, "entities.exact") == (1, 0, 0)
    assert "labels that are nowhere: ADE" in scores.notes
    assert total(scores, "relations.exact") == (1, 0, 0)  # of relation types nothing was said


@pytest.mark.parametrize("mode", ["clean", "n2c2"])
def test_broken_annotations_are_refused(mode):
    refused("CP-EVAL-105", doc(ONE, link("R1", "x", "T1", "T9")), doc(), mode=mode)
    refused("CP-EVAL-106", doc(), doc(mention("T1", "Drug", (3, 3))), mode=mode)
    refused("CP-EVAL-106", doc(), doc(mention("T1", "Drug", (3, 300))), mode=mode)
    refused("CP-EVAL-106", doc(mention("T1", "Drug")), doc(), mode=mode)
    with_event = doc(ONE, Attribute("A1", "Sure", "T1"), Event("E1", "A1"))
    refused("CP-EVAL-107", with_event, doc(), mode=mode)
    refused("CP-EVAL-105", doc(ONE, Event("E1", "T1", (Argument("x", "T7"),))), doc(), mode=mode)


def test_what_cannot_be_scored_is_counted():
    nested = Link("R2", "y", (Argument("Arg1", "R1"), Argument("Arg2", "T1")))
    gold = doc(
        ONE,
        link("R1", "x", "T1", "T1"),
        nested,
        Attribute("A1", "Sure", "R2"),
        Attribute("A2", "Sure", "A1"),
        Event("E1", "T1", (Argument("z", "R1"),)),
    )
    scores = scored(gold, doc(ONE))
    assert scores.left_out["gold"] == {
        "relations with an end that is neither a mention nor an event": 1,
        "attributes of attributes, comments, or relations of relations": 2,
        "event arguments that are neither a mention nor an event": 1,
    }
    assert scores.left_out["predictions"] == {}
    assert total(scores, "relations.exact") == (0, 0, 1)
    scores = scored(gold, doc(ONE), mode="n2c2")
    assert scores.left_out["gold"]["relations that are not between two mentions"] == 1
