"""The card templates for an institution's own corpus work on a folder of that layout."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tests.tasks.gated_world import Brat

from clinprompt.tasks import catalogue, loading
from clinprompt.verbalize import answer_text, parse

TEMPLATES = sorted((Path(loading.__file__).parent / "templates").glob("*.yaml"))


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.stem)
def test_a_copy_reads_folders_beside_it(template: Path, tmp_path: Path) -> None:
    card_file = tmp_path / template.name
    shutil.copy(template, card_file)
    for split in ("train", "test"):
        for note in range(10):
            brat = Brat(f"Visit {note}. Takes madeupcodone daily. Runs out early.")
            drug = brat.mention("Opioid", "madeupcodone")
            use, sign = brat.mention("Use", "Takes"), brat.mention("Sign", "Runs out early")
            brat.line(f"A1\tStatus {use} current")
            brat.line(f"R1\tUse-Opioid Arg1:{use} Arg2:{drug}")
            brat.line(f"E1\tOpioid:{drug} Sign:{sign}")
            brat.save(tmp_path / split, f"{split}-{note}")
    card = catalogue.find(card_file)
    data = loading.load(card, None)
    assert list(data.splits) == ["train", "dev", "test"]
    for rows in data.splits.values():
        for example in rows:
            assert example.answer is not None
            text = answer_text(card, example.input, example.answer)
            assert parse(card, example.input, text).answer == example.answer
    written = answer_text(card, example.input, example.answer)
    assert written == (
        "current use: Takes\nopioid: madeupcodone\nsign of a use disorder: Runs out early"
        if card.type == "ner"
        else "use of: Takes -> madeupcodone\nsign of: madeupcodone -> Runs out early"
    )


def test_there_are_two_templates() -> None:
    assert [path.stem for path in TEMPLATES] == ["own-sdoh-ner", "own-sdoh-re"]
    assert not set(catalogue.names()) & {path.stem for path in TEMPLATES}
