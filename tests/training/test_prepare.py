from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from tests.training import toy

from clinprompt.errors import ClinpromptError
from clinprompt.tasks import catalogue
from clinprompt.tasks.suite import find_suite
from clinprompt.training.prepare import (
    data_counts,
    identity_of,
    initial_prompts,
    require_distinct,
    too_long,
    training_splits,
)
from clinprompt.training.settings import DataSettings, PromptSettings


def splits(path: Path, seed: int = 0, shots: int | None = None, **settings: Any) -> dict[str, Any]:
    return training_splits(catalogue.find(path), None, DataSettings(**settings), seed, shots=shots)


def test_training_examples_are_capped_and_seeded(tmp_path: Path) -> None:
    path = toy.write_task(tmp_path, "nli", "nli", train=20, dev=12)
    full = splits(path)
    assert {name: len(rows) for name, rows in full.items()} == {"train": 20, "dev": 12}
    few = splits(path, train_examples=6, dev_examples=5)
    assert {name: len(rows) for name, rows in few.items()} == {"train": 6, "dev": 5}
    assert few == splits(path, train_examples=6, dev_examples=5)
    other = splits(path, seed=1, train_examples=6, dev_examples=5)
    assert {e.id for e in few["train"]} != {e.id for e in other["train"]}
    assert len(splits(path, train_examples=500)["train"]) == 20


def test_shots_are_nested_and_dev_is_no_larger(tmp_path: Path) -> None:
    path = toy.write_task(tmp_path, "nli", "nli", train=20, dev=12)
    four, eight = splits(path, shots=4), splits(path, shots=8)
    assert len(four["train"]) == len(four["dev"]) == 4
    assert eight["train"][:4] == four["train"]
    assert len(splits(path, shots=16, dev_examples=5)["dev"]) == 5
    assert len(splits(path, shots=16)["dev"]) == 12
    with pytest.raises(ClinpromptError, match="CP-TASK-021"):
        splits(path, shots=21)


def test_a_task_without_dev_is_refused(tmp_path: Path) -> None:
    path = toy.write_task(tmp_path, "nli", "nli")
    text = path.read_text(encoding="utf-8").replace("    dev:\n    - nli-dev.jsonl\n", "")
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ClinpromptError, match="CP-TRAIN-023") as caught:
        splits(path)
    assert "'nli' has no dev split" in caught.value.message


def test_a_task_named_twice_is_refused(tmp_path: Path) -> None:
    one, two = toy.write_tasks(tmp_path, ("nli", "ner"))
    require_distinct([catalogue.find(one), catalogue.find(two)])
    with pytest.raises(ClinpromptError, match=r"CP-TRAIN-081.*'ner'"):
        require_distinct([catalogue.find(path) for path in (two, one, two)])


def test_what_is_too_long_is_told_and_counted(tmp_path: Path) -> None:
    paths = toy.write_tasks(tmp_path, ("nli", "summary"))
    tasks = toy.token_tasks(paths, toy.prepared(), max_tokens=75, long_inputs="truncate")
    assert too_long(tasks)
    counts = data_counts(tasks)
    for task in tasks:
        own = counts[task.name]
        left_out = task.skipped["train"], task.skipped["dev"]
        assert own["train"] + left_out[0] == toy.SIZES["train"]
        assert own["dev"] + left_out[1] == toy.SIZES["dev"]
        assert own.get("train_truncated", 0) == task.truncated["train"]
        assert own.get("train_skipped", 0) == task.skipped["train"]
    assert too_long(toy.token_tasks(paths, toy.prepared())) == []


def test_prompts_start_from_seeded_real_embeddings(tmp_path: Path) -> None:
    ready = toy.prepared()
    tasks = toy.token_tasks(toy.write_tasks(tmp_path, ("nli", "ner")), ready)
    table = ready.backbone.model.get_input_embeddings().weight
    found = initial_prompts(ready, tasks, PromptSettings(length=6), 3)
    assert found.shape == (2, 6, 32)
    assert found.dtype == torch.float32
    assert torch.equal(found[0], found[1])  # what starts alike can be averaged
    for vector in found[0]:
        (index,) = (table == vector).all(1).nonzero().flatten().tolist()
        assert index not in ready.backbone.tokenizer.all_special_ids
    assert torch.equal(found, initial_prompts(ready, tasks, PromptSettings(length=6), 3))
    assert not torch.equal(found, initial_prompts(ready, tasks, PromptSettings(length=6), 4))


