"""The paths of CUDA, on a CPU: torch's reference of FlexAttention, and the choice of attention."""

from __future__ import annotations

import shutil
from typing import Any

import pytest
import torch
from torch import Tensor
from torch._dynamo.testing import CompileCounterWithBackend
from torch.nn import functional as F
from transformers import AutoModelForCausalLM

from clinprompt.backbone import answers, engine, flex, prefill
from clinprompt.backbone.engine import Rows
from clinprompt.backbone.keyvalues import PrefixKV
from clinprompt.backbone.model import Backbone
from clinprompt.backbone.packed import Packing
from clinprompt.backbone.sight import Unwritten
from clinprompt.backbone.template import plain_template
from clinprompt.errors import ClinpromptError
from tests.backbone import exact_flex, tiny

pytestmark = pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
on_cuda = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="needs a CUDA device: compiled kernels run there alone"
)


def attention_of(
    q: Tensor, k: Tensor, v: Tensor, visible: Tensor, sinks: Tensor | None, softcap: float | None
) -> Tensor:
    """Attention as it is defined, head by head."""
    each = q.shape[1] // k.shape[1]
    heads = []
    for n in range(q.shape[1]):
        scores = q[:, n] @ k[:, n // each].mT * q.shape[-1] ** -0.5
        if softcap is not None:
            scores = softcap * torch.tanh(scores / softcap)
        weights = scores.exp() * visible
        total = weights.sum(-1, keepdim=True)
        if sinks is not None:
            total = total + sinks[n].exp()
        heads.append(weights / total @ v[:, n // each])
    return torch.stack(heads, dim=1)


@pytest.mark.parametrize("softcap", [None, 2.0])
@pytest.mark.parametrize("sunk", [False, True])
def test_attention_with_its_gradients(
    sunk: bool, softcap: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    exact_flex.allow(monkeypatch)
    torch.manual_seed(0)
    q, k, v = (torch.randn(2, n, 9, 4).double().requires_grad_() for n in (6, 2, 2))
    sinks = torch.randn(6).double() if sunk else None
    columns = torch.arange(9).expand(2, -1)
    seen = Unwritten(columns, columns, columns < torch.tensor([[9], [6]]))
    real = seen.valid[:, None, :, None]
    visible = (columns[:, :, None] >= columns[:, None]) & seen.valid[:, None]
    upstream = torch.randn(2, 6, 9, 4).double() * real
    found = []
    known = attention_of(q, k, v, visible, sinks, softcap)
    blocks = seen.lined_up().blocks()
    scale = 4**-0.5
    for out in (
        flex.attend(q, k, v, blocks, scale, sinks=sinks, softcap=softcap),
        flex.attend_plainly(q, k, v, visible[:, None], scale, sinks=sinks, softcap=softcap),
    ):
        found.append([out * real, *torch.autograd.grad(out, (q, k, v), upstream)])
    expected = [known * real, *torch.autograd.grad(known, (q, k, v), upstream)]
    for one in found:
        for ours, other in zip(one, expected, strict=True):
            torch.testing.assert_close(ours, other, rtol=1e-10, atol=1e-12)


def test_layers_are_given_torchs_fused_attention_for_written_masks() -> None:
    torch.manual_seed(0)
    q, k, v = torch.randn(2, 4, 3, 8), torch.randn(2, 2, 5, 8), torch.randn(2, 2, 5, 8)
    mask = torch.rand(2, 1, 3, 5) > 0.3
    mask[..., 0] = True
    module = torch.nn.Module()
    module.num_key_value_groups = 2
    ours, _ = flex.attention_forward(module, q, k, v, mask, scaling=0.5)
    theirs = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=0.5, enable_gqa=True)
    torch.testing.assert_close(ours, theirs.transpose(1, 2))


def packed_problem(b: int, s: int, q: int, window: int | None) -> Any:
    """Random queries, keys and values of rows behind two prefixes, and their block mask."""
    lengths = q - torch.arange(b) * 7 % q
    group = torch.arange(b) % 2
    own = torch.arange(q).expand(b, -1)
    positions = torch.cat([torch.arange(s).expand(b, -1), s + own], dim=1)
    valid = torch.cat([positions[:, :s] < s - 9 * group[:, None], own < lengths[:, None]], dim=1)
    packing = Packing.of(Unwritten(positions[:, s:], positions, valid), group, 2)
    columns = packing.sight.position.shape[1], packing.sight.owner.shape[1]
    query = torch.randn(1, 4, columns[0], 16)
    key, value = (torch.randn(1, 2, columns[1], 16) for _ in "kv")
    return query, key, value, packing.sight.blocks(window)


@pytest.mark.parametrize("window", [None, 40])
def test_kernels_skip_only_what_no_one_sees(window: int | None) -> None:
    """torch compiles FlexAttention without gradients for a CPU too: real kernels, real blocks."""
    if shutil.which("g++") is None:
        pytest.skip("torch compiles for a CPU by g++, which is not here")
    torch.manual_seed(0)
    torch._dynamo.reset()
    compiled = torch.compile(flex._attend, fullgraph=True, dynamic=False)
    problem = packed_problem(5, 200, 190, window)
    assert problem[-1].sparsity() > 20
    arguments = (*problem, 0.25, None, None, True)
    torch.testing.assert_close(compiled(*arguments), flex._attend(*arguments), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("sunk", [False, True])
def test_no_new_graphs_once_lengths_are_known_to_change(
    sunk: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    exact_flex.allow(monkeypatch)
    torch._dynamo.reset()
    counter = CompileCounterWithBackend("aot_eager")
    compiled = torch.compile(flex._attend, fullgraph=True, backend=counter)
    sinks = torch.randn(4) if sunk else None
    graphs = []
    for b, s, q in ((3, 100, 60), (4, 130, 90), (5, 90, 120), (3, 200, 190)):
        query, key, value, blocks = packed_problem(b, s, q, 40)
        leaves = [x.requires_grad_() for x in (query, key, value)]
        for leaf in leaves:
            torch._dynamo.maybe_mark_dynamic(leaf, 2)
        found = []
        for call in (compiled, flex._attend):
            out = call(*leaves, blocks, 0.25, sinks, None, True)
            found.append([out, *torch.autograd.grad(out.sin().sum(), leaves)])
        for ours, known in zip(*found, strict=True):
            torch.testing.assert_close(ours, known, rtol=1e-4, atol=1e-5)
        graphs.append(counter.frame_count)
    assert graphs == [1, 2, 2, 2]


def rows() -> Rows:
    texts = [[11, 12, 13, 14, 15, 16, 17, 18, 19], [20, 21], [30], [31, 32, 33, 34, 35]]
    return Rows.of(texts, [0, 1, 2, 1], torch.device("cpu"))


def passed(backbone: Backbone, read: tuple[Tensor, Tensor] | None) -> tuple[Tensor, list[Any]]:
    """Hidden states of real tokens, and the gradients at the prompts."""
    torch.manual_seed(1)
    soft = [torch.randn(n, 32, dtype=backbone.dtype).requires_grad_() for n in (5, 9, 2)]
    before = engine.prefix(backbone, soft, [[1, 2, 3], [4], []])
    batch = rows()
    found = engine.hidden(backbone, before, batch, read=read)
    if read is None:
        found = found[torch.arange(batch.ids.shape[1]) < batch.lengths[:, None]]
    torch.manual_seed(2)
    (found * torch.randn_like(found)).sum().backward()
    return found.detach(), [p.grad for p in soft]


SOME = torch.tensor([0, 0, 1, 3, 3]), torch.tensor([7, 8, 1, 2, 2])


@pytest.mark.parametrize("read", [None, SOME], ids=["all", "read"])
@pytest.mark.parametrize("architecture", sorted(tiny.CONFIGS))
def test_packed_batches_through_the_librarys_layers(
    architecture: str, read: tuple[Tensor, Tensor] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    exact_flex.allow(monkeypatch)
    backbone = exact_flex.in_float64(tiny.backbone(architecture))
    backbone.lean = None
    known, expected = passed(backbone, read)
    exact_flex.as_on_cuda(backbone, compiled=False)
    states, gradients = passed(backbone, read)
    torch.testing.assert_close(states, known, rtol=1e-8, atol=1e-9)
    for ours, other in zip(gradients, expected, strict=True):
        torch.testing.assert_close(ours, other, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("architecture", ["mistral", "gpt_oss"])
def test_pieces_of_long_rows_and_kept_keys(
    architecture: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without gradients torch's reference needs no permission on a CPU."""
    found = []
    backbone = tiny.backbone(architecture)
    backbone.lean = None
    for flexible in (False, True):
        if flexible:
            exact_flex.as_on_cuda(backbone, compiled=False)
        for most in (2**30, 0):
            monkeypatch.setattr(prefill, "_MOST_SEEN", {"cpu": most})
            monkeypatch.setattr(prefill, "_FEWEST", 4)
            with torch.no_grad():
                torch.manual_seed(1)
                before = engine.prefix(backbone, list(torch.randn(3, 6, 32)), [[1], [2, 3], []])
                batch = rows()
                cache = PrefixKV(before.layers, batch.task, keep=True)
                states = engine.hidden(backbone, before, batch, cache=cache)
            real = torch.arange(9) < batch.lengths[:, None]
            keys = [k.transpose(1, 2)[real] for k, _ in cache.layers]
            values = [v.transpose(1, 2)[real] for _, v in cache.layers]
            found.append([states[real], *keys, *values])
    for other in found[1:]:
        for ours, known in zip(other, found[0], strict=True):
            torch.testing.assert_close(ours, known, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("architecture", ["llama", "gemma3"])
def test_scores_of_options(architecture: str) -> None:
    backbone = tiny.backbone(architecture)
    with torch.no_grad():
        torch.manual_seed(0)
        soft = list(torch.randn(2, 5, 32))
    options = [[[7, 8, 9], [7, 8, 10], [5]], [[3], [4, 4]]]
    scores = []
    for flexible in (False, True):
        if flexible:
            exact_flex.as_on_cuda(backbone, compiled=False)
        with torch.no_grad():
            before = engine.prefix(backbone, soft, [[1, 2], [3]])
        scores.append(
            answers.score_options(backbone, before, [[20, 21], [30] * 9], options, [1, 0])
        )
    for ours, known in zip(scores[1], scores[0], strict=True):
        torch.testing.assert_close(ours, known, rtol=1e-4, atol=1e-4)


def made(architecture: str, attention: flex.Choice) -> Backbone:
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(tiny.CONFIGS[architecture]())
    tokenizer = tiny.tokenizer()
    return Backbone(model, tokenizer, architecture, plain_template(tokenizer), attention)


def test_attention_can_be_chosen() -> None:
    kinds = {}
    for choice in ("auto", "sdpa", "eager"):
        backbone = made("llama", choice)
        kinds[choice] = backbone.config._attn_implementation
        assert (backbone.lean is not None) == (choice == "auto")
        assert not backbone.unwritten
    assert kinds == {"auto": "clinprompt-cpu", "sdpa": "sdpa", "eager": "eager"}
    assert made("llama", "eager").why_standard == "attention 'eager' was asked for"


def test_all_choices_give_the_same() -> None:
    states = []
    for choice in ("auto", "sdpa", "eager"):
        backbone = made("llama", choice)
        with torch.no_grad():
            states.append(passed_without_gradients(backbone))
    for other in states[1:]:
        torch.testing.assert_close(other, states[0], rtol=1e-4, atol=1e-4)


def passed_without_gradients(backbone: Backbone) -> Tensor:
    torch.manual_seed(1)
    before = engine.prefix(backbone, list(torch.randn(3, 4, 32)), [[1], [2], [3]])
    return engine.hidden(backbone, before, rows(), read=SOME)


def test_a_choice_that_does_not_work_is_refused() -> None:
    with pytest.raises(ClinpromptError, match=r"CP-BACK-050.*needs CUDA"):
        made("llama", "flex")
    with pytest.raises(ClinpromptError, match=r"CP-BACK-051.*gpt_oss"):
        made("gpt_oss", "sdpa")


def test_what_keeps_flex_from_working_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    backbone = tiny.backbone("qwen3")
    reason = flex.why_not(backbone.model)
    assert reason is not None
    assert "backward on CPU" in reason
    exact_flex.allow(monkeypatch)
    assert flex.why_not(backbone.model) is None
    right = flex.attend
    monkeypatch.setattr(flex, "attend", lambda *a, **k: right(*a, **k) * 1.2)
    assert "off by 0.2" in str(flex.why_not(backbone.model))
    monkeypatch.setattr(flex, "attend", lambda *a, **k: right(*a, **k) * torch.nan)
    assert "off by inf" in str(flex.why_not(backbone.model))


def test_own_layers_of_a_model_without_flex(monkeypatch: pytest.MonkeyPatch) -> None:
    backbone = tiny.backbone("llama")
    monkeypatch.setattr(type(backbone.model), "_supports_flex_attn", False)
    assert "does not know it" in str(flex.why_not(backbone.model))


@pytest.mark.parametrize("architecture", sorted(tiny.CONFIGS))
def test_calls_that_bring_no_mask_get_the_librarys(architecture: str) -> None:
    backbone = tiny.backbone(architecture)
    ids = torch.arange(40).view(2, 20)
    with torch.no_grad():
        known = backbone.model(input_ids=ids).logits
        flex.use(backbone.model)
        ours = backbone.model(input_ids=ids).logits
    torch.testing.assert_close(ours, known, rtol=1e-4, atol=1e-4)


@on_cuda
@pytest.mark.parametrize("architecture", sorted(tiny.CONFIGS))
def test_kernels_on_cuda(architecture: str) -> None:
    torch.manual_seed(0)
    config = tiny.CONFIGS[architecture]()
    config.head_dim = 32
    model = AutoModelForCausalLM.from_config(config).float().cuda()
    tokenizer = tiny.tokenizer()
    backbone = Backbone(model, tokenizer, architecture, plain_template(tokenizer), "flex")
    assert backbone.unwritten
    assert (backbone.compiled is None) == (architecture in ("gemma3", "gpt_oss"))
    batch = Rows.of([[11] * 300, [12, 13], [14] * 150], [0, 1, 1], backbone.device)
    found = []
    for choice in ("flex", "eager"):
        if choice == "eager":
            flex.set_implementation(model, "eager")
            backbone = Backbone(model, tokenizer, architecture, plain_template(tokenizer), "eager")
        torch.manual_seed(1)
        soft = torch.randn(2, 40, 32, device=backbone.device, requires_grad=True)
        before = engine.prefix(backbone, list(soft), [[1, 2], [3]])
        at = torch.tensor([0, 0, 2, 1], device=backbone.device)
        columns = torch.tensor([250, 299, 140, 1], device=backbone.device)
        states = engine.hidden(backbone, before, batch, read=(at, columns))
        states.sin().sum().backward()
        found.append((states.detach(), soft.grad))
    for ours, known in zip(*found, strict=True):
        assert ours is not None
        assert known is not None
        assert float((ours - known).norm() / known.norm()) < 1e-2  # kernels multiply in tf32
