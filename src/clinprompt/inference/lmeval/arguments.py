"""What the harness's users can set, checked before anything runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch

from clinprompt.artifacts.prompt_set import PromptSet
from clinprompt.backbone.codec import Codec
from clinprompt.backbone.decoding import Sampling, Settings, StopTexts
from clinprompt.errors import ClinpromptError

_LENGTHS = ("max_gen_toks", "max_new_tokens", "max_tokens", "max_completion_tokens")
_KNOWN = {*_LENGTHS, "until", "do_sample", "temperature", "top_p", "top_k"}


@dataclass(frozen=True, slots=True)
class Generation:
    """How one row is continued.

    Attributes:
        until: texts that end it.
        max_new: most new tokens.
        sampling: how tokens are drawn; None takes the most probable ones.
    """

    until: tuple[str, ...]
    max_new: int
    sampling: Sampling | None


def batch_rows(batch_size: int | str, most: int | None) -> int | None:
    """Rows of a batch; None for "auto".

    Raises:
        ClinpromptError: CP-INF-401 for anything else.
    """
    text = str(batch_size)
    if text.split(":")[0] == "auto":
        return None if most is None else max(1, int(most))
    if not text.isdecimal() or int(text) < 1:
        raise ClinpromptError(
            "CP-INF-401", f"batch_size is '{batch_size}'", hint="give a number from 1, or auto"
        )
    return int(text)


def usable_device(device: str) -> str:
    """The device, or "auto" for a CUDA that is not there: the harness asks for it unasked."""
    unasked = str(device).startswith("cuda") and not torch.cuda.is_available()
    return "auto" if unasked else str(device)


def chosen_around(
    around: str, prompts: PromptSet | None, task: str | None, long_inputs: str
) -> Literal["card", "none"]:
    """What stands around texts, and whether the arguments go together.

    Raises:
        ClinpromptError: CP-INF-402 a value that is not known, CP-INF-403 an instruction without a
            task, CP-INF-404 no text around a prompt that can't do without.
    """
    for name, value, known in (
        ("around", around, ("auto", "card", "none")),
        ("long_inputs", long_inputs, ("refuse", "truncate")),
    ):
        if value not in known:
            raise ClinpromptError(
                "CP-INF-402", f"{name} is '{value}'", hint=f"known: {', '.join(known)}"
            )
    if prompts is None and task is None and around == "card":
        raise ClinpromptError(
            "CP-INF-403",
            "around=card puts a task's instruction around a text, and no task is named",
            hint="add task=NAME",
        )
    if around == "auto":
        return "none" if prompts is None and task is None else "card"
    if around == "none" and prompts is not None and prompts.meta.placement == "after":
        raise ClinpromptError(
            "CP-INF-404",
            "these prompts stand after the text, between it and what the template asks",
            file=prompts.file,
            hint="leave out around=none",
        )
    return "card" if around == "card" else "none"


def generation(given: Mapping[str, Any], max_new: int) -> Generation:
    """The harness's settings of generation.

    Args:
        max_new: where they name no length.

    Raises:
        ClinpromptError: CP-INF-407 for a setting that is unknown here; what `Sampling` raises.
    """
    unknown = sorted(set(given) - _KNOWN)
    if unknown:
        raise ClinpromptError(
            "CP-INF-407",
            f"generation can't be set by {', '.join(unknown)}",
            hint=f"known: {', '.join(sorted(_KNOWN))}",
        )
    until = given.get("until") or []
    texts = [until] if isinstance(until, str) else list(until)
    temperature = float(given.get("temperature") or 0.0)
    drawn = given.get("do_sample")
    sampling = None
    if drawn or (drawn is None and temperature > 0):
        top_k, top_p = given.get("top_k"), given.get("top_p")
        sampling = Sampling(
            temperature=temperature or 1.0,
            top_k=None if not top_k else int(top_k),
            top_p=1.0 if top_p is None else float(top_p),
        )
    lengths = [given[name] for name in _LENGTHS if given.get(name) is not None]
    longest = max(1, int(lengths[0] if lengths else max_new))
    return Generation(tuple(text for text in texts if text), longest, sampling)


def decoding_settings(asked: Generation, codec: Codec) -> Callable[[int | None, int], Settings]:
    """How rows are decoded, once rows and tokens at a time are known."""
    texts = StopTexts(asked.until, codec.decode) if asked.until else None

    def settings(rows: int | None, tokens: int) -> Settings:
        return Settings(codec.stops, asked.sampling, texts, tokens=tokens, slots=rows)

    return settings
