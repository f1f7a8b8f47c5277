"""The vocabulary: tables agree with each other, and no name has two meanings."""

from __future__ import annotations

from collections import Counter

import pytest

from clinprompt.corpora.synthetic.lexicon.conditions import CONDITIONS, SYSTEMS
from clinprompt.corpora.synthetic.lexicon.dosing import FORMS, HARMS, RHYTHMS, ROUTES
from clinprompt.corpora.synthetic.lexicon.drugs import DRUGS
from clinprompt.corpora.synthetic.lexicon.imaging import (
    FINDINGS,
    INDICATIONS,
    NORMALS,
    STUDIES,
    SUSPICIONS,
)
from clinprompt.corpora.synthetic.lexicon.symptoms import SYMPTOMS
from clinprompt.corpora.synthetic.lexicon.tables import rows, values
from clinprompt.corpora.synthetic.lexicon.workup import EXAMS, LABS, OPERATIONS, VITALS

PROBLEMS = {entry.name for entry in (*CONDITIONS, *SYMPTOMS)}


def test_there_is_enough_of_it() -> None:
    sizes = [len(t) for t in (CONDITIONS, SYMPTOMS, DRUGS, FINDINGS, LABS, OPERATIONS, EXAMS)]
    assert sizes >= [170, 110, 120, 85, 30, 40, 45]


def test_names_are_unique_and_ascii() -> None:
    tables = (CONDITIONS, SYMPTOMS, DRUGS, OPERATIONS, EXAMS, LABS, VITALS)
    names = Counter(name.lower() for table in tables for e in table for name in e.surfaces)
    assert [name for name, count in names.items() if count > 1] == []
    assert all(name.isascii() and name == name.strip() and "  " not in name for name in names)


@pytest.mark.parametrize("drug", DRUGS, ids=lambda drug: drug.name)
def test_what_a_drug_refers_to_is_there(drug) -> None:
    assert drug.doses
    assert drug.route in ROUTES
    assert drug.rhythm in RHYTHMS
    assert drug.treats and set(drug.treats) <= PROBLEMS
    assert drug.effects and set(drug.effects) <= PROBLEMS | {harm.name for harm in HARMS}
    assert set(drug.treats).isdisjoint(drug.effects)


def test_doses_rise() -> None:
    for drug in DRUGS:
        numbers = [dose.split()[0] for dose in drug.doses]
        if numbers != ["a"]:
            assert numbers == sorted(numbers, key=float), drug.name


def test_every_harm_is_used_and_is_no_symptom() -> None:
    used = {effect for drug in DRUGS for effect in drug.effects}
    for harm in HARMS:
        assert harm.name in used
        assert harm.name not in PROBLEMS


def test_systems_have_complaints_and_examinations() -> None:
    for table in (SYMPTOMS, EXAMS):
        assert {entry.system for entry in table} == set(SYSTEMS)
    for system in SYSTEMS:
        assert sum(entry.system == system for entry in CONDITIONS) >= 10


def test_regions_have_all_that_a_report_needs() -> None:
    regions = {finding.region for finding in FINDINGS}
    assert regions == set(STUDIES) == set(NORMALS) == set(INDICATIONS) == set(SUSPICIONS)
    for names in (*INDICATIONS.values(), *SUSPICIONS.values()):
        assert set(names) <= PROBLEMS
    for finding in FINDINGS:
        assert finding.sites
    for lines in NORMALS.values():
        assert all(line.count("<") == line.count(">") >= 1 for line in lines)


def test_forms_are_of_routes() -> None:
    assert set(FORMS) <= set(ROUTES)


def test_a_table_is_read_by_groups_and_a_wrong_width_is_a_fault() -> None:
    assert list(rows("# g\na | b; c\n\n- | -", 2)) == [("g", ["a", "b; c"]), ("g", ["", ""])]
    assert values(" b; ;c ") == ("b", "c")
    with pytest.raises(AssertionError):
        list(rows("a | b | c", 2))
