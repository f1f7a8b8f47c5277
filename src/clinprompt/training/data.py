"""Examples to token ids, once, before a stage begins."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from clinprompt import verbalize
from clinprompt.backbone.codec import Codec
from clinprompt.errors import ClinpromptError
from clinprompt.examples import (
    Answer,
    EntityAnswer,
    Example,
    Input,
    RelationAnswer,
    SpanAnswer,
    TextAnswer,
    source_text,
)
from clinprompt.tasks.card import Card
from clinprompt.tasks.splits import rank
from clinprompt.verbalize.fit import Fitted, cut
from clinprompt.verbalize.parsed import NONE

Long = Literal["refuse", "skip", "truncate"]


@dataclass(frozen=True)
class TokenRow:
    """An example as token ids: input with the template's tail, answer with its end token.

    Attributes:
        shared: how many of the input's ids stand in front of the prompt, where that stands after
            the text: the note with the template's head.
    """

    id: str
    input: list[int]
    answer: list[int]
    shared: int = 0

    @property
    def length(self) -> int:
        """Tokens the backbone reads: the last answer token is only predicted."""
        return len(self.input) + len(self.answer) - 1

    @property
    def parts(self) -> tuple[list[int], list[int]]:
        """What stands in front of the prompt, and the rest of the input behind it."""
        return self.input[: self.shared], self.input[self.shared :]


def written(codec: Codec, card: Card, inputs: Sequence[Input]) -> list[tuple[list[int], int]]:
    """Token ids of inputs, and how many of them stand in front of the prompt (0 where it is first).

    Raises:
        ClinpromptError: CP-TEXT codes for an input that does not fit the card.
    """
    if codec.placement == "before":
        ids = codec.rows([verbalize.input_text(card, value) for value in inputs])
        return [(one, 0) for one in ids]
    parts = [verbalize.input_parts(card, value) for value in inputs]
    divided = codec.divided([note for note, _ in parts], [rest for _, rest in parts])
    return [(note + rest, len(note)) for note, rest in divided]


@dataclass
class TokenTask:
    """A task ready for training.

    Attributes:
        fixed: token ids that follow its prompt in all rows (template head, instruction).
        rows: training and dev rows.
        skipped: how many examples of each split were longer than allowed and left out.
        truncated: how many were cut to fit.
        thinned: how many were left out because their answer is empty (`thin_empty`).
    """

    card: Card
    fixed: list[int]
    rows: dict[str, list[TokenRow]] = field(default_factory=dict)
    skipped: Counter[str] = field(default_factory=Counter)
    truncated: Counter[str] = field(default_factory=Counter)
    thinned: Counter[str] = field(default_factory=Counter)

    @property
    def name(self) -> str:
        """The card's name."""
        return self.card.name

    def whole(self) -> TokenTask:
        """The same where rows are read from their first token on, note and instruction in one:
        for the placement after the text, where nothing of a note may be kept.

        What all rows begin with is their prefix.
        """
        rows = {
            split: [
                replace(row, input=[*row.parts[0], *self.fixed, *row.parts[1]], shared=0)
                for row in own
            ]
            for split, own in self.rows.items()
        }
        shared = _alike([r.input for own in rows.values() for r in own])
        first = next((r.input[:shared] for own in rows.values() for r in own), [])
        rows = {
            split: [replace(r, input=r.input[shared:]) for r in own] for split, own in rows.items()
        }
        return replace(self, fixed=first, rows=rows)


def _alike(rows: Sequence[Sequence[int]]) -> int:
    """How many tokens all rows begin with; at least one of each is left."""
    shortest = min((len(row) for row in rows), default=1) - 1
    columns = zip(*(row[:shortest] for row in rows), strict=True)
    return next((n for n, column in enumerate(columns) if len(set(column)) > 1), shortest)


