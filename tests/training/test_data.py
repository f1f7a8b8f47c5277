from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.training import toy

from clinprompt import verbalize
from clinprompt.errors import ClinpromptError
from clinprompt.examples import (
    Entity,
    EntityAnswer,
    Example,
    LabelAnswer,
    PairInput,
    PremiseInput,
    QuestionInput,
    Relation,
    RelationAnswer,
    SpanAnswer,
    TextAnswer,
    TextInput,
)
from clinprompt.tasks.card import Card, DataSpec
from clinprompt.training.data import TokenTask, thin_empty, tokenise

CODEC = toy.prepared().codec  # a token is a byte
HEAD, TAIL = "Text: ", "\n\nAnswer:\n"
_CARDS: dict[str, dict[str, Any]] = {
    "mentions": {"type": "ner", "labels": {"Drug": "drug", "Sign": "sign"}, "metric": "entity_f1"},
    "list": {
        "type": "re",
        "labels": {"treats": "treats"},
        "arguments": {"treats": ("Drug", "Sign")},
        "metric": "relation_f1",
    },
    "pair": {"type": "re", "labels": {"yes": "yes", "no": "no"}, "metric": "accuracy"},
    "span": {"type": "qa", "metric": "token_f1"},
    "text": {"type": "sum", "metric": "rougeL"},
    "choice": {"type": "qa", "metric": "accuracy"},
    "label": {"type": "nli", "labels": {"e": "follows", "n": "open"}, "metric": "macro_f1"},
}


def card(form: str) -> Card:
    return Card(
        name=form,
        title=form,
        instruction="Do it.",
        form=form,
        data=DataSpec(reader="none", files={"train": ["x"]}),
        license="none",
        citation="none",
        **_CARDS[form],
    )


def entity(text: str, words: str, label: str) -> Entity:
    return Entity(((text.index(words), text.index(words) + len(words)),), label)


NOTE = "aspirin for fever, later ibuprofen for a headache that came back after the weekend"
DRUGS = [entity(NOTE, word, "Drug") for word in ("aspirin", "ibuprofen")]
SIGNS = [entity(NOTE, word, "Sign") for word in ("fever", "headache")]
NER = Example("n1", "n1", TextInput(NOTE), EntityAnswer((DRUGS[0], SIGNS[0], DRUGS[1], SIGNS[1])))


def tokens(
    example: Example, form: str, most: int, long_inputs: str = "truncate", **options: Any
) -> TokenTask:
    more = {"context": 512, "prompt_length": toy.LENGTH} | options
    return tokenise(
        CODEC,
        card(form),
        {"train": [example]},
        max_tokens=most,
        long_inputs=long_inputs,  # type: ignore[arg-type]
        **more,
    )


def shown(task: TokenTask) -> str:
    """The input of the only row as the backbone reads it, without what surrounds it."""
    (row,) = task.rows["train"]
    return CODEC.decode(row.input).removesuffix(TAIL).removeprefix(HEAD)


def answered(task: TokenTask, value: Any) -> Any:
    """The typed answer of the only row."""
    (row,) = task.rows["train"]
    assert row.answer[-1] == CODEC.end
    return verbalize.parse(task.card, value, CODEC.decode(row.answer)).answer


def full_length(example: Example, form: str) -> int:
    task = tokens(example, form, 500, "refuse")
    (row,) = task.rows["train"]
    assert row.length == len(row.input) + len(row.answer) - 1
    return len(row.input) + len(row.answer)


def test_a_row_is_input_tail_answer_end() -> None:
    task = tokens(NER, "mentions", 500, "refuse")
    (row,) = task.rows["train"]
    assert CODEC.decode(task.fixed) == verbalize.instruction(task.card) + "\n\n"
    assert CODEC.decode(row.input) == HEAD + NOTE + TAIL
    assert answered(task, NER.input) == NER.answer
    assert (row.id, task.name) == ("n1", "mentions")
    assert not task.skipped and not task.truncated


