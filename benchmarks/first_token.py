"""How long until the first token of an answer, and what does a soft prompt add to that?

    python benchmarks/first_token.py --rounds 3 -o first-token.json

B texts of L tokens come at once, behind an instruction of F tokens that all have; with P virtual
tokens in front, and without. bfloat16. Contenders:

- clinprompt: keys and values of prompt and instruction are kept; the texts are read behind them.
- peft: PEFT prompt tuning with the library's `generate`, one new token; without a prompt, the bare
  backbone's `generate`.

With and without a prompt are timed in turn in one process, so that a busy machine slows both;
`added` is the median of their ratios, less one.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import harness
import torch

DEFAULT = {
    "backbone": "smollm2",
    "rows": 1,
    "tokens": 64,
    "fixed": 20,
    "virtual": 100,
    "repeats": 15,
    "threads": 2,
}
CONTENDERS = ("clinprompt", "peft")
Pass = Callable[[], Any]


def ids_of(setting: dict[str, Any], vocabulary: int) -> tuple[list[int], list[list[int]]]:
    """An instruction, and texts behind it."""
    drawn = torch.randint(100, vocabulary - 100, (setting["rows"] + 1, setting["tokens"])).tolist()
    return drawn[0][: setting["fixed"]], drawn[1:]


def ours(backbone: Any, setting: dict[str, Any]) -> tuple[Pass, Pass]:
    """A pass without and one with a prompt."""
    from clinprompt.backbone import engine
    from clinprompt.backbone.decoding import Ask, Decoder, Settings

    fixed, inputs = ids_of(setting, backbone.vocabulary)
    soft = torch.randn(setting["virtual"], backbone.hidden_size) * backbone.embedding_scale
    decoder = Decoder(backbone, Settings(frozenset()))

    def passes(prompt: Any) -> Pass:
        before = engine.prefix(backbone, [prompt], [fixed])
        return lambda: decoder.generate([Ask(ids, before, 1) for ids in inputs])

    return passes(None), passes(soft)


def theirs(backbone: Any, setting: dict[str, Any]) -> tuple[Pass, Pass]:
    """The same by the library's `generate`."""
    import peft

    harness.library_attention(backbone)
    fixed, inputs = ids_of(setting, backbone.vocabulary)
    ids = torch.tensor([[*fixed, *own] for own in inputs])
    config = peft.PromptTuningConfig(
        task_type=peft.TaskType.CAUSAL_LM, num_virtual_tokens=setting["virtual"]
    )
    prompted: Any = peft.get_peft_model(backbone.model, config)
    prompted.eval()

    def passes(model: Any) -> Pass:
        return lambda: harness.generated(model, ids, 1)

    return passes(backbone.model), passes(prompted)


@torch.no_grad()
def measure(contender: str, setting: dict[str, Any]) -> dict[str, Any]:
    """What one contender needs in this process."""
    from clinprompt.backbone.model import load

    harness.begin(setting)
    backbone = load(setting["backbone"], dtype=harness.float_name())
    bare, prompted = (ours if contender == "clinprompt" else theirs)(backbone, setting)
    for _ in range(2):
        bare(), prompted()
    seconds: dict[str, list[float]] = {"bare": [], "prompted": []}
    for number in range(setting["repeats"]):
        turn = [("bare", bare), ("prompted", prompted)]
        for name, one in turn[:: 1 if number % 2 else -1]:
            start = time.perf_counter()
            one()
            seconds[name].append(time.perf_counter() - start)
    pairs = zip(seconds["prompted"], seconds["bare"], strict=True)
    return {
        "ms_without_prompt": 1e3 * median(seconds["bare"]),
        "ms_with_prompt": 1e3 * median(seconds["prompted"]),
        "added": median(one / other for one, other in pairs) - 1,
    }


SCRIPT = harness.Script("time to the first token", __file__, __doc__, DEFAULT, CONTENDERS, measure)


def main() -> None:
    """Measure all contenders in turn, and print JSON."""
    SCRIPT.run()


if __name__ == "__main__":
    main()
