"""The methods that a comparison knows. A new one is a class and a line here."""

from __future__ import annotations

from clinprompt.experiments.compare.methods.base import Entry, Method
from clinprompt.experiments.compare.methods.fine_tuning import FineTuning
from clinprompt.experiments.compare.methods.lora import Lora
from clinprompt.experiments.compare.methods.metaprompt_lora import MetapromptLora
from clinprompt.experiments.compare.methods.prompts import (
    Grouped,
    Metaprompt,
    PromptTuning,
    Vectors,
)
from clinprompt.experiments.compare.methods.untrained import Bare, InContext

METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Bare(),
        InContext(),
        PromptTuning(),
        Metaprompt(),
        Vectors(),
        Grouped(),
        MetapromptLora(),
        Lora(),
        FineTuning(),
    )
}

__all__ = ["METHODS", "Entry", "Method"]