def test_too_long_is_refused_with_id_and_lengths_and_no_text() -> None:
    need = full_length(NER, "mentions")
    assert tokens(NER, "mentions", need, "refuse").rows["train"]
    with pytest.raises(ClinpromptError) as caught:
        tokens(NER, "mentions", need - 1, "refuse")
    message = str(caught.value)
    assert caught.value.code == "CP-TRAIN-021"
    assert "'n1'" in message and f"{need} tokens, more than {need - 1}" in message
    assert "aspirin" not in message


def test_prompt_and_instruction_take_their_part_of_the_context() -> None:
    need = full_length(NER, "mentions")
    fixed = len(tokens(NER, "mentions", 500).fixed)
    exactly = {"context": need + fixed + 20, "prompt_length": 20}
    assert not tokens(NER, "mentions", 500, "skip", **exactly).skipped
    with pytest.raises(ClinpromptError, match="CP-TRAIN-021"):
        tokens(NER, "mentions", 500, "refuse", **(exactly | {"prompt_length": 21}))


def test_a_prompt_that_fills_the_context_is_told_as_that() -> None:
    with pytest.raises(ClinpromptError, match=r"CP-TRAIN-091.*prompt of 200 .*context of 150"):
        tokens(NER, "mentions", 500, "skip", context=150, prompt_length=200)


def test_skipping_is_counted_by_split() -> None:
    short = replace(NER, id="short", input=TextInput("no"), answer=EntityAnswer(()))
    splits = {
        "train": [NER, short, replace(NER, id="n2")],
        "dev": [short],
    }
    task = tokenise(
        CODEC,
        card("mentions"),
        splits,
        max_tokens=60,
        long_inputs="skip",
        context=512,
        prompt_length=3,
    )
    assert [row.id for row in task.rows["train"]] == ["short"]
    assert dict(task.skipped) == {"train": 2}
    assert not task.truncated


def test_nothing_left_is_refused() -> None:
    for how in ("skip", "truncate"):
        with pytest.raises(ClinpromptError, match="CP-TRAIN-022") as caught:
            tokens(NER, "mentions", 12, how)
        assert "all 1 train examples are longer than 12 tokens" in caught.value.message


def test_an_example_without_answer_is_refused() -> None:
    with pytest.raises(ClinpromptError, match="CP-TRAIN-020") as caught:
        tokens(replace(NER, answer=None), "mentions", 500)
    assert "'n1'" in str(caught.value)


def test_a_cut_note_keeps_only_the_mentions_inside() -> None:
    need = full_length(NER, "mentions")
    task = tokens(NER, "mentions", need - len(NOTE) + NOTE.index("headache") + 4)
    assert dict(task.truncated) == {"train": 1}
    text = shown(task)
    assert NOTE.startswith(text)
    assert "ibuprofen" in text and "headache" not in text
    assert answered(task, TextInput(text)) == EntityAnswer((DRUGS[0], SIGNS[0], DRUGS[1]))


def test_a_cut_note_without_a_mention_left_says_none() -> None:
    text = "nothing of note for a long while and then, at last, aspirin"
    example = Example("n", "n", TextInput(text), EntityAnswer((entity(text, "aspirin", "Drug"),)))
    task = tokens(example, "mentions", full_length(example, "mentions") - 20)
    assert answered(task, TextInput(shown(task))) == EntityAnswer(())
    assert CODEC.decode(task.rows["train"][0].answer) == "none"


def test_a_relation_goes_when_one_of_its_mentions_does() -> None:
    relations = tuple(
        Relation(drug, sign, "treats") for drug, sign in zip(DRUGS, SIGNS, strict=True)
    )
    example = Example("r", "r", TextInput(NOTE), RelationAnswer(relations))
    need = full_length(example, "list")
    task = tokens(example, "list", need - len(NOTE) + NOTE.index("headache") + 3)
    assert "ibuprofen" in shown(task)
    assert answered(task, TextInput(shown(task))) == RelationAnswer(relations[:1])


