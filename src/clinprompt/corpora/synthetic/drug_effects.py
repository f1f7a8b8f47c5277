"""Kind ``drug-effects``: which medicine did what harm (RE, list of drug -> effect pairs).

A relation stands for an unwanted effect that the text says happened to the patient because of the
medicine, suspected causes included.  No relation: an effect that is denied, only feared or only
warned of; what a medicine is taken for; another relative's reaction.  About one text in four has
none.
"""

from __future__ import annotations

from clinprompt.corpora.synthetic import phrases
from clinprompt.corpora.synthetic.draw import Draw
from clinprompt.corpora.synthetic.fragment import Fragment, join, mark, mentions
from clinprompt.corpora.synthetic.grammar import Filler, sentence
from clinprompt.corpora.synthetic.lexicon.drugs import Drug
from clinprompt.corpora.synthetic.lexicon.people import RELATIVES
from clinprompt.corpora.synthetic.scene import Scene
from clinprompt.examples import Relation, RelationAnswer, TextInput

LABEL = "ADE"

# Slots: {a} and {b} are medicines, {x}, {y}, {z} harms; `a:xy` means that a did x and y, `b~a`
# that b is for the same problem as a.
_HAPPENED: tuple[tuple[str, str], ...] = (
    ("{a} (was stopped|was discontinued|held|was withdrawn) (because of|due to|for) {x}.", "a:x"),
    ("{a} (was stopped|discontinued) (because of|due to) {x} and {y}.", "a:xy"),
    ("(Developed|Got|Had) {x} (after starting|on|a week after|while on) {a}.", "a:x"),
    ("(Developed|Got|Noticed) {x} and {y} (after starting|on|with) {a}.", "a:xy"),
    ("{x}, (likely|probably|clearly) (from|due to|related to|secondary to) {a}.", "a:x"),
    ("{a} (caused|brought on|led to|resulted in|gave {him}) {x}.", "a:x"),
    ("{a} caused {x}(, later| and then) {y}.", "a:xy"),
    ("{a}-(induced|related|associated) {x}(|, now resolved|, improving).", "a:x"),
    ("(Could not|Did not) tolerate {a} (because of|due to) {x}.", "a:x"),
    ("(Intolerances|Adverse reactions): {a} - {x}.", "a:x"),
    ("(Reactions|ADRs): {a}, {x}; {b}, {y}.", "a:x b:y"),
    (
        "{x} (began|started) {days} after the first dose of {a} and (settled|resolved) off it.",
        "a:x",
    ),
    ("{a} (was switched|was changed) to {b} (because of|after) {x}.", "a:x b~a"),
    ("{x} on {a}; (changed|switched) to {b}, which {he} takes without trouble.", "a:x b~a"),
    ("{x} on {a} and {y} on {b}.", "a:x b:y"),
    ("{b} (was tried|was given), but {x} (occurred|followed); {a} then caused {y}.", "b:x a:y a~b"),
    ("(Complains of|Reports|Bothered by) {x} since {a} was (started|raised|added).", "a:x"),
    ("{x} got better when {a} was (stopped|held|cut in half).", "a:x"),
    ("(Attributes|We attribute) {x} to {a}(|, not to {b}).", "a:x"),
    ("Neither {x} nor {y} recurred once {a} was off.", "a:xy"),
)
_OTHERWISE: tuple[str, ...] = (
    "(Tolerates|Takes) {b} well.",
    "(No|Denies) {z} (on|with|from|since starting) {b}.",
    "(Continues|Stays on|Remains on) {b} for {use}.",
    "{b} (is for|was started for|is taken for|was prescribed for) {use}.",
    "(Worried about|Afraid of|Asked about) {z} from {b}, none so far.",
    "(Told to watch for|Warned about|Counselled on) {z} with {b}.",
    "{kin} had {z} on {b}.",
    "{b} (was added|was renewed|was refilled|unchanged).",
    "(Missed|Forgot) {b} twice last week.",
    "{b} stopped (because of cost|when the course ended|as no longer needed).",
    "{plain} (since childhood|before any medication|for years), unrelated to {b}.",
)


class _Writer:
    """Fills the patterns of one text; medicines and harms are drawn when first asked for."""

    def __init__(self, draw: Draw) -> None:
        self.draw, self.scene = draw, Scene(draw)
        self.relations: list[tuple[str, str]] = []
        self._drugs: dict[str, Drug] = {}
        self._kin: dict[str, str] = {}
        self._round = 0

    def sentence(self, pattern: str, pairs: str = "") -> Fragment:
        """The pattern with new medicines; `pairs` says which harm goes with which."""
        self._round += 1
        self._drugs = {}
        self._kin = {pair[0]: pair[2] for pair in pairs.split() if pair[1] == "~"}
        told = [pair for pair in pairs.split() if pair[1] == ":"]
        owner = {harm: pair[0] for pair in told for harm in pair[2:]}
        slots: dict[str, Filler] = {
            "he": self.scene.person.he,
            "him": "him" if self.scene.person.sex == "m" else "her",
            "kin": lambda: self.draw.pick(tuple(RELATIVES)),
            "days": lambda: phrases.duration(self.draw, ("day", "week")).plain,
            "use": lambda: phrases.reworded(self.draw, self.scene.indication(self._drug("b"))),
            "plain": lambda: phrases.called(self.draw, self.scene.symptom()),
        }
        for key in "ab":
            slots[key] = lambda key=key: self._named(key)  # type: ignore[misc]
        for key in "xyz":
            slots[key] = lambda key=key: self._harm(key, owner.get(key, "b"))  # type: ignore[misc]
        text = sentence(pattern, self.draw, slots)
        self.relations += ((self._link(drug), self._link(harm)) for harm, drug in owner.items())
        return text

    def _link(self, key: str) -> str:
        return f"{key}{self._round}"

    def _drug(self, key: str) -> Drug:
        if key not in self._drugs:
            kin = self._kin.get(key)
            self._drugs[key] = self.scene.sibling(self._drug(kin)) if kin else self.scene.drug()
        return self._drugs[key]

    def _named(self, key: str) -> Fragment:
        name = phrases.called(self.draw, self._drug(key), 0.7)
        return mark(name, "Drug", self._link(key))

    def _harm(self, key: str, drug: str) -> Fragment:
        name = phrases.reworded(self.draw, self.scene.harm(self._drug(drug)))
        severity = self.draw.pick(("mild", "severe", "troublesome", "bad", "transient"))
        words = f"{severity} {name}" if self.draw.chance(0.2) else name
        return mark(words, "Effect", self._link(key))


def make(draw: Draw) -> tuple[TextInput, RelationAnswer]:
    """One or two sentences with relations (none in one text of four) and one or two without."""
    writer = _Writer(draw)
    happened = draw.pick((0, 1, 1, 1, 2))
    lines = [writer.sentence(*draw.pick(_HAPPENED)) for _ in range(happened)]
    lines += [writer.sentence(p) for p in draw.sample(_OTHERWISE, 2 if happened == 0 else 1)]
    if draw.chance(0.5):
        lines.append(phrases.aside(draw))
    lines = draw.shuffled(lines)
    if draw.chance(0.4):
        who = {"who": phrases.who(draw, writer.scene.person)}
        lines.insert(0, sentence("{who} (seen|here) for a (medication|drug) review.", draw, who))
    note = phrases.finished(draw, join(" ", lines))
    found = mentions(note)
    relations = (Relation(found[drug], found[harm], LABEL) for drug, harm in writer.relations)
    return TextInput(note.text), RelationAnswer(tuple(sorted(relations)))
