"""Which cards ask for the same: against scikit-learn's cosine, and on the bundled suite."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.feature_extraction import DictVectorizer
from sklearn.metrics.pairwise import cosine_similarity

from clinprompt.tasks.card import Card, DataSpec
from clinprompt.tasks.resemblance import resemblances, shares
from clinprompt.tasks.suite import find_suite


def card(instruction: str, form: str = "text", kind: str = "sum", **labels: str) -> Card:
    return Card(
        name="one",
        type=kind,  # type: ignore[arg-type]
        form=form,  # type: ignore[arg-type]
        title="",
        instruction=instruction,
        labels=labels,
        metric="rougeL",
        data=DataSpec(reader="jsonl"),
        license="",
        citation="",
    )


SENTENCES = st.lists(
    st.sampled_from(["find", "diseases", "disease", "Drugs", "the", "note", "of", "7", "-"]),
    min_size=1,
    max_size=6,
).map(" ".join)


@given(st.lists(SENTENCES, min_size=2, max_size=5))
def test_it_is_the_cosine_of_tf_idf(sentences: list[str]) -> None:
    def bag(text: str) -> dict[str, float]:
        words = [re.sub("s$", "", word) for word in re.findall("[a-z0-9]+", text.lower())]
        return {word: float(words.count(word)) for word in words}

    bags = [bag(text) for text in sentences]
    for words in bags:
        for word in words:
            words[word] *= math.log(1 + len(bags) / sum(word in other for other in bags))
    if not any(bags):
        return
    table = DictVectorizer(sparse=False).fit_transform(bags)
    expected = 2 + cosine_similarity(table[:1], table[1:])[0]
    found = resemblances(card(sentences[0]), [card(text) for text in sentences[1:]])
    assert found == pytest.approx(list(expected), abs=1e-9)


def test_type_and_form_go_before_words() -> None:
    asked = card("Find all diseases.", "mentions", "ner", Disease="disease")
    others = [
        card("Find all diseases.", "text", "sum"),
        card("Which genes does it name?", "mentions", "ner", Gene="gene"),
        card("Find all diseases.", "label", "nli", Disease="disease"),
    ]
    found = resemblances(asked, others)
    assert max(range(3), key=found.__getitem__) == 1
    asked = card("Does it treat?", "pair", "re", yes="yes")
    listed = card("Does it treat?", "pair", "re", yes="yes").model_copy(update={"form": "list"})
    unlike = card("Other words", "pair", "re", no="no")
    found = resemblances(asked, [listed, unlike])
    assert 1 < found[0] <= 2 <= found[1]


def test_words_of_labels_count() -> None:
    asked = card("Find all mentions.", "mentions", "ner", D="disease")
    same = card("Find all mentions.", "mentions", "ner", X="diseases")
    other = card("Find all mentions.", "mentions", "ner", D="gene")
    first, second = resemblances(asked, [same, other])
    assert first == pytest.approx(3.0) and second < first


def test_shares_are_a_softmax() -> None:
    found = shares([2.6, 2.3, 1.1])
    assert sum(found) == pytest.approx(1) and found[0] > found[1] > found[2]
    assert found[0] / found[1] == pytest.approx(math.exp(2)) and found[2] < 1e-4
    assert shares([0.5, 0.5]) == [0.5, 0.5]
    assert shares([2.1]) == [1.0]


def test_no_words_at_all_resemble_nothing() -> None:
    assert resemblances(card("?"), [card("?"), card("a")]) == [2.0, 2.0]
    assert resemblances(card("a"), []) == []


def test_targets_of_the_open_suite_find_their_kin() -> None:
    suite = find_suite("open")
    cards = {one.name: one for one in suite.cards}
    sources = [cards[name] for name, role in suite.roles.items() if role == "source"]
    kin = {
        "ncbi-disease": "bc5cdr-disease",
        "phee": "bc5cdr-cid",
        "headqa": "mmlu-medical",
        "evidence-inference": "clinifact",
        "aci-bench": "primock57",
    }
    for target, expected in kin.items():
        found = resemblances(cards[target], sources)
        assert sources[max(range(len(sources)), key=found.__getitem__)].name == expected