def test_a_span_outside_what_is_left_makes_the_example_dishonest() -> None:
    start = NOTE.index("weekend")
    value = QuestionInput("When?", NOTE)
    late = Example("late", "d", value, SpanAnswer(((start, start + 7),)))
    early = Example("early", "d", value, SpanAnswer(((0, 7),)))
    never = Example("never", "d", value, SpanAnswer(()))
    for example, kept in ((late, False), (early, True), (never, True)):
        most = full_length(example, "span") - 10
        if not kept:
            with pytest.raises(ClinpromptError, match="CP-TRAIN-022"):
                tokens(example, "span", most)
            continue
        task = tokens(example, "span", most)
        assert dict(task.truncated) == {"train": 1}
        assert "weekend" not in shown(task)
        cut = replace(value, context=NOTE[: NOTE.index(" weekend")])
        assert answered(task, cut) == example.answer


def test_closed_answers_and_free_texts_stay_when_the_text_is_cut() -> None:
    pair = Example("p", "p", PairInput(NOTE, DRUGS[0], SIGNS[0]), LabelAnswer("yes"))
    nli = Example("i", "i", PremiseInput(NOTE, "Aspirin was taken."), LabelAnswer("e"))
    summary = Example("s", "s", TextInput(NOTE), TextAnswer("a headache"))
    for example, form in ((pair, "pair"), (nli, "label"), (summary, "text")):
        task = tokens(example, form, full_length(example, form) - 12)
        assert dict(task.truncated) == {"train": 1}, form
        assert answered(task, example.input) == example.answer
        assert "weekend" not in shown(task)
    assert "Aspirin was taken." in shown(tokens(nli, "label", full_length(nli, "label") - 12))


def test_what_has_no_text_to_cut_is_skipped() -> None:
    choice = Example("c", "c", QuestionInput("Which?", None, ("one", "two")), LabelAnswer("A"))
    with pytest.raises(ClinpromptError, match="CP-TRAIN-022"):
        tokens(choice, "choice", full_length(choice, "choice") - 1)


def test_a_free_answer_longer_than_half_the_room_is_cut_and_never_told_to_end() -> None:
    text = " ".join(str(number) for number in range(60))
    example = Example("s", "s", TextInput(NOTE), TextAnswer(text))
    room = len(HEAD + NOTE + TAIL) + 50
    task = tokens(example, "text", room)
    (row,) = task.rows["train"]
    assert dict(task.truncated) == {"train": 1}
    assert len(row.answer) == room // 2
    assert CODEC.end not in row.answer
    assert text.startswith(CODEC.decode(row.answer))
    assert len(row.input) + len(row.answer) <= room
    roomy = tokens(example, "text", 250)
    assert shown(roomy) == NOTE  # half of the room is enough for the text, so all of it stays
    assert roomy.rows["train"][0].answer == CODEC.answers([text])[0][:125]


