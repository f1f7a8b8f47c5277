"""The general reader of tables, as cards use it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clinprompt.corpora.identity import question_id, text_id
from clinprompt.errors import ClinpromptError
from clinprompt.examples import (
    Example,
    LabelAnswer,
    PremiseInput,
    QuestionInput,
    SpanAnswer,
    TextAnswer,
    TextInput,
)
from clinprompt.tasks import catalogue, loading

NLI: dict[str, Any] = {
    "example": "nli",
    "columns": {"premise": "note", "hypothesis": "claim", "label": "gold"},
}
CHOICE: dict[str, Any] = {
    "example": "choice",
    "columns": {"question": "q", "choices": ["a", "b", "c"], "label": "key"},
}
SPAN: dict[str, Any] = {
    "example": "span",
    "columns": {"question": "q", "context": "text", "answer": "answer", "start": "start?"},
}


def file(folder: Path, text: str, name: str = "mine.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode())
    return path


def lines(folder: Path, *records: dict[str, Any]) -> Path:
    return file(folder, "\n".join(map(json.dumps, records)), "mine.jsonl")


def test_nli(tmp_path: Path, run_reader: Callable) -> None:
    path = file(tmp_path, 'note,claim,gold\n"No fever,\r\nno cough.",Has fever.,2\nWell.,Ill.,2\n')
    examples, report = run_reader("table", path, NLI | {"labels": {"2": "contradiction"}})
    assert examples[0] == Example(
        "mine:1",
        text_id("No fever, no cough."),
        PremiseInput("No fever,\nno cough.", "Has fever."),
        LabelAnswer("contradiction"),
    )
    assert [example.id for example in examples] == ["mine:1", "mine:2"] and not report.counts


def test_classified_texts_under_a_fixed_question(tmp_path: Path, run_reader: Callable) -> None:
    path = lines(tmp_path, {"text": "a note", "class": 5}, {"text": "more", "class": True})
    options = {
        "example": "label",
        "columns": {
            "id": "case-{@row}",
            "document": "{@folder}:{@row}",
            "question": "=Which one?",
            "context": "text",
            "label": "class",
        },
    }
    examples, _ = run_reader("table", path, options)
    assert examples[0].id == "case-1" and examples[0].document == f"{tmp_path.name}:1"
    assert examples[0].input == QuestionInput("Which one?", "a note")
    assert [example.answer for example in examples] == [LabelAnswer("5"), LabelAnswer("true")]


@pytest.mark.parametrize(
    ("correct", "key"), [("letter", "c"), ("number0", "2"), ("number1", "3"), ("text", "flu")]
)
def test_the_right_choice_is_named_in_four_ways(
    tmp_path: Path, run_reader: Callable, correct: str, key: str
) -> None:
    path = file(tmp_path, f"q,a,b,c,key\nWhat is it?,cold,gout,flu,{key}\n")
    examples, _ = run_reader("table", path, CHOICE | {"correct": correct})
    assert examples[0].input == QuestionInput("What is it?", choices=("cold", "gout", "flu"))
    assert examples[0].answer == LabelAnswer("C")
    assert examples[0].document == question_id("What is it?", ("flu", "gout", "cold"))


@pytest.mark.parametrize(("correct", "key"), [("letter", "D"), ("number0", "3"), ("text", "x")])
def test_a_right_answer_that_is_no_choice_is_refused(
    tmp_path: Path, run_reader: Callable, correct: str, key: str
) -> None:
    path = file(tmp_path, f"q,a,b,c,key\nQ?,x,x,z,A\nQ?,x,x,z,{key}\n")
    with pytest.raises(ClinpromptError, match=r"mine\.csv:[23]: the right answer") as caught:
        run_reader("table", path, CHOICE | {"correct": correct})
    assert caught.value.code == "CP-DATA-067"


def test_choices_may_stand_in_a_list(tmp_path: Path, run_reader: Callable) -> None:
    options = {**CHOICE, "columns": {"question": "q", "choices": "options", "label": "key"}}
    record = {"q": "Q?", "options": ["x", "y"], "key": "B"}
    examples, _ = run_reader("table", lines(tmp_path, record), options)
    assert examples[0].input.choices == ("x", "y") and examples[0].answer == LabelAnswer("B")
    for wrong in (["x"], [str(n) for n in range(27)]):
        with pytest.raises(ClinpromptError, match=f"it has {len(wrong)} choices") as caught:
            run_reader("table", lines(tmp_path, record | {"options": wrong}), options)
        assert caught.value.code == "CP-DATA-069"


def test_spans_point_into_the_untouched_context(tmp_path: Path, run_reader: Callable) -> None:
    path = lines(
        tmp_path,
        {"q": "Q?", "text": "  No\r\nfever. No fever.", "answer": "fever", "start": 16},
        {"q": "Q?", "text": "No fever.", "answer": "fever", "start": 0},
        {"q": "Q?", "text": "No fever.", "answer": "fever"},
        {"q": "Q?", "text": "No fever.", "answer": "cough", "start": 3},
    )
    examples, report = run_reader("table", path, SPAN)
    assert [e.answer for e in examples] == [SpanAnswer(((s, s + 5),)) for s in (16, 3, 3)]
    assert examples[0].input.context[16:21] == "fever"
    assert report.counts == {
        "answer's offset repaired": 1,
        "answer not found in its context": 1,
    }
    with pytest.raises(ClinpromptError, match=r"jsonl:1: the answer's start is 'x'") as caught:
        run_reader(
            "table", lines(tmp_path, {"q": "Q", "text": "t", "answer": "t", "start": "x"}), SPAN
        )
    assert caught.value.code == "CP-DATA-068"


def test_free_answers_and_summaries_have_references(tmp_path: Path, run_reader: Callable) -> None:
    path = lines(tmp_path, {"d": "long", "q": "Why?", "s": ["one", "two"], "r": ["other", ""]})
    columns = {"question": "q", "answer": "s", "references": "r"}
    (free,), _ = run_reader("table", path, {"example": "text", "columns": columns})
    assert free.input == QuestionInput("Why?") and free.answer == TextAnswer("one\ntwo")
    assert free.answer.references == ("other",)
    options = {"example": "summary", "columns": columns | {"text": "d", "references": ["r", "q"]}}
    (summary,), _ = run_reader("table", path, options)
    assert summary.input == TextInput("long", question="Why?")
    assert summary.answer.references == ("other", "Why?")


def test_empty_fields_are_counted_or_refused(tmp_path: Path, run_reader: Callable) -> None:
    path = file(tmp_path, "note,claim,gold\na,b,yes\n , b,yes\na,b,\n")
    examples, report = run_reader("table", path, NLI)
    assert len(examples) == 1
    assert report.counts == {"empty premise": 1, "empty label": 1}
    assert [(problem.file, problem.line) for problem in report.problems] == [
        (str(path), 3),
        (str(path), 4),
    ]
    with pytest.raises(ClinpromptError, match=r"mine\.csv:3: its premise is empty") as caught:
        run_reader("table", path, NLI | {"empty": "refuse"})
    assert caught.value.code == "CP-DATA-054"
    path = file(tmp_path, "q,a,b,c,key\nQ?,x,,z,A\n")
    assert run_reader("table", path, CHOICE)[1].counts == {"empty choice": 1}


def test_an_unknown_label_is_refused_with_its_place(tmp_path: Path, run_reader: Callable) -> None:
    path = file(tmp_path, "note,claim,gold\na,b,entails\na,b,entials\n")
    with pytest.raises(ClinpromptError, match=r"mine\.csv:3: unknown label 'entials'.*'entails'"):
        run_reader("table", path, NLI | {"labels": {"entails": "entailment"}})


def test_repeated_ids_are_refused_over_all_files_of_a_split(
    tmp_path: Path, run_reader: Callable
) -> None:
    options = {**NLI, "columns": NLI["columns"] | {"id": "id"}}
    one = file(tmp_path, "id,note,claim,gold\n7,a,b,c\n", "one.csv")
    two = file(tmp_path, "id,note,claim,gold\n8,a,b,c\n7,a,b,c\n", "two.csv")
    with pytest.raises(ClinpromptError, match=r"two\.csv:3: id '7' stands twice.*one\.csv:2"):
        run_reader("table", [one, two], options)
    examples, _ = run_reader("table", [one, two], NLI)
    assert [example.id for example in examples] == ["one:1", "two:1", "two:2"]


def test_rows_are_chosen_by_value_and_the_rest_counted(
    tmp_path: Path, run_reader: Callable
) -> None:
    path = file(tmp_path, "note,claim,gold,ok\na,b,x,True\nc,d,y,False\n")
    examples, report = run_reader("table", path, NLI | {"only": {"ok": ["True"]}})
    assert [example.answer.label for example in examples] == ["x"]
    assert report.counts == {"row with another ok than asked for": 1}


def test_contradictions_are_kept_or_left_out_whole(tmp_path: Path, run_reader: Callable) -> None:
    path = file(tmp_path, "note,claim,gold\na,b,x\na,b,y\na,b,x\nc,d,x\nc,d,x\n")
    assert len(run_reader("table", path, NLI)[0]) == 5
    examples, report = run_reader("table", path, NLI | {"contradictions": "skip"})
    assert [example.id for example in examples] == ["mine:4", "mine:5"]
    assert report.counts == {"the same text under another label too": 3}


def test_html_becomes_plain_text(tmp_path: Path, run_reader: Callable) -> None:
    path = file(tmp_path, "note,claim,gold\na <b>b</b> &lt; c,<br>,x\nd,e &amp; f,x\n")
    examples, report = run_reader("table", path, NLI | {"html": True})
    assert [example.input for example in examples] == [PremiseInput("d", "e & f")]
    assert report.counts == {"empty hypothesis": 1}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"example": "nli", "columns": {}}, "'nli' examples need premise, hypothesis, label"),
        (NLI | {"example": "summary"}, "'summary' examples need text, answer"),
        ({**NLI, "columns": NLI["columns"] | {"text": "t"}}, "'nli' examples have no text"),
        ({**NLI, "columns": NLI["columns"] | {"premis": "t"}}, "premis.*did you mean 'premise'"),
        (NLI | {"delimiter": "||"}, "delimiter: must be one character"),
        (NLI | {"seperator": ";"}, "data.options.seperator of reader 'table': unknown key"),
        (SPAN | {"html": True}, "html: not possible for 'span'"),
    ],
)
def test_options_that_don_t_fit_are_refused(
    run_reader: Callable, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ClinpromptError, match=message) as caught:
        run_reader("table", [], options)
    assert caught.value.code == "CP-DATA-007"


def test_messages_never_quote_the_note(tmp_path: Path, run_reader: Callable) -> None:
    secret = "Jane Doe was seen for chest pain and shortness of breath."
    path = file(tmp_path, f"note,claim,gold\na,b,{secret}\n")
    for options in (
        NLI | {"labels": {"yes": "yes"}},
        {**NLI, "columns": NLI["columns"] | {"premise": "nothing"}},
    ):
        with pytest.raises(ClinpromptError) as caught:
            run_reader("table", path, options)
        assert "Jane" not in str(caught.value)


def test_a_card_alone_adds_a_task(tmp_path: Path) -> None:
    rows = "".join(f"{n};note {n};claim;{'ja' if n % 2 else 'nein'}\n" for n in range(20))
    file(tmp_path, "nr;note;claim;gold\n" + rows, "claims.txt")
    card = file(
        tmp_path,
        """
        name: claims
        type: nli
        form: label
        title: Claims about notes
        instruction: Does the note support the claim?
        labels: {supported: "yes", unsupported: "no"}
        metric: accuracy
        license: private
        citation: none
        data:
          reader: table
          files: {all: [claims.txt]}
          options:
            example: nli
            format: csv
            delimiter: ";"
            columns: {id: nr, premise: note, hypothesis: claim, label: gold}
            labels: {ja: supported, nein: unsupported}
          split: [{fractions: {train: 0.5, dev: 0.25, test: 0.25}}]
        """,
        "claims.yaml",
    )
    data = loading.load(catalogue.find(card), None)
    assert {split: len(examples) for split, examples in data.splits.items()} == {
        "train": 10,
        "dev": 5,
        "test": 5,
    }
    assert {example.answer.label for example in data.splits["train"]} == {
        "supported",
        "unsupported",
    }
