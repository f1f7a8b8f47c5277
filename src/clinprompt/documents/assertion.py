"""What attributes say about a mention: negated, uncertain, past, about somebody else.

Corpora and systems name the same thing in many ways (``Negation=Negated``, ``Assertion=absent``,
``negated`` without a value). Here are the names and values that exports understand. An attribute
that isn't here is kept as it is and changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from clinprompt.documents.model import Attribute

Sense = Literal["negated", "uncertain", "improbable", "conditional", "other", "past", "present", ""]

_TRUE = {"", "true", "yes", "y", "1"}
_FALSE = {"false", "no", "n", "0", "none", "null"}

# Attributes that are one sense: true without a value or with one of _TRUE, else by the words.
_FLAGS: dict[str, Sense] = {
    **dict.fromkeys(
        ("negation", "negated", "isnegated", "negationindicator", "neg", "absent", "denied"),
        "negated",
    ),
    **dict.fromkeys(
        "uncertainty uncertain uncertaintyindicator speculation speculated possible probable "
        "ispossible".split(),
        "uncertain",
    ),
    **dict.fromkeys(
        ("conditional", "conditionalclass", "hypothetical", "ishypothetical", "ruleout"),
        "conditional",
    ),
    **dict.fromkeys(("family", "isfamily", "familyhistory"), "other"),
    **dict.fromkeys(("historical", "ishistorical", "history", "historyof"), "past"),
}

# Attributes whose value is the sense.
_ASSERTIONS = {"assertion", "assertionstatus", "presence", "polarity", "certainty"}
_SUBJECTS = {"subject", "subjectclass", "experiencer"}
_TIMES = {"temporality", "temporal", "temporalityclass"}

_VALUES: dict[str, Sense] = {
    **dict.fromkeys(("absent", "negated", "negative", "denied", "neg", "-1"), "negated"),
    **dict.fromkeys(
        "present affirmed positive notnegated certain pos asserted factual definite high 1".split(),
        "",
    ),
    **dict.fromkeys(
        "possible uncertain probable speculative suspected likely moderate low".split(), "uncertain"
    ),
    **dict.fromkeys(("verylow", "unlikely", "improbable"), "improbable"),
    **dict.fromkeys(("conditional", "hypothetical", "ruleout"), "conditional"),
    **dict.fromkeys(("associatedwithsomeoneelse", "someoneelse", "family", "other"), "other"),
    **dict.fromkeys(("past", "historical", "history"), "past"),
}
_LEVELS = {"high", "moderate", "low", "verylow"}  # of certainty
_PERIODS: dict[str, Sense] = {
    **dict.fromkeys(("past", "historical", "history", "before"), "past"),
    **dict.fromkeys(("present", "current", "recent", "now"), "present"),
    **dict.fromkeys(("future", "hypothetical"), "conditional"),
}
_PATIENT = {"patient", "self", "thepatient"}


@dataclass(frozen=True)
class Assertion:
    """What a mention's attributes come to.

    Attributes:
        negated: the text says that it is not so.
        uncertain: the text says that it may be so.
        improbable: the text gives it a very low certainty.
        conditional: the text says when it would be so (hypothetical, to be ruled out).
        other: it is about somebody other than the patient.
        time: ``past``, ``present`` or "" where the text does not say.
        unknown: names of attributes that speak of this, with a value that is not understood.
    """

    negated: bool = False
    uncertain: bool = False
    improbable: bool = False
    conditional: bool = False
    other: bool = False
    time: Literal["past", "present", ""] = ""
    unknown: tuple[str, ...] = ()

    @property
    def exists(self) -> bool:
        """Whether the patient has or had it, by the rule of the OMOP CDM for ``term_exists``."""
        return not (self.negated or self.other or self.conditional or self.improbable)


def assertion(attributes: Iterable[Attribute]) -> Assertion:
    """What the attributes of one mention say; where two speak of one thing, both count."""
    senses: set[Sense] = set()
    unknown = []
    for one in attributes:
        sense = _sense(_word(one.name), None if one.value is None else _word(one.value))
        if sense is None:
            unknown.append(one.name)
        else:
            senses.add(sense)
    return Assertion(
        "negated" in senses,
        "uncertain" in senses,
        "improbable" in senses,
        "conditional" in senses,
        "other" in senses,
        "past" if "past" in senses else "present" if "present" in senses else "",
        tuple(unknown),
    )


def _word(text: str) -> str:
    """Letters and digits in lower case: ``Negation_Indicator`` is ``negationindicator``.

    Text without any of them is given back as it is.
    """
    return re.sub(r"[^\w-]|_|-(?!\d)", "", text.lower()) or text


def _sense(name: str, value: str | None) -> Sense | None:
    """What an attribute says; "" for nothing, None if its value is not understood."""
    if name in _FLAGS:
        if value is None or value in _TRUE:
            return _FLAGS[name]
        # Such as Negation=NotNegated: the value says more than the name.
        return "" if value in _FALSE else None if value in _LEVELS else _VALUES.get(value)
    if name in _TIMES:
        return _PERIODS.get(value or "")
    if name in _SUBJECTS:
        return None if not value else "" if value in _PATIENT | _FALSE else "other"
    if name in _ASSERTIONS:
        return _VALUES.get(value or "")
    return ""
