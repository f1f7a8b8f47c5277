"""What does it cost to score every label of a closed task exactly?

    python benchmarks/label_scoring.py --rounds 3 -o label-scoring.json
    python benchmarks/label_scoring.py --columns

B rows of L random tokens behind a task's instruction; every contender gives the log-probability of
every label of every row, bfloat16, no gradients:

- clinprompt: one pass, labels as a tree; the instruction's keys and values are kept, as they are
  when a task is asked again.
- side-by-side: the same with each label on its own behind the text, and a row of logits for each
  of its tokens (what clinprompt did before).
- transformers: the plain model, one forward of instruction, text and label for each label.

`--columns` counts instead, for the labels of every closed card of the catalogue, the columns that
stand behind a text and the rows that go through the output head, side by side and as a tree.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from itertools import product
from statistics import median
from typing import Any

import harness
import torch
from torch import Tensor
from torch.nn import functional as F

DEFAULT = {
    "backbone": "smollm2",
    "labels": "chemprot",
    "rows": 8,
    "tokens": 60,
    "steps": 3,
    "threads": 2,
}
CONTENDERS = ("clinprompt", "side-by-side", "transformers")
# Sets of labels that are no card's: what is asked of a medication change, all at once.
COMBINED = {
    "medication-change-40": [
        " ".join(words)
        for words in product(
            ("start", "stop", "increase", "decrease", "unique dose"),
            ("certain", "hypothetical", "conditional", "unknown"),
            ("by the physician", "by the patient"),
        )
    ]
}
Score = Callable[[], list[Tensor]]


def words_of(labels: str) -> tuple[list[str], str]:
    """The labels' words and the instruction."""
    from clinprompt import verbalize
    from clinprompt.tasks import catalogue
    from clinprompt.verbalize import labels as named

    if labels in COMBINED:
        return COMBINED[labels], "What happens to the medication, how certain is it, and by whom?"
    card = catalogue.find(labels)
    return [words for _, words in named.options(card)], verbalize.instruction(card)


def side_by_side(
    backbone: Any, before: Any, inputs: list[list[int]], options: list[tuple[int, ...]]
) -> list[Tensor]:
    """Each option in columns of its own."""
    from clinprompt.backbone import engine
    from clinprompt.backbone.engine import Rows

    bodies = [option[:-1] for option in options]
    ids = [[*given, *(token for body in bodies for token in body)] for given in inputs]
    rows = Rows.of(ids, [0] * len(ids), backbone.device)
    end, length = len(inputs[0]), len(ids[0])
    until, offsets, read = [length] * end, list(range(end)), []
    for number, (option, body) in enumerate(zip(options, bodies, strict=True)):
        first = len(until)
        columns = [end - 1, *range(first, first + len(body))]
        read += [(c, token, number) for c, token in zip(columns, option, strict=True)]
        until += [first + len(body)] * len(body)
        offsets += range(end, end + len(body))
    rows.until = torch.tensor([until] * len(ids))
    rows.offsets = torch.tensor([offsets] * len(ids))
    column, token, option_of = torch.tensor(read).unbind(1)
    row = torch.arange(len(ids)).repeat_interleave(len(read))
    column, token = column.repeat(len(ids)), token.repeat(len(ids))
    states = engine.hidden(backbone, before, rows, read=(row, column))
    found = torch.cat(
        [
            -F.cross_entropy(backbone.logits(part), aim, reduction="none").double()
            for part, aim in zip(states.split(1024), token.split(1024), strict=True)
        ]
    )
    scores = torch.zeros(len(ids), len(options), dtype=torch.float64)
    scores.index_put_((row, option_of.repeat(len(ids))), found, accumulate=True)
    return list(scores)


