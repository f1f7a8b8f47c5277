"""Kind ``smoking-status``: the patient's tobacco smoking, from a social history (QA, labels).

- ``current``: smokes cigarettes, cigars or a pipe at the time of the note, however little;
- ``former``: smoked in the past and has stopped;
- ``never``: has never smoked;
- ``unknown``: the note says nothing of the patient's own smoking, or that it is not known.

Other people's smoking and the patient's drinking and drug use never count; they are written in
the same words ("quit drinking in 2010").
"""

from __future__ import annotations

from clinprompt.corpora.synthetic import phrases
from clinprompt.corpora.synthetic.draw import Draw
from clinprompt.corpora.synthetic.fragment import Fragment, concat, join
from clinprompt.corpora.synthetic.grammar import Filler, sentence
from clinprompt.corpora.synthetic.lexicon.people import ALCOHOL, SUBSTANCES
from clinprompt.examples import LabelAnswer, QuestionInput

LABELS = ("current", "former", "never", "unknown")
QUESTIONS = (
    "What is the patient's smoking status?",
    "Does the patient smoke?",
    "Is the patient a smoker?",
)

_SMOKING: dict[str, tuple[str, ...]] = {
    "current": (
        "(Smokes|Still smokes|Continues to smoke) {packs} (pack a day|ppd)[ for {years} years].",
        "(Current|Active|Daily) smoker[, {packs} ppd][ x {years} years].",
        "(Tobacco|Smoking): {packs} ppd (x {years} years|since age {teen})(|, hopes to quit).",
        "(Smokes|Has) (a cigar|cigars|a pipe) (on weekends|most evenings|with friends).",
        "(Down to|Cut down to) {few} cigarettes (a day|daily), (used to smoke|from) {packs} ppd.",
        "Quit smoking in {year} but (restarted|is smoking again) (this|last) year.",
        "(Trying|Wants|Was advised) to (quit|stop); (now at|at present) {few} cigarettes a day.",
        "(Tobacco use: yes|Tobacco: yes|Smoker: yes), {packs} ppd.",
    ),
    "former": (
        "(Quit|Stopped) smoking (in {year}|{years} years ago)[, {pack_years} pack-years].",
        "(Ex-smoker|Former smoker|Past smoker)[, {pack_years} pack-years][, quit in {year}].",
        "Smoked {packs} ppd for {years} years(, quit in {year}| until {year}|; quit at age {age}).",
        "(Tobacco|Smoking): (none since|quit in|stopped in) {year}[, {pack_years} pack-years].",
        "(Gave up|Has been off) cigarettes (in {year}|since {year}).",
        "(Has not smoked|No cigarettes|Smoke-free) (since {year}|for {years} years).",
        "Used to smoke {few} cigarettes a day, (none now|no longer|stopped in {year}).",
        "Remote smoking history(, quit in {year}| in college only|, long since stopped).",
    ),
    "never": (
        "(Never smoked|Has never smoked|Never a smoker).",
        "(Lifelong nonsmoker|Lifetime nonsmoker|Never-smoker).",
        "(Tobacco|Smoking): (never|none ever|has never used).",
        "(Denies|No) (ever smoking|any tobacco use, past or present|history of smoking).",
        "(Has never|Never) (touched a cigarette|used tobacco|used any tobacco).",
        "Does not smoke and never did.",
        "(Smoked no cigarettes|No tobacco) in {his} life.",
    ),
    "unknown": (
        "",
        "",
        "(Tobacco use|Smoking) (not recorded|not documented|not asked).",
        "(Smoking status|Tobacco history) (unknown|could not be obtained|to be asked).",
        "{Kin} (smokes|is a smoker|smokes {packs} ppd|smokes in the house).",
        "{Kin} quit smoking in {year}.",
        "(Has|Installed) smoke alarms at home.",
        "(Exposed to|Breathed) wood smoke at work for {years} years.",
        "(Raised|Grew up) in a home (with smokers|where both parents smoked).",
    ),
}
_BESIDE = ("{Kin} (smokes|quit smoking in {year}|never smoked|is an ex-smoker).",)
_KIN = ("father", "sister", "neighbor", "brother", "daughter", "mother", "coworker", "son")


def make(draw: Draw) -> tuple[QuestionInput, LabelAnswer]:
    """A social history of three to five short statements."""
    label = draw.balanced(LABELS)
    person = phrases.patient(draw)
    job, home = draw.term(phrases.occupations).name, draw.term(phrases.households).name
    slots: dict[str, Filler] = {
        "packs": lambda: draw.pick(("1", "2", "1.5", "1/2", "0.5", "0.3")),
        "few": lambda: str(draw.between(3, 9)),
        "years": lambda: str(draw.between(2, 30)),
        "pack_years": lambda: str(draw.between(5, 60)),
        "teen": lambda: str(draw.between(14, 19)),
        "age": lambda: str(draw.between(20, person.age)),
        "year": lambda: str(draw.between(phrases.THIS_YEAR - min(person.age - 20, 30), 2023)),
        "his": person.his,
        "kin": lambda: draw.pick(_KIN),
        "job": job,
        "work": phrases.article(job),
        "n": lambda: str(draw.between(2, 9)),
    }
    lines: list[Fragment] = [
        sentence("(Works as {work}|Retired {job}|Former {job}|Occupation: {job}).", draw, slots),
        sentence(home + ".", draw),
    ]
    lines.append(sentence(draw.pick(_SMOKING[label]), draw, slots))
    if draw.chance(0.65):
        lines.append(sentence(f"(|Alcohol: |EtOH: ){draw.pick(ALCOHOL)}.", draw, slots))
    if draw.chance(0.35):
        lines.append(sentence(draw.pick(SUBSTANCES) + ".", draw, slots))
    if draw.chance(0.35):
        lines.append(sentence(draw.term(phrases.pastimes).name + ".", draw))
    if label != "unknown" and draw.chance(0.2):
        lines.append(sentence(draw.pick(_BESIDE), draw, slots))
    note = join(" ", draw.shuffled(lines))
    head = draw.pick(("SH: ", "Social history: ", "Social: ", "", ""))
    note = phrases.finished(draw, concat((head, note)))
    return QuestionInput(draw.pick(QUESTIONS), note.text), LabelAnswer(label)
