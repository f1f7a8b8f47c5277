"""Kind ``choices``: a question about a note with four answers to choose from (QA, choice).

The note decides: the right answer stands in it, and so does at least one wrong one, said of
something else (another event, another relative, another time).  What remains is filled with things
of the same sort that the note does not name.  The letters A-D are equally often right.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

from clinprompt.corpora.synthetic import phrases
from clinprompt.corpora.synthetic.draw import DeadEnd, Draw
from clinprompt.corpora.synthetic.fragment import Fragment, join
from clinprompt.corpora.synthetic.grammar import Filler, fill, sentence
from clinprompt.corpora.synthetic.lexicon.people import RELATIVES
from clinprompt.corpora.synthetic.lexicon.symptoms import SIDES
from clinprompt.corpora.synthetic.scene import Scene
from clinprompt.examples import LabelAnswer, QuestionInput

LETTERS = "ABCD"


@dataclass(frozen=True, slots=True)
class _Item:
    """Lines of a note, a question about them, the right answer and three wrong ones."""

    lines: list[Fragment]
    question: str
    right: str
    wrong: list[str]


_EVENTS = {
    "started": "(Started|Begun) {x} {dose}[ {when}].|{x} was started {when}.|New: {x} {dose}.",
    "stopped": "{x} was (stopped|discontinued)[ {when}].|Stopped {x} {when}.|Off {x} now.",
    "raised": "{x} (increased|raised) to {dose}[ {when}].|Dose of {x} (went up|raised) {when}.",
    "refused": "(Refused|Declined|Did not want) {x}.|{x} was offered and (refused|declined).",
}
_EVENT_QUESTIONS = {
    "started": "Which medicine was started?",
    "stopped": "Which medicine was stopped?",
    "raised": "Which medicine was increased?",
    "refused": "Which medicine was refused?",
}


def _medicine(scene: Scene) -> _Item:
    """Which medicine met with an event."""
    draw = scene.draw
    drugs = [scene.drug() for _ in range(4)]
    names = [phrases.called(draw, drug, 0.8) for drug in drugs]
    events = draw.sample(tuple(_EVENTS), draw.pick((2, 3, 3)))
    lines = []
    for event, name, drug in zip(events, names, drugs, strict=False):
        slots: dict[str, Filler] = {
            "x": name,
            "dose": draw.pick(drug.doses),
            "when": draw.pick(("today", "last week", "in May", "at this visit")),
        }
        lines.append(sentence(f"({_EVENTS[event]})", draw, slots))
    return _Item(lines, _EVENT_QUESTIONS[events[0]], names[0], names[1:])


def _complaint(scene: Scene) -> _Item:
    """What the visit is for, among complaints that are denied or gone."""
    draw = scene.draw
    names = [phrases.called(draw, scene.symptom(0.5), 0.8) for _ in range(4)]
    slots: dict[str, Filler] = {
        "who": phrases.who(draw, scene.person),
        "x": names[0],
        "y": names[1],
        "z": names[2],
        "since": phrases.since(draw),
    }
    lines = [
        sentence(
            "({who} (comes|here|seen) (with|because of|for) {x}[ {since}]."
            "|(CC|Reason for visit): {x}[ {since}].|{Since}, {x} - the reason for today's visit.)",
            draw,
            slots,
        ),
        sentence("({y} (cleared|gone) since last month.|Denies {y}[ or {z}].)", draw, slots)
        if draw.chance(0.5)
        else sentence("(No|Denies|Without) {y}(, {z}|).", draw, slots),
    ]
    question = draw.pick(("What is the reason for the visit?", "What is the main complaint?"))
    return _Item(lines, question, names[0], names[1:])


def _relative(scene: Scene) -> _Item:
    """Which relative has a disease."""
    draw = scene.draw
    person, disease = scene.relative()
    others = draw.sample([word for word in RELATIVES if word != person], 3)
    name = phrases.called(draw, disease, 0.8)
    wrong_sex = RELATIVES[others[0]]
    fitting = phrases.Patient(70, wrong_sex).suits
    other = phrases.called(draw, draw.term(phrases.HEREDITARY, fitting), 0.8)
    slots: dict[str, Filler] = {"a": person, "b": others[0], "c": others[1], "x": name, "y": other}
    has = "(had|has|with|was treated for)"
    first = f"{{a}} {has} {{x}}"
    second = f"{{b}} {has} {{y}}"
    third = draw.pick(("", ", {c} (is well|healthy|has no known disease)"))
    order = draw.shuffled((first, second))
    pattern = f"[FH: |Family history: ]{order[0]}(; |, ){order[1]}{third}."
    question = f"Which relative of the patient has or had {name}?"
    return _Item([sentence(pattern, draw, slots)], question, person, others)


def _length(scene: Scene) -> _Item:
    """How long a complaint has lasted."""
    draw = scene.draw
    names = [phrases.called(draw, scene.symptom(0.5), 0.8) for _ in range(2)]
    times = [phrases.duration(draw) for _ in range(4)]
    if len({time.days for time in times}) < 4:
        raise DeadEnd
    lasting = [
        fill("{x} (for|x|over the last) {time}", draw, {"x": name, "time": time.plain})
        for name, time in zip(names, times, strict=False)
    ]
    first, second = draw.shuffled(lasting)
    slots: dict[str, Filler] = {"first": first, "second": second}
    pattern = "(Has had|Reports|Complains of|Notes) {first}(, | and ){second}."
    question = f"How long has the patient had {names[0]}?"
    return _Item(
        [sentence(pattern, draw, slots)], question, times[0].plain, [t.plain for t in times[1:]]
    )


def _value(scene: Scene) -> _Item:
    """What a laboratory value was."""
    draw = scene.draw
    labs = [draw.term(phrases.labs) for _ in range(2)]
    names = [phrases.called(draw, lab, 0.75) for lab in labs]
    right, other = (phrases.number(lab, phrases.value(draw, lab)) for lab in labs)
    more = [phrases.number(labs[0], phrases.value(draw, labs[0])) for _ in range(2)]
    options = [right, other, *more]
    if len(set(options)) < 4:
        raise DeadEnd
    readings = [
        fill("{x}( |: | of ){n}{unit}", draw, {"x": name, "n": n, "unit": lab.unit})
        for name, n, lab in zip(names, (right, other), labs, strict=True)
    ]
    line = join(draw.pick((", ", "; ")), draw.shuffled(readings))
    lines = [sentence("[Labs: |Today: |Bloods: ]{x}.", draw, {"x": line})]
    was = phrases.verbs(names[0])["was"]
    return _Item(lines, f"What {was} the {names[0]}?", right, options[1:])


_DONE = "{x} (was done|was performed) {when}.|(Had|Completed) {x} {when}."
_TESTS = {
    "planned": "{x} (is planned|is booked|scheduled) for {next}.|(Will get|Order) {x} {next}.",
    "done": _DONE,
    "refused": "(Refused|Declined|Does not want) {x}.|{x} was (offered and refused|declined).",
    "cancelled": "{x} was (cancelled|called off).|(Cancelled|Called off): {x}.",
}
_TEST_QUESTIONS = {
    "planned": "Which test is planned?",
    "done": "Which test was done?",
    "refused": "Which test was refused?",
    "cancelled": "Which test was cancelled?",
}


def _test(scene: Scene) -> _Item:
    """Which test was planned, done, refused or cancelled."""
    draw = scene.draw
    entries = [draw.term(phrases.exams, scene.person.suits) for _ in range(4)]
    names = [phrases.called(draw, entry, 0.8) for entry in entries]
    states = draw.sample(tuple(_TESTS), draw.pick((2, 3, 3)))
    slots: dict[str, Filler] = {
        "when": lambda: draw.pick(("last week", "yesterday", "in March", "last month")),
        "next": lambda: draw.pick(("next week", "tomorrow", "next month")),
    }
    lines = [
        sentence(f"({_TESTS[state]})", draw, {**slots, "x": name})
        for state, name in zip(states, names, strict=False)
    ]
    return _Item(lines, _TEST_QUESTIONS[states[0]], names[0], names[1:])


def _place(scene: Scene) -> _Item:
    """Where it hurts, among sites that do not."""
    draw = scene.draw
    sites = [draw.term(phrases.limb_sites).name for _ in range(3)]
    side = draw.pick(SIDES)
    other = SIDES[1 - SIDES.index(side)]
    right = f"{side} {sites[0]}"
    wrong = [f"{other} {sites[0]}", f"{draw.pick(SIDES)} {sites[1]}", f"{other} {sites[2]}"]
    what = draw.pick(("pain", "swelling", "numbness", "stiffness"))
    slots: dict[str, Filler] = {
        "x": right,
        "y": wrong[0],
        "z": wrong[1],
        "what": what,
        "since": phrases.since(draw),
        "who": phrases.who(draw, scene.person),
    }
    pattern = draw.pick(
        (
            "{who} (has|reports|here with) {what} (in|of) the {x}[ {since}], not the {y} or {z}.",
            "{What} of the {x}[ {since}]; the {y} and {z} are (normal|fine|not affected).",
            "(Fell on|Hit|Twisted) the {z} last month, healed. Now {what} in the {x}[ {since}].",
            "The {y} and {z} (are better|have recovered), but the {x} now has {what}.",
        )
    )
    return _Item([sentence(pattern, draw, slots)], f"Where is the {what} now?", right, wrong)


def _surgery(scene: Scene) -> _Item:
    """Which operation was done in a year."""
    draw = scene.draw
    names = [phrases.called(draw, scene.operation(), 0.8) for _ in range(4)]
    count = draw.pick((2, 3))
    low = max(phrases.THIS_YEAR - scene.person.age + 18, 1985)
    years = [draw.between(low, phrases.THIS_YEAR - 1) for _ in range(count)]
    if len(set(years)) < count:
        raise DeadEnd
    told = draw.shuffled(list(zip(names, years, strict=False)))
    pattern = draw.pick(("{x} {year}", "{x} in {year}", "{year} {x}"))
    items = [fill(pattern, draw, {"x": name, "year": str(year)}) for name, year in told]
    line = sentence("(PSH|Surgical history|Operations): {x}.", draw, {"x": join(", ", items)})
    return _Item([line], f"Which operation was done in {years[0]}?", names[0], names[1:])


_MAKERS: dict[str, Callable[[Scene], _Item]] = {
    "medicine": _medicine,
    "complaint": _complaint,
    "relative": _relative,
    "length": _length,
    "value": _value,
    "test": _test,
    "place": _place,
    "surgery": _surgery,
}


def make(draw: Draw) -> tuple[QuestionInput, LabelAnswer]:
    """A note of one to four sentences, a question about it, and four answers."""
    topic, letter = draw.balanced(tuple(product(_MAKERS, LETTERS)))
    scene = Scene(draw)
    item = _MAKERS[topic](scene)
    lines = item.lines
    if draw.chance(0.5):
        lines.insert(draw.below(len(lines) + 1), phrases.aside(draw))
    if topic in ("medicine", "test"):
        lines = draw.shuffled(lines)
    options = draw.shuffled(item.wrong)
    options.insert(LETTERS.index(letter), item.right)
    note = phrases.finished(draw, join(" ", lines))
    return QuestionInput(item.question, note.text, tuple(options)), LabelAnswer(letter)
