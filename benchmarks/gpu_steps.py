"""Steps of training and decoding that the GPU benchmark times: clinprompt's and PEFT's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

Step = Callable[[], float]


@dataclass(frozen=True)
class Case:
    """One setting of the training step; `rows` are divided among the tasks."""

    tasks: int
    length: int
    rows: int
    answer: int
    virtual: int


def drawn(case: Case, vocabulary: int) -> tuple[list[list[int]], list[list[int]]]:
    """Random rows: inputs of L - A tokens and answers of A."""
    torch.manual_seed(0)
    inputs = torch.randint(0, vocabulary, (case.rows, case.length - case.answer)).tolist()
    return inputs, torch.randint(0, vocabulary, (case.rows, case.answer)).tolist()


def our_step(backbone: Any, case: Case) -> tuple[Step, dict[str, Any]]:
    """One step of the training loop's own parts, in micro-batches of the size that it chooses."""
    from clinprompt.training.batch import Item, prefix_of, run_step
    from clinprompt.training.data import TokenRow
    from clinprompt.training.microbatch import halved, sized
    from clinprompt.training.modules import PromptTable
    from clinprompt.training.settings import EngineSettings

    inputs, answers = drawn(case, backbone.vocabulary)
    start = torch.randn(case.tasks, case.virtual, backbone.hidden_size)
    module = PromptTable(start * backbone.embedding_scale).to(backbone.device)
    items = [
        Item(TokenRow(str(n), tuple(given), tuple(answer)), n % case.tasks)
        for n, (given, answer) in enumerate(zip(inputs, answers, strict=True))
    ]
    optimizer = torch.optim.AdamW(module.parameters(), lr=1e-3)
    engine = sized(EngineSettings(), backbone)
    told: dict[str, Any] = {"microbatch_tokens": engine.tokens}

    def once(tokens: int) -> float:
        before = prefix_of(backbone, module.prompts(range(case.tasks)), [()] * case.tasks)
        loss = run_step(backbone, before, items, microbatch_tokens=tokens).loss
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return float(loss)

    def step() -> float:
        nonlocal engine
        while True:
            try:
                return once(engine.tokens)
            except torch.OutOfMemoryError:
                smaller = halved(engine)
                if smaller is None:
                    raise
                engine, told["microbatch_tokens"] = smaller, smaller.tokens
            optimizer.zero_grad(set_to_none=True)

    return step, told


def peft_step(model: Any, case: Case) -> tuple[Step, dict[str, Any]]:
    """One step of a PEFT model: the model's own forward with labels."""
    inputs, answers = drawn(case, model.get_input_embeddings().weight.shape[0])
    device = model.device
    ids = torch.tensor([i + a for i, a in zip(inputs, answers, strict=True)], device=device)
    labels = ids.clone()
    labels[:, : case.length - case.answer] = -100
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-3)
    told: dict[str, Any] = {"microbatch_tokens": ids.numel()}
    size = len(ids)

    def once(rows: int) -> float:
        total = torch.zeros((), device=device)
        for part, target in zip(ids.split(rows), labels.split(rows), strict=True):
            mask = torch.ones_like(part)
            loss = model(input_ids=part, attention_mask=mask, labels=target).loss
            (loss * (len(part) / len(ids))).backward()
            total += loss.detach() * (len(part) / len(ids))
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return float(total)

    def step() -> float:
        nonlocal size
        while True:
            try:
                return once(size)
            except torch.OutOfMemoryError:
                if size == 1:
                    raise
                size = -(-size // 2)
                told["microbatch_tokens"] = size * case.length
            optimizer.zero_grad(set_to_none=True)

    return step, told


@torch.no_grad()
def our_decoding(backbone: Any, tasks: int, rows: int, length: int, new: int, virtual: int) -> Step:
    """Greedy decoding of a mixed batch by the continuous decoder."""
    from clinprompt.backbone import engine
    from clinprompt.backbone.decoding import Ask, Decoder, Settings

    torch.manual_seed(0)
    scale = backbone.embedding_scale
    soft = torch.randn(tasks, virtual, backbone.hidden_size, device=backbone.device) * scale
    before = engine.prefix(backbone, list(soft.to(backbone.dtype)), [()] * tasks)
    texts = torch.randint(0, backbone.vocabulary, (rows, length)).tolist()
    asks = [Ask(ids, before, new, task=n % tasks) for n, ids in enumerate(texts)]
    room = rows * (virtual + length + new + 64)
    decoder = Decoder(backbone, Settings(frozenset(), tokens=room, slots=rows))

    def step() -> float:
        return float(sum(len(one.ids) for one in decoder.generate(asks)))

    return step


@torch.no_grad()
def peft_decoding(model: Any, rows: int, length: int, new: int) -> Step:
    """The same by `generate`; PEFT has one prompt for all rows."""
    torch.manual_seed(0)
    size = model.get_input_embeddings().weight.shape[0]
    ids = torch.randint(0, size, (rows, length), device=model.device)
    mask = torch.ones_like(ids)

    def step() -> float:
        with torch.no_grad():
            found: Tensor = model.generate(
                input_ids=ids,
                attention_mask=mask,
                max_new_tokens=new,
                min_new_tokens=new,
                do_sample=False,
                pad_token_id=0,
            )
        return float(rows * (found.shape[1] if found.shape[1] <= new else new))

    return step
