"""What is asked, how it is answered, and what comes back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from clinprompt.backbone.decoding import Sampling
from clinprompt.errors import ClinpromptError
from clinprompt.examples import Answer, Example, Input
from clinprompt.tasks.validation import texts
from clinprompt.verbalize.fit import Fitted

LongInputs = Literal["refuse", "truncate", "window"]
Merged = Literal["union", "best-window", "around-mentions", "map-merge", "joined"]
Progress = Callable[[int, int], None]  # rows done, rows in all


@dataclass(frozen=True, slots=True)
class PredictorSettings:
    """How inputs are answered.

    Attributes:
        long_inputs: whether an input longer than the context is refused, cut at its end, or read
            in windows (by a `windows.WindowPredictor`; a plain `Predictor` refuses it).
        max_input: most tokens of an input's row, template's tail included; None: what fits the
            context. What is longer is treated as `long_inputs` says; if "truncate" can't cut it
            (marked mentions near its end, long choices), it is read whole, as far as it fits.
        max_new: most new tokens of an open answer; None leaves it to the form (`limits.LIMITS`).
        batch_tokens: padded tokens of a batch, prefixes and answers included; None chooses by
            the device.
        window: most tokens of a window's row, question and template's tail included; None: what
            fits the context, for lists of mentions or relations at most
            `windows.predictor.LIST_WINDOW`.
        overlap: most tokens that two windows share; None: an eighth of a window, at most 128.
        grounded: whether generated mentions, relations and spans are held to the text they are
            of (see `inference.grounding`); free texts never are, closed answers need it not.
        threshold: mentions and relations of lower confidence are dropped; None keeps all.
        notes_mb: where prompts stand after the text, how many MB of encoded notes are kept between
            batches and calls.
        temperature: open answers are drawn (`backbone.decoding.Sampling`); 0 takes the most
            probable token. Closed answers are never drawn.
        top_k, top_p: which tokens are drawn from; None for all.
        seed: of the draws. What is drawn for an input follows from this seed, its task and its
            text, whatever else is asked.
        stop: texts that end an open answer; they are no part of it.
        no_repeat_ngram: no so many tokens stand in a free text or summary twice (see
            `inference.repetition`); lists and spans, which quote, may repeat. None: any may.
        empty_above: a list of mentions or relations is left empty only where that is more probable;
            else the best answer that names something is given (see `inference.emptiness`). None:
            wherever it is the most probable answer.
        kv_cache: a folder where keys and values of tasks' prompts are kept
            (`backbone.kvstore`); None computes them in each process. Where prompts stand after the
            text there is nothing to keep.
    """

    long_inputs: LongInputs = "refuse"
    max_input: int | None = None
    max_new: int | None = None
    batch_tokens: int | None = None
    window: int | None = None
    overlap: int | None = None
    grounded: bool = False
    threshold: float | None = None
    notes_mb: int = 512
    temperature: float = 0.0
    top_k: int | None = None
    top_p: float | None = None
    seed: int = 0
    stop: tuple[str, ...] = ()
    no_repeat_ngram: int | None = None
    empty_above: float | None = None
    kv_cache: Path | None = None

    @property
    def drawn(self) -> dict[str, Any]:
        """What is drawn, and the texts that end it; empty for the most probable tokens alone."""
        found: dict[str, Any] = {}
        if self.temperature:
            found["temperature"] = self.temperature
            found |= {name: getattr(self, name) for name in ("top_k", "top_p")}
            found["seed"] = self.seed
        if self.stop:
            found["stop"] = list(self.stop)
        return {name: value for name, value in found.items() if value is not None}

    @property
    def decoding(self) -> dict[str, Any]:
        """All that makes open answers others than the most probable tokens, for records."""
        names = ("no_repeat_ngram", "empty_above")
        given = {name: getattr(self, name) for name in names}
        return self.drawn | {name: value for name, value in given.items() if value is not None}

    def sampling(self) -> Sampling | None:
        """How tokens are drawn; None takes the most probable one.

        Raises:
            ClinpromptError: CP-INF-450 something about draws where nothing is drawn; CP-BACK-100 to
                CP-BACK-102 values out of range.
        """
        if self.temperature:
            return Sampling(self.temperature, self.top_k, 1.0 if self.top_p is None else self.top_p)
        if (self.top_k, self.top_p) != (None, None):
            name = "top_p" if self.top_k is None else "top_k"
            raise ClinpromptError(
                "CP-INF-450",
                f"{name} is {getattr(self, name)}, and without a temperature nothing is drawn",
                hint="set a temperature above 0 (--temperature), such as 0.7",
            )
        return None


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked: an input of a task; `id` is for messages alone."""

    task: str
    input: Input
    id: str = ""


@dataclass(frozen=True, slots=True)
class Prediction:
    """An answer.

    Attributes:
        answer: the typed answer; None if nothing could be made of what the backbone wrote.
        text: what the backbone wrote; for closed forms the words of the chosen label.
        unaligned: mentions left out because they are not in the text.
        unparsable: lines, or whole answers, left out because their form or label is unknown, or
            because the last line of an unfinished list is only half written.
        truncated: whether a part of the text was left out before it was read.
        unfinished: whether the answer reached its most new tokens without an end.
        probabilities: for closed forms, label -> probability among all labels; they sum to 1.
        windows: how many windows the text was read in.
        merged: how the answer was made of those of the windows (see `inference.windows`); None
            where the text was read as a whole.
        confidences: for mentions and relations, of each in the order of the answer; for a span,
            its own (see `inference.reading`). None where a merged item has none.
        dropped: mentions or relations left out because their confidence was below the threshold.
        emptiness: of a list that names nothing, the probability of that answer.
    """

    answer: Answer | None
    text: str
    unaligned: int = 0
    unparsable: int = 0
    truncated: bool = False
    unfinished: bool = False
    probabilities: Mapping[str, float] | None = None
    windows: int = 1
    merged: Merged | None = None
    confidences: tuple[float | None, ...] = ()
    dropped: int = 0
    emptiness: float | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A request made ready: checked, fitted into the context, tokenised.

    Attributes:
        options: for closed forms, every answer with its words; empty for open ones.
        option_ids: their token ids, end token included.
        max_new: for open forms, most new tokens.
        shared: how many of its token ids stand in front of the prompt, where that stands after the
            text: what all tasks that ask about the same note have in common.
        named: whether "none" is no answer to it.
    """

    task: str
    seen: Fitted
    options: tuple[tuple[Answer, str], ...] = ()
    option_ids: tuple[tuple[int, ...], ...] = ()
    max_new: int = 0
    shared: int = 0
    named: bool = False


def check_texts(request: Request) -> None:
    """Refuse what has nothing to read, and what no tokenizer can read.

    Raises:
        ClinpromptError: CP-INF-004 an empty text, CP-INF-005 a text that is not valid Unicode.
    """
    for name, text in texts(Example(request.id, request.id, request.input)).items():
        if not text.strip():
            raise ClinpromptError(
                "CP-INF-004", f"task '{request.task}': input '{request.id}': its {name} is empty"
            )
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise ClinpromptError(
                "CP-INF-005",
                f"task '{request.task}': input '{request.id}': character {error.start} of its "
                f"{name} is half of a surrogate pair",
                hint="write the text as valid UTF-8",
            ) from None
