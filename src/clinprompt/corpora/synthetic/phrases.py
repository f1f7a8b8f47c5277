"""Small phrases that all kinds of documents share: patients, times, names of things."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol

from clinprompt.corpora.synthetic.draw import Draw, Pool
from clinprompt.corpora.synthetic.fragment import Fragment
from clinprompt.corpora.synthetic.grammar import fill, sentence
from clinprompt.corpora.synthetic.lexicon.conditions import CONDITIONS, Condition
from clinprompt.corpora.synthetic.lexicon.dosing import HARMS
from clinprompt.corpora.synthetic.lexicon.drugs import DRUGS
from clinprompt.corpora.synthetic.lexicon.people import (
    HOUSEHOLDS,
    OCCUPATIONS,
    PASTIMES,
    SURNAMES,
    Term,
)
from clinprompt.corpora.synthetic.lexicon.symptoms import LIMB_SITES, SYMPTOMS, Symptom
from clinprompt.corpora.synthetic.lexicon.tables import words
from clinprompt.corpora.synthetic.lexicon.workup import EXAMS, LABS, OPERATIONS, VITALS, Measure

THIS_YEAR = 2024

conditions = Pool(CONDITIONS, lambda entry: entry.system)
symptoms = Pool(SYMPTOMS, lambda entry: entry.system)
drugs = Pool(DRUGS, lambda entry: entry.route)
limb_sites = Pool(map(Term, LIMB_SITES))
labs, vitals = Pool(LABS), Pool(VITALS)
operations, exams = Pool(OPERATIONS), Pool(EXAMS)
occupations, households, pastimes = Pool(OCCUPATIONS), Pool(HOUSEHOLDS), Pool(PASTIMES)

HOME_DRUGS = drugs.where(lambda entry: entry.route != "iv")
CHRONIC = conditions.where(lambda entry: "c" in entry.tags)
HEREDITARY = conditions.where(lambda entry: "h" in entry.tags)

_PROBLEMS: tuple[Condition | Symptom, ...] = (*CONDITIONS, *SYMPTOMS)
_LAY = {entry.name: entry.lay for entry in _PROBLEMS} | {entry.name: entry.lay for entry in HARMS}
_SYNONYMS = {entry.name: entry.surfaces for entry in _PROBLEMS}
_NUMBERS = words("zero one two three four five six seven eight nine ten eleven twelve")


class Tagged(Protocol):
    """An entry that fits some patients only (see `Condition.tags`)."""

    @property
    def tags(self) -> str:
        """``m``, ``f`` and ``o`` restrict it."""


class Surfaced(Protocol):
    """An entry with several names."""

    @property
    def surfaces(self) -> tuple[str, ...]:
        """Full name first."""


@dataclass(frozen=True, slots=True)
class Patient:
    """Age in years and sex (``m`` or ``f``), with the words for them."""

    age: int
    sex: str

    @property
    def he(self) -> str:
        """He or she."""
        return "he" if self.sex == "m" else "she"

    @property
    def his(self) -> str:
        """His or her."""
        return "his" if self.sex == "m" else "her"

    @property
    def man(self) -> str:
        """Man or woman."""
        return "man" if self.sex == "m" else "woman"

    def suits(self, entry: Tagged) -> bool:
        """Whether a patient of this age and sex may have the entry."""
        other = "f" if self.sex == "m" else "m"
        return other not in entry.tags and not ("o" in entry.tags and self.age < 50)


def patient(draw: Draw) -> Patient:
    """A grown-up patient."""
    return Patient(draw.between(21, 88), draw.pick("mf"))


def who(draw: Draw, person: Patient) -> Fragment:
    """The patient as the subject of a first sentence."""
    title = "Mr." if person.sex == "m" else draw.pick(("Ms.", "Mrs."))
    slots = {
        "age": str(person.age),
        "man": person.man,
        "sex": person.sex.upper(),
        "title": title,
        "name": draw.pick(SURNAMES),
    }
    return fill(
        "({age} y/o {man}|{age}-year-old {man}|{age}{sex}|{age} yo {sex}|Pt|Patient|{title} {name}"
        "|{title} {name}, {age},|The patient|This {age}-year-old {man})",
        draw,
        slots,
    )


def called(draw: Draw, entry: Surfaced, full: float = 0.55) -> str:
    """A name of the entry: the full one with probability `full`, else another one."""
    return entry.surfaces[0] if draw.chance(full) else draw.pick(entry.surfaces)


def reworded(draw: Draw, name: str, full: float = 0.6) -> str:
    """`name`, or a synonym of it if it is a condition or symptom that has one."""
    return name if draw.chance(full) else draw.pick(_SYNONYMS.get(name, (name,)))


def lay(name: str) -> str:
    """A condition, symptom or harm in a patient's words."""
    return _LAY[name]


def article(noun: str) -> str:
    """`noun` with "a" or "an" in front, by its first letter (capital abbreviations by sound)."""
    first = noun.split()[0]
    spelled = len(first) > 1 and first.isupper()
    vowel = first[0] in ("AEFHILMNORSX" if spelled else "aeiouAEIOU")
    return f"{'an' if vowel else 'a'} {noun}"


_SINGULAR = ("ss", "is", "us", "'s", "diabetes", "shingles")
_PREPOSITIONS = re.compile(r" (in|of|with|to|at|for|when|on) ")


