"""The harness's model against a naive pass of each row, and against the harness's own model."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.backbone import tiny
from tests.backbone.test_placement_held import naive as beside
from tests.backbone.test_updates import update_of
from tests.inference import lmeval_world, world
from tests.inference.lmeval_world import CARD, around, greedy, instances, naive
from torch.nn import functional as F

from clinprompt import verbalize
from clinprompt.artifacts.meta import PromptMeta
from clinprompt.artifacts.prompt_set import PromptSet
from clinprompt.backbone import updates
from clinprompt.backbone.codec import Codec
from clinprompt.errors import ClinpromptError

pytest.importorskip("lm_eval")
PAIRS = [
    ("Denies fever.", " no"),
    ("Denies fever.", " yes"),
    ("Denies fever.", " yes, of course"),
    ("naïve β-blocker ", "10µg"),
    ("", "fever"),
    ("A much longer text, so that a batch holds rows of very different lengths. " * 3, " a"),
]


def build(folder: Path, **given: Any) -> Any:
    """The harness's model, from its registry."""
    from lm_eval.api.registry import get_model

    from clinprompt.inference.lmeval import register

    register()
    return get_model("clinprompt")(device="cpu", **given)


def test_registering_again_is_no_harm():
    from lm_eval.api.registry import get_model

    from clinprompt.inference.lmeval import register

    register()
    register()
    assert get_model("clinprompt").__name__ == "ClinpromptLM"


@pytest.mark.parametrize("architecture", tiny.CONFIGS)
@pytest.mark.parametrize("batch_size", [1, 8, "auto"])
def test_scores_directly_behind_a_prompt_or_nothing(architecture, batch_size, tmp_path):
    """Tokens of the harness, which joins context and continuation before it tokenises."""
    folder = lmeval_world.saved(tmp_path, architecture)
    ready = world.prepared(architecture)
    prompt = PromptSet.load(folder).task_prompt(CARD.name)
    for given, before in (
        ({"prompts": folder, "around": "none"}, [prompt]),
        ({"backbone": str(tmp_path / "backbone")}, []),
    ):
        lm = build(tmp_path, batch_size=batch_size, **given)
        scores = lm.loglikelihood(instances("loglikelihood", *PAIRS), disable_tqdm=True)
        for (context, more), (score, best) in zip(PAIRS, scores, strict=True):
            if context:
                ids, tokens = lm._encode_pair(context, more)
            else:
                ids, tokens = [lm.prefix_token_id], lm.tok_encode(more)
            wanted, greedy_too = naive(ready, [*before, ids], tokens)
            assert score == pytest.approx(wanted, abs=2e-4)
            assert best == greedy_too


def test_an_update_of_the_layers_is_at_work(tmp_path):
    folder = lmeval_world.saved(tmp_path)
    plain, ready = PromptSet.load(folder), world.prepared()
    update = update_of(ready.backbone)
    given = {"kind": "adapted", "parents": {"metaprompt": "a" * 64}, "update": update.shape}
    meta = PromptMeta(**(dict(plain.meta) | given))
    PromptSet(meta, {**plain.tensors, "update": update.values}).save(tmp_path / "updated")
    lm = build(tmp_path, prompts=tmp_path / "updated", task=CARD.name)
    scores = lm.loglikelihood(instances("loglikelihood", *PAIRS), disable_tqdm=True)
    bare = build(tmp_path, prompts=folder, task=CARD.name)
    without = bare.loglikelihood(instances("loglikelihood", *PAIRS), disable_tqdm=True)
    prompt = plain.task_prompt(CARD.name)
    with updates.at_work(ready.backbone, update):
        for (context, more), (score, _) in zip(PAIRS, scores, strict=True):
            fixed, row = around(ready, CARD, context)
            wanted, _ = naive(ready, [prompt, fixed, row], ready.codec.text(more.lstrip()))
            assert score == pytest.approx(wanted, abs=2e-4)
    assert any(abs(a - b) > 1e-2 for (a, _), (b, _) in zip(scores, without, strict=True))


