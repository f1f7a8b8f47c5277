"""How many tokens a second does decoding give, at some batch sizes?

    python benchmarks/decoding.py --rounds 3 -o decoding.json

Texts of 20 to L tokens behind an instruction of F tokens, four batches of them, and answers of 2 to
A tokens, drawn so that most are short, as labels and lists are. bfloat16, greedy. Contenders, at
batches of 1, 8 and 32 rows:

- clinprompt: the decoder. The instruction's keys and values are kept, an ended row's place is taken
  by the next one at once, and there are never more rows at a time than the batch has.
- transformers: `generate` on the bare backbone, batch after batch, padded on the left, with the
  instruction as text. A batch goes on until its last row has ended; what its other rows write after
  their end is thrown away, and is not counted.
- transformers-sorted: the same, with rows of similar answer length together. Nobody knows those
  before; it is the best that batches could do.

Where an answer ends does not follow from random texts, so it is set: rows are cut at their length.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import harness
import torch

DEFAULT = {
    "backbone": "smollm2",
    "batch": 8,
    "batches": 4,
    "tokens": 60,
    "fixed": 40,
    "answer": 48,
    "repeats": 1,
    "threads": 2,
}
SIZES = (1, 8, 32)
CONTENDERS = ("clinprompt", "transformers", "transformers-sorted")


def rows_of(
    setting: dict[str, Any], vocabulary: int
) -> tuple[list[int], list[list[int]], list[int]]:
    """Instruction, texts, and how many tokens each answer has."""
    draw = Random(0)

    def some(count: int) -> list[int]:
        return [draw.randrange(100, vocabulary - 100) for _ in range(count)]

    count = setting["batch"] * setting["batches"]
    inputs = [some(draw.randint(20, setting["tokens"])) for _ in range(count)]
    lengths = [2 + int((setting["answer"] - 2) * draw.random() ** 2) for _ in range(count)]
    return some(setting["fixed"]), inputs, lengths


def ours(backbone: Any, setting: dict[str, Any]) -> Callable[[], int]:
    """The decoder that the predictor uses."""
    from clinprompt.backbone import engine
    from clinprompt.backbone.decoding import Ask, Decoder, Settings

    fixed, inputs, lengths = rows_of(setting, backbone.vocabulary)
    before = engine.prefix(backbone, [None], [fixed])
    decoder = Decoder(backbone, Settings(frozenset(), slots=setting["batch"]))
    asks = [Ask(ids, before, most) for ids, most in zip(inputs, lengths, strict=True)]
    # As they come: the decoder is not told which answers are long.
    return lambda: sum(len(new.ids) for _, new in decoder.stream(_wide(asks), len(asks)))


def _wide(asks: list[Any]) -> Any:
    """The widest row first: it says how wide slots are."""
    widest = max(asks, key=lambda ask: ask.columns)
    yield widest
    yield from (ask for ask in asks if ask is not widest)


def theirs(backbone: Any, setting: dict[str, Any], contender: str) -> Callable[[], int]:
    """The library's batches."""
    harness.library_attention(backbone)
    fixed, inputs, lengths = rows_of(setting, backbone.vocabulary)
    order = list(range(len(inputs)))
    if contender == "transformers-sorted":
        order.sort(key=lambda i: lengths[i])
    size = setting["batch"]

    def answer() -> int:
        count = 0
        for begin in range(0, len(order), size):
            part = order[begin : begin + size]
            widest = max(len(inputs[i]) for i in part)
            ids = [[0] * (widest - len(inputs[i])) + fixed + inputs[i] for i in part]
            mask = [
                [0] * (widest - len(inputs[i])) + [1] * (len(fixed) + len(inputs[i])) for i in part
            ]
            most = max(lengths[i] for i in part)
            harness.generated(backbone.model, torch.tensor(ids), most, torch.tensor(mask))
            count += sum(lengths[i] for i in part)
        return count

    return answer


@torch.no_grad()
def measure(contender: str, setting: dict[str, Any]) -> dict[str, Any]:
    """What one contender reaches in this process."""
    from clinprompt.backbone.model import load

    harness.begin(setting)
    backbone = load(setting["backbone"], dtype=harness.float_name())
    is_ours = contender == "clinprompt"
    answer = ours(backbone, setting) if is_ours else theirs(backbone, setting, contender)
    found = harness.counted(answer, setting["repeats"], warm=1)
    return {"tokens_per_second": found["new_tokens"] / found["seconds"], **found}


SCRIPT = harness.Script("tokens a second", __file__, __doc__, DEFAULT, CONTENDERS, measure)


def main() -> None:
    """Measure all contenders in turn at each batch size, and print JSON."""
    parser = SCRIPT.parser()
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    options = parser.parse_args()
    if SCRIPT.is_contender(options):
        return
    by_size = {}
    for size in options.sizes:
        setting = {**SCRIPT.setting(options), "batch": size}
        found = harness.rounds(__file__, options.only, setting, options.rounds)
        faster = harness.ratios(found, "clinprompt", "tokens_per_second", more_is_better=True)
        by_size[size] = {"contenders": found, "clinprompt_is_faster_by": faster}
    SCRIPT.write(options, {"batches_of": by_size})


if __name__ == "__main__":
    main()
