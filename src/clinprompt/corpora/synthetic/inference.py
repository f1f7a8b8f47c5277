"""Kind ``inference``: does a snippet of a note support a hypothesis? (NLI, three labels).

- ``entailment``: the snippet says so, or its numbers, dates or doses make it so;
- ``contradiction``: the snippet says or makes it impossible;
- ``neutral``: the snippet leaves it open: it hedges, or speaks of another thing, value or relative
  only, or lacks the number or date that would decide.

The hypothesis is drawn before and apart from the label, so that it alone says nothing.  Things are
called by the same name on both sides.  Snippet and hypothesis numbers never lie close together.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

from clinprompt.corpora.synthetic import phrases
from clinprompt.corpora.synthetic.draw import DeadEnd, Draw
from clinprompt.corpora.synthetic.fragment import Fragment, join
from clinprompt.corpora.synthetic.grammar import Filler, fill, sentence
from clinprompt.corpora.synthetic.lexicon.workup import Measure
from clinprompt.corpora.synthetic.phrases import Duration
from clinprompt.corpora.synthetic.scene import Scene
from clinprompt.corpora.synthetic.statements import STATUSES, TOPICS, Status, said, thing
from clinprompt.examples import LabelAnswer, PremiseInput

LABELS = ("entailment", "contradiction", "neutral")

# Hypothesis that the thing is so, and that it is not.
_CLAIMS: dict[str, tuple[str, str]] = {
    "condition": (
        "(The patient has {x}.|The diagnosis of {x} is established.)",
        "(The patient does not have {x}.|The patient has no {x}.)",
    ),
    "symptom": (
        "(The patient has {x}.|{x} {is} among the complaints.)",
        "(The patient does not have {x}.|{x} {is} absent.)",
    ),
    "drug": (
        "(The patient is taking {x}.|{x} is being taken.)",
        "(The patient is not taking {x}.|{x} is not being taken.)",
    ),
    "operation": (
        "(The patient has had {x}.|{x} {was} performed.)",
        "(The patient has never had {x}.|{x} {was} never performed.)",
    ),
    "family": (
        "The patient's {who} (has|had) {x}.",
        "The patient's {who} (does|did) not have {x}.",
    ),
    "exam": (
        "{x} {has} (already|) been done.",
        "{x} {has} not been done(| yet).",
    ),
    "allergy": (
        "The patient is allergic to {x}.",
        "The patient is not allergic to {x}.",
    ),
}

Pair = tuple[list[Fragment], Fragment]
"""Sentences of a snippet, and the hypothesis."""


def _status(scene: Scene, topic: str, label: str) -> Pair:
    """Whether a thing is so."""
    draw = scene.draw
    asked = thing(scene, topic)
    negative = draw.below(2)
    slots = {**phrases.verbs(asked.name), "x": asked.name, "who": asked.who}
    hypothesis = sentence(_CLAIMS[topic][negative], draw, slots)
    lines: list[Fragment] = []
    if label != "neutral":
        yes = (label == "entailment") != bool(negative)
        lines.append(said(scene, asked, "yes" if yes else "no"))
    elif draw.chance(0.6):
        lines.append(said(scene, asked, "open"))
    # Something else of the topic, always there if the thing asked for is not.
    if not lines or draw.chance(0.5):
        lines.append(said(scene, thing(scene, topic), draw.pick(STATUSES)))
    return lines, hypothesis


def _reading(draw: Draw, measure: Measure, name: str, amount: float) -> Fragment:
    slots = {"x": name, "n": phrases.number(measure, amount), "unit": measure.unit}
    return sentence("{x}( | of |: |, ){n}{unit}(| today| on arrival| this morning).", draw, slots)


def _measure(scene: Scene, pool_name: str, label: str) -> Pair:
    """Whether a laboratory value or vital sign lies above or below a number."""
    draw = scene.draw
    pool = phrases.labs if pool_name == "lab" else phrases.vitals
    asked = draw.term(pool)
    name = phrases.called(draw, asked, 0.8)
    above = draw.chance(0.5)
    limit = phrases.value(draw, asked, 0.3, 0.7)
    width = asked.high - asked.low
    low = (asked.low, limit - 0.08 * width)
    high = (limit + 0.08 * width, asked.high)
    slots = {"x": name, "n": phrases.number(asked, limit), "unit": asked.unit}
    side = "(above|over|higher than)" if above else "(below|under|lower than)"
    verb = "({is}|{was})"
    slots |= phrases.verbs(name)
    hypothesis = sentence(f"The {{x}} {verb} {side} {{n}}{{unit}}.", draw, slots)
    lines = []
    if label == "neutral":
        if draw.chance(0.6):
            missing = "pending|not drawn|sample lost" if pool_name == "lab" else "not taken|missing"
            pattern = f"{{x}} ({missing}|to be repeated|not recorded)."
            lines.append(sentence(pattern, draw, {"x": name}))
    else:
        start, stop = high if above == (label == "entailment") else low
        amount = start + (stop - start) * draw.below(1000) / 1000
        lines.append(_reading(draw, asked, name, round(amount, asked.decimals)))
    if not lines or draw.chance(0.6):
        other = draw.term(pool)
        amount = phrases.value(draw, other)
        lines.append(_reading(draw, other, phrases.called(draw, other, 0.8), amount))
    return lines, hypothesis


def _duration(scene: Scene, label: str) -> Pair:
    """Whether a complaint began more or less than so long ago."""
    draw = scene.draw
    asked = phrases.called(draw, scene.symptom(0.3), 0.8)
    limit = Duration(draw.between(3, 6), draw.pick(("day", "week", "month")))
    more = draw.chance(0.5)
    slots: dict[str, Filler] = {
        "x": asked,
        "y": lambda: phrases.called(draw, scene.symptom(0.3), 0.8),
        "limit": limit.plain,
    }
    side = "more" if more else "less"
    pattern = f"{{x}} (began|started) {side} than {{limit}} ago."
    hypothesis = sentence(pattern, draw, slots)
    longer = more == (label == "entailment")
    low, high = (1.4, 60.0) if longer else (1 / 60, 0.7)
    lengths = [time for time in phrases.DURATIONS if low < time.days / limit.days < high]
    slots["time"] = draw.pick(lengths).written(draw)
    slots["long"] = phrases.duration(draw).plain
    if label == "neutral":
        pattern = (
            "({x} of (unclear|unknown|uncertain) onset|{x}, cannot say since when"
            "|{x} now, and {y} for {long}|{y} for {long}|{y} for {long}, also {x})."
        )
    else:
        pattern = (
            "(Reports|Has had|Complains of|Notes) {x} (for {time}|that began {time} ago)"
            "(|, {y} for {long})."
        )
    return [sentence(pattern, draw, slots)], hypothesis


def _date(scene: Scene, label: str) -> Pair:
    """Whether an operation was done before or after a year."""
    draw = scene.draw
    asked = phrases.called(draw, scene.operation(), 0.8)
    first = max(phrases.THIS_YEAR - scene.person.age + 18, 1985)
    limit = draw.between(first, phrases.THIS_YEAR - 2)
    before = draw.chance(0.5)
    early = before == (label == "entailment")
    low, high = (first - 2, limit - 2) if early else (limit + 2, phrases.THIS_YEAR)
    slots: dict[str, Filler] = {
        **phrases.verbs(asked),
        "x": asked,
        "y": lambda: phrases.called(draw, scene.operation(), 0.8),
        "limit": str(limit),
        "year": str(draw.between(low, high)),
        "any": str(draw.between(first, phrases.THIS_YEAR - 1)),
    }
    side = "before" if before else "after"
    hypothesis = sentence(f"{{x}} {{was}} (done|performed) {side} {{limit}}.", draw, slots)
    if label == "neutral":
        pattern = (
            "(S/p {x}, (year|date) (unknown|not recorded)|PSH: {x}, no date, {y} in {any}"
            "|Had {x} at some point and {y} in {any}|PSH: {y}, {any})."
        )
    else:
        pattern = "(S/p|Had|PSH:|Underwent) {x} in {year}(|, {y} in {any}|, also {y})."
    return [sentence(pattern, draw, slots)], hypothesis


def _dose(scene: Scene, label: str) -> Pair:
    """Whether the dose of a medicine was raised or lowered."""
    draw = scene.draw
    asked = scene.drug(phrases.HOME_DRUGS)
    if len(asked.doses) < 2:
        raise DeadEnd
    raised = draw.chance(0.5)
    low, high = sorted(draw.sample(range(len(asked.doses)), 2))
    slots: dict[str, Filler] = {
        "x": phrases.called(draw, asked, 0.85),
        "y": lambda: phrases.called(draw, scene.drug(), 0.85),
        "low": asked.doses[low],
        "high": asked.doses[high],
    }
    word = "(raised|increased)" if raised else "(lowered|reduced)"
    hypothesis = sentence(f"The dose of {{x}} was {word}.", draw, slots)
    if label == "neutral":
        pattern = (
            "(Takes|On|Uses) {x} {low}(|, {y} (was changed|was stopped|added))."
            if draw.chance(0.5)
            else "(Dose of {x} to be reviewed|{y} changed today; {x}: see med list|Asks about {x})."
        )
    elif label == "contradiction" and draw.chance(0.3):
        pattern = (
            "{x} (kept|left|continued) (unchanged at|at the same dose of) {low}(|, {y} added)."
        )
    else:
        up = raised == (label == "entailment")
        change = "from {low} to {high}" if up else "from {high} to {low}"
        pattern = f"{{x}} (went|adjusted|changed|switched) {change}(|, {{y}} unchanged)."
    return [sentence(pattern, draw, slots)], hypothesis


def _about(topic: str) -> Callable[[Scene, str], Pair]:
    return lambda scene, label: _status(scene, topic, label)


_MAKERS: dict[str, Callable[[Scene, str], Pair]] = {
    **{topic: _about(topic) for topic in TOPICS},
    "lab": lambda scene, label: _measure(scene, "lab", label),
    "vital": lambda scene, label: _measure(scene, "vital", label),
    "duration": _duration,
    "date": _date,
    "dose": _dose,
}


def make(draw: Draw) -> tuple[PremiseInput, LabelAnswer]:
    """A snippet of one to three sentences and a hypothesis."""
    topic, label = draw.balanced(tuple(product(_MAKERS, LABELS)))
    scene = Scene(draw)
    lines, hypothesis = _MAKERS[topic](scene, label)
    if not draw.owns(hypothesis.text):
        raise DeadEnd
    if not draw.paired or draw.chance(0.35):
        # "No fever" would bear on a temperature.
        apart = (topic, "symptom") if topic == "vital" else (topic,)
        filler = thing(scene, draw.pick([name for name in TOPICS if name not in apart]))
        status: Status = draw.pick(STATUSES)
        lines.append(said(scene, filler, status))
    if draw.chance(0.35):
        lines.append(phrases.aside(draw, vitals=topic != "vital"))
    if draw.chance(0.3):
        lead = fill("{who}: ", draw, {"who": phrases.who(draw, scene.person)})
        premise = join("", (lead, join(" ", draw.shuffled(lines))))
    else:
        premise = join(" ", draw.shuffled(lines))
    premise = phrases.finished(draw, premise)
    return PremiseInput(premise.text, hypothesis.text), LabelAnswer(label)
