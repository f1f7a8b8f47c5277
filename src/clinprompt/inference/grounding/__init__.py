"""Generated answers held to what their note holds: its words, and the labels of the card.

Two nets, one behind the other. A grammar (`grammar`), masked by llguidance, lets only lines through
whose mentions are written with pieces of the note. And every line is read by the very code that
reads answers (`lines`), before it may end: so what was generated can't fail to be read later on.
"""

from clinprompt.inference.grounding.constraint import Grounder, Grounding

__all__ = ["Grounder", "Grounding"]
