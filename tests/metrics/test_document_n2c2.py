"""n2c2 mode against transcriptions of what the two scripts are documented to do.

The transcriptions read the lines of .ann files, as the scripts do, and share no code with ours.
"""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.metrics.annotated import collections, counts, doc, link, mention, scored, total

from clinprompt.documents.model import Attribute, Document

# ---- the 2018 script, from lines ----------------------------------------------------------------


def lines_of(document: Document) -> list[str]:
    """The document as BRAT would have it."""
    rows = []
    for one in document.mentions:
        spans = ";".join(f"{start} {end}" for start, end in one.spans)
        rows.append(f"{one.id}\t{one.label} {spans}\twords")
    for one in document.links:
        ends = " ".join(f"{a.role}:{a.target}" for a in one.arguments)
        rows.append(f"{one.id}\t{one.label} {ends}")
    return rows


def read_2018(rows: list[str]) -> tuple[dict[str, tuple], dict[str, tuple]]:
    """Mentions (type, first, last) and relations (type, mention, mention) by id.

    Offsets are taken from the words between tabs: of 3 to 5 words the first, the second and the
    last. With more the values of the line before are used again.
    """
    tags: dict[str, tuple] = {}
    now: tuple | None = None
    for row in rows:
        if row[0] == "T":
            name, middle, _ = row.split("\t")
            words = middle.split(" ")
            if len(words) <= 5 or now is None:
                now = (words[0], int(words[1]), int(words[-1]))
            tags[name] = now
    relations = {}
    for row in rows:
        if row[0] == "R":
            name, rest = row.split("\t")
            label, *ends = rest.split(" ")
            relations[name] = (label, *(tags[end.split(":")[1]] for end in ends))
    return tags, relations


def meets_2018(one: tuple, other: tuple, lenient: bool) -> bool:
    if one[0] != other[0]:
        return False
    if isinstance(one[1], tuple):
        return all(meets_2018(a, b, lenient) for a, b in zip(one[1:], other[1:], strict=True))
    places = set(range(*one[1:])) & set(range(*other[1:]))
    return bool(places) if lenient else one == other


def judge_2018(gold: dict[str, tuple], system: dict[str, tuple], lenient: bool) -> tuple:
    """tp, fp, fn: drop each prediction that meets a gold one met before, then count."""
    met_before: set[str] = set()
    dropped: set[str] = set()
    for name, prediction in system.items():
        for wanted, answer in gold.items():
            if meets_2018(answer, prediction, lenient):
                if wanted in met_before:
                    dropped.add(name)
                met_before.add(wanted)
    left = {name: one for name, one in system.items() if name not in dropped}
    tp = sum(any(meets_2018(g, one, lenient) for g in gold.values()) for one in left.values())
    return tp, len(left) - tp, len(gold) - tp


def rates_2018(tp: int, fp: int, fn: int) -> tuple[float, float, float]:
    p = tp / (tp + fp) if tp + fp else 0.0
    r = tp / (tp + fn) if tp + fn else 0.0
    return p, r, 2 * p * r / (p + r) if p + r else 0.0


