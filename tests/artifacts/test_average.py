"""The mean of prompts: against the mean by hand; and what doesn't belong together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

from clinprompt.artifacts.average import average
from clinprompt.artifacts.meta import Parents
from clinprompt.artifacts.prompt_set import PromptSet
from clinprompt.cli.app import app
from clinprompt.errors import ClinpromptError

ADAPTED: dict[str, Any] = {"kind": "adapted", "parents": Parents(metaprompt="a" * 64)}
PLAIN: dict[str, Any] = {"kind": "prompt-tuning", "form": "plain", "rank": None}


@pytest.mark.parametrize("given", [ADAPTED, PLAIN])
def test_each_task_has_the_mean_of_its_prompts(make_set: Any, given: dict[str, Any]) -> None:
    sets = [make_set(seed, **given) for seed in range(3)]
    found = average(sets)
    for name in found.meta.names:
        by_hand = sum(one.task_prompt(name) for one in sets) / 3
        torch.testing.assert_close(found.task_prompt(name), by_hand)
    assert found.meta.metrics == {"averaged": [one.digest for one in sets]}
    assert found.meta.kind == given["kind"] and found.meta.parents == sets[0].meta.parents
    torch.testing.assert_close(
        average(sets[:1]).task_prompt("task-1"), sets[0].task_prompt("task-1")
    )


UPDATE = {"rank": 1, "alpha": 2.0, "layers": ("q_proj",), "numbers": 9}


def test_of_updates_each_number_has_its_mean(make_set: Any) -> None:
    sets = [make_set(seed, **ADAPTED, update=UPDATE) for seed in (0, 1)]
    found = average(sets)
    assert found.update is not None and found.meta.update == sets[0].meta.update
    by_hand = (sets[0].tensors["update"] + sets[1].tensors["update"]) / 2
    torch.testing.assert_close(found.update.values, by_hand)


def test_it_is_no_mean_of_factors(make_set: Any) -> None:
    sets = [make_set(seed, **ADAPTED) for seed in (0, 1)]
    shared, u, v = (
        (sets[0].tensors[name] + sets[1].tensors[name]) / 2 for name in ("shared", "u", "v")
    )
    assert not torch.allclose(average(sets).task_prompt("task-0"), shared * (u[0] @ v[0]))


@pytest.mark.parametrize(
    ("other", "what"),
    [
        ({"tasks": 3}, "names"),
        ({"length": 5}, "length"),
        ({"hidden": 8}, "fingerprint"),
        ({"placement": "after"}, "placement"),
        ({"update": UPDATE}, "update"),
    ],
)
def test_what_does_not_belong_together_is_refused(
    make_set: Any, tmp_path: Path, other: dict[str, Any], what: str
) -> None:
    make_set(0, **ADAPTED).save(tmp_path / "a")
    make_set(1, **ADAPTED, **other).save(tmp_path / "b")
    names = [str(tmp_path / name) for name in ("a", "b")]
    result = CliRunner().invoke(app, ["average", *names, "-o", str(tmp_path / "out")])
    assert result.exit_code == 2
    assert "CP-ART-541" in result.output and f"its {what} is not" in result.output
    assert not (tmp_path / "out").exists()


def test_a_metaprompt_and_nothing_are_refused(make_set: Any) -> None:
    with pytest.raises(ClinpromptError, match="CP-ART-541"):
        average([make_set(0), make_set(1)])
    with pytest.raises(ClinpromptError, match="CP-ART-540"):
        average([])


def test_the_command_writes_a_set_that_loads(make_set: Any, tmp_path: Path) -> None:
    sets = [make_set(seed, **ADAPTED) for seed in (0, 1)]
    names = []
    for number, one in enumerate(sets):
        one.save(tmp_path / str(number))
        names.append(str(tmp_path / str(number)))
    result = CliRunner().invoke(app, ["average", *names, "-o", str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    assert "mean of 2 sets of prompts for task-0, task-1" in result.output
    assert PromptSet.load(tmp_path / "out").digest == average(sets).digest
