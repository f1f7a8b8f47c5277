"""How medicines are given and how often, and unwanted effects that are not complaints."""

from __future__ import annotations

from dataclasses import dataclass

from clinprompt.corpora.synthetic.lexicon.tables import rows


@dataclass(frozen=True, slots=True)
class Harm:
    """An unwanted effect that is not a symptom of its own table."""

    name: str
    lay: str


HARMS: tuple[Harm, ...] = tuple(
    Harm(name, lay)
    for _, (name, lay) in rows(
        """
dry cough | a dry cough
lip swelling | swollen lips
hyperkalemia | high potassium
hypokalemia | low potassium
hyponatremia | low sodium
hypomagnesemia | low magnesium
hyperglycemia | high blood sugar
hypoglycemia | low blood sugar
bradycardia | a slow pulse
cold hands | cold hands
breast tenderness | sore breasts
elevated liver enzymes | bad liver tests
rhabdomyolysis | muscle breakdown
thyroid dysfunction | thyroid trouble
sun sensitivity | burning in the sun
urinary retention | not being able to pee
oral thrush | thrush in my mouth
prolonged QT interval | a heart rhythm problem
tendon pain | pain in my tendons
C. difficile infection | a C. diff infection
metallic taste | a metal taste
loss of taste | losing my sense of taste
injection site reaction | a sore spot at the injection site
sinus infection | a sinus infection
leukopenia | low white cells
acute pancreatitis | pancreatitis
respiratory depression | slow breathing
sweating | sweating a lot
vivid hallucinations | seeing things
compulsive gambling | gambling
low libido | a low sex drive
elevated blood pressure | higher blood pressure
priapism | a painful erection
muscle stiffness | stiff muscles
breast discharge | fluid from my breasts
sleepwalking | sleepwalking
B12 deficiency | low B12
yeast infection | a yeast infection
involuntary movements | movements I can't control
orange urine | orange urine
darkened iris | a darker eye color
raised eye pressure | high eye pressure
skin thinning | thin skin
elevated triglycerides | high triglycerides
uterine polyps | polyps in my womb
""",
        2,
    )
)

# How a route is written in a line of a medication list; the last entries are the wordy ones.
ROUTES: dict[str, tuple[str, ...]] = {
    "po": ("PO", "po", "p.o.", "by mouth", "orally"),
    "iv": ("IV", "iv", "intravenously"),
    "sc": ("SC", "subQ", "sc", "subcutaneously", "under the skin"),
    "im": ("IM", "intramuscularly"),
    "sl": ("SL", "sublingually", "under the tongue"),
    "inhaler": ("inhaled", "via inhaler", "INH"),
    "nasal": ("each nostril", "intranasally", "in each nostril"),
    "eye": ("in both eyes", "OU", "in the left eye", "in the right eye"),
    "topical": ("topically", "to affected areas", "on the skin"),
    "patch": ("transdermally", "to the skin"),
}
# Products named after the way they are given: "albuterol inhaler", "timolol eye drops".
FORMS: dict[str, tuple[str, ...]] = {
    "inhaler": ("inhaler",),
    "nasal": ("nasal spray",),
    "eye": ("eye drops", "ophthalmic drops"),
    "topical": ("cream", "ointment"),
    "patch": ("patch",),
}
RHYTHMS: dict[str, tuple[str, ...]] = {
    "daily": ("daily", "once daily", "once a day", "every day", "qd", "q24h", "each day"),
    "morning": ("every morning", "qAM", "each morning", "once daily before breakfast"),
    "evening": ("every evening", "qPM", "nightly", "once daily with dinner"),
    "bedtime": ("at bedtime", "qHS", "nightly", "every night", "at night"),
    "bid": ("twice daily", "BID", "b.i.d.", "twice a day", "two times a day", "every 12 hours"),
    "meals": ("with meals", "twice daily with meals", "with breakfast and dinner", "before meals"),
    "tid": ("three times daily", "TID", "t.i.d.", "three times a day", "every 8 hours", "q8h"),
    "qid": ("four times daily", "QID", "four times a day", "every 6 hours"),
    "weekly": ("once weekly", "weekly", "once a week", "every Sunday", "every Monday"),
    "biweekly": ("every 2 weeks", "every other week", "every 14 days"),
    "monthly": ("monthly", "once a month", "every 4 weeks"),
    "q6h": ("q6h", "every 6 hours"),
    "q12h": ("q12h", "every 12 hours"),
    "q24h": ("q24h", "every 24 hours", "daily"),
    "q72h": ("q72h", "every 72 hours", "every 3 days"),
    "prn": ("as needed", "prn", "PRN", "when needed"),
    "prn4": ("every 4 hours as needed", "q4h prn", "q4h PRN", "every 4 h as needed"),
    "prn6": ("every 6 hours as needed", "q6h prn", "q6h PRN", "every 6 to 8 hours as needed"),
}