def test_prompts_may_start_from_the_instruction(tmp_path: Path) -> None:
    ready = toy.prepared()
    tasks = toy.token_tasks(toy.write_tasks(tmp_path, ("nli", "ner")), ready)
    found = initial_prompts(ready, tasks, PromptSettings(length=12, init="instruction"), 3)
    for task, prompt in zip(tasks, found, strict=True):
        ids = ready.codec.text(task.card.instruction)
        ids = (ids * 12)[:12]
        assert torch.equal(prompt, ready.backbone.embed(torch.tensor(ids)))


def test_identity_changes_with_all_that_the_result_depends_on(tmp_path: Path) -> None:
    ready = toy.prepared()
    paths = toy.write_tasks(tmp_path / "a", ("nli", "ner"))
    tasks = toy.token_tasks(paths, ready)
    settings = toy.recipe(paths).model_dump()
    base = identity_of(ready, settings, tasks)
    assert base == identity_of(ready, settings, toy.token_tasks(paths, ready))
    others = {
        identity_of(ready, {**settings, "seed": 4}, tasks),
        identity_of(toy.prepared("mistral"), settings, tasks),
        identity_of(toy.prepared(seed=1), settings, tasks),
        identity_of(ready, settings, tasks[::-1]),
        identity_of(ready, settings, tasks[:1]),
        identity_of(ready, settings, toy.token_tasks(paths, ready, train_examples=8)),
    }
    tasks[0].rows["train"][0].answer[0] += 1  # one token of one answer
    others.add(identity_of(ready, settings, tasks))
    assert len(others | {base}) == 8


def test_settings_that_ask_for_what_was_always_so_change_no_identity(tmp_path: Path) -> None:
    """A run from before there was a choice goes on."""
    ready = toy.prepared()
    tasks = toy.token_tasks(toy.write_tasks(tmp_path, ("nli",)), ready)
    old: dict[str, Any] = {"seed": 1, "prompt": {"length": 3}, "adapt": {"steps": 2}}
    base = identity_of(ready, old, tasks)
    same: tuple[tuple[str, dict[str, Any]], ...] = (
        ("prompt", {"length": 3, "placement": "before", "depth": "input"}),
        ("adapt", {"steps": 2, "select": "loss"}),
        ("metaprompt_from", {}),
    )
    for key, value in same:
        assert identity_of(ready, {**old, key: value or None}, tasks) == base
    for key, value in (("adapt", {"steps": 2, "select": "metric"}), ("metaprompt_from", "x")):
        assert identity_of(ready, {**old, key: value}, tasks) != base


def test_what_the_leakage_list_of_ones_own_suite_leaves_out_is_told(tmp_path: Path) -> None:
    paths = toy.write_tasks(tmp_path)
    card = catalogue.find(str(paths[0]))
    (tmp_path / "mine.yaml").write_text(
        yaml.safe_dump(
            {
                "name": "mine",
                "sources": [str(path) for path in paths],
                "targets": [],
                "dropped": "gone.json",
            }
        )
    )
    before = training_splits(card, None, DataSettings(dev_examples=1), 0)["train"]
    drops = {card.name: {"version": 1, "ids": {"train": {before[0].id: "a twin elsewhere"}}}}
    (tmp_path / "gone.json").write_text(json.dumps({"suite": "mine", "tasks": drops}))
    progress = toy.Lines()
    after = training_splits(
        card,
        None,
        DataSettings(dev_examples=1),
        0,
        suite=find_suite(tmp_path / "mine.yaml"),
        say=progress.say,
    )["train"]
    assert {one.id for one in before} - {one.id for one in after} == {before[0].id}
    assert progress.lines == [f"{card.name}: 1 left out by the leakage check"]
