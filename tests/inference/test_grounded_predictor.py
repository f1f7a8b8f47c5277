"""Grounded answers from whole predictors: random backbones write nonsense, all of which is read."""

from __future__ import annotations

import builtins
import json
import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from tests.backbone import tiny
from tests.inference import world
from tests.inference.test_grounding import LIST, MENTIONS, SPAN, refused_at
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers
from transformers import PreTrainedTokenizerFast

from clinprompt import verbalize
from clinprompt.backbone.codec import Codec
from clinprompt.backbone.decode import Generated
from clinprompt.backbone.template import Template, chat_template, plain_template
from clinprompt.errors import ClinpromptError
from clinprompt.examples import EntityAnswer, QuestionInput, RelationAnswer, SpanAnswer, TextInput
from clinprompt.inference.evaluate import setup_of
from clinprompt.inference.grounding import Grounder
from clinprompt.inference.predict import made_by_of
from clinprompt.inference.predictor import Predictor
from clinprompt.inference.reading import lines, sure_of
from clinprompt.inference.records import answer_record, read_answer
from clinprompt.inference.requests import PredictorSettings, Request

GROUNDED = PredictorSettings(max_new=48, grounded=True)
QUOTING = ("mentions", "list", "span")


def predictor(settings: PredictorSettings, architecture: str = "llama", seed: int = 0) -> Predictor:
    ready = world.prepared(architecture)
    prompts = world.prompt_set(ready, *world.cards(), seed=seed)
    return Predictor.of(prompts, settings, prepared=ready)


def requests(count: int) -> list[Request]:
    return [
        Request(name, world.an_input(world.card(name), i), f"{name}-{i}")
        for i in range(count)
        for name in QUOTING
    ]


@pytest.mark.parametrize("architecture", sorted(tiny.CONFIGS))
def test_nothing_that_is_not_in_the_text_is_ever_written(architecture: str) -> None:
    asked = requests(3)
    found = predictor(GROUNDED, architecture, seed=1).answer(asked)
    for request, one in zip(asked, found, strict=True):
        assert (one.unaligned, one.unparsable) == (0, 0), one.text
        if not one.unfinished:
            again = verbalize.parse(world.card(request.task), request.input, one.text)
            assert (again.answer, again.unaligned, again.unparsable) == (one.answer, 0, 0)
    free = predictor(PredictorSettings(max_new=48), architecture, seed=1).answer(asked)
    assert sum(one.unaligned + one.unparsable for one in free) > 0  # nonsense indeed


@pytest.mark.parametrize("architecture", sorted(tiny.CONFIGS))
def test_grounded_answers_are_the_same_alone_and_in_a_batch(architecture: str) -> None:
    asked = requests(2)
    answering = predictor(replace(GROUNDED, max_new=20), architecture)
    for request, one in zip(asked, answering.answer(asked), strict=True):
        alone = answering.answer([request])[0]
        assert (one.answer, one.text) == (alone.answer, alone.text)
        assert one.confidences == pytest.approx(alone.confidences, rel=1e-2, abs=1e-30)


def test_free_texts_and_closed_answers_are_not_held() -> None:
    asked = [
        Request(card.name, world.an_input(card, 1))
        for card in world.cards()
        if card.form not in QUOTING
    ]
    settings = PredictorSettings(max_new=8)
    for held, free in zip(
        predictor(replace(settings, grounded=True)).answer(asked),
        predictor(settings).answer(asked),
        strict=True,
    ):
        assert held == free


def test_grounding_is_told_in_every_record() -> None:
    answering = predictor(replace(GROUNDED, threshold=0.25))
    assert setup_of(answering)["grounded"] is True
    assert setup_of(answering)["threshold"] == 0.25
    words = made_by_of(answering, "0" * 64).settings.split()
    assert {"grounded", "threshold=0.25"} <= set(words)
    free = predictor(PredictorSettings())
    assert setup_of(free)["grounded"] is False
    assert "grounded" not in made_by_of(free, "0" * 64).settings


def test_without_llguidance_there_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name.partition(".")[0] == "llguidance":
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ClinpromptError, match="CP-INF-200") as caught:
        predictor(GROUNDED)
    assert "pip install" in (caught.value.hint or "")
    predictor(PredictorSettings())  # free answers need it not


