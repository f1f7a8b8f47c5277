from __future__ import annotations

import random
from typing import Any

import pytest
import torch
from tests.backbone import tiny
from tests.inference import world

from clinprompt import verbalize
from clinprompt.backbone.decoding.slots import SlotKV
from clinprompt.errors import ClinpromptError
from clinprompt.examples import EntityAnswer, LabelAnswer, PremiseInput, QuestionInput, TextInput
from clinprompt.inference import predictor as module
from clinprompt.inference.predictor import Predictor
from clinprompt.inference.requests import PredictorSettings, Request

SHORT = PredictorSettings(max_new=10)


def predictor(
    settings: PredictorSettings = SHORT, architecture: str = "llama", **changes: Any
) -> Predictor:
    ready = world.prepared(architecture)
    prompts = world.prompt_set(ready, *(world.card(c.name, **changes) for c in world.cards()))
    return Predictor.of(prompts, settings, prepared=ready)


def requests(count: int, seed: int = 0) -> list[Request]:
    """`count` requests of each task, in a random order."""
    found = [
        Request(card.name, world.an_input(card, i), f"{card.name}-{i}")
        for card in world.cards()
        for i in range(count)
    ]
    random.Random(seed).shuffle(found)
    return found


def close(probabilities: Any) -> Any:
    """Equal up to float rounding: random backbones are sure of themselves, so small ones count."""
    return pytest.approx(probabilities, rel=2e-3, abs=1e-30)


def whole_row(answering: Predictor, request: Request) -> tuple[torch.Tensor, list[int]]:
    """What the backbone reads for a request: prompt [P, H], and the token ids behind it."""
    card = answering.cards[request.task]
    ids = answering.codec.fixed(verbalize.instruction(card))
    ids += answering.codec.rows([verbalize.input_text(card, request.input)])[0]
    prompts = world.prompt_set(answering.prepared, *world.cards())
    return prompts.task_prompt(request.task), ids


@pytest.mark.parametrize("name", ["pair", "choice", "label", "nli"])
@torch.no_grad()
def test_closed_answers_are_the_exact_probabilities_of_the_whole_answers(name: str) -> None:
    answering = predictor()
    request = Request(name, world.an_input(world.card(name), 0))
    prompt, ids = whole_row(answering, request)
    expected = {}
    for answer, words in verbalize.options(world.card(name), request.input):
        assert isinstance(answer, LabelAnswer)
        option = answering.codec.answers([words])[0]
        logits = tiny.naive_logits(answering.backbone, prompt, ids + option).log_softmax(-1)
        places = range(len(prompt) + len(ids) - 1, len(logits) - 1)
        expected[answer.label] = sum(
            float(logits[place, token]) for place, token in zip(places, option, strict=True)
        )
    shares = torch.tensor(list(expected.values())).softmax(0).tolist()
    found = answering.answer([request])[0]
    assert found.probabilities == close(dict(zip(expected, shares, strict=True)))
    assert sum(found.probabilities.values()) == pytest.approx(1)
    assert found.answer == LabelAnswer(max(expected, key=expected.__getitem__))
    assert not found.unfinished


@pytest.mark.parametrize("name", ["mentions", "list", "span", "answer", "summary"])
@torch.no_grad()
def test_open_answers_are_the_most_probable_tokens(name: str) -> None:
    answering = predictor()
    request = Request(name, world.an_input(world.card(name), 0))
    prompt, ids = whole_row(answering, request)
    begin = len(ids)
    while len(ids) < begin + 10 and not {*ids[begin:]} & answering.codec.stops:
        ids.append(int(tiny.naive_logits(answering.backbone, prompt, ids)[-1].argmax()))
    found = answering.answer([request])[0]
    assert found.text == answering.codec.decode(ids[begin:])
    assert found.unfinished == (ids[-1] not in answering.codec.stops)
    assert found.probabilities is None