@settings(max_examples=60)
@given(collections("abc"), collections("bcd"))
def test_mentions_and_relations_against_the_2018_script(gold, system):
    scores = scored(gold, system, mode="n2c2")
    common = [(gold[1], system[0]), (gold[2], system[1])]  # b and c
    assert scores.scored == 2 and scores.missing == ("a",) and scores.extra == ("d",)
    read = [tuple(read_2018(lines_of(one)) for one in pair) for pair in common]
    for (kind, noun), lenient in itertools.product(
        enumerate(("entities", "relations")), (False, True)
    ):
        name = f"{noun}.{'lenient' if lenient else 'strict'}"
        judged = [judge_2018(g[kind], s[kind], lenient) for g, s in read]
        assert total(scores, name) == tuple(map(sum, zip(*judged, strict=True)))
        if name not in scores.sections:
            assert not any(map(sum, judged))
            continue
        section = scores.sections[name]
        micro = rates_2018(*total(scores, name))
        macro = [sum(column) / 2 for column in zip(*(rates_2018(*j) for j in judged), strict=True)]
        for ours, theirs in ((section.micro, micro), (section.macro_documents, macro)):
            found = (ours.precision.value, ours.recall.value, ours.f1.value)
            assert found == pytest.approx([100 * value for value in theirs])
        labels = {one[0] for g, _ in read for one in g[kind].values()}
        assert set(section.tables["label"]) == labels
        for label, row in section.tables["label"].items():
            alone = [
                judge_2018(
                    {k: v for k, v in g[kind].items() if v[0] == label},
                    {k: v for k, v in s[kind].items() if v[0] == label},
                    lenient,
                )
                for g, s in read
            ]
            assert counts(row) == tuple(map(sum, zip(*alone, strict=True)))
            assert row.f1 == pytest.approx(100 * rates_2018(*counts(row))[2])


# ---- each quirk by hand -------------------------------------------------------------------------


def test_an_extra_prediction_is_dropped():
    gold = doc(mention("T1", "Drug", (0, 9)))
    system = doc(mention("T1", "Drug", (0, 4)), mention("T2", "Drug", (5, 9)))
    assert total(scored(gold, system, mode="n2c2"), "entities.lenient") == (1, 0, 0)
    assert total(scored(gold, system), "entities.overlap") == (1, 1, 0)
    repeated = doc(mention("T1", "Drug", (0, 9)), mention("T2", "Drug", (0, 9)))
    assert total(scored(gold, repeated, mode="n2c2"), "entities.strict") == (1, 0, 0)


def test_a_dropped_prediction_keeps_its_partner():
    """The second prediction meets a taken and a free gold mention: the free one is lost."""
    gold = doc(mention("T1", "Drug", (0, 4)), mention("T2", "Drug", (6, 9)))
    system = doc(mention("T1", "Drug", (0, 2)), mention("T2", "Drug", (3, 9)))
    assert total(scored(gold, system, mode="n2c2"), "entities.lenient") == (1, 0, 1)
    assert total(scored(gold, system), "entities.overlap") == (2, 0, 0)


def test_macro_is_the_mean_over_documents_and_nothing_is_zero():
    drug = mention("T1", "Drug", (0, 4))
    gold = [doc(drug, id="a"), doc(id="b")]
    section = scored(gold, gold, mode="n2c2").sections["entities.strict"]
    assert section.micro.f1.value == 100 and section.macro_documents.f1.value == 50
    assert section.macro_labels is None
    assert section.counts["documents_without_any"] == 1
    clean = scored(gold, gold).sections["entities.exact"]
    assert clean.macro_documents.f1.value == 100


def test_documents_without_predictions_are_skipped():
    drug = mention("T1", "Drug", (0, 4))
    gold = [doc(drug, id="a"), doc(drug, id="b")]
    scores = scored(gold, gold[:1], mode="n2c2")
    assert total(scores, "entities.strict") == (1, 0, 0)
    assert "1 documents without predictions were skipped" in scores.notes


def test_gaps_are_filled_and_four_fragments_repeat_the_line_before():
    gold = doc(mention("T1", "Drug", (0, 2), (6, 8)))
    in_the_gap = doc(mention("T1", "Drug", (3, 5)))
    assert total(scored(gold, in_the_gap, mode="n2c2"), "entities.lenient") == (1, 0, 0)
    assert total(scored(gold, in_the_gap), "entities.overlap") == (0, 1, 1)
    stale = doc(
        mention("T1", "Drug", (0, 8)), mention("T2", "ADE", (10, 11), (12, 13), (14, 15), (16, 17))
    )
    scores = scored(stale, doc(mention("T1", "Drug", (0, 8))), mode="n2c2")
    assert total(scores, "entities.strict") == (1, 0, 1)
    assert set(scores.sections["entities.strict"].tables["label"]) == {"Drug"}


