from __future__ import annotations

import pytest

from clinprompt.corpora.registry import Report
from clinprompt.examples import (
    Example,
    Input,
    LabelAnswer,
    PairInput,
    PremiseInput,
    QuestionInput,
    TextInput,
)
from clinprompt.tasks.card import Card, Split
from clinprompt.tasks.leakage import (
    compared_texts,
    count_pairs,
    find_links,
    leaks,
)
from clinprompt.tasks.loading import TaskData
from clinprompt.tasks.suite import Role

CASE = "a 45 year old woman developed acute liver failure two weeks after starting the drug"
LONG = f"Drug safety is rarely studied in this group. {CASE}. She recovered after withdrawal."
SOURCES: dict[str, Role] = {"s": "source", "r": "source", "t": "target", "u": "target"}


def text(i: int) -> str:
    """A text of its own."""
    return " ".join(f"word{i}x{n}" for n in range(12))


def task(name: str, **splits: list[tuple[str, str]]) -> TaskData:
    """Splits of (document, text); ids are split and place."""
    card = Card.model_construct(name=name, version=1)
    made: dict[Split, list[Example]] = {}
    for split, rows in splits.items():
        made[split] = [  # type: ignore[index]
            Example(f"{name}-{split}-{i}", document, TextInput(body), LabelAnswer("yes"))
            for i, (document, body) in enumerate(rows)
        ]
    return TaskData(card, made, Report())


def seen(*tasks: TaskData) -> list[tuple[str, str, str, str]]:
    """(kind, left example, right example, reason) of all links."""
    return [
        (link.kind, link.left_example, link.right_example, link.reason)
        for link in find_links(tasks, SOURCES)
    ]


def test_a_sentence_of_a_source_in_a_text_of_a_target() -> None:
    source, target = task("s", train=[("1", CASE), ("2", text(2))]), task("t", test=[("9", LONG)])
    expected = [("source and target", "s-train-0", "t-test-0", "text")]
    assert seen(source, target) == expected
    assert seen(target, source) == expected


def test_the_other_way_round_the_source_is_still_the_one_to_drop() -> None:
    source, target = task("s", train=[("1", LONG)]), task("t", test=[("9", CASE.upper())])
    assert seen(source, target) == [("source and target", "s-train-0", "t-test-0", "text")]


def test_ids_with_a_global_prefix_count_across_tasks() -> None:
    source = task("s", train=[("pmid:1", text(1)), ("1", text(2)), ("NCT:7", text(3))])
    target = task("t", test=[("pmid:1", text(4)), ("1", text(5)), ("nct:7", text(6))])
    assert seen(source, target) == [
        ("source and target", "s-train-2", "t-test-2", "id"),
        ("source and target", "s-train-0", "t-test-0", "id"),
    ]


def test_any_id_counts_inside_a_task() -> None:
    one = task("s", train=[("1", text(1))], test=[("1", text(2))])
    assert seen(one) == [("splits of a task", "s-train-0", "s-test-0", "id")]


def test_equal_texts_in_two_splits() -> None:
    one = task("t", train=[("1", CASE)], dev=[("2", CASE)], test=[("3", text(3))])
    assert seen(one) == [("splits of a task", "t-train-0", "t-dev-0", "text")]


def test_copies_inside_a_split_are_nobodys_business() -> None:
    assert seen(task("t", train=[("1", CASE), ("2", CASE), ("3", LONG)])) == []


def test_two_sources_and_two_targets_are_information() -> None:
    tasks = [task(name, train=[("pmid:1", CASE)]) for name in ("r", "s")]
    tasks += [task(name, train=[("pmid:2", text(1))]) for name in ("t", "u")]
    links = find_links(tasks, SOURCES)
    assert [link.kind for link in links] == ["two sources", "two targets"]
    assert leaks(links) == []
    assert count_pairs(links) == {
        ("two sources", "r", "s"): (1, 0),
        ("two targets", "t", "u"): (1, 0),
    }


def test_what_two_tasks_share_between_train_and_test_is_told() -> None:
    first = task("t", train=[("pmid:1", text(1)), ("pmid:2", text(2))], test=[("pmid:3", text(3))])
    second = task("u", train=[("pmid:2", text(4))], test=[("pmid:1", text(5)), ("pmid:3", text(6))])
    shared = count_pairs(find_links([first, second], SOURCES))
    assert shared == {("two targets", "t", "u"): (3, 1)}


def test_short_texts_and_common_ones_say_nothing() -> None:
    source, target = (
        task("s", train=[("1", "No acute distress.")]),
        task("t", test=[("2", "No acute distress.")]),
    )
    assert seen(source, target) == []
    question = "What are the causes and the treatments of asthma?"
    source, target = task("s", train=[("1", question)]), task("t", test=[("2", question.upper())])
    assert len(seen(source, target)) == 1
    source = task("s", train=[(str(i), CASE) for i in range(60)])
    target = task("t", test=[("x", CASE)])
    assert seen(source, target) == []


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (TextInput("note", "why?"), ["note", "why?"]),
        (QuestionInput("why?", "context"), ["context", "why?"]),
        (QuestionInput("Which is true?", None, ("b", "a")), ["Which is true? a b"]),
        (QuestionInput("word " * 16, None, ("b", "a")), ["word " * 16]),
        (PremiseInput("this", "that"), ["this", "that"]),
    ],
)
def test_the_texts_that_are_compared(value: Input, expected: list[str]) -> None:
    assert list(compared_texts(value)) == expected


def test_choices_alone_do_not_count() -> None:
    choices = ("the left ventricle of the heart", "the right atrium of the heart", "the aorta")
    choices = tuple(f"{choice} and all the vessels that come after it" for choice in choices)

    def asked(name: str, split: Split, question: str) -> TaskData:
        example = Example(name, name, QuestionInput(question, None, choices), LabelAnswer("A"))
        return TaskData(Card.model_construct(name=name), {split: [example]}, Report())

    first = asked("s", "train", "Which chamber of the heart pumps blood into the aorta at rest?")
    same = asked("t", "test", "Which chamber of the heart pumps blood into the aorta, at rest?")
    other = asked("t", "test", "Where does the deoxygenated blood of the whole body come first?")
    assert len(find_links([first, same], SOURCES)) == 1
    assert find_links([first, other], SOURCES) == []


def test_pair_inputs_count_once_a_document() -> None:
    from clinprompt.examples import Entity

    ends = Entity(((0, 1),), "A"), Entity(((2, 4),), "B")
    rows = [Example(str(i), "d", PairInput(CASE, *ends), LabelAnswer("yes")) for i in range(5)]
    source = TaskData(Card.model_construct(name="s"), {"train": rows}, Report())
    assert len(seen(source, task("t", test=[("9", LONG)]))) == 1
