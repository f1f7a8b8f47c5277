"""Does an answer depend on what else is in the batch?

    python benchmarks/batch_invariance.py -o batch-invariance.json
    python benchmarks/batch_invariance.py --setting '{"backbone": "tiny"}'

R rows of L random tokens, float32, behind P virtual tokens (rows of the vocabulary's embeddings).
For 0 to 16 pads: the share of rows whose most probable next token differs from the one without
pads, the largest difference of a logit, and what share of greedily written answers differ.

- clinprompt: in a batch with a row that is longer by so many tokens.
- transformers: the plain model without virtual tokens, padded on the left with its attention mask.
- peft-prompt-tuning: the same model in PEFT's prompt tuning, padded alike, as batched generation
  with PEFT has it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import harness
import torch
from torch import Tensor

DEFAULT = {
    "backbone": "smollm2",
    "rows": 8,
    "tokens": 24,
    "virtual": 20,
    "new": 8,
    "pads": 16,
    "threads": 2,
}
CONTENDERS = ("clinprompt", "transformers", "peft-prompt-tuning")
# By pads: logits [R, V] of the next token, and R written answers.
Ask = Callable[[int], tuple[Tensor, list[list[int]]]]


def backbone_of(name: str) -> Any:
    """A backbone in float32; "tiny" is a random Llama of four layers."""
    from clinprompt.backbone.model import Backbone, load
    from clinprompt.backbone.template import plain_template

    if name != "tiny":
        return load(name, dtype="float32")
    from gpu_model import bytes_as_tokens
    from transformers import AutoModelForCausalLM, LlamaConfig

    tokenizer = bytes_as_tokens()
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=512,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        initializer_range=0.3,
    )
    model = AutoModelForCausalLM.from_config(config).float()
    return Backbone(model, tokenizer, name, plain_template(tokenizer))


def ours(backbone: Any, prompt: Tensor, texts: Tensor, setting: dict[str, Any]) -> Ask:
    """Rows beside one that is longer."""
    from clinprompt.backbone import decoding, engine
    from clinprompt.backbone.engine import Rows

    before = engine.prefix(backbone, [prompt], [[]])
    count, length = texts.shape

    def ask(pads: int) -> tuple[Tensor, list[list[int]]]:
        own = texts.tolist()
        beside = [[7] * (length + pads)] if pads else []
        rows = Rows.of([*own, *beside], [0] * len(own + beside), backbone.device)
        read = torch.arange(count), torch.full((count,), length - 1)
        logits = backbone.logits(engine.hidden(backbone, before, rows, read=read))
        asks = [decoding.Ask(ids, before, setting["new"]) for ids in [*beside, *own]]
        new = decoding.generate(backbone, asks, decoding.Settings(frozenset()))
        return logits, [one.ids for one in new[len(beside) :]]

    return ask


def theirs(model: Any, texts: Tensor, setting: dict[str, Any]) -> Ask:
    """Rows padded on the left, with the attention mask that says so."""
    count, length = texts.shape

    def ask(pads: int) -> tuple[Tensor, list[list[int]]]:
        ids = torch.cat([torch.full((count, pads), 2), texts], dim=1)
        mask = (torch.arange(pads + length) >= pads).long().expand(count, -1)
        logits = model(input_ids=ids, attention_mask=mask).logits[:, -1]
        new = model.generate(
            input_ids=ids,
            attention_mask=mask,
            do_sample=False,
            max_new_tokens=setting["new"],
            min_new_tokens=setting["new"],
            pad_token_id=2,
        )
        return logits, new[:, -setting["new"] :].tolist()

    return ask


@torch.no_grad()
def measure(contender: str, setting: dict[str, Any]) -> dict[str, Any]:
    """The table of one contender."""
    harness.begin(setting)
    backbone = backbone_of(setting["backbone"])
    draw = torch.Generator().manual_seed(0)
    shape = setting["rows"], setting["tokens"]
    texts = torch.randint(100, backbone.vocabulary - 100, shape, generator=draw)
    chosen = torch.randint(100, backbone.vocabulary - 100, (setting["virtual"],), generator=draw)
    prompt = backbone.embed(chosen)
    if contender == "clinprompt":
        ask = ours(backbone, prompt, texts, setting)
    else:
        harness.library_attention(backbone)
        model = backbone.model
        if contender == "peft-prompt-tuning":
            import peft

            kind = peft.TaskType.CAUSAL_LM
            config = peft.PromptTuningConfig(task_type=kind, num_virtual_tokens=len(prompt))
            model = peft.get_peft_model(model, config).eval()
            model.prompt_encoder.default.embedding.weight.copy_(prompt)
        ask = theirs(model, texts, setting)
    alone, written = ask(0)
    table = []
    for pads in range(setting["pads"] + 1):
        logits, new = ask(pads)
        changed = (logits.argmax(-1) != alone.argmax(-1)).float().mean()
        other = sum(a != b for a, b in zip(new, written, strict=True)) / len(new)
        largest = float((logits - alone).abs().max())
        table.append(
            {
                "pads": pads,
                "next_token_changed": round(float(changed), 4),
                "answers_changed": round(other, 4),
                "largest_difference": float(f"{largest:.3g}"),
            }
        )
    return {
        "next_token_changed": sum(one["next_token_changed"] for one in table[1:]) / len(table[1:]),
        "answers_changed": sum(one["answers_changed"] for one in table[1:]) / len(table[1:]),
        "by_pads": table,
    }


SCRIPT = harness.Script("batch invariance", __file__, __doc__, DEFAULT, CONTENDERS, measure)


def main() -> None:
    """Measure all contenders in turn, and print JSON."""
    SCRIPT.run()


if __name__ == "__main__":
    main()
