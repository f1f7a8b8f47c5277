"""Prefixes of tasks: computed once, kept apart, never another task's."""

from __future__ import annotations

from pathlib import Path

import torch
from tests.inference import world

from clinprompt import verbalize
from clinprompt.backbone import engine
from clinprompt.backbone.kvstore import KVStore
from clinprompt.inference.prefixes import Known, Prefixes


def known(name: str, seed: int = 0) -> Known:
    ready = world.prepared()
    card = world.card(name)
    prompt = world.prompt_set(ready, card, seed=seed).task_prompt(name)
    return Known(card, prompt, ready.codec.fixed(verbalize.instruction(card)))


def same(a: engine.Prefix, b: engine.Prefix) -> bool:
    return all(
        torch.equal(x, y)
        for one, other in zip(a.layers, b.layers, strict=True)
        for x, y in zip(one, other, strict=True)
    )


def test_a_prefix_is_as_long_as_prompt_and_instruction() -> None:
    task = known("label")
    prefix = Prefixes(world.prepared().backbone).of("label", task)
    assert task.prompt is not None and len(task.prompt) == 4
    assert task.length == 4 + len(task.fixed)
    assert prefix.lengths.tolist() == [task.length]


def test_prefixes_are_computed_once() -> None:
    prefixes, task = Prefixes(world.prepared().backbone), known("label")
    assert prefixes.of("label", task) is prefixes.of("label", task)
    asked = {"label": task, "nli": known("nli")}
    assert prefixes.together(asked) is prefixes.together(asked)


def test_a_forgotten_prefix_is_the_new_tasks_own() -> None:
    prefixes = Prefixes(world.prepared().backbone)
    old, new, other = known("label"), known("label", seed=1), known("nli")
    first = prefixes.of("label", old)
    both = prefixes.together({"label": old, "nli": other})
    prefixes.forget("label")
    assert not same(prefixes.of("label", new), first)
    assert same(prefixes.of("label", new), Prefixes(world.prepared().backbone).of("label", new))
    assert not same(prefixes.together({"label": new, "nli": other}), both)


def test_prefixes_together_keep_the_order_of_the_tasks() -> None:
    prefixes = Prefixes(world.prepared().backbone)
    tasks = {"nli": known("nli"), "label": known("label")}
    found = prefixes.together(tasks)
    assert found.lengths.tolist() == [task.length for task in tasks.values()]
    turned = prefixes.together(dict(reversed(tasks.items())))
    assert turned.lengths.tolist() == found.lengths.tolist()[::-1]


def test_a_store_gives_another_process_the_same_prefix(tmp_path: Path) -> None:
    backbone, task = world.prepared().backbone, known("label")
    store = KVStore(tmp_path, backbone, "a backbone")
    first = Prefixes(backbone, store).of("label", task)
    again = Prefixes(backbone, store).of("label", task)
    assert again is not first and same(again, first)
    assert (store.computed, store.read) == (1, 1)
