"""Kind ``medications``: medicines with dose, route and frequency marked (NER, four types).

What is a mention:

- ``Drug``: a medicine's name, with the words of its product form ("albuterol inhaler").
- ``Dose``: an amount taken at a time; ``Route``: how it is given; ``Frequency``: how often a
  medicine is taken.  How often something else is done, and amounts that are no dose (laboratory
  values, water), are no mentions.
- Nested: a product form that says the route ("inhaler", "eye drops", "patch") is a ``Route``
  inside the ``Drug``.
- Discontinuous: two medicines that share one form ("timolol and latanoprost eye drops") are two
  mentions of the whole name each; "q6h PO prn" is one ``Frequency`` in two pieces.
"""

from __future__ import annotations

from clinprompt.corpora.synthetic import phrases
from clinprompt.corpora.synthetic.draw import DeadEnd, Draw
from clinprompt.corpora.synthetic.fragment import Fragment, concat, entities, join, mark
from clinprompt.corpora.synthetic.grammar import Filler, fill, sentence
from clinprompt.corpora.synthetic.lexicon.dosing import FORMS, RHYTHMS, ROUTES
from clinprompt.corpora.synthetic.lexicon.drugs import Drug
from clinprompt.corpora.synthetic.scene import Scene
from clinprompt.examples import EntityAnswer, TextInput

_NEEDED = ("as needed", "prn", "PRN")
_EVERY = {
    "prn4": ("every 4 hours", "q4h", "every 4 h"),
    "prn6": ("every 6 hours", "q6h", "every 6 to 8 hours", "q6-8h"),
}
_PLURALS = {"nasal spray": "nasal sprays", "eye drops": "eye drops", "patch": "patches"}


class _Writer:
    """Writes the mentions of one note."""

    def __init__(self, draw: Draw) -> None:
        self.draw = draw
        self.scene = Scene(draw)
        self._about: Drug | None = None  # the medicine that the words now speak of
        self._named = False  # whether its name was already written
        self._routed = False  # whether its form already said the route
        self._slots = self._fillers()

    @property
    def about(self) -> Drug:
        """The medicine that a dose, route or reason belongs to: the last or the coming one."""
        if self._about is None:
            self._about = self.scene.drug()
        return self._about

    def sentence(self, pattern: str) -> Fragment:
        """The pattern, filled, with medicines of its own."""
        self._about, self._named, self._routed = None, False, False
        return sentence(pattern, self.draw, self._slots)

    def _marked(self, words: str | Fragment, label: str) -> Fragment:
        return mark(words, label, self.draw.link())

    def drug(self) -> Fragment:
        """A new medicine, now and then by its product form."""
        if self._named:
            self._about = None
        self._named = True
        name = phrases.called(self.draw, self.about, 0.65)
        self._routed = self.about.route in FORMS and self.draw.chance(0.5)
        if not self._routed:
            return self._marked(name, "Drug")
        form = self._marked(self.draw.pick(FORMS[self.about.route]), "Route")
        return self._marked(concat((name, " ", form)), "Drug")

    def sibling(self) -> Fragment:
        """Another medicine for the same thing."""
        self._about = self.scene.sibling(self.about)
        self._named = False
        return self.drug()

    def twins(self) -> Fragment:
        """Two medicines that share the word of their form."""
        draw = self.draw
        first = draw.term(phrases.drugs, lambda drug: drug.route in FORMS)
        second = draw.term(phrases.drugs, lambda drug: drug.route == first.route)
        form = FORMS[first.route][0]
        names = (first.name, second.name)
        shared, own = draw.link(), draw.link()
        plural = self._marked(_PLURALS.get(form, f"{form}s"), "Route")
        return concat(
            (
                mark(names[0], "Drug", shared, 0),
                " and ",
                mark(concat((names[1], " ", mark(plural, "Drug", shared, 1))), "Drug", own),
            )
        )

    def dose(self) -> Fragment:
        """A dose of the medicine."""
        return self._marked(self.draw.pick(self.about.doses), "Dose")

    def change(self, up: bool) -> Fragment:
        """From one dose to a higher or a lower one.

        Raises:
            DeadEnd: the medicine has one strength only.
        """
        doses = self.about.doses
        if len(doses) < 2:
            raise DeadEnd
        first = self.draw.below(len(doses) - 1)
        old, new = doses[first : first + 2] if up else doses[first : first + 2][::-1]
        slots = {"old": self._marked(old, "Dose"), "new": self._marked(new, "Dose")}
        return fill("from {old} to {new}", self.draw, slots)

    def route(self) -> Fragment | str:
        """The medicine's route, unless its form said it."""
        if self._routed:
            return ""
        return self._marked(self.draw.pick(ROUTES[self.about.route]), "Route")

    def often(self) -> Fragment:
        """How often the medicine is taken."""
        return self._marked(self.draw.pick(RHYTHMS[self.about.rhythm]), "Frequency")

    def how(self) -> Fragment:
        """Route and frequency; a frequency "as needed" may stand around the route."""
        every = _EVERY.get(self.about.rhythm)
        if every is None or self._routed or self.draw.chance(0.5):
            return join(" ", (self.route(), self.often()))
        link = self.draw.link()
        return join(
            " ",
            (
                mark(self.draw.pick(every), "Frequency", link, 0),
                self.route(),
                mark(self.draw.pick(_NEEDED), "Frequency", link, 1),
            ),
        )

    def lab(self) -> str:
        """A laboratory value: an amount that is no dose."""
        lab = self.draw.pick(phrases.labs.parts["train"])
        return f"{lab.name} {phrases.number(lab, phrases.value(self.draw, lab))}{lab.unit}"

    def _fillers(self) -> dict[str, Filler]:
        draw = self.draw
        return {
            "who": lambda: phrases.who(draw, self.scene.person),
            "drug": self.drug,
            "twins": self.twins,
            "dose": self.dose,
            "up": lambda: self.change(up=True),
            "down": lambda: self.change(up=False),
            "route": self.route,
            "often": self.often,
            "how": self.how,
            "sibling": self.sibling,
            "reason": lambda: self.scene.indication(self.about),
            "harm": lambda: self.scene.harm(self.about),
            "lab": self.lab,
            "beat": lambda: draw.pick(RHYTHMS[draw.pick(("daily", "bid", "morning", "weekly"))]),
            "n": lambda: str(draw.between(2, 9)),
            "when": lambda: draw.pick(("today", "last week", "on discharge", "this morning")),
        }