@pytest.mark.parametrize("architecture", sorted(tiny.CONFIGS))
def test_a_mixed_batch_answers_as_one_by_one(architecture: str) -> None:
    asked = requests(3)
    answering = predictor(architecture=architecture)
    together = answering.answer(asked)
    alone = [predictor(architecture=architecture).answer([request])[0] for request in asked]
    small = predictor(PredictorSettings(max_new=10, batch_tokens=400), architecture).answer(asked)
    for request, one, other, third in zip(asked, together, alone, small, strict=True):
        assert (one.answer, one.text) == (other.answer, other.text) == (third.answer, third.text)
        assert (one.unaligned, one.unparsable) == (other.unaligned, other.unparsable)
        closed = answering.cards[request.task].closed
        assert (one.probabilities is not None) == closed
        if closed:
            assert one.probabilities == close(other.probabilities)
            assert one.probabilities == close(third.probabilities)


def test_prompts_of_two_lengths_share_a_batch() -> None:
    ready = world.prepared()
    answering, short, long = Predictor(ready), world.card("nli"), world.card("label")
    generator = torch.Generator().manual_seed(1)
    answering.add(short, torch.randn(2, 32, generator=generator))
    answering.add(long, torch.randn(9, 32, generator=generator))
    asked = [Request(c.name, world.an_input(c, i)) for i in range(3) for c in (short, long)]
    for request, found in zip(asked, answering.answer(asked), strict=True):
        alone = answering.answer([request])[0]
        assert found.probabilities == close(alone.probabilities)


def test_the_bare_backbone_and_a_prompt_answer_differently() -> None:
    asked = [Request("nli", world.an_input(world.card("nli"), 0))]
    bare = Predictor(world.prepared())
    bare.add(world.card("nli"), None)
    assert bare.answer(asked)[0].probabilities != pytest.approx(
        predictor().answer(asked)[0].probabilities, rel=0.1
    )


def test_a_task_added_again_takes_the_new_prompt() -> None:
    answering, card = Predictor(world.prepared()), world.card("nli")
    asked = [Request("nli", world.an_input(card, 0))]
    answering.add(card, torch.zeros(2, 32))
    before = answering.answer(asked)[0].probabilities
    answering.add(card, torch.ones(2, 32))
    assert answering.answer(asked)[0].probabilities != before


def test_generated_text_becomes_typed_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    answering = predictor()
    written = "drug: aspirin\nsign: cough\nsign: rash\nwhat is this"
    ids = answering.codec.answers([written])
    world.says(monkeypatch, world.generated(ids))
    found = answering.answer([Request("mentions", TextInput("aspirin for cough"))])[0]
    assert isinstance(found.answer, EntityAnswer)
    assert [(e.label, e.spans) for e in found.answer.entities] == [
        ("Drug", ((0, 7),)),
        ("Sign", ((12, 17),)),
    ]
    assert (found.unaligned, found.unparsable, found.unfinished) == (1, 1, False)
    assert found.text == written


