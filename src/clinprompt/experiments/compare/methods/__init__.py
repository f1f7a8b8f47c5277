"""The methods that a comparison knows. A new one is a class and a line here."""

from __future__ import annotations

from clinprompt.experiments.compare.methods.base import Entry, Method
from clinprompt.experiments.compare.methods.prompts import (
    Grouped,
    Metaprompt,
    PromptTuning,
    Vectors,
)
from clinprompt.experiments.compare.methods.untrained import Bare, InContext
from clinprompt.experiments.compare.methods.weights import FineTuning, Lora

METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Bare(),
        InContext(),
        PromptTuning(),
        Metaprompt(),
        Vectors(),
        Grouped(),
        Lora(),
        FineTuning(),
    )
}

__all__ = ["METHODS", "Entry", "Method"]