@pytest.mark.parametrize("mentions", [4, 20])
def test_a_long_list_gets_shorter_with_its_text(mentions: int) -> None:
    """Dense notes have answers as long as themselves; they must not be the ones left out."""
    text = " ".join(["fever"] * mentions)
    entities = tuple(Entity(((6 * k, 6 * k + 5),), "Sign") for k in range(mentions))
    dense = Example("d", "d", TextInput(text), EntityAnswer(entities))
    need = full_length(dense, "mentions")
    (row,) = tokens(dense, "mentions", need * 2 // 3).rows["train"]
    assert need // 3 < row.length + 1 <= need * 2 // 3
    seen = CODEC.decode(row.input).removeprefix(HEAD).removesuffix(TAIL)
    assert text.startswith(seen)
    parsed = verbalize.parse(card("mentions"), TextInput(seen), CODEC.decode(row.answer))
    assert len(parsed.answer.entities) == seen.count("fever") > 0


def test_another_long_answer_that_cannot_be_cut_is_skipped() -> None:
    span = Example("q", "q", QuestionInput("What?", NOTE), SpanAnswer(((0, len(NOTE)),)))
    with pytest.raises(ClinpromptError, match="CP-TRAIN-022"):
        tokens(span, "span", full_length(span, "span") - 5)


pieces = st.sampled_from(("fever", "pain", "né", "🩺", "no", "of"))
words = st.lists(pieces, min_size=1, max_size=14)


@given(words, st.integers(6, 90))
def test_every_row_kept_fits_and_holds_what_its_text_shows(parts: list[str], most: int) -> None:
    text, found, at = " ".join(parts), [], 0
    for word in parts:
        if word in ("fever", "pain"):
            found.append(Entity(((at, at + len(word)),), "Sign"))
        at += len(word) + 1
    example = Example("x", "x", TextInput(text), EntityAnswer(tuple(found)))
    filler = Example("ok", "ok", TextInput("a"), EntityAnswer(()))
    most += len(HEAD + TAIL)
    task = tokenise(
        CODEC,
        card("mentions"),
        {"train": [filler, example]},
        max_tokens=most,
        long_inputs="truncate",
        context=512,
        prompt_length=3,
    )
    rows = {row.id: row for row in task.rows["train"]}
    assert task.skipped["train"] == 2 - len(rows)
    if "x" not in rows:
        return
    row = rows["x"]
    assert len(row.input) + len(row.answer) <= most
    assert row.answer[-1] == CODEC.end
    seen = CODEC.decode(row.input).removesuffix(TAIL).removeprefix(HEAD)
    assert text.startswith(seen)
    assert (seen != text) == (task.truncated["train"] == 1)
    inside = tuple(e for e in found if e.end <= len(seen))
    answer = verbalize.parse(task.card, TextInput(seen), CODEC.decode(row.answer)).answer
    assert answer == EntityAnswer(inside)


# ---- rows whose answer names nothing -------------------------------------------------------------


def listing(form: str, full: int, empty: int) -> TokenTask:
    """A tokenised task of `full` rows with an answer and `empty` ones without, mixed."""
    answered: Any = EntityAnswer((DRUGS[0],))
    nothing: Any = EntityAnswer(())
    if form == "list":
        answered = RelationAnswer((Relation(DRUGS[0], SIGNS[0], "treats"),))
        nothing = RelationAnswer(())
    kinds = [answered] * full + [nothing] * empty
    examples = [
        Example(f"n{k}", f"n{k}", TextInput(NOTE), kinds[k * 7 % len(kinds)])
        for k in range(len(kinds))
    ]
    splits = {"train": examples, "dev": examples}
    return tokenise(
        CODEC,
        card(form),
        splits,
        max_tokens=400,
        long_inputs="refuse",
        context=1000,
        prompt_length=1,
    )


def empties(task: TokenTask, split: str = "train") -> int:
    return sum(row.answer == CODEC.answers(["none"])[0] for row in task.rows[split])


@pytest.mark.parametrize("form", ["mentions", "list"])
@given(full=st.integers(0, 12), empty=st.integers(0, 12), most=st.floats(0, 0.99))
def test_empty_answers_are_left_out_down_to_their_share(form, full, empty, most):
    if (full + empty) % 7 == 0:
        full += 1  # so that k * 7 visits every kind
    task = listing(form, full, empty)
    before = list(task.rows["train"])
    thin_empty(CODEC, task, most, seed=0)
    rows, kept = task.rows["train"], empties(task)
    assert len(rows) - kept == full  # no other row goes
    assert [row for row in before if row in rows] == rows  # nor does the order change
    assert len(before) - len(rows) == task.thinned["train"]
    assert len(task.rows["dev"]) == full + empty
    if not full:
        assert kept == empty  # a task is never left without rows
    elif kept < empty:
        assert kept <= most * len(rows) + 1e-9 and (kept + 1) > most * (len(rows) + 1) - 1e-9
    else:
        assert not task.thinned["train"]


def test_which_empty_answers_stay_is_seeded_and_nested():
    kept = {}
    for most in (0.2, 0.5):
        for seed in (0, 0, 1):
            task = listing("mentions", 10, 30)
            thin_empty(CODEC, task, most, seed)
            ids = {row.id for row in task.rows["train"]}
            assert kept.setdefault((most, seed), ids) == ids
    assert kept[0.2, 0] < kept[0.5, 0]
    assert kept[0.5, 0] != kept[0.5, 1]


def test_closed_answers_and_texts_are_left_alone():
    example = Example("p", "p", PremiseInput("a", "b"), LabelAnswer("e"))
    task = tokenise(
        CODEC,
        card("label"),
        {"train": [example]},
        max_tokens=400,
        long_inputs="refuse",
        context=1000,
        prompt_length=1,
    )
    thin_empty(CODEC, task, 0.0, 0)
    assert len(task.rows["train"]) == 1 and not task.thinned
