"""Kind ``history-qa``: a yes/no/maybe question about a note (QA, closed labels).

- ``yes``: the note says that it is so;
- ``no``: the note says that it is not so;
- ``maybe``: the note raises it and leaves it open.

The note always speaks of what is asked.  Other sentences speak of other things, with statuses of
their own, or of the same disease in a relative; they never bear on the answer.  Labels are
equally frequent for each topic, so that no question gives its answer away.
"""

from __future__ import annotations

from itertools import product

from clinprompt.corpora.synthetic import phrases
from clinprompt.corpora.synthetic.draw import DeadEnd, Draw
from clinprompt.corpora.synthetic.fragment import join
from clinprompt.corpora.synthetic.grammar import fill
from clinprompt.corpora.synthetic.lexicon.people import RELATIVES
from clinprompt.corpora.synthetic.scene import Scene
from clinprompt.corpora.synthetic.statements import STATUSES, TOPICS, Status, Thing, said, thing
from clinprompt.examples import LabelAnswer, QuestionInput

LABELS: dict[Status, str] = {"yes": "yes", "no": "no", "open": "maybe"}

_QUESTIONS = {
    "condition": "(Does the patient have {x}?|{Is} {x} among the patient's problems?)",
    "symptom": "(Does the patient have {x}?|Is the patient troubled by {x}?)",
    "drug": "(Is the patient taking {x}?|Does the patient take {x}?|Is {x} a current medicine?)",
    "operation": "(Has the patient had {x}?|{Was} {x} ever done?|Did the patient undergo {x}?)",
    "family": "(Did|Does) the patient's {who} have {x}?",
    "exam": "({Has} {x} been done?|{Was} {x} done?|Has the patient had {x}?)",
    "allergy": "(Is the patient allergic to {x}?|Does the patient have {x} allergy?)",
}


def make(draw: Draw) -> tuple[QuestionInput, LabelAnswer]:
    """A question, and a note of two to four sentences, one of which answers it."""
    topic, status = draw.balanced(tuple(product(TOPICS, STATUSES)))
    scene = Scene(draw)
    asked = thing(scene, topic)
    slots = {**phrases.verbs(asked.name), "x": asked.name, "who": asked.who}
    question = fill(_QUESTIONS[topic], draw, slots).text
    if not draw.owns(question):
        raise DeadEnd
    lines = [said(scene, asked, status)]
    # Another thing of the same topic, most often with another status.
    same = thing(scene, topic)
    lines.append(said(scene, same, draw.pick(STATUSES)))
    if topic == "condition" and draw.chance(0.3):
        relative = Thing("family", asked.name, draw.pick(tuple(RELATIVES)))
        lines.append(said(scene, relative, draw.pick(STATUSES)))
    elif draw.chance(0.5):
        other = draw.pick([name for name in TOPICS if name not in (topic, "drug", "allergy")])
        lines.append(said(scene, thing(scene, other), draw.pick(STATUSES)))
    if draw.chance(0.4):
        lines.append(phrases.aside(draw))
    note = phrases.finished(draw, join(" ", draw.shuffled(lines)))
    return QuestionInput(question, note.text), LabelAnswer(LABELS[status])