def tokenise(
    codec: Codec,
    card: Card,
    splits: Mapping[str, Sequence[Example]],
    *,
    max_tokens: int,
    long_inputs: Long,
    context: int,
    prompt_length: int,
) -> TokenTask:
    """Token ids of a task's examples.

    Args:
        max_tokens: longest input plus answer.
        long_inputs: a longer example is an error; or skipped; or the end of its text is cut, with
            the mentions that stood there, and it is skipped only if that can't be done. All are
            counted.
        context: the backbone's context length; prompt, instruction and row must fit in it.

    Raises:
        ClinpromptError: CP-TRAIN-020 an example without answer, CP-TRAIN-021 an example too long,
            CP-TRAIN-022 nothing left of a split, CP-TRAIN-091 no room for any example.
    """
    task = TokenTask(card, codec.fixed(verbalize.instruction(card)))
    room = min(max_tokens + codec.around, context - prompt_length - len(task.fixed))
    if room < 2:
        raise ClinpromptError(
            "CP-TRAIN-091",
            f"task '{card.name}': a prompt of {prompt_length} and an instruction of "
            f"{len(task.fixed)} tokens leave no room in the backbone's context of {context}",
            hint="choose a smaller prompt.length or a shorter instruction",
        )
    for split, examples in splits.items():
        texts = []
        for example in examples:
            if example.answer is None:
                raise ClinpromptError(
                    "CP-TRAIN-020",
                    f"task '{card.name}': {split} example '{example.id}' has no answer",
                )
            texts.append(verbalize.answer_text(card, example.input, example.answer))
        inputs = written(codec, card, [example.input for example in examples])
        answers = codec.answers(texts)
        kept = []
        for example, (given, shared), answer in zip(examples, inputs, answers, strict=True):
            row: TokenRow | None = TokenRow(example.id, given, answer, shared)
            assert row is not None
            if row.length + 1 <= room:
                kept.append(row)
                continue
            if long_inputs == "refuse":
                raise ClinpromptError(
                    "CP-TRAIN-021",
                    f"task '{card.name}': {split} example '{example.id}' has {row.length + 1} "
                    f"tokens, more than {room}",
                    hint="raise data.max_tokens (within the backbone's context) or set "
                    "data.long_inputs to skip or truncate",
                )
            row = (
                _shortened(codec, card, example, len(answer), room)
                if long_inputs == "truncate"
                else None
            )
            if row is None:
                task.skipped[split] += 1
            else:
                task.truncated[split] += 1
                kept.append(row)
        if examples and not kept:
            raise ClinpromptError(
                "CP-TRAIN-022",
                f"task '{card.name}': all {len(examples)} {split} examples are longer than "
                f"{room} tokens",
                hint="raise data.max_tokens or leave the task out",
            )
        task.rows[split] = kept
    return task


def thin_empty(codec: Codec, task: TokenTask, most: float, seed: int) -> None:
    """Leave out training rows without mentions or relations until they are a share of `most`.

    In many corpora most sentences name nothing. Whoever learns from few of them then learns to
    answer "none" first (docs/experiments.md, section 20). What is left out is drawn by the seed
    and counted; dev rows stay as they are, and so does a task that has no other rows.

    Args:
        most: largest share of such rows, 0 to below 1.
    """
    if task.card.type not in ("ner", "re"):
        return
    nothing = codec.answers([NONE])[0]
    rows = task.rows["train"]
    empty = [row.id for row in rows if row.answer == nothing]
    full = len(rows) - len(empty)
    left_out = set(sorted(empty, key=lambda id_: rank(seed, id_))[int(full * most / (1 - most)) :])
    if full and left_out:
        task.rows["train"] = [row for row in rows if row.id not in left_out]
        task.thinned["train"] = len(left_out)


def _shortened(
    codec: Codec, card: Card, example: Example, answer_tokens: int, room: int
) -> TokenRow | None:
    """The example with the end of its text cut; None if that leaves no honest example.

    An answer may take half of the room. A free text that is longer is cut there and has no end
    token, so that nothing learns to stop in mid-sentence. A long list gets shorter with its text,
    which is cut until both fit; other long answers can't be cut.
    """
    half = room // 2
    cut_answer = answer_tokens > half and isinstance(example.answer, TextAnswer)

    def encode(value: Input) -> list[int]:
        return written(codec, card, [value])[0][0]

    whole = encode(example.input)
    most = room - min(answer_tokens, half)
    while most >= 1:
        fits = len(whole) <= most
        fitted = Fitted(example.input, whole) if fits else cut(example.input, most, encode)
        if fitted is None or example.answer is None:
            return None
        answer = _answer_within(example.answer, len(source_text(fitted.input)))
        if answer is None:
            return None
        ids = codec.answers([verbalize.answer_text(card, fitted.input, answer)])[0]
        shared = written(codec, card, [fitted.input])[0][1]
        row = TokenRow(example.id, fitted.ids, ids[:half] if cut_answer else ids, shared)
        if row.length + 1 <= room:
            return row
        if not isinstance(answer, EntityAnswer | RelationAnswer):
            return None
        most = min(most, len(fitted.ids)) * 7 // 8
    return None


def _answer_within(answer: Answer, end: int) -> Answer | None:
    """What of an answer still holds for the first `end` characters of the text."""
    match answer:
        case EntityAnswer(entities=entities):
            return EntityAnswer(tuple(e for e in entities if e.end <= end))
        case RelationAnswer(relations=relations):
            return RelationAnswer(tuple(r for r in relations if max(r.head.end, r.tail.end) <= end))
        case SpanAnswer(spans=spans) if any(stop > end for _, stop in spans):
            return None
    return answer
