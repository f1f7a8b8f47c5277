"""What a note says of one thing, and how sure it is: the base of the kinds that ask about a note.

A statement is about a *thing* of a *topic* and has a *status*:

- ``yes``: the note says so;
- ``no``: the note says that it is not so;
- ``open``: the note raises the question and leaves it unanswered (suspected, pending, not
  remembered, contradicting sources).

Note and question call the thing by the same name, so that the words alone decide.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from clinprompt.corpora.synthetic import phrases
from clinprompt.corpora.synthetic.draw import DeadEnd
from clinprompt.corpora.synthetic.fragment import Fragment
from clinprompt.corpora.synthetic.grammar import Filler, sentence
from clinprompt.corpora.synthetic.scene import Scene

Status = Literal["yes", "no", "open"]
STATUSES: tuple[Status, ...] = ("yes", "no", "open")
TOPICS = ("condition", "symptom", "drug", "operation", "family", "exam", "allergy")

# Slots: {x} is the thing; {who} the relative of the topic "family"; {is}, {was}, {has} agree with
# {x}; the rest are times and the like.
_SAID: dict[str, dict[Status, tuple[str, ...]]] = {
    "condition": {
        "yes": (
            "(Known|Has known|Longstanding) {x}.",
            "(PMH|Problem list|Active problems): {x}.",
            "{x}, (on treatment|stable|followed in clinic|at goal).",
            "(Was diagnosed|Diagnosed) with {x} in {year}.",
            "(Lives with|Carries a diagnosis of|Is followed for) {x}.",
            "{x} {was} confirmed {when}.",
            "(Work-up|Testing) (showed|established|confirmed) {x}.",
        ),
        "no": (
            "(No|No evidence of|Without) {x}.",
            "{x} {was} (ruled out|excluded)[ {when}].",
            "(Does not have|Never had|Has never had) {x}.",
            "(Work-up|Testing|Evaluation) was negative for {x}.",
            "(Denies|Denies any) {x}.",
            "An old label of {x} {was} removed as wrong.",
            "{x} (looked for|considered) and not found.",
        ),
        "open": (
            "(Possible|Suspected|Questionable) {x}[, work-up pending].",
            "{x} (cannot be|{is} not yet|{has} not been) (excluded|ruled out).",
            "(Being evaluated|Under evaluation) for {x}.",
            "(Rule out|R/o|Query) {x}.",
            "(Results|Tests) for {x} (are pending|are awaited|were inconclusive).",
            "One clinic lists {x}, another does not.",
            "Told (once|years ago) that it might be {x}, never settled.",
        ),
    },
    "symptom": {
        "yes": (
            "(Reports|Complains of|Admits to|Has|Notes) {x}[ for {time}].",
            "{x} (for|over) {time}.",
            "(CC|Main complaint|Bothered by)(: | - ){x}.",
            "{x} (every day|at night|most days|every morning).",
            "(Woke up|Came in) with {x} {when}.",
            "Still (has|troubled by) {x}.",
        ),
        "no": (
            "(Denies|No|Without) {x}.",
            "(Negative for|Free of) {x}.",
            "(Has not had|Does not have|Never had) {x}.",
            "{x} {was} (asked about and denied|absent).",
            "(ROS|Review): no {x}.",
        ),
        "open": (
            "(Cannot|Could not) say (whether|if) there is {x}.",
            "(May|Might) have {x}, (not sure|uncertain).",
            "{x}: (not assessed|could not be assessed|unable to obtain).",
            "(Possible|Questionable) {x}.",
            "(Unclear|Uncertain) whether {x} {is} present.",
            "{x} reported by family, denied by the patient.",
        ),
    },
    "drug": {
        "yes": (
            "(Takes|Is taking|Uses|On) {x}[ {often}].",
            "(Continues|Remains on|Still on) {x}.",
            "{x} was (restarted|started) {when} and is being taken.",
            "(Current meds include|Med list includes|Pill bottles include) {x}, confirmed.",
            "Has not missed a dose of {x}.",
        ),
        "no": (
            "{x} {was} (stopped|discontinued) (in {year}|{when}).",
            "(No longer takes|Came off|Is off|Not taking) {x}.",
            "(Declined|Never started|Never filled) {x}.",
            "(Quit|Gave up) {x} {when}.",
            "{x} is listed but was (never filled|stopped long ago).",
        ),
        "open": (
            "(May|Might) (still be on|be taking) {x}, (list|pharmacy record) to be checked.",
            "(Not sure|Does not remember) (whether|if) {he} takes {x}.",
            "(Unclear|Unknown) whether {x} {is} being taken.",
            "{x} on one list, missing on the other.",
            "(Pharmacy|Family) to confirm whether {he} takes {x}.",
        ),
    },
    "operation": {
        "yes": (
            "(S/p|Status post|Had|Underwent) {x} (in {year}|{when}).",
            "(PSH|Surgical history): {x}[, {year}].",
            "{x} {was} (done|performed) in {year}.",
            "(Recovered well|Healed well) after {x} in {year}.",
        ),
        "no": (
            "(No|No prior|No previous) {x}.",
            "(Never had|Has not had) {x}.",
            "{x} {was} (cancelled|called off|declined) and never done.",
            "(Decided against|Refused) {x}.",
        ),
        "open": (
            "(Possible|Questionable|Perhaps) prior {x}, records requested.",
            "(Not sure|Does not recall) whether {he} ever had {x}.",
            "(May|Might) have had {x} (as a young adult|abroad|long ago).",
            "(Unclear|Unknown) if {x} {was} ever done.",
        ),
    },
    "family": {
        "yes": (
            "{who} (had|has|was treated for|was diagnosed with) {x}.",
            "(FH|Family history): {who} with {x}.",
            "{x} in {his} {who}.",
            "{his} {who} (carries|has) the diagnosis of {x}.",
        ),
        "no": (
            "{who} (never had|did not have|does not have|is free of) {x}.",
            "(FH|Family history): no {x} in {his} {who}.",
            "{x} {was} excluded in {his} {who}.",
            "No {x} in {his} {who} or other relatives.",
        ),
        "open": (
            "{who} (may|might) have had {x}.",
            "(Not sure|Does not know) whether {his} {who} had {x}.",
            "Possible {x} in {his} {who}(|, never confirmed).",
            "{who} (is being tested|awaits tests) for {x}.",
        ),
    },
    "exam": {
        "yes": (
            "{x} (done|{was} performed|{was} completed) {when}.",
            "(Had|Completed|Underwent) {x} {when}.",
            "{x} of {year} (on file|seen and reviewed).",
            "{x} completed {when}, (result|report) reviewed.",
        ),
        "no": (
            "{x} (still to be done|{has} not been done|{was} never done).",
            "(Missed|Did not go to|Refused) {x}.",
            "{x} {was} (cancelled|postponed|put off).",
            "(Awaiting|Waiting for) {x}, (booked for|scheduled for) next (week|month).",
        ),
        "open": (
            "{x} may have been done elsewhere, no report (available|found).",
            "(Unclear|Not known) whether {x} {was} ever done.",
            "(Cannot|Could not) remember if {x} {was} done.",
            "Asked the other hospital whether {x} {was} done.",
        ),
    },
    "allergy": {
        "yes": (
            "(Allergic to|Allergy to|Known allergy to) {x}.",
            "(Allergies|ALL): {x}[ - {reaction}].",
            "{x} (gave|caused) {reaction}, allergy (confirmed|recorded).",
            "Positive skin test to {x}.",
        ),
        "no": (
            "(Not allergic|No allergy|Never allergic) to {x}.",
            "(Tolerated|Took|Has had) {x} {when} without any reaction, no allergy.",
            "{x} allergy was (disproved|excluded|delabeled) {when}.",
            "Skin test to {x} {was} negative, no allergy.",
        ),
        "open": (
            "(Possible|Questionable|Reported) {x} allergy, (reaction unknown|never tested).",
            "(May|Might) be allergic to {x}.",
            "(Not sure|Does not remember) whether {he} is allergic to {x}.",
            "{x} allergy (to be clarified|not yet clarified|under evaluation).",
        ),
    },
}
_OFTEN = ("daily", "at bedtime", "every morning", "twice a day")
_REACTIONS = ("hives", "a rash", "swelling of the lips", "wheezing")


@dataclass(frozen=True, slots=True)
class Thing:
    """What statements and questions are about: its name as written, and the relative, if any."""

    topic: str
    name: str
    who: str = ""


def thing(scene: Scene, topic: str) -> Thing:
    """A thing of the topic that the example has not used yet.

    Raises:
        DeadEnd: no thing is left, or a problem of this kind of name was used already ("headaches"
            and "cluster headaches": one would bear on the other).
    """
    draw = scene.draw
    if topic in ("family", "condition", "symptom"):
        who = ""
        if topic == "family":
            who, entry = scene.relative()
            name = phrases.called(draw, entry, 0.8)
        elif topic == "condition":
            name = phrases.called(draw, scene.condition(phrases.CHRONIC), 0.75)
        else:
            name = phrases.called(draw, scene.symptom(0.3), 0.75)
        head = name.split()[-1].rstrip("s").lower()
        if head in scene.heads:
            raise DeadEnd
        scene.heads.add(head)
        return Thing(topic, name, who)
    if topic == "operation":
        return Thing(topic, phrases.called(draw, scene.operation(), 0.8))
    if topic == "exam":
        return Thing(topic, phrases.called(draw, draw.term(phrases.exams, scene.person.suits), 0.8))
    return Thing(topic, phrases.called(draw, scene.drug(phrases.HOME_DRUGS), 0.85))


def said(scene: Scene, about: Thing, status: Status) -> Fragment:
    """A sentence that gives the thing this status."""
    draw, person = scene.draw, scene.person
    slots: Mapping[str, Filler] = {
        "x": about.name,
        "who": about.who,
        **phrases.verbs(about.name),
        "he": person.he,
        "his": person.his,
        "year": lambda: str(draw.between(phrases.THIS_YEAR - 14, phrases.THIS_YEAR - 1)),
        "when": lambda: draw.pick(
            ("last week", "last month", "in May", "two weeks ago", "in 2022")
        ),
        "time": lambda: phrases.duration(draw).written(draw),
        "often": lambda: draw.pick(_OFTEN),
        "reaction": lambda: draw.pick(_REACTIONS),
    }
    return sentence(draw.pick(_SAID[about.topic][status]), draw, slots)
