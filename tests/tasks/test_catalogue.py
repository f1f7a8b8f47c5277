from __future__ import annotations

from pathlib import Path

import pytest

from clinprompt.errors import ClinpromptError
from clinprompt.tasks import catalogue


def test_every_bundled_card_is_found_by_the_name_of_its_file() -> None:
    assert catalogue.names()
    for name in catalogue.names():
        assert catalogue.find(name).name == name
    assert [card.name for card in catalogue.all_cards()] == catalogue.names()


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(ClinpromptError, match=r"CP-TASK-012.*did you mean 'chemprot'"):
        catalogue.find("chemprott")


def test_a_file_without_a_slash_gets_a_hint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine").write_text("name: mine", encoding="utf-8")
    with pytest.raises(ClinpromptError, match=r"for a file write \./mine"):
        catalogue.find("mine")


def test_two_files_of_one_name(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "toy.yaml").write_text("", encoding="utf-8")
    with pytest.raises(ClinpromptError, match=r"CP-TASK-010.*'toy'"):
        catalogue.scan(tmp_path)


def test_a_card_that_bears_another_name_than_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_card
) -> None:
    path = make_card("toy", {"train": [{"id": "1", "text": "?", "label": "yes"}]})
    path.rename(tmp_path / "other.yaml")
    monkeypatch.setattr(catalogue, "_bundled", lambda: catalogue.scan(tmp_path))
    with pytest.raises(ClinpromptError, match=r"CP-TASK-011.*name is 'toy'.*name the file toy"):
        catalogue.find("other")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("bc2gm", False), ("a.yaml", True), ("x/y", True), (Path("bc2gm"), True), ("a.b", False)],
)
def test_what_is_a_path(text: str | Path, expected: bool) -> None:
    assert catalogue.is_path(text) is expected


def test_a_card_by_path_knows_its_folder(make_card, tmp_path: Path) -> None:
    path = make_card("toy", {"train": [{"id": "1", "text": "?", "label": "yes"}]})
    assert catalogue.find(path).folder == tmp_path
    assert catalogue.find(str(path)) == catalogue.find(path)


def test_a_stored_copy_of_a_bundled_card_is_the_bundled_card() -> None:
    card = catalogue.all_cards()[0]
    copy = type(card).model_validate_json(card.model_dump_json())
    assert catalogue.is_bundled(copy)
    assert not catalogue.is_bundled(copy.model_copy(update={"version": 99}))