def test_a_slow_tokenizer_is_refused() -> None:
    class Slow:
        bos_token_id, eos_token_id, added_tokens_decoder = None, 3, {3: "</s>"}

        def __call__(self, text: str, **_: Any) -> Any:
            return type("Encoded", (), {"input_ids": [ord(c) for c in text]})

        def __len__(self) -> int:
            return 300

    template = Template(kind="plain", bos=False, head="", between="", tail="", end="")
    with pytest.raises(ClinpromptError, match="CP-INF-201"):
        Grounder(Codec(Slow(), template), 300)


def test_a_threshold_drops_and_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = PredictorSettings(threshold=0.5)
    answering = predictor(settings)
    codec = answering.codec
    ids = codec.answers(["drug: aspirin\nsign: cough"])[0]
    first = len(codec.text("drug: aspirin\n"))
    logprobs = [math.log(0.9) / first] * first
    logprobs += [math.log(0.4) / (len(ids) - first)] * (len(ids) - first)
    world.says(monkeypatch, [Generated(ids, logprobs)])
    request = Request("mentions", TextInput("cough: aspirin"))
    found = answering.answer([request])[0]
    assert isinstance(found.answer, EntityAnswer)
    assert [entity.label for entity in found.answer.entities] == ["Drug"]
    assert found.confidences == (pytest.approx(0.9),)
    assert found.dropped == 1
    every = predictor(PredictorSettings()).answer([request])[0]
    # Confidences follow the mentions into the order of the text.
    assert every.confidences == (pytest.approx(0.4), pytest.approx(0.9))
    assert every.dropped == 0 and sure_of(every) == every.confidences
    record = answer_record(every.answer, request.input, confidences=every.confidences)
    assert record is not None
    assert [entity["confidence"] for entity in record["entities"]] == [0.4, 0.9]
    card = world.card("mentions")
    assert read_answer(card, json.loads(json.dumps(record)), request.input) == every.answer


@torch.no_grad()
@pytest.mark.parametrize("name", QUOTING)
def test_confidence_is_the_probability_of_the_line(name: str) -> None:
    """Against the logits of the whole row, read without any cache."""
    answering = predictor(replace(GROUNDED, max_new=80), seed=2)
    card = world.card(name)
    for seed in range(6):
        request = Request(name, world.an_input(card, seed))
        found = answering.answer([request])[0]
        if not found.unfinished and found.confidences:
            break
    else:
        pytest.skip("no finished answer with items")
    codec = answering.codec
    ids = codec.fixed(verbalize.instruction(card))
    ids += codec.rows([verbalize.input_text(card, request.input)])[0]
    answer = codec.answers([found.text])[0]
    prompt = world.prompt_set(answering.prepared, *world.cards(), seed=2).task_prompt(name)
    logits = tiny.naive_logits(answering.backbone, prompt, ids + answer).log_softmax(-1)
    start = len(prompt) + len(ids) - 1
    each = [float(logits[start + k, token]) for k, token in enumerate(answer)]
    if name == "span":
        expected = [math.exp(sum(each))]
    else:
        by_line = lines(codec, Generated(answer, each))
        parsed = verbalize.parse(card, request.input, found.text)
        expected = [math.exp(by_line[line]) for line in parsed.lines]
    assert found.confidences == pytest.approx(expected, rel=1e-2, abs=1e-30)


def sentencepiece() -> PreTrainedTokenizerFast:
    """Of Llama's kind: words begin with a mark, unknown characters are bytes."""
    letters = ["▁", *"abcdefghijklmnopqrstuvwxyz:>-.[]0123456789ADC"]
    merges = [("▁", "d"), ("i", "s"), ("e", "a"), ("▁", "a"), (":", "▁")]
    vocab = {"<unk>": 0, "<s>": 1, "</s>": 2}
    for piece in [f"<0x{i:02X}>" for i in range(256)] + letters + [a + b for a, b in merges]:
        vocab[piece] = len(vocab)
    inner = Tokenizer(models.BPE(vocab, merges, unk_token="<unk>", byte_fallback=True))
    inner.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    inner.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    inner.add_tokens([AddedToken("\n\n", normalized=False)])
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )


