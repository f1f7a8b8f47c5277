"""Decoding at speed: rows enter and leave a fixed memory of keys and values while others go on.

`backbone.decode.greedy` says the same in the simplest way, and the tests hold this room to it.
"""

from clinprompt.backbone.decode import Constraint, Generated
from clinprompt.backbone.decoding.request import Ask, Settings
from clinprompt.backbone.decoding.sampling import Sampling
from clinprompt.backbone.decoding.scheduler import Decoder, generate
from clinprompt.backbone.decoding.stops import StopTexts

__all__ = [
    "Ask",
    "Constraint",
    "Decoder",
    "Generated",
    "Sampling",
    "Settings",
    "StopTexts",
    "generate",
]
