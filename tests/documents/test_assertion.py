from __future__ import annotations

import pytest

from clinprompt.documents.assertion import Assertion, assertion
from clinprompt.documents.model import Attribute


def said(*pairs: str) -> Assertion:
    found = []
    for number, pair in enumerate(pairs):
        name, _, value = pair.partition("=")
        found.append(Attribute(f"A{number}", name, "T1", value if "=" in pair else None))
    return assertion(found)


@pytest.mark.parametrize(
    ("pair", "wanted"),
    [
        ("Negated", Assertion(negated=True)),
        ("negation_indicator=yes", Assertion(negated=True)),
        ("Negation=Negated", Assertion(negated=True)),
        ("Negation=NotNegated", Assertion()),
        ("negated=false", Assertion()),
        ("Negation=perhaps", Assertion(unknown=("Negation",))),
        ("Assertion=absent", Assertion(negated=True)),
        ("Assertion=present", Assertion()),
        ("assertion=associated_with_someone_else", Assertion(other=True)),
        ("Assertion=possible", Assertion(uncertain=True)),
        ("Assertion=hypothetical", Assertion(conditional=True)),
        ("Assertion", Assertion(unknown=("Assertion",))),
        ("polarity=-1", Assertion(negated=True)),
        ("polarity=1", Assertion()),
        ("Certainty=very low", Assertion(improbable=True)),
        ("Certainty=low", Assertion(uncertain=True)),
        ("Uncertainty=high", Assertion(unknown=("Uncertainty",))),
        ("subject_class=family_member", Assertion(other=True)),
        ("Subject=patient", Assertion()),
        ("Subject", Assertion(unknown=("Subject",))),
        ("Temporality=Past", Assertion(time="past")),
        ("Temporality=Present", Assertion(time="present")),
        ("Temporality=Future", Assertion(conditional=True)),
        ("historical", Assertion(time="past")),
        ("Severity=severe", Assertion()),
        ("Status", Assertion()),
    ],
)
def test_one_attribute(pair, wanted):
    assert said(pair) == wanted


def test_several_add_up():
    assert said("Negated", "Assertion=possible", "Temporality=now", "History") == Assertion(
        negated=True, uncertain=True, time="past"
    )


@pytest.mark.parametrize(
    ("pairs", "exists"),
    [
        ((), True),
        (("Negated",), False),
        (("Subject=father",), False),
        (("Conditional",), False),
        (("rule_out=true",), False),
        (("Certainty=very_low",), False),
        (("Certainty=low",), True),
        (("Uncertain",), True),
        (("History",), True),
    ],
)
def test_existence_follows_the_convention_of_the_cdm(pairs, exists):
    assert said(*pairs).exists is exists