NOTE = "aspirin and aspirin\nfor a naïve cough [2] ... β-blocker 🩺"
ANSWERS = [
    (
        MENTIONS,
        TextInput(NOTE),
        "Disease: naïve cough\nDisease: β-blocker 🩺\nChemical compound: aspirin ... for",
    ),
    (MENTIONS, TextInput(NOTE), "none"),
    (MENTIONS, TextInput(NOTE), "Disease: aspirin\nDisease: aspirin\nDisease: cough \\[2]"),
    (MENTIONS, TextInput("Brain CT of the BRAIN"), "Disease: brain\nDisease: brain"),
    (MENTIONS, TextInput("Brain CT, ...then"), "Disease: brain ct, ...then"),
    (LIST, TextInput(NOTE), "causes: aspirin -> cough\ncauses: aspirin [2] -> cough"),
    (SPAN, QuestionInput("Where?", NOTE), "for a naïve cough"),
]
REFUSED = [
    (MENTIONS, TextInput(NOTE), "Disease: warfarin"),
    (MENTIONS, TextInput(NOTE), "Symptom: cough"),
    (MENTIONS, TextInput("Brain CT"), "Disease: bRAIN"),
    (MENTIONS, TextInput("Brain CT"), "Disease: brain\nDisease: Brain"),
    (MENTIONS, TextInput(NOTE), "Disease: cough\nDisease: cough"),
    (MENTIONS, TextInput(NOTE), "Disease: aspirin [3]"),
    (MENTIONS, TextInput(NOTE), "Disease: cough ... for"),  # not in the order of the text
    (MENTIONS, TextInput(NOTE), "none\nDisease: cough"),
    (MENTIONS, TextInput(NOTE), ""),
    (LIST, TextInput(NOTE), "causes: cough"),
    (LIST, TextInput(NOTE), "causes: aspirin -> cough\ncauses: aspirin -> cough"),
    (SPAN, QuestionInput("Where?", NOTE), "for a cough"),
    (SPAN, QuestionInput("Where?", NOTE), "cough\ncough"),
]


def harmony() -> PreTrainedTokenizerFast:
    """Bytes, with the marks and a chat template of Harmony's form."""
    found = tiny.tokenizer()
    marks = ["<|start|>", "<|message|>", "<|channel|>", "<|end|>", "<|return|>"]
    found.add_special_tokens({"additional_special_tokens": marks})
    found.chat_template = (
        "{% for m in messages %}<|start|>{{ m.role }}"
        "{% if m.role == 'assistant' %}<|channel|>final{% endif %}<|message|>{{ m.content }}"
        "{{ '<|return|>' if m.role == 'assistant' else '<|end|>' }}{% endfor %}"
    )
    return found


def codecs() -> dict[str, Codec]:
    spm, channels, plain = sentencepiece(), harmony(), tiny.tokenizer()
    return {
        "sentencepiece": Codec(spm, plain_template(spm)),
        "harmony": Codec(channels, chat_template(channels)),
        "bytes": Codec(plain, plain_template(plain)),
    }


@pytest.mark.parametrize("kind", ["sentencepiece", "harmony", "bytes"])
def test_tokenizers_of_every_kind(kind: str) -> None:
    codec = codecs()[kind]
    by = Grounder(codec, len(codec.tokenizer) + 5)
    for card, value, answer in ANSWERS:
        parsed = verbalize.parse(card, value, answer)
        assert (parsed.unaligned, parsed.unparsable) == (0, 0)
        written = codec.answers([answer])[0]
        held = by(card, value)
        assert held is not None
        for token in written:
            mask = held.mask()
            assert len(mask) == len(codec.tokenizer) + 5 and not mask[-5:].any()
            assert mask[token] and held.advance(token), (kind, answer)
        assert held.ended and "\n".join(held.whole).strip() == answer
    for card, value, answer in REFUSED:
        assert refused_at(by, card, value, answer) is not None, (kind, answer)


def test_in_harmony_the_grammar_begins_behind_the_final_channel() -> None:
    codec = codecs()["harmony"]
    assert codec.template.tail.endswith("<|channel|>final<|message|>")
    held = Grounder(codec, len(codec.tokenizer))(MENTIONS, TextInput(NOTE))
    assert held is not None
    mask = held.mask()
    for mark in ("<|channel|>", "<|message|>", "<|start|>", "<|return|>"):
        assert not mask[codec.tokenizer.convert_tokens_to_ids(mark)]
    for token in codec.text("none"):
        assert held.advance(token)
    assert codec.tokenizer.convert_ids_to_tokens(codec.end) == "<|return|>"
    assert held.mask()[codec.end] and held.advance(codec.end)


def test_answers_that_quote_get_their_types() -> None:
    found = predictor(GROUNDED).answer(requests(1))
    kinds = (EntityAnswer, RelationAnswer, SpanAnswer)
    assert all(isinstance(one.answer, kinds) or one.unfinished for one in found)