@pytest.mark.parametrize("batch_size", [1, 8])
def test_scores_with_the_cards_text_around(batch_size, tmp_path):
    """A continuation's first blank goes: in training an answer begins where the tail ends."""
    folder = lmeval_world.saved(tmp_path)
    ready = world.prepared()
    prompt = PromptSet.load(folder).task_prompt(CARD.name)
    lm = build(tmp_path, prompts=folder, task=CARD.name, batch_size=batch_size)
    scores = lm.loglikelihood(instances("loglikelihood", *PAIRS), disable_tqdm=True)
    for (context, more), (score, best) in zip(PAIRS, scores, strict=True):
        fixed, row = around(ready, CARD, context)
        tokens = ready.codec.text(more.lstrip())
        wanted = naive(ready, [prompt, fixed, row], tokens)
        assert (score, best) == (pytest.approx(wanted[0], abs=2e-4), wanted[1])


@pytest.mark.parametrize("batch_size", [1, 8])
def test_scores_of_a_prompt_behind_the_text(batch_size, tmp_path):
    folder = lmeval_world.saved(tmp_path, placement="after")
    ready = world.prepared()
    prompts = PromptSet.load(folder)
    codec = Codec(ready.backbone.tokenizer, prompts.meta.template, "after")
    lm = build(tmp_path, prompts=folder, batch_size=batch_size)
    asked = [pair for pair in PAIRS if pair[0]]
    scores = lm.loglikelihood(instances("loglikelihood", *asked), disable_tqdm=True)
    texts = lm.generate_until(
        instances("generate_until", *((text, {"max_gen_toks": 4}) for text, _ in asked[2:4])),
        disable_tqdm=True,
    )
    for k, ((context, more), (score, _)) in enumerate(zip(asked, scores, strict=True)):
        note, rest = codec.divided([context], [""])[0]
        instruction = codec.fixed(verbalize.instruction(CARD))
        parts = [note, prompts.task_prompt(CARD.name), instruction, rest]
        wanted, _ = naive(ready, parts, codec.text(more.lstrip()))
        assert score == pytest.approx(wanted, abs=2e-4)
        if k in (2, 3):
            assert texts[k - 2] == codec.decode(greedy(ready, parts, 4))
    with pytest.raises(ClinpromptError, match="CP-INF-406"):
        lm.loglikelihood_rolling(instances("loglikelihood_rolling", ("text",)))


def test_a_bare_backbone_is_what_the_harness_makes_of_it(tmp_path):
    """All three kinds of request, with a text longer than the context, as ``--model hf`` does."""
    from lm_eval.models.huggingface import HFLM

    lmeval_world.saved(tmp_path)
    place = str(tmp_path / "backbone")
    theirs = HFLM(pretrained=place, dtype="float32", device="cpu", batch_size=1)
    lm = build(tmp_path, backbone=place, batch_size=8)
    pairs = instances("loglikelihood", *PAIRS)
    for own, other in zip(
        lm.loglikelihood(pairs, disable_tqdm=True),
        theirs.loglikelihood(pairs, disable_tqdm=True),
        strict=True,
    ):
        assert own == (pytest.approx(other[0], abs=2e-4), other[1])
    texts = [("short",), ("Wheeze and cough for three days. " * 40,), ("",)]
    rolling = instances("loglikelihood_rolling", *texts)
    found = lm.loglikelihood_rolling(rolling, disable_tqdm=True)
    assert found == pytest.approx(theirs.loglikelihood_rolling(rolling), abs=2e-2)
    assert found[1] < -1000
    asked = [
        ("Fever", {"until": ["e", "\n\n"], "max_gen_toks": 12}),
        ("Denies fever and cough", {"until": [], "max_gen_toks": 5, "do_sample": False}),
        ("Given for pain", {"until": "a", "max_gen_toks": 12, "temperature": 0}),
    ]
    wanted = theirs.generate_until(instances("generate_until", *asked), disable_tqdm=True)
    assert lm.generate_until(instances("generate_until", *asked), disable_tqdm=True) == wanted
    assert any(wanted)