def verbs(noun: str) -> dict[str, str]:
    """Slots ``is``, ``was``, ``has``, ``does`` in the number of the noun."""
    head = _PREPOSITIONS.split(noun)[0]
    if head.endswith("s") and not head.endswith(_SINGULAR):
        return {"is": "are", "was": "were", "has": "have", "does": "do"}
    return {"is": "is", "was": "was", "has": "has", "does": "does"}


# ---- times -------------------------------------------------------------------------------------

DAYS = {"day": 1.0, "week": 7.0, "month": 30.0, "year": 365.0}
_SHORT = {"day": "d", "week": "wks", "month": "mos", "year": "yrs"}
_RANGE = {"day": (2, 12), "week": (2, 9), "month": (2, 11), "year": (2, 12)}


@dataclass(frozen=True, slots=True)
class Duration:
    """A length of time: ``number`` units of ``unit`` (day, week, month, year)."""

    number: int
    unit: str

    @property
    def days(self) -> float:
        """Its length in days."""
        return self.number * DAYS[self.unit]

    @property
    def plain(self) -> str:
        """As in "3 weeks"."""
        return f"{self.number} {self.unit}{'' if self.number == 1 else 's'}"

    def written(self, draw: Draw) -> str:
        """One of the ways notes write it."""
        word = _NUMBERS[self.number]
        return draw.pick(
            (
                self.plain,
                self.plain,
                f"about {self.plain}",
                f"{word} {self.unit}s",
                f"{self.number} {_SHORT[self.unit]}",
            )
            if self.number > 1
            else (self.plain, f"one {self.unit}")
        )


DURATIONS: tuple[Duration, ...] = tuple(
    Duration(number, unit)
    for unit, (low, high) in _RANGE.items()
    for number in range(low, high + 1)
)


def duration(draw: Draw, units: tuple[str, ...] = ("day", "week", "month")) -> Duration:
    """A length of time in one of the units."""
    unit = draw.pick(units)
    return Duration(draw.between(*_RANGE[unit]), unit)


def year(draw: Draw, person: Patient) -> int:
    """A year of the patient's grown-up life."""
    return draw.between(max(THIS_YEAR - person.age + 16, 1975), THIS_YEAR - 1)


def since(draw: Draw) -> Fragment:
    """How long something has been going on, as an adverbial."""
    length = duration(draw)
    slots = {
        "time": length.written(draw),
        "plain": length.plain,
        "day": draw.pick(("Monday", "Tuesday", "Thursday", "Friday", "last weekend", "yesterday")),
        "month": draw.pick(("January", "March", "April", "June", "September", "November")),
    }
    return fill(
        "(for {time}|for the (past|last) {plain}|x {plain}|since {day}|since {month}|over {time}"
        "|for some time|that began {time} ago)",
        draw,
        slots,
    )


# ---- values ------------------------------------------------------------------------------------


def value(draw: Draw, measure: Measure, low: float = 0.0, high: float = 1.0) -> float:
    """A value from the given part (fractions) of the measure's range, rounded as it is written."""
    width = measure.high - measure.low
    point = low + (high - low) * (draw.below(10_000) / 10_000)
    return round(measure.low + width * point, measure.decimals)


def number(measure: Measure, amount: float) -> str:
    """The number with the measure's digits."""
    return f"{amount:.{measure.decimals}f}"


# ---- lines that no task asks about -------------------------------------------------------------

_VITAL_ASIDES = (
    "(Vitals|Vital signs) (stable|within normal limits|unremarkable).",
    "BP {bp}, HR {hr}.",
    "BP {bp}, afebrile.",
    "(Weight|Wt) {kg} kg, (unchanged|stable|as before).",
)
_ASIDES = (
    "(Works|Used to work) as {job}.",
    "(Next|Follow-up) (visit|appointment) in {n} (weeks|months).",
    "(RTC|Recheck|See again) in {n} weeks.",
    "(Lungs clear|Abdomen soft|Skin warm|Heart regular), (alert|in no distress|well appearing).",
    "(Labs|Chart|Medication list|Outside records) reviewed.",
    "(Interpreter|Daughter|Son|Spouse) present (throughout|for the visit|by phone).",
    "(Seen|Examined) with Dr. {name}.",
    "(Accompanied by|Came with) (spouse|a friend|a neighbor|an aide).",
    "(Questions answered|Plan discussed|Patient agrees with the plan).",
    "{n} (ER|clinic|urgent care) visits this year.",
)


def aside(draw: Draw, vitals: bool = True) -> Fragment:
    """A sentence about nothing that a task asks for; without `vitals` none about vital signs."""
    slots = {
        "bp": f"{draw.between(104, 158)}/{draw.between(58, 94)}",
        "hr": str(draw.between(54, 98)),
        "kg": str(draw.between(48, 121)),
        "n": str(draw.between(2, 12)),
        "job": article(draw.pick(OCCUPATIONS).name),
        "name": draw.pick(SURNAMES),
    }
    return sentence(draw.pick(_ASIDES + _VITAL_ASIDES if vitals else _ASIDES), draw, slots)


# ---- whole documents ---------------------------------------------------------------------------


def finished(draw: Draw, note: Fragment) -> Fragment:
    """The note in the case of its writer: now and then all in small letters or in capitals."""
    if draw.chance(0.04):
        return note.mapped(str.lower)
    if draw.chance(0.02):
        return note.mapped(str.upper)
    return note
