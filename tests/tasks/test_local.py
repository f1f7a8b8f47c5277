"""Where a card's files lie: as named, packed under the same name, or not at all."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from tests.tasks.gated_world import ade

from clinprompt.tasks import catalogue, loading
from clinprompt.tasks.local import absent, files_of, need_local_copy


def test_a_folder_may_stay_packed(tmp_path: Path) -> None:
    ade(tmp_path / "made")
    card = catalogue.find("n2c2-2018-ade-ner")
    assert absent(card, tmp_path) == [
        "n2c2-2018-ade/training_20180910",
        "n2c2-2018-ade/gold-standard-test-data",
    ]
    unpacked = loading.load(card, tmp_path / "made")
    base = tmp_path / "n2c2-2018-ade"
    base.mkdir()
    for name in ("training_20180910", "gold-standard-test-data"):
        with zipfile.ZipFile(base / f"{name}.zip", "w") as archive:
            for file in sorted((tmp_path / "made/n2c2-2018-ade" / name).rglob("*.*")):
                archive.write(file, file.relative_to(tmp_path / "made/n2c2-2018-ade" / name))
    assert absent(card, tmp_path) == [] and need_local_copy(card, tmp_path) is None
    assert files_of(card, tmp_path)["train"] == [base / "training_20180910.zip"]
    assert loading.load(card, tmp_path).splits == unpacked.splits


def test_only_what_is_to_be_read_must_be_there(tmp_path: Path) -> None:
    card = catalogue.find("mednli")
    (tmp_path / "mednli").mkdir()
    (tmp_path / "mednli/mli_test_v1.jsonl").write_text("")
    assert absent(card, tmp_path, ["test"]) == [] and len(absent(card, tmp_path)) == 2
    assert need_local_copy(card, tmp_path, ["test"]) is None
    error = need_local_copy(card, tmp_path)
    assert error is not None and "(and 1 more)" in error.message


def test_no_root_known_is_all_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    card = catalogue.find("radnli")
    assert len(absent(card, None)) == 2
    error = need_local_copy(card, None)
    assert error is not None and "below" not in error.message


def test_cards_without_a_word_on_how_to_get_them_are_left_to_their_reader(tmp_path: Path) -> None:
    assert need_local_copy(catalogue.find("headqa"), tmp_path) is None
    with pytest.raises(loading.ClinpromptError, match="CP-DATA-001"):
        loading.load(catalogue.find("headqa"), tmp_path)