def test_generation_stops_at_texts_and_does_not_depend_on_the_batch(tmp_path):
    folder = lmeval_world.saved(tmp_path)
    ready = world.prepared()
    prompt = PromptSet.load(folder).task_prompt(CARD.name)
    contexts = ["Fever", "Denies fever and cough, on aspirin", "x"]
    whole = {}
    for context in contexts:
        fixed, row = around(ready, CARD, context)
        whole[context] = ready.codec.decode(greedy(ready, [prompt, fixed, row], 8))
    stops = [text[len(text) // 2] for text in whole.values() if text]
    asked = [(c, {"until": [stop], "max_gen_toks": 8}) for c in contexts for stop in stops]
    wanted = [whole[context].split(given["until"][0])[0] for context, given in asked]
    assert wanted != [whole[context] for context, _ in asked]
    for batch_size in (1, 2, 8):
        lm = build(tmp_path, prompts=folder, batch_size=batch_size)
        assert lm.generate_until(instances("generate_until", *asked), True) == wanted


def test_draws_do_not_depend_on_the_batch(tmp_path):
    folder = lmeval_world.saved(tmp_path)
    drawn = {"do_sample": True, "temperature": 0.9, "top_p": 0.95, "max_gen_toks": 8}
    asked = instances("generate_until", *[(f"Fever {k % 3}", drawn) for k in range(9)])
    found = [
        build(tmp_path, prompts=folder, batch_size=size).generate_until(asked, disable_tqdm=True)
        for size in (1, 4, "auto")
    ]
    assert found[0] == found[1] == found[2]
    assert len(set(found[0])) > 3  # the same text is drawn anew each time it is asked
    other = build(tmp_path, prompts=folder, seed=100).generate_until(asked, disable_tqdm=True)
    assert other != found[0]


def test_rolling_is_behind_the_prompt_alone(tmp_path):
    folder = lmeval_world.saved(tmp_path)
    ready = world.prepared()
    prompt = PromptSet.load(folder).task_prompt(CARD.name)
    lm = build(tmp_path, prompts=folder)
    found = lm.loglikelihood_rolling(instances("loglikelihood_rolling", ("Wheeze",)), True)
    wanted, _ = naive(ready, [prompt, [lm.prefix_token_id]], lm.tokenizer("Wheeze").input_ids)
    assert found == [pytest.approx(wanted, abs=2e-4)]


def test_a_text_that_is_too_long_is_refused_or_cut_and_counted(tmp_path, caplog):
    folder = lmeval_world.saved(tmp_path)
    ready = world.prepared()
    long = "".join(chr(97 + k % 26) for k in range(600))
    pairs = instances("loglikelihood", (long, " no"), ("short", " no"))
    lm = build(tmp_path, prompts=folder)
    with pytest.raises(ClinpromptError, match=r"CP-INF-410.* 1 of 2 rows"):
        lm.loglikelihood(pairs, disable_tqdm=True)
    lm = build(tmp_path, prompts=folder, long_inputs="truncate")
    scores = lm.loglikelihood(pairs, disable_tqdm=True)
    assert "1 of 2 texts were cut" in caplog.text
    fixed, tail = around(ready, CARD, "")
    more = ready.codec.text("no")
    room = ready.backbone.context_length - 4 - len(fixed) - len(tail) - len(more) + 1
    prompt = PromptSet.load(folder).task_prompt(CARD.name)
    parts = [prompt, fixed, ready.codec.text(long)[-room:], tail]
    assert scores[0][0] == pytest.approx(naive(ready, parts, more)[0], abs=2e-4)
    assert long not in caplog.text


def test_a_chat_template_stands_around_once(tmp_path):
    folder = lmeval_world.saved(tmp_path)
    lm = build(tmp_path, prompts=folder)
    with pytest.raises(ClinpromptError, match="CP-INF-405"):
        lm.apply_chat_template([{"role": "user", "content": "hi"}])
    lm = build(tmp_path, prompts=folder, around="none")
    lm.tokenizer.chat_template = "<bos>{% for m in messages %}{{ m['content'] }}<eos>{% endfor %}"
    text = lm.apply_chat_template([{"role": "user", "content": "hi"}])
    ids = lm.tok_encode(text)
    assert text == "<bos>hi<eos>"
    assert ids == [256, *lm.tokenizer("hi").input_ids, 257]
    del lm.tokenizer.chat_template


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"batch_size": 0}, "401"),
        ({"batch_size": "many"}, "401"),
        ({"around": "instruction"}, "402"),
        ({"long_inputs": "window"}, "402"),
        ({"prompts": None, "around": "card"}, "403"),
        ({"task": "syn-findings"}, "022"),
    ],
)
def test_arguments_that_do_not_go_together(given, code, tmp_path):
    folder = lmeval_world.saved(tmp_path)
    with pytest.raises(ClinpromptError) as caught:
        build(tmp_path, **{"prompts": folder, "backbone": str(tmp_path / "backbone"), **given})
    assert caught.value.code == f"CP-INF-{code}"


