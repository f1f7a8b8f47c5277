"""Kind ``problems``: notes and radiology reports with every problem marked (NER, one type).

What is a mention: the name of a disease, complaint or abnormal finding with the words of severity,
course, side and site right before it; no article, no size, nothing that follows.  It counts
whether it is present, denied, suspected, past, or a relative's.  The name of a disease inside the
name of a service, programme, leaflet, screening or study is not a mention.
"""

from __future__ import annotations

from collections.abc import Iterable

from clinprompt.corpora.synthetic import phrases
from clinprompt.corpora.synthetic.draw import Draw, Pool
from clinprompt.corpora.synthetic.fragment import Fragment, entities, join, mark
from clinprompt.corpora.synthetic.grammar import Filler, fill, sentence
from clinprompt.corpora.synthetic.lexicon.conditions import Condition
from clinprompt.corpora.synthetic.lexicon.drugs import Drug
from clinprompt.corpora.synthetic.lexicon.imaging import (
    FINDINGS,
    INDICATIONS,
    NORMALS,
    STUDIES,
    SUSPICIONS,
    bare,
)
from clinprompt.corpora.synthetic.lexicon.people import SERVICES
from clinprompt.corpora.synthetic.lexicon.symptoms import LIMB_COMPLAINTS, SIDES
from clinprompt.corpora.synthetic.lexicon.tables import words
from clinprompt.corpora.synthetic.scene import Scene
from clinprompt.examples import EntityAnswer, TextInput

LABEL = "Problem"

_CANCERS = ("cancer", "carcinoma", "melanoma", "lymphoma", "myeloma", "leukemia", "NSCLC", "BCC")
_COURSES = {
    "cancer": ("metastatic", "recurrent", "early-stage", "newly diagnosed"),
    "c": ("longstanding", "poorly controlled", "well-controlled", "mild", "severe", "stable"),
    "a": ("recurrent", "severe", "mild", "uncomplicated"),
}
_SEVERITIES = (
    "mild",
    "moderate",
    "severe",
    "intermittent",
    "worsening",
    "new",
    "persistent",
    "occasional",
    "recurrent",
    "progressive",
)
_EXTENTS = ("mild", "new", "subtle", "minimal")
_FINDINGS = Pool(FINDINGS, lambda entry: entry.region).grouped(lambda entry: entry.region)
# First words that already say course or kind, so that no further word goes before them.
_SETTLED = words(
    """acute chronic mild stable severe high-grade recurrent loud persistent low seasonal bilateral
    morbid paroxysmal unintentional"""
)


