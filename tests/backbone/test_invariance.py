"""A row alone and in any batch: the same states, losses, scores and tokens, whatever is beside it.

In float32, on all architectures, behind prefixes of several lengths. Next to it the same question
put to PEFT, whose answers do depend on the batch.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import peft
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from clinprompt.backbone import answers, decode, decoding, engine
from clinprompt.backbone.decode import Generated
from clinprompt.backbone.engine import Prefix, Rows
from clinprompt.backbone.model import Backbone
from clinprompt.training.batch import Item, row_losses, run_step
from clinprompt.training.data import TokenRow
from tests.backbone import tiny

ARCHITECTURES = sorted(tiny.CONFIGS)
FIXED = [[1, 2, 3], [4, 5, 6, 7, 8, 9, 10], []]
END = 257
STOPS = frozenset({END})
MOST = 6

# The windows are 6 and 7: texts are shorter and longer than they are.
TEXT = st.lists(st.integers(0, 255), min_size=1, max_size=24)
ROW = st.tuples(TEXT, st.integers(0, 2))
BESIDE = st.lists(ROW, max_size=3)
ANSWER = st.lists(st.integers(60, 64), max_size=5).map(lambda ids: [*ids, END])

every_architecture = pytest.mark.parametrize("architecture", ARCHITECTURES)
some = settings(max_examples=10)


@cache
def backbone_of(architecture: str) -> Backbone:
    return tiny.backbone(architecture)


def prompts() -> torch.Tensor:
    return torch.randn(3, 5, 32, generator=torch.Generator().manual_seed(1)) * 0.4


@cache
@torch.no_grad()
def prefix_of(architecture: str, tasks: tuple[int, ...]) -> Prefix:
    soft, fixed = [prompts()[k] for k in tasks], [FIXED[k] for k in tasks]
    return engine.prefix(backbone_of(architecture), soft, fixed)


def behind(architecture: str, rows: list[Any]) -> tuple[Prefix, list[list[int]], list[int]]:
    """The prefixes of these rows' tasks and no others, their texts, and each row's prefix."""
    tasks = tuple(sorted({task for _, task in rows}))
    places = [tasks.index(task) for _, task in rows]
    return prefix_of(architecture, tasks), [text for text, _ in rows], places


@torch.no_grad()
def states(architecture: str, rows: list[Any]) -> torch.Tensor:
    backbone = backbone_of(architecture)
    before, texts, places = behind(architecture, rows)
    return engine.hidden(backbone, before, Rows.of(texts, places, backbone.device))


@every_architecture
@some
@given(BESIDE, ROW, BESIDE)
def test_hidden_states(architecture: str, left: list[Any], row: Any, right: list[Any]) -> None:
    alone = states(architecture, [row])[0]
    found = states(architecture, [*left, row, *right])[len(left), : len(row[0])]
    torch.testing.assert_close(found, alone, rtol=1e-4, atol=2e-5)


@every_architecture
@some
@given(BESIDE, ROW, BESIDE, st.lists(ANSWER, min_size=1, max_size=5), ANSWER)
def test_scores(
    architecture: str,
    left: list[Any],
    row: Any,
    right: list[Any],
    options: list[list[int]],
    other: list[int],
) -> None:
    def scores(rows: list[Any], choices: list[Any]) -> list[torch.Tensor]:
        before, texts, places = behind(architecture, rows)
        return answers.score_options(backbone_of(architecture), before, texts, choices, places)

    alone = scores([row], [options])[0]
    choices = [[other]] * len(left) + [options] + [[other, *options]] * len(right)
    found = scores([*left, row, *right], choices)[len(left)]
    torch.testing.assert_close(found, alone, rtol=1e-5, atol=2e-4)


@every_architecture
@some
@given(BESIDE, ROW, BESIDE, ANSWER, ANSWER)
def test_training_losses(
    architecture: str,
    left: list[Any],
    row: Any,
    right: list[Any],
    answer: list[int],
    other: list[int],
) -> None:
    """A step's loss and gradient are those of its rows, one after the other."""
    backbone = backbone_of(architecture)
    beside = [*left, *right]

    def item(number: int, of: Any, own: list[int]) -> Item:
        return Item(TokenRow(str(number), tuple(of[0]), tuple(own)), of[1])

    def losses(items: list[Item]) -> torch.Tensor:
        before, texts, places = behind(architecture, [(one.row.input, one.slot) for one in items])
        own = [one.row.answer for one in items]
        rows, targets = answers.with_answers(texts, own, places, backbone.device)
        at = answers.answer_hidden(backbone, before, rows, targets)
        return answers.token_losses(backbone.logits(at), targets.token)[
            targets.row == items.index(mine)
        ]

    mine = item(0, row, answer)
    batch = [item(1 + n, of, other) for n, of in enumerate(beside)]
    batch.insert(len(left), mine)
    with torch.no_grad():
        torch.testing.assert_close(losses(batch), losses([mine]), rtol=1e-4, atol=2e-4)

    def gradient(tokens: int) -> torch.Tensor:
        soft = prompts().requires_grad_()
        before = engine.prefix(backbone, list(soft), FIXED)
        run_step(backbone, before, batch, microbatch_tokens=tokens)
        assert soft.grad is not None
        return soft.grad

    together, apart = gradient(10_000), gradient(1)
    assert float((together - apart).norm()) < 1e-4 * float(apart.norm())


