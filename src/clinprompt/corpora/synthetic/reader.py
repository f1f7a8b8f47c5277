"""Reader ``synthetic``: examples made on the spot, without files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

from pydantic import Field, field_validator

from clinprompt.corpora.registry import Options, Source, reader
from clinprompt.corpora.synthetic import (
    choices,
    dialogues,
    drug_effects,
    findings,
    history_qa,
    inference,
    med_reasons,
    medications,
    messages,
    problems,
    smoking,
)
from clinprompt.corpora.synthetic.draw import DeadEnd, Draw
from clinprompt.errors import ClinpromptError, did_you_mean
from clinprompt.examples import Answer, Example, Input

KINDS: dict[str, Callable[[Draw], tuple[Input, Answer]]] = {
    "problems": problems.make,
    "medications": medications.make,
    "drug-effects": drug_effects.make,
    "history-qa": history_qa.make,
    "choices": choices.make,
    "inference": inference.make,
    "complaint-summary": messages.make,
    "findings": findings.make,
    "med-reasons": med_reasons.make,
    "smoking-status": smoking.make,
    "dialogue-summary": dialogues.make,
}
_Split = Literal["train", "dev", "test"]
_ATTEMPTS = 1000  # one to three are usual


def _counts() -> dict[_Split, int]:
    return {"train": 400, "dev": 60, "test": 120}


class SyntheticOptions(Options):
    """Options of the reader.

    Attributes:
        kind: what to make, one of `KINDS`.
        counts: examples in each split; a larger count keeps the earlier examples as they are.
        seed: another seed makes other examples.
    """

    kind: str
    counts: dict[_Split, int] = Field(default_factory=_counts)
    seed: int = 0

    @field_validator("kind")
    @classmethod
    def _known(cls, kind: str) -> str:
        if kind not in KINDS:
            raise ValueError(f"unknown kind '{kind}'; {did_you_mean(kind, KINDS)}")
        return kind

    @field_validator("counts")
    @classmethod
    def _not_negative(cls, counts: dict[_Split, int]) -> dict[_Split, int]:
        if any(count < 0 for count in counts.values()):
            raise ValueError("a count is negative")
        return counts


def example(kind: str, seed: int, split: str, index: int) -> Example:
    """The example with this number: a pure function of its arguments."""
    for attempt in range(_ATTEMPTS):
        draw = Draw(kind, seed, split, index, attempt)
        try:
            given, answer = KINDS[kind](draw)
        except DeadEnd:
            continue
        if draw.paired:
            name = f"{kind}-{seed}-{split}-{index}"
            return Example(name, name, given, answer)
    raise AssertionError(f"{kind} finds no example for {split} {index}, seed {seed}")


@reader("synthetic", SyntheticOptions)
def read_synthetic(source: Source, options: SyntheticOptions) -> Iterator[Example]:
    """Make one split.  An input that the split already has is left out and counted.

    Raises:
        ClinpromptError: CP-DATA-100 files were given, CP-DATA-101 not a split the corpus has.
    """
    if source.files:
        raise ClinpromptError(
            "CP-DATA-100",
            f"reader 'synthetic' reads no files, but {len(source.files)} were given",
            hint="leave data.files out of the card",
        )
    if source.split not in ("train", "dev", "test"):
        raise ClinpromptError(
            "CP-DATA-101",
            f"the synthetic corpus has no split '{source.split}'",
            hint=did_you_mean(source.split, ("train", "dev", "test")),
        )
    seen: set[Input] = set()
    for index in range(options.counts.get(source.split, 0)):  # type: ignore[call-overload]
        made = example(options.kind, options.seed, source.split, index)
        if made.input in seen:
            source.report.skip("the same input as an earlier example", "synthetic", index + 1)
            continue
        seen.add(made.input)
        yield made
