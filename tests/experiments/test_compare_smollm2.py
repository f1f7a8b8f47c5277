"""A comparison of SmolLM2 on real targets, as short as it can be."""

from __future__ import annotations

import pytest

from clinprompt.experiments.compare import run
from clinprompt.experiments.compare.recipe import CompareRecipe

METHODS = [
    "bare",
    {"name": "in-context", "k": 2},
    {"name": "pt", "rates": [{"shared": 0.1}]},
    {"name": "lora", "rank": 4, "alpha": 8, "rates": [{"weights": 0.003}]},
    {"name": "fine-tuning", "rates": [{"weights": 0.0001}]},
]


@pytest.mark.real
@pytest.mark.data
def test_methods_learn_on_real_data(tmp_path, data_root):
    """Every trained method lowers its dev loss, and the backbone answers as before in between."""
    recipe = CompareRecipe.model_validate(
        {
            "targets": ["scinli"],
            "shots": [8],
            "backbones": [{"name": "smollm2"}],
            "methods": METHODS,
            "prompt": {"length": 10},
            "data": {"max_tokens": 96, "long_inputs": "truncate", "dev_examples": 4},
            "training": {"steps": 3, "rows": 4, "evaluations": 1},
            "evaluation": {"examples": 4, "max_input": 96},
        }
    )
    world = run.planned(recipe, tmp_path, data_root, lambda _: None)
    cells = {cell.key.method: cell for cell in run.compare(world)}
    assert {cell.status for cell in cells.values()} == {"done"}, cells
    for method in ("pt", "lora", "fine-tuning"):
        assert cells[method].dev.loss < cells[method].history[0].dev_mean
        assert cells[method].cost.examples_seen == 12
    assert cells["in-context"].details == {"k": 2, "of": 2, "shown_as": "turns"}
    folder = cells["bare"].key.folder(tmp_path)
    before = (folder / "predictions.jsonl").read_text()
    (folder / "cell.json").unlink()
    run.compare(world, only=["*/bare-*"])
    assert (folder / "predictions.jsonl").read_text() == before