_LINES = (
    "{drug} {dose} {how}",
    "{drug} {dose} {often}",
    "{drug} {dose} {how} for {reason}",
    "{drug} {how}",
    "{drug} {dose}",
)
_SENTENCES = (
    "(Start|Started on|Begin|Begun on) {drug} {dose} {how}[ for {reason}].",
    "(Takes|Taking|On|Uses) {drug} {dose} {often}(| and {drug} {dose} {how}).",
    "(Continue|Resume|Restart) {drug} (|at ){dose} {how}.",
    "{drug} was (increased|raised|titrated) {up} {often}.",
    "{drug} (reduced|lowered|cut back|tapered) {down} {often}.",
    "(Take|Give) {dose} of {drug} {how}[ for {n} days].",
    "{reason}: (given|prescribed|gets) {drug}, {dose} {often}.",
    "(Stop|Hold|Discontinued) {drug}[ because of {harm}].",
    "(Allergic to|Does not tolerate|Intolerant of) {drug}(|: {harm}|, had {harm}).",
    "(Uses|Ran out of|Needs refills of) {twins}.",
    "(Bridged with|Loaded with|Received) {drug} {dose} {route} {when}.",
    "{who} (takes|is on|has been using) {drug} {often}[ for {reason}].",
    "{drug} (ordered|prescribed|renewed): {dose} {how}, refill x{n}.",
    "(Switch|Switched|Changed) from {drug} to {sibling} {dose} {often}.",
    "(Missed|Skipped|Forgot) {drug} {n} times; (takes|should take) {dose} {often}.",
)
_OTHER = (
    "(Check|Record|Monitor) (weight|blood pressure|blood sugar|pulse) {beat}.",
    "{lab} {when}.",
    "(Physical therapy|Dressing changes|Wound care|Walks 2 miles|Stretches) {beat}.",
    "(Drink|Limit fluids to) 2 L of water daily.",
    "(Oral intake|Oral hygiene|Skin care|Sleep) (is good|is fair|unchanged).",
    "IV access (obtained|lost, replaced) {when}.",
    "Follow up in {n} weeks.",
)


def _list(writer: _Writer) -> Fragment:
    """A medication list."""
    draw = writer.draw
    lines = [writer.sentence(draw.pick(_LINES)) for _ in range(draw.pick((2, 2, 3)))]
    head = draw.pick(
        ("Meds: ", "Medications: ", "Current meds: ", "Home medications: ", "Discharge meds: ", "")
    )
    style = draw.below(4)
    if style == 0:
        return concat((head, join(" ", [concat((f"{n}. ", x)) for n, x in enumerate(lines, 1)])))
    if style == 1:
        return concat((head.strip(), "\n" if head else "", join("\n", lines)))
    return concat((head, join(draw.pick((", ", "; ")), lines), "."))


def _prose(writer: _Writer) -> Fragment:
    """Sentences about medicines."""
    patterns = writer.draw.sample(_SENTENCES, writer.draw.pick((1, 2, 2)))
    return join(" ", [writer.sentence(pattern) for pattern in patterns])


def make(draw: Draw) -> tuple[TextInput, EntityAnswer]:
    """A medication list or sentences, half of them with a line about something else."""
    writer = _Writer(draw)
    parts = [_list(writer) if draw.chance(0.35) else _prose(writer)]
    if draw.chance(0.5):
        parts.insert(draw.below(2), writer.sentence(draw.pick(_OTHER)))
    note = phrases.finished(draw, join(draw.pick((" ", "\n")), parts))
    return TextInput(note.text), EntityAnswer(entities(note))