class _Writer:
    """Writes the mentions of one note."""

    def __init__(self, draw: Draw, system: str | None = None) -> None:
        self.draw = draw
        self.scene = Scene(draw, system)
        self._drug: Drug | None = None
        self._relative: str | None = None

    def marked(self, name: str) -> Fragment:
        """A mention."""
        return mark(name, LABEL, self.draw.link())

    def disease(self, pool: Pool[Condition] | None = None) -> Fragment:
        """A disease that suits the patient, now and then with a word on its course."""
        entry = self.scene.condition(pool)
        name = phrases.called(self.draw, entry)
        course = next((tag for tag in "ca" if tag in entry.tags), "cancer")
        if any(word in entry.name for word in _CANCERS):
            course = "cancer"
        return self.marked(self.qualified(_COURSES[course], name, 0.25))

    def complaint(self, qualified: float = 0.35) -> Fragment:
        """A symptom, or a limb's complaint with side and site, now and then with its severity."""
        limbs = 0.6 if self.scene.system == "musculoskeletal" else 0.12
        if self.draw.chance(limbs):
            side, site = self.draw.pick(SIDES), self.draw.term(phrases.limb_sites).name
            what = self.draw.pick(LIMB_COMPLAINTS)
            if self.draw.chance(0.3):
                return join(" ", (self.marked(what), f"in the {side} {site}"))
            return self.marked(self.qualified(_SEVERITIES, f"{side} {site} {what}", qualified))
        name = phrases.called(self.draw, self.scene.symptom())
        return self.marked(self.qualified(_SEVERITIES, name, qualified))

    def qualified(self, courses: tuple[str, ...], name: str, probability: float) -> str:
        """`name`, with one of the courses before it with this probability."""
        if name.split()[0].lower() in _SETTLED or not self.draw.chance(probability):
            return name
        return f"{self.draw.pick(courses)} {name}"

    def service(self) -> str:
        """A service or paper named after a disease: a name that is no mention."""
        entry = self.draw.term(_COMMON)
        return self.draw.pick(SERVICES).format(x=entry.name)

    def drug(self) -> str:
        """The medicine of the sentence."""
        self._drug = self._drug or self.scene.drug()
        return phrases.called(self.draw, self._drug)

    def treated(self) -> Fragment:
        """What the medicine of the sentence is for."""
        self._drug = self._drug or self.scene.drug()
        return self.marked(phrases.reworded(self.draw, self.scene.indication(self._drug)))

    def caused(self) -> Fragment:
        """What the medicine of the sentence did."""
        self._drug = self._drug or self.scene.drug()
        return self.marked(phrases.reworded(self.draw, self.scene.harm(self._drug)))

    def relative(self) -> Fragment:
        """A relative and the relative's disease, as in "mother had gout"."""
        word, entry = self.scene.relative()
        slots: dict[str, Filler] = {
            "who": word,
            "dx": self.marked(phrases.called(self.draw, entry)),
            "age": str(self.draw.between(38, 79)),
        }
        return fill(
            "{who} (with {dx}|had {dx}|was diagnosed with {dx} at[ age] {age}|has {dx})",
            self.draw,
            slots,
        )

    def sentences(self, patterns: Iterable[str], **more: Filler) -> list[Fragment]:
        """The patterns, filled; each sentence has its own medicine."""
        slots = {**self.slots(), **more}
        filled = []
        for pattern in patterns:
            self._drug = None
            filled.append(sentence(pattern, self.draw, slots))
        return filled

    def slots(self) -> dict[str, Filler]:
        """What the patterns may ask for."""
        draw, person = self.draw, self.scene.person
        return {
            "who": lambda: phrases.who(draw, person),
            "he": person.he,
            "his": person.his,
            "sx": self.complaint,
            "plain": lambda: self.complaint(0.0),
            "dx": lambda: self.disease(phrases.conditions),
            "likely": self.disease,
            "acute": lambda: self.disease(_ACUTE),
            "chronic": lambda: self.disease(phrases.CHRONIC),
            "kin": self.relative,
            "since": lambda: phrases.since(draw),
            "drug": self.drug,
            "treated": self.treated,
            "caused": self.caused,
            "exam": lambda: phrases.called(draw, self.scene.exam()),
            "service": self.service,
            "year": lambda: str(phrases.year(draw, person)),
            "n": lambda: str(draw.between(2, 9)),
        }


_ACUTE = phrases.conditions.where(lambda entry: "a" in entry.tags)
_COMMON = phrases.HEREDITARY.where(lambda entry: "c" in entry.tags)

_OPENING = (
    "{who} (presents with|comes in with|here for|seen for|reports|complains of|c/o|p/w) {sx}"
    "[ and {sx}] {since}.",
    "{who} (with|w/) (a history of|hx of|known|PMH of) {chronic}[ and {chronic}] "
    "(now has|presents with|admitted with|here with) {sx}[ {since}].",
    "(CC|Chief complaint|Reason for visit): {sx}[, {sx}].",
    "{who} was (admitted|brought in|transferred) (for|because of|with) {acute}[ and {sx}].",
    "(Phone call|Telephone note|Nurse call): (pt|patient) (reports|describes|asks about) {sx} "
    "{since}.",
    "{who} (returns|is back|comes) for follow-up of {chronic}[ and {chronic}].",
    "{since}, {he} has had {sx}[ with {sx}].",
)
_MIDDLE = (
    "(Denies|No|Negative for|Without) {plain}(, {plain}|) or {plain}.",
    "(Denies|Pt denies|There is no|No) {plain}.",
    "(PMH|Past history|Medical history|Hx): {dx}, {chronic}[, {dx}].",
    "PMH (notable|significant) for {chronic} and {dx}.",
    "(FH|Family history|Fam hx): {kin}[, {kin}].",
    "{his} {kin}.",
    "(Takes|On|Uses) {drug} for {treated}.",
    "{treated} (treated|managed|controlled) with {drug}.",
    "(Also|In addition,|{he} also) (mentions|notes|has noticed) {sx}[ {since}].",
    "(Had|Treated for|Hospitalized for) {acute} in {year}.",
    "(Attends|Was referred to|Given information on|Enrolled in|Asked about) the {service}.",
    "The {service} was discussed.",
    "{exam} (done|performed) today, result pending.",
    "Vitals (stable|within normal limits), (lungs clear|abdomen soft|exam unremarkable).",
    "(Sleeping|Eating) well, (works full time|walks daily|lives with family).",
    "{plain} (improved|unchanged|worse|less frequent) since the last visit.",
    "Stopped {drug} (because of|due to|after) {caused}.",
    "Could not (tolerate|take) {drug}: {caused}.",
)
_CLOSING = (
    "(Likely|Probable|Suspect|Most consistent with|Impression:) {likely}.",
    "(Likely|Probably) {likely}, (less likely|cannot exclude|doubt) {likely}.",
    "(A/P|Assessment|Plan|Imp): {treated} - (continue|start|restart) {drug}.",
    "(Will get|Order|Obtain|Schedule) {exam} (for further work-up|before the next visit).",
    "(Possible|Question of|Work-up for) {likely}, {exam} (ordered|pending).",
    "(RTC|Return|Come back|Call) (if|in case of|for) {plain} or {plain}.",
    "(Follow up|F/u|Recheck|See again) in {n} weeks.",
    "#1 {chronic}: (stable|improved|at goal). #2 {treated}: (add|start|trial of) {drug}.",
    "(Discharge dx|Final diagnosis|Working diagnosis): {likely}.",
)
_CLEAR = (
    "{who} (here for|comes for|seen for) (a routine check-up|an annual physical|a wellness visit).",
    "(Feels well|No complaints today|Doing well|No new concerns).",
    "(Takes|Continues) {drug} (as prescribed|without trouble|daily).",
    "(Asked about|Was told about|Given information on) the {service}.",
)