def plain(
    model: Any, fixed: list[int], inputs: list[list[int]], options: Sequence[Sequence[int]]
) -> list[Tensor]:
    """One forward of the library's model for each option."""
    scores = []
    for option in options:
        ids = torch.tensor([[*fixed, *given, *option] for given in inputs])
        logits = model(input_ids=ids, use_cache=False).logits[:, -len(option) - 1 : -1].float()
        aim = torch.tensor([list(option)] * len(ids))
        loss = F.cross_entropy(logits.flatten(0, 1), aim.flatten(), reduction="none")
        scores.append(-loss.view(len(ids), -1).double().sum(1))
    return list(torch.stack(scores, dim=1))


@torch.no_grad()
def measure(contender: str, setting: dict[str, Any]) -> dict[str, Any]:
    """What one contender needs in this process."""
    from clinprompt.backbone import answers, engine
    from clinprompt.backbone.codec import Codec
    from clinprompt.backbone.model import load

    harness.begin(setting)
    backbone = load(setting["backbone"], dtype=harness.float_name())
    codec = Codec(backbone.tokenizer, backbone.template)
    words, instruction = words_of(setting["labels"])
    fixed = codec.fixed(instruction)
    options = [tuple(ids) for ids in codec.answers(words)]
    texts = torch.randint(100, backbone.vocabulary - 100, (setting["rows"], setting["tokens"]))
    inputs = texts.tolist()
    before = engine.prefix(backbone, [None], [fixed])

    def ours() -> list[Tensor]:
        tasks = [0] * len(inputs)
        return answers.score_options(backbone, before, inputs, [options] * len(inputs), tasks)

    score: Score = ours
    if contender == "side-by-side":

        def score() -> list[Tensor]:
            return side_by_side(backbone, before, inputs, options)

    elif contender == "transformers":
        harness.library_attention(backbone)

        def score() -> list[Tensor]:
            return plain(backbone.model, fixed, inputs, options)

    start = harness.resident()
    harness.reset_peak()
    seconds = median(harness.timed(score, setting["steps"]))
    found = torch.stack(score())
    return {
        "rows_per_second": setting["rows"] / seconds,
        "seconds_per_batch": seconds,
        "memory_over_model_mb": harness.peak() - start,
        "mean_log_probability": float(found.mean()),
        "options": len(options),
        "instruction_tokens": len(fixed),
    }


def columns(backbone: str) -> list[dict[str, Any]]:
    """For every set of labels: columns and rows of logits, side by side and as a tree."""
    from transformers import AutoTokenizer

    from clinprompt.backbone.codec import Codec
    from clinprompt.backbone.model import locate
    from clinprompt.backbone.option_tree import tree_of
    from clinprompt.backbone.template import choose_template
    from clinprompt.tasks import catalogue

    tokenizer = AutoTokenizer.from_pretrained(locate(backbone))
    codec = Codec(tokenizer, choose_template(tokenizer, "auto"))
    cards = [card.name for card in catalogue.all_cards() if card.closed and card.labels]
    found = []
    for name in [*cards, *COMBINED]:
        options = codec.answers(words_of(name)[0])
        tree = tree_of(options)
        found.append(
            {
                "labels": name,
                "options": len(options),
                "columns_side_by_side": sum(len(ids) - 1 for ids in options),
                "columns_tree": len(tree.ids),
                "head_rows_side_by_side": sum(map(len, options)),
                "head_rows_tree": len(tree.ids) + 1,
            }
        )
    return found


SCRIPT = harness.Script(
    "exact scores of all labels", __file__, __doc__, DEFAULT, CONTENDERS, measure
)


def main() -> None:
    """Measure all contenders in turn, or count columns, and print JSON."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--columns", action="store_true", help="count columns, measure nothing")
    options, rest = parser.parse_known_args()
    if options.columns:
        given = SCRIPT.parser().parse_args(rest)
        counted = columns(SCRIPT.setting(given)["backbone"])
        harness.write({"question": "columns of labels", "sets": counted}, given.out)
        return
    SCRIPT.run(
        lambda found: {
            "times_as_fast_as": harness.ratios(
                found, "clinprompt", "rows_per_second", more_is_better=True
            )
        }
    )


if __name__ == "__main__":
    main()