@pytest.mark.parametrize(
    ("written", "drugs", "unparsable"),
    [
        ("drug: aspirin\ndrug: as", 1, 1),
        ("drug: aspirin\n", 1, 0),
        ("drug: as", 0, 1),  # not even one line was finished
        ("drug: aspirin\nnonsense\ndrug: as", 1, 2),
    ],
)
def test_a_half_written_mention_is_no_answer(
    written: str, drugs: int, unparsable: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering = predictor()
    ids = answering.codec.texts([written])
    world.says(monkeypatch, world.generated(ids))
    found = answering.answer([Request("mentions", TextInput("as aspirin"))])[0]
    assert isinstance(found.answer, EntityAnswer)
    assert len(found.answer.entities) == drugs
    assert (found.unparsable, found.unfinished, found.text) == (unparsable, True, written)
    # Once it has ended, the same text counts as it is.
    world.says(monkeypatch, world.generated([[*ids[0], answering.codec.end]]))
    ended = answering.answer([Request("mentions", TextInput("as aspirin"))])[0]
    assert isinstance(ended.answer, EntityAnswer)
    assert len(ended.answer.entities) == written.count("drug")


def test_the_number_of_new_tokens_is_limited_by_form(monkeypatch: pytest.MonkeyPatch) -> None:
    answering = predictor(PredictorSettings())
    limits = {}
    for card in world.cards():
        row = answering.prepare(Request(card.name, world.an_input(card, 0)))
        limits[card.name] = row.max_new
        if card.name == "mentions":
            assert row.max_new == min(256, 24 + len(row.seen.ids))
    assert limits["list"] == 192
    assert limits["span"] == 64
    assert limits["answer"] == limits["summary"] == 160
    assert limits["nli"] == 0
    seven = predictor(PredictorSettings(max_new=7))
    assert seven.prepare(Request("list", TextInput("x"))).max_new == 7


def test_a_long_input_is_refused_with_its_id_and_length() -> None:
    answering = predictor()
    secret = "Mustermann " * 60
    with pytest.raises(ClinpromptError) as caught:
        answering.answer([Request("mentions", TextInput(secret), "note-7")])
    assert caught.value.code == "CP-INF-006"
    assert "'note-7' has" in caught.value.message
    assert "Mustermann" not in str(caught.value)


@pytest.mark.parametrize(
    "card",
    [card for card in world.cards() if card.form not in ("pair", "choice")],
    ids=lambda card: card.name,
)
def test_a_row_that_just_fits_is_answered_and_one_token_more_is_not(card: Any) -> None:
    answering = predictor()

    def asked(n: int) -> Request:
        words = "a" * n
        if card.type == "nli":
            return Request(card.name, PremiseInput(words, "b"), str(n))
        if card.type != "qa":
            return Request(card.name, TextInput(words), str(n))
        asks = QuestionInput("b", words) if card.form == "span" else QuestionInput(words)
        return Request(card.name, asks, str(n))

    def positions(n: int) -> int:
        row = answering.prepare(asked(n))
        answer = max(map(len, row.option_ids), default=row.max_new)
        return answering._tasks[card.name].length + len(row.seen.ids) + answer - 1

    context = answering.backbone.context_length
    last = next(n for n in range(100, 512) if positions(n) == context)
    assert answering.answer([asked(last)])
    with pytest.raises(ClinpromptError, match="CP-INF-006"):
        answering.prepare(asked(last + 1))


def test_a_long_input_is_cut_at_its_end_and_flagged(monkeypatch: pytest.MonkeyPatch) -> None:
    answering = predictor(PredictorSettings(long_inputs="truncate", max_new=20))
    note = "aspirin " * 100 + "rash"
    ids = answering.codec.answers(["drug: aspirin\nsign: rash"])
    world.says(monkeypatch, world.generated(ids))
    found = answering.answer([Request("mentions", TextInput(note), "long")])[0]
    assert found.truncated
    assert isinstance(found.answer, EntityAnswer)
    # What was not read can't be found.
    assert [entity.spans for entity in found.answer.entities] == [((0, 7),)]
    assert found.unaligned == 1
    row = answering.prepare(Request("mentions", TextInput(note), "long"))
    assert isinstance(row.seen.input, TextInput)
    assert note.startswith(row.seen.input.text)
    assert len(row.seen.input.text) + row.seen.characters == len(note)
    assert not answering.answer([Request("mentions", TextInput("aspirin"))])[0].truncated


def test_what_can_not_be_cut_is_refused() -> None:
    answering = predictor(PredictorSettings(long_inputs="truncate", max_new=20))
    for name, value in (
        ("nli", PremiseInput("a", "b" * 600)),
        ("answer", QuestionInput("b" * 600)),
        ("choice", QuestionInput("b", None, ("c" * 600, "d"))),
    ):
        with pytest.raises(ClinpromptError) as caught:
            answering.answer([Request(name, value, "x")])
        assert caught.value.code == "CP-INF-007"


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (TextInput(" \n"), "CP-INF-004"),
        (TextInput("fine", question=""), "CP-INF-004"),
        (TextInput("half \ud83d of a pair"), "CP-INF-005"),
        (PremiseInput("wrong", "kind"), "CP-TEXT-001"),
    ],
)
def test_what_can_not_be_read_is_refused(value: Any, code: str) -> None:
    with pytest.raises(ClinpromptError) as caught:
        predictor().answer([Request("summary", value, "x")])
    assert caught.value.code == code


def test_unknown_tasks_and_misshapen_prompts_are_refused() -> None:
    answering = predictor()
    with pytest.raises(ClinpromptError, match=r"CP-INF-003.*did you mean 'mentions'"):
        answering.answer([Request("mention", TextInput("a"))])
    for shape in ((4, 31), (4,), (1, 4, 32)):
        with pytest.raises(ClinpromptError, match="CP-INF-001"):
            answering.add(world.card("nli"), torch.zeros(shape))
    with pytest.raises(ClinpromptError, match="CP-INF-002"):
        answering.add(world.card("nli"), torch.zeros(512, 32))