@every_architecture
def test_losses_without_gradients(architecture: str) -> None:
    rows = [
        Item(TokenRow(str(n), tuple(range(n, n + length)), (60, 61, END)), n % 3)
        for n, length in enumerate((3, 19, 8, 1, 30))
    ]
    arguments: Any = (backbone_of(architecture), prefix_of(architecture, (0, 1, 2)), rows)
    together, apart = (row_losses(*arguments, microbatch_tokens=n) for n in (10_000, 1))
    assert together == pytest.approx(apart, rel=1e-5)


def tokens(architecture: str, rows: list[Any], way: str) -> list[Generated]:
    backbone = backbone_of(architecture)
    before, texts, places = behind(architecture, rows)
    if way == "continuous":  # two slots, so that rows enter while others are in the middle
        asks = [
            decoding.Ask(text, before, MOST, task=place)
            for text, place in zip(texts, places, strict=True)
        ]
        return decoding.generate(backbone, asks, decoding.Settings(STOPS, slots=2))
    most = [MOST] * len(rows)
    return decode.greedy(backbone, before, texts, places, stops=STOPS, max_new=most)


@torch.no_grad()
def tied(architecture: str, row: Any, new: list[int]) -> bool:
    """Whether the two best tokens behind a row are as probable as each other, up to rounding."""
    text, task = row
    logits = tiny.naive_logits(backbone_of(architecture), prompts()[task], FIXED[task] + text + new)
    best = logits[-1].topk(2).values
    return float(best[0] - best[1]) < 1e-3


@every_architecture
@pytest.mark.parametrize("way", ["simple", "continuous"])
@some
@given(BESIDE, ROW, BESIDE)
def test_new_tokens(
    architecture: str, way: str, left: list[Any], row: Any, right: list[Any]
) -> None:
    alone = tokens(architecture, [row], "simple")[0]
    found = tokens(architecture, [*left, row, *right], way)[len(left)]
    alike = 0
    while alike < len(alone.ids) and found.ids[alike : alike + 1] == [alone.ids[alike]]:
        alike += 1
    # Where two tokens are equally probable, rounding decides; that is no matter of the batch.
    assert found.ids == alone.ids or tied(architecture, row, alone.ids[:alike])
    assert found.logprobs[:alike] == pytest.approx(alone.logprobs[:alike], abs=2e-4)


# What PEFT does. Padding on the left, as batched generation needs it, comes between its virtual
# tokens and the text, and the text's positions count it.

PADS = range(17)
LENGTH, ROWS = 9, 24


@pytest.fixture(scope="module")
def table() -> dict[str, list[float]]:
    """For each contender, by number of pads: the share of rows whose next token is another one."""
    texts = torch.randint(0, 256, (ROWS, LENGTH), generator=torch.Generator().manual_seed(5))
    bare = tiny.backbone("llama")
    prompt = prompts()[0]
    before = engine.prefix(bare, [prompt], [[]])
    wrapped = tiny.backbone("llama")
    config = peft.PromptTuningConfig(task_type=peft.TaskType.CAUSAL_LM, num_virtual_tokens=5)
    theirs = peft.get_peft_model(wrapped.model, config).eval()
    with torch.no_grad():
        theirs.prompt_encoder.default.embedding.weight.copy_(prompt)

    @torch.no_grad()
    def next_tokens(contender: str, pads: int) -> torch.Tensor:
        if contender == "clinprompt":  # a neighbour that is longer by so much
            own = [row.tolist() for row in texts]
            beside = [[7] * (LENGTH + pads)] if pads else []
            rows = Rows.of([*own, *beside], [0] * (len(own) + len(beside)), bare.device)
            found = engine.hidden(bare, before, rows)[:ROWS, LENGTH - 1]
            return bare.logits(found).argmax(-1)
        ids = torch.cat([torch.full((ROWS, pads), 258), texts], dim=1)
        mask = (torch.arange(pads + LENGTH) >= pads).long().expand(ROWS, -1)
        model = theirs if contender == "peft" else bare.model
        return model(input_ids=ids, attention_mask=mask).logits[:, -1].argmax(-1)

    found = {}
    for contender in ("clinprompt", "transformers", "peft"):
        alone = next_tokens(contender, 0)
        found[contender] = [
            float((next_tokens(contender, n) != alone).float().mean()) for n in PADS
        ]
        if contender == "clinprompt":
            first = alone
        elif contender == "peft":  # without padding it says what we say
            assert torch.equal(alone, first)
    return found


@pytest.mark.parametrize("contender", ["clinprompt", "transformers"])
def test_padding_changes_no_token_of_ours_or_of_the_bare_model(
    table: dict[str, list[float]], contender: str
) -> None:
    assert table[contender] == [0.0] * len(PADS)


def test_padding_changes_the_tokens_of_peft_prompt_tuning(table: dict[str, list[float]]) -> None:
    """If this fails, PEFT has been repaired: docs/performance.md should say so then."""
    assert max(table["peft"]) > 0.2
    assert sum(share > 0 for share in table["peft"][1:]) >= 12
