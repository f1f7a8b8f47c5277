"""Kind ``complaint-summary``: a patient's message and the short question behind it (SUM).

A message has one concern.  Its core sentences name everything that the question needs; around them
stand a greeting, sentences about other things, and thanks.  The reference is made from the concern
alone, so that equal concerns have equal references.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from clinprompt.corpora.synthetic import phrases
from clinprompt.corpora.synthetic.draw import DeadEnd, Draw
from clinprompt.corpora.synthetic.fragment import join
from clinprompt.corpora.synthetic.grammar import Filler, fill, sentence
from clinprompt.corpora.synthetic.lexicon.people import RELATIVES, SURNAMES
from clinprompt.corpora.synthetic.scene import Scene
from clinprompt.examples import TextAnswer, TextInput


@dataclass(frozen=True, slots=True)
class _Concern:
    """Patterns of one concern: what is told, how it is asked, and the question behind it."""

    told: tuple[str, ...]
    asked: tuple[str, ...]
    behind: str


# Slots: {drug}, {dose}, {other} another medicine, {harm} what the drug does, {use} what it is for,
# {ill} a disease, {sx} a complaint, {lab}, {value}, {exam}, {kin}, {kins_ill}, {time}, {n}, {shot}.
_CONCERNS: tuple[_Concern, ...] = (
    _Concern(
        (
            "(I started|I was put on|You gave me) {drug} {time} ago and now I "
            "(am dealing|struggle) with {harm}.",
            "Since I (take|went on) {drug} for {use}, I have been bothered by {harm}.",
            "{Harm}: that is what I have had ever since {drug} was (added|increased) {time} ago.",
        ),
        (
            "(Could|Can) (it|that) (be from|come from) the (pills|medicine)?",
            "Is this (a known|an expected) side effect?",
            "I (wonder|would like to know) if the two are connected.",
        ),
        "Can {drug} cause {harm}?",
    ),
    _Concern(
        (
            "I (can't|cannot) go on with {drug} because of {harm}. I take it for {use}.",
            "{Drug} for {use} (is not for me|has been terrible): {harm}, every single (day|week).",
            "Because of {harm} I (quit|have stopped) {drug}, which was for {use}.",
        ),
        (
            "Is there (something|anything) else I (could|can) (try|take)?",
            "What other (medicine|option) would work?",
            "Please (suggest|tell me) (an alternative|another one).",
        ),
        "What can I take instead of {drug} for {use}?",
    ),
    _Concern(
        (
            "I (forgot|misplaced|ran out of) my {drug} and skipped {n} doses in a row.",
            "While (traveling|moving house) I went without {drug}, {n} doses in all.",
            "{N} doses of {drug} (are still in the box|were not taken) - my fault.",
        ),
        (
            "Do I (double up|take extra) or just (go on|continue)?",
            "How do I (catch up|get back on track)?",
            "What now?",
        ),
        "What should I do after missing {n} doses of {drug}?",
    ),
    _Concern(
        (
            "I (already take|am on) {drug} for {use}. My (dentist|other doctor) now "
            "(gave|prescribed) me {other}.",
            "At the pharmacy I picked up {other}, but I (use|take) {drug} every day.",
            "(A friend|My sister) told me that {other} and {drug} don't mix, and I was given both.",
        ),
        (
            "Is that (ok|safe|a problem)?",
            "Do they (interact|clash)?",
            "Am I allowed to (combine them|have both)?",
        ),
        "Is it safe to take {drug} together with {other}?",
    ),
    _Concern(
        (
            "My (blood test|lab report) came back and the {lab} was {value}.",
            "The portal shows {lab} {value} from (Monday|last week|yesterday).",
            "(They called|The nurse rang) to say my {lab} is {value}.",
        ),
        (
            "(Should I|Do I need to) (worry|do something)?",
            "What does that mean (for me|exactly)?",
            "Is that (good or bad|in the right range)?",
        ),
        "What does a result of {value} for {lab} mean?",
    ),
    _Concern(
        (
            "For {time} I have been (dealing|struggling) with {sx}.",
            "I keep having trouble with {sx}, now going on {time}.",
            "{Sx} for {time} now (and I am fed up|and no end in sight).",
        ),
        (
            "What (can|should) I do (about it|at home)?",
            "Any (advice|tips|remedy) (you can give|would help)?",
            "How do I (treat this|get rid of it)?",
        ),
        "What can I do about {sx} for {time}?",
    ),
    _Concern(
        (
            "I have only {n} (left of|tablets of|doses of) my {drug} {dose}.",
            "My {drug} {dose} (runs out|is used up) in {n} days.",
            "The pharmacy (says|told me) there are no repeats left for {drug} {dose}.",
        ),
        (
            "(Could|Can) you (send in|write|renew) (it|the prescription)?",
            "Please (call it in|order more|send more).",
            "How do I get more?",
        ),
        "Can I get a refill of {drug} {dose}?",
    ),
    _Concern(
        (
            "I am (booked|scheduled|down) for {exam} in {time} and I (take|am on) {drug}.",
            "In {time} I will have {exam}. My pill box has {drug} in it.",
            "The letter about {exam} says nothing about {drug}, which I take every day.",
        ),
        (
            "Do I (pause|skip|hold) it (before|that day)?",
            "Must it be stopped (first|before)?",
            "(Keep taking it|Continue as usual) or not?",
        ),
        "Should I stop {drug} before {exam}?",
    ),
    _Concern(
        (
            "My {kin} (was just told|found out|learned) it is {kins_ill}.",
            "We (just heard|learned last week) that my {kin} has {kins_ill}.",
            "There is {kins_ill} in my family now: my {kin}.",
        ),
        (
            "(Should|Must) I (get checked|be screened|have a test) too?",
            "Do I need (any tests|a check-up) myself?",
            "What about me?",
        ),
        "Should I be tested for {kins_ill} like my {kin}?",
    ),
    _Concern(
        (
            "My (trouble|problem) with {sx} got (worse|much worse) over {time}.",
            "{Sx} came back {time} ago and is (stronger|worse) than before.",
            "I wanted to wait, but after {time} there is still {sx}.",
        ),
        (
            "Do I (need to|have to) come in or can (it|this) wait?",
            "Should I make an appointment?",
            "Is it time to (see someone|be seen)?",
        ),
        "Do I need to be seen for {sx}?",
    ),
    _Concern(
        (
            "I have {ill} and my (work|pharmacy) offers the {shot}.",
            "They (invited|called) me for the {shot}, but I (live with|have) {ill}.",
            "The {shot} is due. As you know, I have {ill}.",
        ),
        (
            "(Can|May) I get it?",
            "Is it (safe|alright|recommended) (for me|in my case)?",
            "Would you (advise|recommend) it?",
        ),
        "Can I get the {shot} with {ill}?",
    ),
    _Concern(
        (
            "There is a (wedding|party|big birthday) in {time} and I am on {drug} for {use}.",
            "I (take|use) {drug} for {use} and like a (beer|glass of wine) at dinner.",
            "With {drug} on board I have stayed away from (wine|beer) so far.",
        ),
        (
            "Can I (drink|have a drink) (or not|at all)?",
            "Is alcohol (allowed|ok) with it?",
            "Would one drink (hurt|be a problem)?",
        ),
        "Can I drink alcohol while taking {drug}?",
    ),
)
_GREETINGS = (
    "(Hi|Hello|Dear|Good morning) Dr. {name},",
    "(Hi|Hello|Good morning|Good evening)(,|!)",
    "Hi doc,",
    "Dear (team|nurse),",
    "",
)
# Sentences about other things; each of the first kind holds a term of the vocabulary.
_ABOUT_ME = (
    "I also have {side_ill}, (but that is fine|as you know|which is stable).",
    "I (work|used to work) as {job}[ and (like it|am often on my feet)].",
    "(Last year|In spring|A while ago) I had {past}, which (went fine|showed nothing).",
    "(Two years ago|Back in the fall) I had {surgery}, (all fine|no trouble since).",
    "(As|Being) {job}, I (can only write at night|have little time|sit a lot).",
    "You know me from {past} (last year|two years ago).",
)
_NOISE = (
    "(I was in to see you|We spoke|My last visit was) {when}.",
    "I am {age} (years old|) and (otherwise well|still working|retired).",
    "My (husband|wife|daughter|son|neighbor) (said|told me|thinks) I should (write|ask).",
    "I (looked|searched) online but (found nothing useful|got confused).",
    "Sorry (for the long message|to bother you|if this is a silly question).",
    "I (could not|couldn't) reach anyone by phone.",
    "(No|I have no) fever and I (sleep|eat) (fine|normally).",
    "(By the way|Also), my new (address|phone number|insurance) is on file.",
    "I (leave|travel) on (Friday|Sunday|Tuesday), so a quick answer would help.",
    "My weight is {kg} kg and my blood pressure was {bp} at home.",
    "(The nurse|Your office) (asked me to|said I should) use this portal.",
)
_THANKS = ("Thanks!", "Thank you.", "Thanks, {name}", "Many thanks", "Best, {name}", "", "")
_SHOTS = ("flu shot", "shingles vaccine", "pneumonia shot", "tetanus booster", "covid booster")


def _slots(draw: Draw) -> dict[str, Filler]:
    """Fillers for one message.  A thing is drawn when first asked for, and stays the same."""
    scene = Scene(draw)
    kin = draw.pick(tuple(RELATIVES))
    relative = phrases.Patient(70, RELATIVES[kin])
    drug = cache(lambda: scene.drug(phrases.HOME_DRUGS))
    lab = cache(lambda: draw.term(phrases.labs))
    return {
        "drug": cache(lambda: phrases.called(draw, drug(), 0.7)),
        "dose": cache(lambda: draw.pick(drug().doses)),
        "other": cache(lambda: phrases.called(draw, scene.drug(phrases.HOME_DRUGS), 0.7)),
        "use": cache(lambda: phrases.lay(scene.indication(drug()))),
        "harm": cache(lambda: phrases.lay(scene.harm(drug()))),
        "sx": cache(lambda: scene.symptom().lay),
        "ill": cache(lambda: scene.condition(phrases.CHRONIC).lay),
        "exam": cache(lambda: scene.exam().lay),
        "kin": kin,
        "kins_ill": cache(lambda: draw.term(phrases.HEREDITARY, relative.suits).lay),
        "lab": cache(lambda: phrases.called(draw, lab(), 0.8)),
        "value": cache(lambda: phrases.number(lab(), phrases.value(draw, lab())) + lab().unit),
        "side_ill": lambda: scene.condition(phrases.CHRONIC).lay,
        "job": lambda: phrases.article(draw.term(phrases.occupations).name),
        "past": lambda: draw.term(phrases.exams, scene.person.suits).lay,
        "surgery": lambda: scene.operation().lay,
        "time": phrases.duration(draw).plain,
        "n": str(draw.between(2, 9)),
        "shot": draw.pick(_SHOTS),
        "name": lambda: draw.pick(SURNAMES),
        "when": lambda: draw.pick(("last week", "in May", "a month ago", "in the spring")),
        "age": str(scene.person.age),
        "kg": str(draw.between(48, 118)),
        "bp": f"{draw.between(104, 158)}/{draw.between(58, 94)}",
    }


def make(draw: Draw) -> tuple[TextInput, TextAnswer]:
    """A message of 25 to 60 words and its question of 5 to 15."""
    concern = draw.balanced(_CONCERNS)
    slots = _slots(draw)
    core = [sentence(draw.pick(concern.told), draw, slots)]
    core.append(sentence(draw.pick(concern.asked), draw, slots))
    if draw.chance(0.15):
        core.reverse()
    noise = [sentence(draw.pick(kind), draw, slots) for kind in (_ABOUT_ME, _NOISE)]
    noise = draw.shuffled(noise)
    lines = [noise[0], *core, noise[1]] if draw.chance(0.5) else [*noise, *core]
    greeting = fill(draw.pick(_GREETINGS), draw, slots)
    message = join(" ", (greeting, *lines, fill(draw.pick(_THANKS), draw, slots))).text
    question = _silent(draw, concern.behind, slots)
    if len(question.split()) > 16:
        raise DeadEnd
    return TextInput(message.lower() if draw.chance(0.12) else message), TextAnswer(question)


def _silent(draw: Draw, pattern: str, slots: dict[str, Filler]) -> str:
    """The reference: filled without slips, whatever the writer of the message is like."""
    slips, draw.misspells = draw.misspells, False
    text = sentence(pattern, draw, slots).text
    draw.misspells = slips
    return text