def test_a_prompt_behind_the_text_needs_its_own_text_around(tmp_path):
    folder = lmeval_world.saved(tmp_path, placement="after")
    with pytest.raises(ClinpromptError, match="CP-INF-404"):
        build(tmp_path, prompts=folder, around="none")


def test_unknown_settings_of_generation_are_refused(tmp_path):
    lm = build(tmp_path, prompts=lmeval_world.saved(tmp_path))
    for given, code in (({"num_beams": 4}, "CP-INF-407"), ({"temperature": -1.0}, None)):
        asked = instances("generate_until", ("Fever", {"max_gen_toks": 2, **given}))
        if code is None:
            assert len(lm.generate_until(asked, disable_tqdm=True)) == 1
            continue
        with pytest.raises(ClinpromptError, match=code):
            lm.generate_until(asked, disable_tqdm=True)


def test_values_that_are_not_numbers_are_said(tmp_path):
    lm = build(tmp_path, prompts=lmeval_world.saved(tmp_path))
    reader = lm.reader
    reader._prompt = torch.full_like(reader._prompt, math.nan)
    with pytest.raises(ClinpromptError, match="CP-INF-409"):
        lm.loglikelihood(instances("loglikelihood", ("a", " b")), disable_tqdm=True)
    with pytest.raises(ClinpromptError, match="CP-INF-409"):
        lm.generate_until(instances("generate_until", ("a", {})), disable_tqdm=True)


def test_scores_of_a_prompt_of_every_layer_behind_the_text(tmp_path):
    """Against the library's own memory with the prompt put into it by hand."""
    folder = lmeval_world.saved(tmp_path, placement="after")
    ready, told = world.prepared(), PromptSet.load(folder).meta.model_dump()
    width = ready.backbone.keyvalue_width
    meta = PromptMeta.model_validate(told | {"depth": "layers", "width": width, "length": 3})
    prompts = PromptSet(meta, {"prompts": torch.randn(meta.shapes()["prompts"])})
    prompts.save(tmp_path / "deep")
    codec = Codec(ready.backbone.tokenizer, meta.template, "after")
    lm = build(tmp_path, prompts=tmp_path / "deep", batch_size=8)
    asked = [pair for pair in PAIRS if pair[0]]
    scores = lm.loglikelihood(instances("loglikelihood", *asked), disable_tqdm=True)
    for (context, more), (score, _) in zip(asked, scores, strict=True):
        note, rest = codec.divided([context], [""])[0]
        new = codec.text(more.lstrip())
        ids = codec.fixed(verbalize.instruction(CARD)) + rest + new
        with torch.no_grad():
            found = beside(ready.backbone, note, prompts.task_prompt(CARD.name), ids)
        at = found[-len(new) - 1 : -1].float()
        wanted = -float(F.cross_entropy(at, torch.tensor(new), reduction="sum"))
        assert score == pytest.approx(wanted, abs=2e-4)