def test_labels_of_the_system_alone_have_no_row():
    gold = doc(mention("T1", "Drug", (0, 4)))
    system = doc(mention("T1", "Dose", (0, 4)))
    scores = scored(gold, system, mode="n2c2")
    assert total(scores, "entities.strict") == (0, 1, 1)
    assert set(scores.sections["entities.strict"].tables["label"]) == {"Drug"}


def test_every_quirk_is_named_and_clean_mode_has_none():
    gold = doc(mention("T1", "Drug", (0, 4)), link("R1", "x", "T1", "T1"))
    content = scored(gold, gold, mode="n2c2").to_json()
    assert {
        "macro_is_over_documents",
        "missing_documents_are_skipped",
        "extra_predictions_are_dropped",
        "events_pair_in_file_order",
    } <= content["quirks"].keys()
    assert scored(gold, gold).to_json()["quirks"] == {}


# ---- the 2022 scorer ----------------------------------------------------------------------------


def events_2022(document: Document) -> list[list[tuple]]:
    """Events as lists of (type, first, last, value), the trigger first."""
    values = {one.target: one.value for one in document.of(Attribute)}
    tags = {
        one.id: (one.label, one.spans[0][0], one.spans[-1][1], values.get(one.id))
        for one in document.mentions
    }
    return [
        [tags[one.trigger], *(tags[a.target] for a in one.arguments)] for one in document.events
    ]


def agree_2022(one: tuple, other: tuple, how: str) -> bool:
    if how == "label":
        return (one[0], one[3]) == (other[0], other[3])
    if how == "exact":
        return one[:3] == other[:3]
    return one[0] == other[0] and bool(set(range(*one[1:3])) & set(range(*other[1:3])))


def align_2022(gold: list[list[tuple]], system: list[list[tuple]], how: str) -> list[tuple]:
    pairs = [(i, j) for i in range(len(gold)) for j in range(len(system))]
    if how == "min-distance":

        def apart(pair):
            g, s = gold[pair[0]][0], system[pair[1]][0]
            return abs((g[1] + g[2] - 1) / 2 - (s[1] + s[2] - 1) / 2)

        pairs = [(i, j) for i, j in pairs if gold[i][0][0] == system[j][0][0]]
        pairs.sort(key=lambda pair: (apart(pair), pair))
    else:
        pairs = [(i, j) for i, j in pairs if agree_2022(gold[i][0], system[j][0], how)]
    kept: list[tuple] = []
    for i, j in pairs:
        if all(i != a and j != b for a, b in kept):
            kept.append((i, j))
    return kept


def judge_2022(gold, system, trigger, span, labelled) -> tuple[int, int, int]:
    right = 0
    for i, j in align_2022(gold, system, trigger):
        right += 1
        used: set[int] = set()
        for argument in gold[i][1:]:
            how = labelled if argument[0] == "StatusTime" else span
            for place, other in enumerate(system[j][1:]):
                same = agree_2022(argument, other, how)
                if argument[0] == "StatusTime":
                    same = same and argument[3] == other[3]
                if same and place not in used:
                    used.add(place)
                    right += 1
                    break
    return right, sum(map(len, system)) - right, sum(map(len, gold)) - right


@settings(max_examples=80)
@given(
    collections(),
    collections(),
    st.sampled_from(["exact", "overlap", "min-distance"]),
    st.sampled_from(["exact", "overlap"]),
    st.sampled_from(["label", "exact", "overlap"]),
)
def test_events_against_the_2022_scorer(gold, system, trigger, span, labelled):
    scores = scored(
        gold,
        system,
        mode="n2c2",
        trigger=trigger,
        span_arguments=span,
        labelled_arguments=labelled,
    )
    judged = [
        judge_2022(events_2022(g), events_2022(s), trigger, span, labelled)
        for g, s in zip(gold, system, strict=True)
    ]
    assert total(scores, "events") == tuple(map(sum, zip(*judged, strict=True)))