def test_the_template_of_the_prompts_is_used() -> None:
    ready = world.prepared()
    prompts = world.prompt_set(ready, world.card("nli"))
    other = prompts.meta.template.model_copy(update={"tail": "\n=>"})
    changed = type(prompts)(prompts.meta.model_copy(update={"template": other}), prompts.tensors)
    answering = Predictor.of(changed, prepared=ready)
    row = answering.prepare(Request("nli", PremiseInput("a", "b")))
    assert answering.codec.decode(row.seen.ids).endswith("\n=>")
    assert not ready.codec.decode(ready.codec.rows(["a"])[0]).endswith("\n=>")


def test_another_backbone_is_refused() -> None:
    prompts = world.prompt_set(world.prepared("qwen3"), world.card("nli"))
    with pytest.raises(ClinpromptError, match="CP-ART-020"):
        Predictor.of(prompts, prepared=world.prepared())


def test_nan_is_refused() -> None:
    answering = Predictor(world.prepared())
    answering.add(world.card("nli"), torch.full((2, 32), float("nan")))
    with pytest.raises(ClinpromptError, match="CP-INF-009"):
        answering.answer([Request("nli", PremiseInput("a", "b"))])


def test_of_equally_probable_answers_the_first_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    scores = torch.tensor([-3.0, -1.0, -1.0], dtype=torch.float64)
    monkeypatch.setattr(module.answers, "score_options", lambda *_: [scores])
    found = predictor().answer([Request("label", QuestionInput("why"))])[0]
    assert (found.answer, found.text) == (LabelAnswer("n"), "no")
    assert found.probabilities == pytest.approx({"y": 0.0633789, "n": 0.4683105, "m": 0.4683105})


def test_what_does_not_fit_in_memory_is_done_in_smaller_parts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answering, asked = predictor(), [r for r in requests(4) if r.task in ("nli", "summary")]
    expected = answering.answer(asked)
    sizes, slots = [], []
    score, cut = module.answers.score_options, SlotKV.cut

    def limited(*args: Any, **kwargs: Any) -> Any:
        sizes.append(len(args[2]))
        if len(args[2]) > 1:
            raise torch.OutOfMemoryError
        return score(*args, **kwargs)

    def limited_cut(self: SlotKV, count: int, columns: int) -> None:
        slots.append(count)
        if count > 1:
            raise torch.OutOfMemoryError
        cut(self, count, columns)

    monkeypatch.setattr(module.answers, "score_options", limited)
    monkeypatch.setattr(SlotKV, "cut", limited_cut)
    answering = predictor()
    found = answering.answer(asked)
    assert max(sizes) == max(slots) == 4
    assert slots[-1] == 1
    assert [p.text for p in found] == [p.text for p in expected]

    def none_left(*_: Any) -> None:
        raise torch.OutOfMemoryError

    monkeypatch.setattr(SlotKV, "cut", none_left)
    with pytest.raises(ClinpromptError, match="CP-INF-008"):
        answering.answer(asked)


def test_streams_are_read_no_further_than_a_chunk_ahead() -> None:
    read = []

    def coming() -> Any:
        for i in range(10):
            read.append(i)
            yield Request("nli", world.an_input(world.card("nli"), i))

    answers = predictor().stream(coming(), chunk=4)
    first = next(answers)
    assert read == [0, 1, 2, 3]
    rest = list(answers)
    assert len(rest) == 9
    asked = [Request("nli", world.an_input(world.card("nli"), i)) for i in range(10)]
    for one, other in zip([first, *rest], predictor().answer(asked), strict=True):
        assert one.probabilities == close(other.probabilities)


def test_progress_counts_all_rows() -> None:
    seen: list[tuple[int, int]] = []
    asked = requests(2)
    predictor().answer(asked, lambda done, total: seen.append((done, total)))
    assert seen[-1] == (len(asked), len(asked))
    assert [done for done, _ in seen] == sorted({done for done, _ in seen})


def test_no_requests_no_answers() -> None:
    assert predictor().answer([]) == []
