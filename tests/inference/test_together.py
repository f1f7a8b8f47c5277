from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tests.inference import world

from clinprompt.artifacts.prompt_set import PromptSet
from clinprompt.errors import ClinpromptError
from clinprompt.inference.predictor import Predictor
from clinprompt.inference.requests import PredictorSettings, Request
from clinprompt.inference.together import together
from clinprompt.inference.windows.predictor import WindowPredictor

READY = world.prepared()
FIRST = world.prompt_set(READY, world.card("mentions"), world.card("nli"))
SECOND = world.prompt_set(READY, world.card("label"), world.card("summary"), seed=1)
SETS = [(Path("one"), FIRST), (Path("two"), SECOND)]


def test_all_tasks_of_all_folders_answer_as_they_do_alone() -> None:
    chosen = together(SETS)
    settings = PredictorSettings(max_new=6)
    predictor = chosen.predictor(READY, settings)
    assert list(predictor.cards) == ["mentions", "nli", "label", "summary"]
    requests = [
        Request(name, world.an_input(world.card(name), number), str(number))
        for number in range(3)
        for name in predictor.cards
    ]
    mixed = predictor.answer(requests)
    world.same_as_alone(SETS, READY, settings, requests, mixed)


def test_one_folder_is_what_it_was() -> None:
    assert together(SETS[:1]).digest == FIRST.digest
    both = together(SETS)
    assert both.digest not in (FIRST.digest, SECOND.digest)
    assert both.digests() == {
        "mentions": FIRST.digest,
        "nli": FIRST.digest,
        "label": SECOND.digest,
        "summary": SECOND.digest,
    }


def test_windows_are_read_where_asked() -> None:
    chosen = together(SETS[:1])
    assert type(chosen.predictor(READY)) is Predictor
    windowed = chosen.predictor(READY, PredictorSettings(long_inputs="window"))
    assert isinstance(windowed, WindowPredictor)


def test_other_backbones_and_templates_are_refused_by_name() -> None:
    other = world.prompt_set(world.prepared("qwen3"), world.card("label"))
    with pytest.raises(ClinpromptError, match=r"CP-INF-350.*'one' and 'two'.*model_type") as caught:
        together([(Path("one"), FIRST), (Path("two"), other)])
    assert str(FIRST.meta.fingerprint) in str(caught.value)
    assert str(other.meta.fingerprint) in str(caught.value)
    template = FIRST.meta.template.model_copy(update={"head": "Please: "})
    retold = PromptSet(SECOND.meta.model_copy(update={"template": template}), SECOND.tensors)
    with pytest.raises(ClinpromptError, match=r"CP-INF-351.*'one' and 'two'"):
        together([(Path("one"), FIRST), (Path("two"), retold)])


def test_a_task_with_two_prompts_must_be_told_apart() -> None:
    again = world.prompt_set(READY, world.card("nli"), world.card("span"), seed=2)
    sets = [(Path("one"), FIRST), (Path("two"), again)]
    with pytest.raises(ClinpromptError, match=r"CP-INF-352.*'nli' in 'one' and 'two'"):
        together(sets)
    assert together(sets, ["span", "mentions", "span"]).tasks == {"span": 1, "mentions": 0}
    with pytest.raises(ClinpromptError, match=r"CP-INF-353.*did you mean 'mentions'"):
        together(sets, ["mention"])


def test_each_task_has_its_own_prompt() -> None:
    predictor = together(SETS).predictor(READY)
    for _, prompts in SETS:
        for name in prompts.meta.names:
            kept = predictor._tasks[name].prompt
            assert kept is not None
            assert torch.equal(kept, prompts.task_prompt(name))
