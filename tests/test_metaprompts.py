"""The metaprompts that come with the package: whole, open, and of the backbone they name."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from clinprompt import metaprompts
from clinprompt.artifacts.prompt_set import PromptSet
from clinprompt.backbone.fetch import cached
from clinprompt.cli.app import app
from clinprompt.documents import formats
from clinprompt.errors import ClinpromptError
from clinprompt.report import Report
from clinprompt.tasks import catalogue
from clinprompt.tasks.suite import find_suite

NAMES = metaprompts.names()


def test_names_lead_to_folders_and_everything_else_is_a_path(tmp_path: Path) -> None:
    assert NAMES
    for name in NAMES:
        assert metaprompts.find(name) == metaprompts.find(Path(name)) == metaprompts.FOLDER / name
        assert metaprompts.find(tmp_path / name) == tmp_path / name
        assert metaprompts.find(f"./runs/{name}") == Path(f"runs/{name}")
    assert metaprompts.find("runs/mine") == Path("runs/mine")
    with pytest.raises(ClinpromptError, match="CP-NAME-001"):
        metaprompts.find("no-such-name")


@pytest.mark.parametrize("name", NAMES)
def test_a_bundled_metaprompt_is_whole_open_and_small(name: str) -> None:
    found = PromptSet.load(metaprompts.find(name))  # checks every file
    assert found.meta.kind == "metaprompt"
    folder = metaprompts.find(name)
    assert sum(file.stat().st_size for file in folder.iterdir()) < 2_000_000
    suite = find_suite(str(found.meta.configuration["suite"]))
    assert found.meta.names == [card.name for card in suite.sources]
    assert not {card.name for card in suite.targets} & set(found.meta.names)
    for card in found.meta.tasks:
        assert card.access == "open", card.name
        # A card that changed asks for something else than the prompt was trained on.
        assert catalogue.find(card.name).version == card.version, card.name
    text = str(found.meta.model_dump(mode="json")["configuration"])
    assert "/" not in text.replace("open-cpu", ""), "a path of the machine it was trained on"


@pytest.mark.real
@pytest.mark.skipif(
    cached("smollm2") is None, reason="run 'clinprompt backbone fetch smollm2' first"
)
@pytest.mark.parametrize("name", NAMES)
def test_a_bundled_metaprompt_annotates_a_note_at_once(name: str, tmp_path: Path) -> None:
    text = "A 63-year-old man developed hypertension and renal failure after taking cyclosporine."
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "1.txt").write_text(text)
    asked = ["--task", "bc5cdr-disease,bc5cdr-chemical", "--to", "brat"]
    places = ["-i", str(tmp_path / "notes"), "-o", str(tmp_path / "out")]
    result = CliRunner().invoke(app, ["predict", name, *asked, *places])
    assert result.exit_code == 0, result.output
    (note,) = formats.read("brat", tmp_path / "out" / "brat", Report())
    found = {(one.label, one.surface(note.text)) for one in note.mentions}
    assert {("Disease", "hypertension"), ("Chemical", "cyclosporine")} <= found
