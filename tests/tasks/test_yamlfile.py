from __future__ import annotations

from pathlib import Path

import pytest

from clinprompt.errors import ClinpromptError
from clinprompt.tasks.card import Card, parse_card
from clinprompt.tasks.yamlfile import parse_yaml, read_yaml_text

CARD = """\
name: toy
type: qa
form: label
title: A toy
instruction: Answer.
labels:
  yes: yes
  no: no
metric: accuracy
data:
  reader: rows
  files:
    all: [a.jsonl]
  split:
    - fractions: {train: 0.8, dev: 0.1, test: 0.1}
license: none
citation: none
"""


def refused(text: str, code: str) -> ClinpromptError:
    with pytest.raises(ClinpromptError) as caught:
        parse_card(text, "toy.yaml")
    assert caught.value.code == code
    return caught.value


def test_yes_and_no_are_words() -> None:
    assert parse_card(CARD).labels == {"yes": "yes", "no": "no"}


def test_true_is_still_a_truth_value() -> None:
    text = CARD.replace("title: A toy", "title: true")
    assert "title" in refused(text, "CP-TASK-002").message


def test_unknown_key_names_the_line_and_the_nearest_key() -> None:
    error = refused(CARD.replace("license:", "licence:"), "CP-TASK-002")
    assert error.line == 16
    assert "licence: unknown key" in error.message
    assert error.hint == "did you mean 'license'?"


def test_unknown_key_deep_down() -> None:
    error = refused(CARD.replace("  reader: rows", "  raeder: rows"), "CP-TASK-002")
    assert error.message == "data.raeder: unknown key (and 1 more)"
    assert (error.line, error.hint) == (11, "did you mean 'reader'?")


def test_missing_key() -> None:
    error = refused(CARD.replace("citation: none\n", ""), "CP-TASK-002")
    assert error.message == "citation: required key is missing"


def test_key_that_stands_twice() -> None:
    error = refused(CARD + "title: Another\n", "CP-TASK-001")
    assert "'title' stands twice" in error.message
    assert error.line == 18


@pytest.mark.parametrize("value", ["2024-02-30", "!!int x", "9" * 5000])
def test_what_only_looks_like_a_date_or_number_names_the_line(value: str) -> None:
    error = refused(CARD + f"description: {value}\n", "CP-TASK-001")
    assert "quote it" in error.message
    assert error.line == 18


def test_broken_yaml_names_the_line() -> None:
    assert refused("name: [toy\ntype: qa\n", "CP-TASK-001").line is not None


def test_a_list_is_no_card() -> None:
    assert "a card is a mapping" in refused("- toy\n", "CP-TASK-003").message


def test_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ClinpromptError, match="CP-TASK-004"):
        read_yaml_text(tmp_path / "none.yaml")


def test_file_that_is_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "latin.yaml"
    path.write_bytes("title: Übung".encode("latin-1"))
    with pytest.raises(ClinpromptError, match="CP-TASK-005"):
        read_yaml_text(path)


def test_json_of_a_card_is_the_card() -> None:
    card = parse_card(CARD)
    assert parse_yaml(card.model_dump_json(), Card) == card
