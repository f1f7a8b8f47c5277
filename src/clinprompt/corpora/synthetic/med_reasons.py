"""Kind ``med-reasons``: a medicine and a problem, both marked: what is between them (RE, pair).

- ``treats``: the text says that the medicine is, was or will be given for the problem.
- ``causes``: the text says that the problem came from the medicine, suspicion included.
- ``none``: the text says neither of this very pair; a denied effect and a medicine that is given
  for something else are ``none``.

The labels are equally frequent, and the pairs of one text differ in label, so that a text alone
does not give its answer away.
"""

from __future__ import annotations

from clinprompt.corpora.synthetic import phrases
from clinprompt.corpora.synthetic.draw import DeadEnd, Draw
from clinprompt.corpora.synthetic.fragment import Fragment, join, mark, mentions
from clinprompt.corpora.synthetic.grammar import Filler, sentence
from clinprompt.corpora.synthetic.lexicon.drugs import Drug
from clinprompt.corpora.synthetic.scene import Scene
from clinprompt.examples import LabelAnswer, PairInput

LABELS = ("treats", "causes", "none")

# Slots: {a}, {b} medicines; {p}, {q} what they treat; {x}, {y} what they did or might do.
# `ap+` means that a treats p, `ax-` that a causes x, `b~` that b is for the same problem as a.
_TEXTS: tuple[tuple[str, str], ...] = (
    (
        "{a} (added|prescribed) for {p}; {b} (dropped|taken off the list) after it gave {him} {y}.",
        "ap+ by-",
    ),
    (
        "{p} (responds to|is better on|has settled with) {a}. {X} appeared (with|under) it.",
        "ap+ ax-",
    ),
    ("{a} for {p} and {b} for {q}.", "ap+ bq+"),
    ("(Given|Put on) {a} (in view of|to control|to treat) {p}, no {x}.", "ap+"),
    ("{y} (blamed on|put down to|thought to come from) {b}; {a} kept for {p}.", "by- ap+"),
    ("{p}: {a}. {Q}: {b}.", "ap+ bq+"),
    ("{b} (replaced|took the place of) {a}, which had (produced|triggered) {x}.", "ax- b~"),
    ("(Remains|Is still) on {a} for {p}(, and| although) {b} made {him} ill with {y}.", "ap+ by-"),
    ("{p} treated with {a}, complicated by {x} (from|due to) the drug.", "ap+ ax-"),
    ("{b} will be (used|tried) for {q} once {he} is rid of {x} from {a}.", "bq+ ax-"),
    ("Never had {x} on {a}, (but|whereas) {b} caused {y}.", "by-"),
    ("{a} relieved {p} (at the price of|but left {him} with) {x}.", "ap+ ax-"),
    ("{a} for {p} ran out; {b} was not to blame for {y}.", "ap+"),
    ("Reaction list: {a} - {x}; {b} - {y}.", "ax- by-"),
    ("{a} (halved|cut to half the dose) on account of {x}; {b} for {q} goes on.", "ax- bq+"),
    ("(Rx|Plan): {a} for {p}. {B} (paused|on hold): {y}.", "ap+ by-"),
    (
        "{x} (went away|disappeared) within days of stopping {a}; {q} now treated with {b}.",
        "ax- bq+",
    ),
    ("{a} (stays|continues) as the treatment of {p}; {y} known long before {b}.", "ap+"),
    ("{he} takes {a} and {b}, the latter for {q}; {x} came from the former.", "bq+ ax-"),
    ("{q} is why {he} takes {b}; {a} is paused to let {x}, its side effect, settle.", "bq+ ax-"),
    ("(With|Under) {a}, {p} has improved; {b} had failed for {q} and brought {y}.", "ap+ bq+ by-"),
)


def _slots(draw: Draw, scene: Scene, kin: bool) -> dict[str, Filler]:
    """Marked medicines and problems; each letter is the link of its mention.

    With `kin`, b is for the same problem as a.
    """
    chosen: dict[str, Drug] = {}

    def drug(key: str) -> Drug:
        if key not in chosen:
            chosen[key] = scene.sibling(drug("a")) if key == "b" and kin else scene.drug()
        return chosen[key]

    def medicine(key: str) -> Fragment:
        return mark(phrases.called(draw, drug(key), 0.7), "Drug", key)

    def problem(key: str, owner: str) -> Fragment:
        names = drug(owner).treats if key in "pq" else drug(owner).effects
        return mark(phrases.reworded(draw, scene.related(names)), "Problem", key)

    slots: dict[str, Filler] = {
        "he": scene.person.he,
        "him": "him" if scene.person.sex == "m" else "her",
    }
    for key in "ab":
        slots[key] = lambda key=key: medicine(key)  # type: ignore[misc]
    for key, owner in ("pa", "xa", "qb", "yb"):
        slots[key] = lambda key=key, owner=owner: problem(key, owner)  # type: ignore[misc]
    return slots


def make(draw: Draw) -> tuple[PairInput, LabelAnswer]:
    """A text with two medicines or more problems, and one of its pairs by the label's turn."""
    label = draw.balanced(LABELS)
    pattern, relations = draw.pick(_TEXTS)
    told = [relation for relation in relations.split() if relation != "b~"]
    signs = {relation[:2]: LABELS["+-".index(relation[2])] for relation in told}
    scene = Scene(draw)
    lines = [sentence(pattern, draw, _slots(draw, scene, "b~" in relations))]
    found = mentions(lines[0])
    pairs = [
        (drug, problem)
        for drug in "ab"
        for problem in "pqxy"
        if drug in found and problem in found and signs.get(drug + problem, "none") == label
    ]
    if not pairs:
        raise DeadEnd
    drug, problem = draw.pick(pairs)
    if draw.chance(0.3):
        who = {"who": phrases.who(draw, scene.person)}
        lines.insert(
            0, sentence("{who}, (medication reconciliation|phone visit|refill visit).", draw, who)
        )
    lines += [phrases.aside(draw) for _ in range(draw.pick((0, 1, 1)))]
    note = phrases.finished(draw, join(" ", lines))
    found = mentions(note)
    return PairInput(note.text, found[drug], found[problem]), LabelAnswer(label)