def _note(writer: _Writer) -> list[Fragment]:
    draw = writer.draw
    patterns = [draw.pick(_OPENING)]
    patterns += draw.sample(_MIDDLE, draw.pick((1, 1, 2)))
    if draw.chance(0.6):
        patterns.append(draw.pick(_CLOSING))
    return writer.sentences(patterns)


def _clear(writer: _Writer) -> list[Fragment]:
    """A note without any problem."""
    return writer.sentences(_CLEAR)


def _report(writer: _Writer) -> list[Fragment]:
    """The main lines of a report: why, what was seen and where, and what it may be."""
    draw = writer.draw
    region = draw.pick(("chest", "abdomen", "brain", "spine", "limb", "neck"))
    findings = _FINDINGS[region]
    seen = [draw.term(findings), draw.term(findings)]

    def finding(qualified: float) -> Fragment:
        entry = seen.pop()
        name = writer.qualified(_EXTENTS, phrases.called(draw, entry), qualified)
        place = draw.pick(entry.sites).replace("@", draw.pick(SIDES))
        pattern = "{x} at {place}" if bare(place) else "{x} (in|of|involving) the {place}"
        return fill(pattern, draw, {"x": writer.marked(name), "place": place})

    def named(names: tuple[str, ...]) -> Fragment:
        return writer.marked(phrases.reworded(draw, writer.scene.related(names)))

    patterns = (
        "{study}, (indication|reason|history): {reason}.",
        draw.pick(
            (
                "(There is|Shows|Findings:|Impression:) {finding}.",
                "{finding}, (unchanged|stable|larger) since {recent}.",
                "{finding} (again seen|noted|not seen before).",
            )
        ),
        draw.pick(("No {clean}.", "(No evidence of|Without) {clean}.", "Also {finding}.")),
        draw.pick(
            (
                "{normal}",
                "(Suspicious|Concerning|Worrisome) for {cause}.",
                "Findings (suggest|may reflect|raise the question of) {cause}.",
            )
        ),
    )
    return writer.sentences(
        patterns,
        study=draw.pick(STUDIES[region]),
        reason=lambda: named(INDICATIONS[region]),
        cause=lambda: named(SUSPICIONS[region]),
        finding=lambda: finding(0.3),
        clean=lambda: finding(0.0),
        recent=str(draw.between(phrases.THIS_YEAR - 6, phrases.THIS_YEAR - 1)),
        normal=draw.pick(NORMALS[region]).replace("<", "").replace(">", ""),
    )


def make(draw: Draw) -> tuple[TextInput, EntityAnswer]:
    """A note (seven in ten), a radiology report, or a note without problems (one in twenty)."""
    form = draw.pick((_note,) * 14 + (_report,) * 5 + (_clear,))
    lines = form(_Writer(draw))
    note = phrases.finished(draw, join(draw.pick((" ", " ", "\n")), lines))
    return TextInput(note.text), EntityAnswer(entities(note))
