from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from tests.inference import world

from clinprompt.artifacts.prompt_set import PromptSet
from clinprompt.errors import ClinpromptError
from clinprompt.inference.selection import select
from clinprompt.tasks import catalogue
from clinprompt.tasks.card import Card


def prompts(*asked: Card) -> PromptSet:
    return world.prompt_set(world.prepared(), *asked)


def written(folder: Path, card: Card) -> str:
    path = folder / f"{card.name}.yaml"
    path.write_text(yaml.safe_dump(card.model_dump(mode="json")), encoding="utf-8")
    return str(path)


def test_a_task_of_the_set_is_asked_with_its_own_card() -> None:
    found = select(prompts(world.card("nli"), world.card("span")), "span")
    assert (found.card, found.prompt) == (world.card("span"), "span")


def test_the_only_task_need_not_be_named() -> None:
    assert select(prompts(world.card("nli")), None).prompt == "nli"
    with pytest.raises(ClinpromptError, match=r"CP-INF-021.*--task nli \(or span, pair\)"):
        select(prompts(*map(world.card, ("nli", "span", "pair"))), None)
    with pytest.raises(ClinpromptError, match=r"CP-INF-021.*--task NAME"):
        select(None, None, bare=True)


def test_another_task_needs_to_be_asked_for_explicitly() -> None:
    ours = prompts(world.card("nli"), world.card("span"))
    with pytest.raises(ClinpromptError, match=r"CP-INF-022.*'scinli', but on nli, span"):
        select(ours, "scinli")
    found = select(ours, "scinli", like="nli")
    assert (found.card.name, found.prompt) == ("scinli", "nli")
    with pytest.raises(ClinpromptError, match="CP-ART-035"):
        select(ours, "scinli", like="nlj")
    with pytest.raises(ClinpromptError, match="CP-TASK-012"):
        select(ours, "no-such-task")


def test_the_bare_backbone_takes_no_prompt() -> None:
    assert select(prompts(world.card("nli")), "scinli", bare=True).prompt is None
    assert select(prompts(world.card("nli")), None, bare=True).prompt is None
    assert select(None, "scinli", bare=True).card == catalogue.find("scinli")
    for ours in (None, prompts(world.card("nli"))):
        with pytest.raises(ClinpromptError, match="CP-INF-023"):
            select(ours, "scinli", bare=True, like="nli")


def test_cards_by_path(tmp_path: Path) -> None:
    notes: list[str] = []
    same = written(tmp_path, world.card("nli"))
    found = select(prompts(world.card("nli")), same, note=notes.append)
    assert found.prompt == "nli"
    assert found.card.folder == tmp_path.resolve()
    assert not notes
    other = written(tmp_path, world.card("nli", instruction="Do something else."))
    assert select(prompts(world.card("nli")), other, note=notes.append).prompt == "nli"
    assert len(notes) == 1
    assert "asks otherwise" in notes[0]
    with pytest.raises(ClinpromptError, match="CP-INF-022"):
        select(prompts(world.card("span")), same)


def test_a_changed_bundled_card_is_told_about() -> None:
    notes: list[str] = []
    bundled = catalogue.find("scinli")
    assert select(prompts(bundled), "scinli", note=notes.append).card == bundled
    assert not notes
    older = bundled.model_copy(update={"instruction": "An older one.", "version": 0})
    assert select(prompts(older), "scinli", note=notes.append).card == older
    assert "card version 0" in notes[0]
