from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from clinprompt.tasks.shingles import build_index, near_identical, shingles, words

ANY = np.ones((1, 1), dtype=np.bool_)
SENTENCE = "a 45 year old woman developed acute liver failure two weeks after starting the drug"
ABSTRACT = (
    "Background: drug safety is rarely studied in this group of patients at all. "
    "A 45-year-old woman developed acute liver failure, two weeks after starting the drug. "
    "She recovered after withdrawal, and the drug was not given again during one year."
)


def pairs(*texts: str, **options: float) -> list[tuple[int, int]]:
    found = near_identical(texts, [0] * len(texts), ANY, **options)  # type: ignore[arg-type]
    return [(i, j) for i, j, _ in found]


def by_definition(texts: list[str], threshold: float, common: int) -> list[tuple[int, int, float]]:
    """Containment of sets of word tuples, with none of the hashing and indexing."""
    sets = []
    for text in texts:
        found = words(text)
        runs = {tuple(found[i : i + 8]) for i in range(len(found) - 7)}
        sets.append(runs if len(found) >= 12 else set())
    stands_in = {run: sum(run in other for other in sets) for own in sets for run in own}
    sets = [{run for run in own if stands_in[run] <= common} for own in sets]
    result = []
    for j, b in enumerate(sets):
        for i, a in enumerate(sets[:j]):
            shared = len(a & b)
            short = min(len(words(texts[i])), len(words(texts[j]))) < 16
            if shared and shared / min(len(a), len(b)) >= (1 if short else threshold):
                result.append((i, j, shared / min(len(a), len(b))))
    return sorted(result)


def test_words_ignore_case_punctuation_and_tokenisation() -> None:
    assert words("Anti-TNF therapy (n=3).") == words("anti - tnf THERAPY ( n = 3 ) .")
    assert words("ﬁbrosis e\u0301tude") == ["fibrosis", "étude"]


def test_a_sentence_is_found_in_its_abstract() -> None:
    assert pairs(SENTENCE, ABSTRACT) == [(0, 1)]


def test_one_changed_word_in_forty_is_still_found() -> None:
    text = " ".join(f"w{i}" for i in range(48))
    assert pairs(text, text.replace("w20 ", "x ")) == [(0, 1)]
    assert pairs(text, text.replace("w12 ", "x ").replace("w30 ", "y ")) == []


def test_other_texts_are_not() -> None:
    assert pairs(SENTENCE, "a 45 year old man was well two weeks after starting the drug") == []


def test_short_texts_must_be_contained_as_a_whole() -> None:
    template = "what are the treatments for the rare disease of the liver"  # 11 words
    assert pairs(f"{template} today", f"{template} today or tomorrow") == [(0, 1)]
    assert pairs(f"{template} type a", f"{template} type b", threshold=0.5) == []
    assert pairs(template, f"{template} today") == []


def test_boilerplate_alone_makes_no_pair() -> None:
    phrase = "written informed consent was obtained from all patients before the study"
    texts = [f"{phrase} of drug number {i} in town number {i} began" for i in range(8)]
    assert len(pairs(*texts, threshold=0.2)) == 28
    assert pairs(*texts, threshold=0.2, common=7) == []


def test_kinds_that_are_not_comparable_are_passed_over() -> None:
    table = np.array([[False, True], [True, False]])
    texts = [f"{SENTENCE} {more}" for more in ("again", "today", "once more")]
    found = near_identical(texts, [0, 0, 1], table)
    assert [(i, j) for i, j, _ in found] == [(0, 2), (1, 2)]


@given(
    st.lists(
        st.lists(st.sampled_from("ab"), min_size=8, max_size=24).map(" ".join),
        max_size=8,
        unique=True,
    ),
    st.sampled_from([0.3, 0.8, 1.0]),
    st.sampled_from([2, 3, 50]),
)
def test_the_index_agrees_with_the_definition(
    texts: list[str], threshold: float, common: int
) -> None:
    found = near_identical(texts, [0] * len(texts), ANY, threshold=threshold, common=common)
    assert found == by_definition(texts, threshold, common)


def test_shingles_depend_on_the_order_of_words() -> None:
    row = np.arange(1, 12, dtype=np.uint64)
    assert len(shingles(row)) == 4
    assert len(np.unique(np.concatenate((shingles(row), shingles(row[::-1]))))) == 8


def test_nothing_to_index() -> None:
    index = build_index(["", "too short"])
    assert len(index.hashes) == 0
    assert index.sizes.tolist() == [0, 0]
    assert near_identical([], [], ANY) == []
