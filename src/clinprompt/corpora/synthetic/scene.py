"""What a document is about: a patient and a body system, so that its parts fit together.

Complaints, suspected diseases and examinations come from the scene's system; medicines come with
what they treat or do; relatives get diseases that run in families.
"""

from __future__ import annotations

from collections.abc import Sequence

from clinprompt.corpora.synthetic import phrases
from clinprompt.corpora.synthetic.draw import Draw, Pool
from clinprompt.corpora.synthetic.lexicon.conditions import CONDITIONS, SYSTEMS, Condition
from clinprompt.corpora.synthetic.lexicon.dosing import HARMS
from clinprompt.corpora.synthetic.lexicon.drugs import DRUGS, Drug
from clinprompt.corpora.synthetic.lexicon.people import RELATIVES
from clinprompt.corpora.synthetic.lexicon.symptoms import Symptom
from clinprompt.corpora.synthetic.lexicon.workup import Procedure

_CONDITIONS = phrases.conditions.grouped(lambda entry: entry.system)
_SYMPTOMS = phrases.symptoms.grouped(lambda entry: entry.system)
_EXAMS = phrases.exams.grouped(lambda entry: entry.system)
_BY_NAME = {entry.name: entry for entry in CONDITIONS}
# Split that each named problem belongs to; those of "train" are shared by all splits.
_OWNER = {
    entry.name: split
    for pool in (phrases.conditions, phrases.symptoms, Pool(HARMS))
    for split, entries in pool.parts.items()
    for entry in entries
}
_SIBLINGS = {
    drug.name: {
        other.name
        for other in DRUGS
        if other is not drug and not set(other.treats).isdisjoint(drug.treats)
    }
    for drug in DRUGS
}


class Scene:
    """Patient, body system, and the draws that hang on them.

    Every method that draws raises `DeadEnd` if nothing fitting is left.
    """

    def __init__(self, draw: Draw, system: str | None = None) -> None:
        self.draw = draw
        self.person = phrases.patient(draw)
        self.system = system or draw.pick(SYSTEMS)
        self.heads: set[str] = set()  # last words of the problems that statements are about

    def symptom(self, near: float = 0.8) -> Symptom:
        """A complaint, of the scene's system with probability `near`."""
        pool = _SYMPTOMS[self.system] if self.draw.chance(near) else phrases.symptoms
        return self.draw.term(pool)

    def condition(self, pool: Pool[Condition] | None = None) -> Condition:
        """A disease that suits the patient: of the scene's system, or any of `pool`."""
        return self.draw.term(pool or _CONDITIONS[self.system], self.person.suits)

    def exam(self) -> Procedure:
        """An examination of the scene's system."""
        return self.draw.term(_EXAMS[self.system], self.person.suits)

    def operation(self) -> Procedure:
        """An operation the patient may have had."""
        return self.draw.term(phrases.operations, self.person.suits)

    def drug(self, pool: Pool[Drug] = phrases.drugs) -> Drug:
        """A medicine for something the patient may have."""
        return self.draw.term(pool, lambda drug: bool(self._fitting(drug.treats)))

    def sibling(self, drug: Drug) -> Drug:
        """Another medicine for something that `drug` treats too."""
        kin = _SIBLINGS[drug.name]
        return self.draw.term(phrases.drugs, lambda other: other.name in kin)

    def indication(self, drug: Drug) -> str:
        """Something the drug treats."""
        return self.related(drug.treats)

    def harm(self, drug: Drug) -> str:
        """An unwanted effect the drug is known for."""
        return self.related(drug.effects)

    def related(self, names: Sequence[str]) -> str:
        """One of the named problems that suits the patient and that the split may use."""
        return self.draw.unused(self._fitting(names))

    def _fitting(self, names: Sequence[str]) -> list[str]:
        return [
            name
            for name in names
            if _OWNER[name] in ("train", self.draw.split)
            and (name not in _BY_NAME or self.person.suits(_BY_NAME[name]))
        ]

    def relative(self) -> tuple[str, Condition]:
        """A relative and a disease that runs in families."""
        word = self.draw.pick(tuple(RELATIVES))
        relative = phrases.Patient(70, RELATIVES[word])
        return word, self.draw.term(phrases.HEREDITARY, relative.suits)
