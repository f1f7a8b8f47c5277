"""Kind ``dialogue-summary``: a short visit as a dialogue and the note's line about it (SUM).

The patient speaks in plain words, the reference in the words of notes.  It holds, in fixed order:
complaint and how long; what makes it worse; a further complaint that was asked for, present or
absent; what was tried and whether it helped; the plan.  What the dialogue does not mention is left
out.
"""

from __future__ import annotations

import re

from clinprompt.corpora.synthetic import phrases
from clinprompt.corpora.synthetic.draw import DeadEnd, Draw
from clinprompt.corpora.synthetic.fragment import concat, join
from clinprompt.corpora.synthetic.grammar import Filler, sentence
from clinprompt.corpora.synthetic.lexicon.people import SURNAMES
from clinprompt.corpora.synthetic.scene import Scene
from clinprompt.examples import TextAnswer, TextInput

_SPEAKERS = (("Doctor", "Patient"), ("D", "P"), ("Clinician", "Patient"), ("GP", "Pt"))
_OPENINGS = (
    "(What brings you in|What can I do for you|How can I help)[ today]?",
    "(Good morning|Hello), (|{title} {name}, )(what is going on|what's the trouble)?",
    "(Please tell me|So, tell me) (what is wrong|what happened).",
    "(I see you called us|You wanted to be seen today). What is it?",
)
_COMPLAINTS = (
    "(My problem is|The trouble is|I'm here for) {sx}. (It has been|Going on for) {time}[ now].",
    "I have been (dealing|struggling) with {sx} for {time}.",
    "(Well|Um|Oh), {sx}, for {time} (now|already|I'd say).",
    "{Time} ago it started: {sx}.",
    "Trouble with {sx}. It started {time} ago.",
)
_TRIGGERS = (
    "at night",
    "in the morning",
    "after meals",
    "with stress",
    "when lying down",
    "with exercise",
    "in cold weather",
    "after coffee",
    "in the evening",
    "at work",
    "on busy days",
    "after long walks",
)
_WORSE = (
    (
        "(Does anything make it worse|When is it worst|Any pattern)?",
        "(It is worse|It gets worse|Worst|Mostly) {trigger}.",
    ),
    ("Is it (there all the time|always the same)?", "(No, it's|More so|Worse) {trigger}."),
)
_ALSO = "(What about|Have you noticed|Any trouble with|Do you also suffer from) {other}?"
_YES = ("Yes, (a little|some|that too|quite a bit).", "(Yes|Yeah|Yep)(, sadly|, now and then|).")
_NO = ("(No|Nope|Not at all|No, never|None).", "No, (none of that|thank goodness|luckily not).")
_TRIED = "(Have you tried anything|Did you take anything|What have you done for it)[ so far]?"
_HELPED = "{Cure}, and (it helped|that helped|it did help)[ a bit]."
_FAILED = "{Cure}, but (it did nothing|no luck|it did not help|no change)."
_CURES = ("ibuprofen", "acetaminophen", "rest", "herbal tea", "extra fluids", "an antacid")
_PLANS = (
    "(Let's get|I would like|I will order|We should do) {exam}.",
    "(We'll|Let us) start with {exam}(, then we talk|).",
    "(Next step is|First we need) {exam}.",
)
_REPLIES = ("(Okay|Fine|Sounds good|Alright)(.|, thank you.)", "", "")
_SMALL = (
    ("(How is|How's) (work|the family|the new house)?", "(Fine|Busy|All good), thanks."),
    ("(Still|Are you still) (working|driving|living alone)?", "(Yes|No, not any more)."),
    ("Any new (allergies|medicines)?", "(No|None|Not that I know)."),
)


def _to_you(lay: str) -> str:
    """A patient's words in the mouth of the other side."""
    return re.sub(r"\bI\b", "you", re.sub(r"\bmy\b", "your", lay))


def make(draw: Draw) -> tuple[TextInput, TextAnswer]:
    """A dialogue of six to ten turns, 35 to 75 words, and one line of 5 to 15."""
    scene = Scene(draw)
    complaint = scene.symptom(1.0)
    parts = draw.sample(range(4), draw.pick((2, 3)))
    other = scene.symptom(0.7) if 1 in parts else None
    exam = scene.exam() if 3 in parts else None
    length = phrases.duration(draw)
    trigger, cure = draw.pick(_TRIGGERS), draw.pick(_CURES)
    present, helped = draw.chance(0.4), draw.chance(0.5)
    slots: dict[str, Filler] = {
        "sx": complaint.lay,
        "time": length.plain,
        "trigger": trigger,
        "other": _to_you(other.lay) if other else "",
        "cure": cure,
        "exam": exam.lay if exam else "",
        "name": draw.pick(SURNAMES),
        "title": "Mr." if scene.person.sex == "m" else "Ms.",
    }
    turns: list[tuple[str, str]] = []
    line = [f"{complaint.name} for {length.plain}"]
    if 0 in parts:
        turns.append(draw.pick(_WORSE))
        line.append(f", worse {trigger}")
    if other:
        turns.append((_ALSO, draw.pick(_YES if present else _NO)))
        line.append(f"; {'also' if present else 'no'} {other.name}")
    if 2 in parts:
        turns.append((_TRIED, _HELPED if helped else _FAILED))
        cure_name = cure.removeprefix("an ")
        line.append(f"; {cure_name} {'helped' if helped else 'did not help'}")
    if draw.chance(0.35):
        turns.append(draw.pick(_SMALL))
    turns = [(draw.pick(_OPENINGS), draw.pick(_COMPLAINTS)), *draw.shuffled(turns)]
    if exam:
        turns.append((draw.pick(_PLANS), draw.pick(_REPLIES)))
        line.append(f"; plan {exam.name}")
    summary = "".join(line)
    if len(summary.split()) > 18:
        raise DeadEnd
    doctor, speaker = draw.pick(_SPEAKERS)
    said = []
    for question, answer in turns:
        said.append(concat((f"{doctor}: ", sentence(question, draw, slots))))
        reply = sentence(answer, draw, slots)
        if reply.text:
            said.append(concat((f"{speaker}: ", reply)))
    dialogue = join(draw.pick(("\n", "\n", " ")), said).text
    return TextInput(dialogue.lower() if draw.chance(0.05) else dialogue), TextAnswer(
        summary[0].upper() + summary[1:] + "."
    )
